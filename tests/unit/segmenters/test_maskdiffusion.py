"""MaskDiffusion on the tiny model: one pass for any words, windows for large pictures, honest where nothing can be told."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ldznet_ext.generate import generate_and_segment
from ldznet_ext.harvest.attention import find_layers
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.pipeline import segment
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.base import Clock, Evidence
from ldznet_ext.segmenters.familiarity import Familiarity, texture
from ldznet_ext.segmenters.maskdiffusion import Likeness, MaskDiffusionSegmenter, Reading, largest_other
from ldznet_ext.segmenters.maskdiffusion_settings import MASKDIFFUSION
from ldznet_ext.segmenters.methods import pick_segmenter
from ldznet_ext.segmenters.scenery import scenery_of
from ldznet_ext.segmenters.scores import Scoring
from ldznet_ext.segmenters.tokens import Template
from ldznet_ext.segmenters.view import look
from tests.tiny import picture

PAPER = MASKDIFFUSION["sd1"]
SETTINGS = replace(PAPER, template=Template(joint="and", rivals=("snow", "the")))
"""The paper's, with rivals that the tiny vocabulary has."""


def ask(
    backbone: StandaloneBackbone,
    *phrases: str,
    shown: np.ndarray | None = None,
    method: MaskDiffusionSegmenter | None = None,
    **request: object,
) -> Evidence:
    method = method or MaskDiffusionSegmenter.for_model(backbone)
    view = look(picture() if shown is None else shown, backbone)
    return method.evidence(backbone, view, phrases, SegmentRequest(phrases=phrases, **request), Clock())


def test_every_family_has_levels_that_its_shape_has() -> None:
    assert set(MASKDIFFUSION) == {"sd1", "sd2", "sdxl", "sticker"}
    assert PAPER.features == ("out.2.res.in", "out.5.res.in") and PAPER.timestep == 1
    for settings in MASKDIFFUSION.values():
        assert settings.template.rivals and settings.backgrounds >= 1


def test_the_levels_are_the_two_coarsest_and_the_pass_ends_there(backbone: StandaloneBackbone) -> None:
    layers = find_layers(backbone.unet, "attn2", SETTINGS.places, every=False)
    assert sorted({layer.stride for layer in layers}) == [4, 8]
    seen: list[torch.Size] = []
    hook = backbone.unet.output_blocks[6].register_forward_hook(lambda m, i, out: seen.append(out.shape))
    ask(backbone, "fox", method=MaskDiffusionSegmenter(SETTINGS))
    hook.remove()
    assert backbone.unet_calls == 1 and not seen


def test_one_pass_serves_all_words_and_those_asked_later(backbone: StandaloneBackbone) -> None:
    first = ask(backbone, "fox", "owl")
    later = ask(backbone, "red balloon", "owl")
    assert (first.unet_calls, later.unet_calls, backbone.unet_calls) == (1, 0, 1)
    np.testing.assert_array_equal(first.logits[1], later.logits[1])  # alone, whatever it is asked with
    assert np.abs(first.logits[0] - first.logits[1]).max() > 1e-4


def test_names_that_exclude_one_another_leave_one_winner(backbone: StandaloneBackbone) -> None:
    evidence = ask(backbone, "fox", "owl", "snow", exclusive=True)
    assert evidence.background is not None and evidence.background.shape == evidence.logits.shape[1:]
    everything = np.concatenate([evidence.logits, evidence.background[None]])
    assert ((everything > 1e-5).sum(axis=0) <= 1).all()
    assert (everything.max(axis=0) > 0).mean() > 0.9  # the rest are borders, where resized maps meet


def test_a_phrase_longer_than_a_text_is_read_to_its_end(backbone: StandaloneBackbone) -> None:
    long = " ".join(["fox"] * 100)
    cut = " ".join(["fox"] * 75)
    longer = f"{long} owl balloon"
    first, second = (segment(picture(), words, backbone=backbone, method="maskdiffusion") for words in (long, longer))
    assert not np.array_equal(first.prob, second.prob)
    assert not np.array_equal(first.prob, segment(picture(), cut, backbone=backbone, method="maskdiffusion").prob)


