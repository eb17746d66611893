"""The head runner: the same suite for every kind; a new kind inherits it by naming itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ldznet_ext.errors import HeadError
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.nets.heads import build_head
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.base import Clock, Evidence
from ldznet_ext.segmenters.familiarity import Familiarity
from ldznet_ext.segmenters.methods import pick_segmenter
from ldznet_ext.segmenters.view import look
from ldznet_ext.weights import save_head
from tests.tiny import OVERRIDES, head_info, picture, write_head

KINDS = ("ldznet", "concat", "znet", "rgbnet")


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("heads")
    return {kind: write_head(folder / f"{kind}.safetensors", kind) for kind in KINDS}


def write_wide_head(path: Path, kind: str, **over: int) -> Path:
    """A head's file whose shapes differ from the tiny model's."""
    overrides = {**OVERRIDES, **over}
    head = build_head(kind, "sticker", **{**overrides, "channel_mult": (1, 1, 2, 2)})
    return save_head(path, head.state_dict(), head_info(kind, overrides=overrides))


def _ask(model: StandaloneBackbone, head: Path, *phrases: str, seed: int = 0) -> Evidence:
    segmenter = pick_segmenter("auto", model, head)
    request = SegmentRequest(phrases=phrases, seed=seed)
    return segmenter.evidence(model, look(picture(), model), phrases, request, Clock())


@pytest.mark.parametrize("kind", KINDS)
def test_one_map_a_phrase_at_the_network_size(backbone: StandaloneBackbone, heads: dict[str, Path], kind: str) -> None:
    evidence = _ask(backbone, heads[kind], "fox", "red balloon")
    assert evidence.logits.shape == (2, *look(picture(), backbone).fit.network)
    assert evidence.logits.dtype == np.float32
    assert evidence.scores.shape == (2,) and (evidence.scores >= 0).all() and (evidence.scores <= 1).all()
    assert np.abs(evidence.logits[0] - evidence.logits[1]).max() > 1e-4  # the words matter
    assert evidence.unet_calls == backbone.unet_calls == (1 if kind in ("ldznet", "concat") else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_needs_say_what_is_read(backbone: StandaloneBackbone, heads: dict[str, Path], kind: str) -> None:
    needs = pick_segmenter("auto", backbone, heads[kind]).needs
    assert ("pixels" in needs) == (kind == "rgbnet") and ("latent" in needs) == (kind != "rgbnet")
    assert ("features" in needs) == (kind in ("ldznet", "concat"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_request_gives_the_same_bits(backbone: StandaloneBackbone, heads: dict[str, Path], kind: str) -> None:
    first = _ask(backbone, heads[kind], "fox", "owl").logits
    _ask(backbone, heads[kind], "owl")  # another batch in between fills the caches
    np.testing.assert_array_equal(_ask(backbone, heads[kind], "fox", "owl").logits, first)
    backbone.caches.clear()
    np.testing.assert_array_equal(_ask(backbone, heads[kind], "fox", "owl").logits, first)


def test_the_seed_and_the_weights_matter(backbone: StandaloneBackbone, heads: dict[str, Path]) -> None:
    first = _ask(backbone, heads["ldznet"], "fox").logits
    assert not np.array_equal(_ask(backbone, heads["ldznet"], "fox", seed=1).logits, first)
    backbone.unet.middle_block[0].in_layers[2].weight.data *= 1.5
    assert not np.array_equal(_ask(backbone, heads["ldznet"], "fox").logits, first)


def test_features_are_those_of_a_full_pass_at_t_400(backbone: StandaloneBackbone, heads: dict[str, Path]) -> None:
    """The runner's logits equal a walk by hand: encode, add seeded noise, a full pass of the UNet, the head."""
    view = look(picture(), backbone)
    segmenter = pick_segmenter("ldznet", backbone, heads["ldznet"])
    with torch.inference_mode():
        latent = backbone.vae.encode(torch.from_numpy(view.pixels)[None])
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(3))
        alpha = np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)[400]
        noisy = alpha**0.5 * latent + (1 - alpha) ** 0.5 * noise
        context = backbone.text(["owl"])
        with harvest(backbone.unet, segmenter.info.taps) as store:
            backbone.unet(noisy, torch.tensor([400]), context)
        expected = segmenter.head(latent, context, dict(store))[0].numpy()
    np.testing.assert_allclose(_ask(backbone, heads["ldznet"], "owl", seed=3).logits, expected, atol=1e-5)


def test_many_phrases_go_in_several_batches(
    backbone: StandaloneBackbone, heads: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _ask(backbone, heads["ldznet"], "fox", "owl", "snow")
    monkeypatch.setattr("ldznet_ext.segmenters.heads.CHUNK", 3)  # two at this size, which is larger than the native one
    backbone.caches.clear()
    parts = _ask(backbone, heads["ldznet"], "fox", "owl", "snow")
    assert (whole.unet_calls, parts.unet_calls) == (1, 2)
    np.testing.assert_allclose(parts.logits, whole.logits, atol=1e-4)


@pytest.mark.parametrize(("limit", "familiar"), [(1e6, True), (1e-6, False)])
def test_familiarity_costs_no_pass(backbone: StandaloneBackbone, tmp_path: Path, limit: float, familiar: bool) -> None:
    width = 64 * 5 + 14 * 4  # five taps, and the texture of a latent of four channels
    statistics = Familiarity(np.zeros(width), np.ones(width), np.eye(3, width), np.ones(3), 1.0, limit)
    evidence = _ask(backbone, write_head(tmp_path / "h.safetensors", familiarity=statistics), "fox")
    assert evidence.familiar is familiar and evidence.unet_calls == 1
    assert evidence.provenance["distance"] > 0


def test_statistics_older_than_texture_still_tell(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    width = 64 * 5
    statistics = Familiarity(np.zeros(width), np.ones(width), np.eye(3, width), np.ones(3), 1.0, 1e-6)
    evidence = _ask(backbone, write_head(tmp_path / "h.safetensors", familiarity=statistics), "fox")
    assert evidence.familiar is False


def test_without_statistics_nothing_is_claimed(backbone: StandaloneBackbone, heads: dict[str, Path]) -> None:
    evidence = _ask(backbone, heads["ldznet"], "fox")
    assert evidence.familiar is None and not evidence.calibrated


def test_a_head_of_another_family(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    path = write_head(tmp_path / "h.safetensors", family="sd1")
    with pytest.raises(HeadError, match="family 'sd1'; expected one for 'sticker'"):
        pick_segmenter("ldznet", backbone, path)


@pytest.mark.parametrize(
    ("kind", "over", "said"),
    [
        ("ldznet", {"context_dim": 48}, "text states 48 wide, and those of the model 'sticker-sd' are 32; expected"),
        ("rgbnet", {"context_dim": 48}, "text states 48 wide, and those of the model 'sticker-sd' are 32; expected"),
        (
            "znet",
            {"latent_channels": 16},
            "latents 16 channels deep, and those of the model 'sticker-sd' are 4; expected",
        ),
    ],
)
def test_a_head_of_the_family_for_other_widths(
    backbone: StandaloneBackbone, tmp_path: Path, kind: str, over: dict[str, int], said: str
) -> None:
    path = write_wide_head(tmp_path / "h.safetensors", kind, **over)
    with pytest.raises(HeadError, match=said):
        pick_segmenter("auto", backbone, path)
    assert not len(backbone.caches.texts) and backbone.unet_calls == 0