@pytest.mark.parametrize(
    "change",
    [
        {"values": "exp"},
        {"values": "raw"},
        {"measure": "dot"},
        {"backgrounds": 4},
        {"focused": True},
        {"together": False},
    ],
)
def test_the_options_change_the_answer(backbone: StandaloneBackbone, change: dict[str, object]) -> None:
    plain = MaskDiffusionSegmenter(replace(SETTINGS, backgrounds=1))
    other = MaskDiffusionSegmenter(replace(SETTINGS, **{"backgrounds": 1, **change}))
    first, second = ask(backbone, "fox", method=plain), ask(backbone, "fox", method=other)
    assert np.isfinite(second.logits).all() and not np.allclose(first.logits, second.logits, atol=1e-4)


def test_a_large_picture_goes_through_windows_and_a_small_one_does_not(backbone: StandaloneBackbone) -> None:
    small = ask(backbone, "fox", shown=picture(130, 150))
    assert (small.provenance["windows"], small.unet_calls) == (1, 1)
    large = ask(backbone, "fox", shown=picture(260, 390))
    assert large.provenance["windows"] > 2 and large.unet_calls == 1 + large.provenance["windows"]
    assert large.logits.shape[1:] == look(picture(260, 390), backbone).fit.network
    again = ask(backbone, "owl", shown=picture(260, 390))
    assert again.unet_calls == 0
    whole = MaskDiffusionSegmenter(replace(SETTINGS, largest=1.0))
    once = ask(backbone, "fox", shown=picture(260, 390), method=whole)
    assert once.provenance["windows"] == 1 and not np.allclose(once.logits, large.logits, atol=0.01)


def test_windows_of_a_plain_picture_leave_no_seam(backbone: StandaloneBackbone) -> None:
    """Every window of a plain picture sees the same: blended features change no faster than within a window."""
    plain = np.full((256, 256, 3), 90, np.uint8)
    layers = find_layers(backbone.unet, "attn2", SETTINGS.places, every=False)
    view = look(plain, backbone)
    scenery = scenery_of(backbone, view, ("out.5.res.in",), layers, timestep=1, seed=0)
    single = scenery_of(backbone, view, ("out.5.res.in",), layers, timestep=1, seed=0, largest=1.0)
    assert scenery.windows > 1 == single.windows
    step = [(each.features.diff(dim=2).norm(dim=0).max()) for each in (scenery, single)]
    assert step[0] <= 1.05 * step[1]


class Flat(MaskDiffusionSegmenter):
    """The method over features that a test replaces."""

    value: float = 1.0

    def read(self, *given: object) -> tuple[Reading, int]:
        reading, calls = super().read(*given)
        features = torch.full_like(reading.scenery.features, self.value)
        return replace(reading, scenery=replace(reading.scenery, features=features)), calls


@pytest.mark.parametrize(("value", "said"), [(1.0, "are the same everywhere"), (float("nan"), "are not numbers")])
def test_features_that_say_nothing_give_zeros_and_a_sentence(
    backbone: StandaloneBackbone, value: float, said: str
) -> None:
    method = Flat(SETTINGS)
    method.value = value
    result = segment(picture(), ["fox", "owl"], backbone=backbone, method=method)
    assert said in result.message and not result.prob.any() and not result.mask.any()
    assert [answer.score for answer in result.phrases] == [0, 0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 16), (9, 5)])
def test_pictures_of_a_few_pixels(backbone: StandaloneBackbone, shape: tuple[int, int]) -> None:
    result = segment(np.full((*shape, 3), 7, np.uint8), "fox", backbone=backbone, method="maskdiffusion")
    assert result.prob.shape == shape and np.isfinite(result.prob).all()


def test_from_a_generation_nothing_is_computed_again(backbone: StandaloneBackbone) -> None:
    _, result = generate_and_segment(
        "a fox on snow", ["fox", "snow"], backbone=backbone, steps=4, method="maskdiffusion"
    )
    assert result.unet_calls == 0 and result.provenance["features"] == "of the generation"
    assert result.provenance["timestep"] <= 300 and np.isfinite(result.prob).all()


def test_half_precision_gives_about_the_same(models, monkeypatch: pytest.MonkeyPatch) -> None:
    from ldznet_ext.hosts.standalone import load_backbone

    monkeypatch.setenv("LDZNET_MODELS", str(models))
    full, half = (ask(load_backbone(dtype=kind), "fox").logits for kind in ("float32", "bfloat16"))
    assert np.abs(full - half).mean() < 0.1 * np.abs(full).mean() + 0.05


def test_it_is_known_by_name_and_needs_no_head(backbone: StandaloneBackbone) -> None:
    method = pick_segmenter("maskdiffusion", backbone)
    assert method.name == "maskdiffusion" and method.needs == {"text", "latent", "features"}
    assert isinstance(method, MaskDiffusionSegmenter) and method.settings is MASKDIFFUSION["sticker"]


def test_the_largest_other_map() -> None:
    maps = torch.tensor([[[1.0, 5.0]], [[3.0, 2.0]], [[2.0, 4.0]]])
    assert largest_other(maps).tolist() == [[[3.0, 4.0]], [[2.0, 5.0]], [[3.0, 5.0]]]


def test_logits_are_against_the_likeliest_of_all_others() -> None:
    names, background = torch.tensor([[[0.9, 0.2]], [[0.5, 0.4]]]), torch.tensor([[0.1, 0.6]])
    likes = Likeness(names, background)
    torch.testing.assert_close(likes.logits(10), torch.tensor([[[4.0, -4.0]], [[-4.0, -2.0]]]))
    torch.testing.assert_close(likes.nothing(10), torch.tensor([[-8.0, 2.0]]))
    alone = Likeness(names[:1], background)
    torch.testing.assert_close(alone.logits(10), torch.tensor([[[8.0, -4.0]]]))


def test_a_score_is_of_the_name_alone_whatever_it_competes_with(backbone: StandaloneBackbone) -> None:
    alone, among = ask(backbone, "fox"), ask(backbone, "owl", "fox", "snow", exclusive=True)
    assert among.scores[1] == pytest.approx(float(alone.scores[0]), abs=1e-6)
    assert not np.allclose(among.logits[1], alone.logits[0], atol=1e-4)


def test_against_is_the_odds_of_the_share_and_the_strongest_rivals(backbone: StandaloneBackbone) -> None:
    method, request = MaskDiffusionSegmenter(SETTINGS), SegmentRequest(phrases=("fox",))
    with torch.inference_mode():
        reading, _ = method.read(backbone, look(picture(), backbone), request)
        shares = reading.maps(["fox"], "softmax")
        torch.testing.assert_close(shares.sum(dim=0), torch.ones(reading.scenery.size))
        torch.testing.assert_close(reading.against("fox"), (shares[0] / shares[1:].amax(dim=0)).log())


def test_familiarity_is_of_queries_and_texture_and_a_painting_is_familiar(backbone: StandaloneBackbone) -> None:
    request = SegmentRequest(phrases=("fox",))
    method = MaskDiffusionSegmenter.for_model(backbone)
    with torch.inference_mode():
        reading, _ = method.read(backbone, look(picture(), backbone), request)
        pooled = reading.pooled()
    width, textured = len(pooled), texture(reading.latent.numpy())
    np.testing.assert_array_equal(pooled[-len(textured) :], textured)
    for limit, familiar in ((1e6, True), (1e-6, False)):
        known = Familiarity(pooled * 0, np.ones(width), np.eye(2, width), np.ones(2), 1.0, limit)
        method.scoring = Scoring(familiarity=known)
        assert ask(backbone, "fox", method=method).familiar is familiar
        assert ask(backbone, "fox", method=method, timestep=7).familiar is None
    _, painted = generate_and_segment("a fox", "fox", backbone=backbone, steps=10, method=method)
    assert painted.familiar is True


def test_a_large_painting_is_taken_as_it_was_painted(backbone: StandaloneBackbone) -> None:
    _, result = generate_and_segment(
        "a fox", "fox", backbone=backbone, steps=4, size=(256, 192), method="maskdiffusion"
    )
    assert (result.size, result.unet_calls, result.provenance["windows"]) == ((256, 192), 0, 1)
