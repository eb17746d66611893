"""What every method of the registry promises, whoever wrote it: a new one inherits the suite by registering itself.

On a tiny random model of Sticker-SD's anatomy; methods without a head also on diffusers' layout, on SD 2.x's and SDXL's shapes.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ldznet_ext.errors import LdznetError, MethodError, PhraseError
from ldznet_ext.generate import generate_and_segment
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.nets.unet import UNet
from ldznet_ext.pipeline import segment
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.base import SEGMENTERS, Clock, Evidence, Segmenter
from ldznet_ext.segmenters.example import ExampleSegmenter, Marked
from ldznet_ext.segmenters.heads import HeadSegmenter
from ldznet_ext.segmenters.methods import methods, pick_segmenter
from ldznet_ext.segmenters.view import look
from tests.tiny import UNET, picture, randomise, write_head

PICTURE = picture(72, 130)
NEEDS = {"latent", "pixels", "text", "features", "example"}
NAMES = tuple(name for name in methods() if name != "auto")
HEADLESS = tuple(name for name in NAMES if not issubclass(SEGMENTERS[name], HeadSegmenter))
Make = Callable[[str, StandaloneBackbone], Segmenter]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A method by name, ready for a model: with a head of its kind, or an example, where it needs one."""

    def ready(name: str, backbone: StandaloneBackbone) -> Segmenter:
        method = SEGMENTERS[name]
        if issubclass(method, HeadSegmenter):
            return method.open(backbone, write_head(tmp_path / f"{name}.safetensors", name))
        if issubclass(method, ExampleSegmenter):
            mask = np.zeros(PICTURE.shape[:2], bool)
            mask[20:50, 30:80] = True
            return ExampleSegmenter(Marked(picture=PICTURE, mask=mask))
        return pick_segmenter(name, backbone)

    return ready


def ask(
    method: Segmenter, backbone: StandaloneBackbone, *phrases: str, shown: np.ndarray = PICTURE, **more
) -> Evidence:
    """What a method says of phrases in a picture."""
    request = SegmentRequest(phrases=phrases, **more)
    return method.evidence(backbone, look(shown, backbone), phrases, request, Clock())


def check(evidence: Evidence, count: int, backbone: StandaloneBackbone, shown: np.ndarray = PICTURE) -> None:
    """Shapes, types and ranges of an answer."""
    size = look(shown, backbone).fit.network
    assert evidence.logits.shape == (count, *size) and evidence.logits.dtype == np.float32
    assert np.isfinite(evidence.logits).all()
    assert evidence.scores.shape == (count,) and ((evidence.scores >= 0) & (evidence.scores <= 1)).all()
    assert 0 < evidence.found_threshold < 1 and 0 < evidence.mask_threshold < 1
    assert evidence.familiar in (None, True, False)


def hooks(backbone: StandaloneBackbone) -> int:
    """How many hooks hang on the UNet."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in backbone.unet.modules())


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str, make: Make, backbone: StandaloneBackbone) -> None:
    method = make(name, backbone)
    assert method.name == name and method.needs <= NEEDS and method.needs
    assert isinstance(method.rank, int) and isinstance(method.any_length, bool)
    wanted = method.wanted(backbone)
    assert all(isinstance(tap, str) for tap in wanted.taps) and wanted.limit > 0


@pytest.mark.parametrize("name", NAMES)
def test_answers_and_what_they_cost(name: str, make: Make, backbone: StandaloneBackbone) -> None:
    """An oblong picture: right shapes, honest counts, the same again for nothing, and each phrase as if asked alone."""
    method, before = make(name, backbone), backbone.unet_calls
    first = ask(method, backbone, "fox", "red balloon")
    check(first, 2, backbone)
    assert first.unet_calls == backbone.unet_calls - before
    assert (first.unet_calls > 0) == ("features" in method.needs or name == "noise_difference")
    again = ask(method, backbone, "fox", "red balloon")
    assert again.unet_calls == 0
    np.testing.assert_array_equal(again.logits, first.logits)
    alone = ask(method, backbone, "red balloon")
    np.testing.assert_allclose(alone.logits[0], first.logits[1], atol=2e-3)
    assert hooks(backbone) == 0


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_is_another_answer_only_where_noise_is_read(
    name: str, make: Make, backbone: StandaloneBackbone
) -> None:
    method = make(name, backbone)
    one, two = (ask(method, backbone, "fox", seed=seed).logits for seed in (0, 1))
    assert np.array_equal(one, two) == (not {"features"} & method.needs and name != "noise_difference")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (2, 30), (200, 31)])
def test_pictures_of_any_shape(name: str, shape: tuple[int, int], make: Make, backbone: StandaloneBackbone) -> None:
    shown = picture(*shape)
    check(ask(make(name, backbone), backbone, "fox", shown=shown), 1, backbone, shown)
    result = segment(shown, "fox", backbone=backbone, method=make(name, backbone))
    assert result.mask.shape == shape and result.method == name


@pytest.mark.parametrize("name", NAMES)
def test_from_a_generation(name: str, make: Make, backbone: StandaloneBackbone) -> None:
    """What it wants is read as it passes; only what no step can give costs calls, and they are counted."""
    method = make(name, backbone)
    image, result = generate_and_segment(
        "a fox on snow", ["fox", "owl"], backbone=backbone, seed=1, steps=5, size=(64, 128), method=method
    )
    assert image.size == (128, 64) and result.prob.shape == (64, 128) and np.isfinite(result.prob).all()
    assert backbone.unet_calls == 5 + result.unet_calls
    if method.wanted(backbone).taps:
        assert result.unet_calls == 0
    assert hooks(backbone) == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_of_one_colour(name: str, make: Make, backbone: StandaloneBackbone) -> None:
    shown = np.full((40, 90, 3), 127, np.uint8)
    check(ask(make(name, backbone), backbone, "fox", shown=shown), 1, backbone, shown)


@pytest.mark.parametrize("name", NAMES)
def test_half_precision(name: str, make: Make, backbone: StandaloneBackbone, models: Path) -> None:
    whole = ask(make(name, backbone), backbone, "fox")
    half = load_backbone(dtype="bfloat16")
    narrow = ask(make(name, half), half, "fox")
    check(narrow, 1, half)
    assert abs(float(whole.scores[0]) - float(narrow.scores[0])) < 0.25


@pytest.mark.parametrize("name", NAMES)
def test_long_phrases_are_taken_whole_or_refused(name: str, make: Make, backbone: StandaloneBackbone) -> None:
    method, words = make(name, backbone), "red fox on snow " * 40
    if not method.any_length:
        with pytest.raises(PhraseError, match="too long"):
            segment(PICTURE, words, backbone=backbone, method=method)
        return
    check(ask(method, backbone, words), 1, backbone)
    if "text" in method.needs:  # the last word counts
        other = ask(method, backbone, words + "balloon")
        assert not np.array_equal(other.logits, ask(method, backbone, words).logits)


@pytest.mark.parametrize("name", NAMES)
def test_an_exception_leaves_nothing_behind(name: str, make: Make, backbone: StandaloneBackbone) -> None:
    method, real = make(name, backbone), backbone.add_noise

    def broken(*args: object) -> torch.Tensor:
        raise RuntimeError("of the host")

    backbone.add_noise = broken  # type: ignore[method-assign]
    if {"features"} & method.needs or name == "noise_difference":
        with pytest.raises(RuntimeError, match="of the host"):
            ask(method, backbone, "fox")
    backbone.add_noise = real  # type: ignore[method-assign]
    assert hooks(backbone) == 0
    check(ask(method, backbone, "fox"), 1, backbone)


@pytest.mark.parametrize("name", HEADLESS)
@pytest.mark.parametrize("value", [float("nan"), 0.0])
def test_features_that_say_nothing_find_nothing_and_say_so(
    name: str, value: float, make: Make, backbone: StandaloneBackbone
) -> None:
    """NaN everywhere, or the same everywhere."""
    for parameter in backbone.unet.parameters():
        parameter.data.fill_(value)
    method = make(name, backbone)
    evidence = ask(method, backbone, "fox", "owl")
    check(evidence, 2, backbone)
    assert evidence.logits.max() < -4 and evidence.message.endswith(".") and "\n" not in evidence.message
    result = segment(PICTURE, ["fox", "owl"], backbone=backbone, method=method)
    assert not result.mask.any() and {phrase.status for phrase in result.phrases} == {"not found"}


@pytest.mark.parametrize("name", HEADLESS)
def test_a_head_is_refused(name: str, backbone: StandaloneBackbone, tmp_path: Path) -> None:
    path = write_head(tmp_path / "h.safetensors")
    assert not SEGMENTERS[name].fits(backbone, path)
    with pytest.raises(MethodError, match=r"; expected .*, so "):
        SEGMENTERS[name].open(backbone, path)


@pytest.mark.parametrize("name", HEADLESS)
def test_names_that_exclude_one_another(name: str, make: Make, backbone: StandaloneBackbone) -> None:
    check(ask(make(name, backbone), backbone, "fox", "owl", "snow", exclusive=True), 3, backbone)


class DiffusersBackbone(StandaloneBackbone):
    """The same host over diffusers' own UNet, whose answer comes in a dataclass."""

    def predict(self, noisy: torch.Tensor, timestep: int, context: torch.Tensor) -> torch.Tensor:
        return super().predict(noisy, timestep, context).sample  # type: ignore[attr-defined]


def with_unet(backbone: StandaloneBackbone, unet: torch.nn.Module, family: str) -> StandaloneBackbone:
    """The tiny model with another UNet; not a generation, whose sampler is not what is tested."""
    if not isinstance(unet, UNet):
        backbone.__class__ = DiffusersBackbone
    backbone.unet, backbone.family = unet.eval(), family
    return backbone


@pytest.mark.parametrize("name", HEADLESS)
def test_diffusers_layout_gives_the_same(name: str, make: Make, backbone: StandaloneBackbone, models: Path) -> None:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    ours = ask(make(name, backbone), backbone, "fox")
    unet = diffusers.UNet2DConditionModel.from_pretrained(models / "sticker-sd" / "unet")
    theirs = ask(
        make(name, with_unet(load_backbone(), unet, "sticker")), with_unet(load_backbone(), unet, "sticker"), "fox"
    )
    np.testing.assert_allclose(theirs.scores, ours.scores, atol=0.02)
    ours_prob, theirs_prob = (1 / (1 + np.exp(-each.logits)) for each in (ours, theirs))
    np.testing.assert_allclose(theirs_prob, ours_prob, atol=0.05)


@pytest.mark.parametrize("name", HEADLESS)
def test_the_shape_of_sd2(name: str, make: Make, backbone: StandaloneBackbone) -> None:
    config = replace(UNET, head_channels=16, linear_projection=True)
    model = with_unet(backbone, randomise(UNet(config), 5), "sd2")
    check(ask(make(name, model), model, "fox", "owl"), 2, model)


@pytest.mark.parametrize("name", HEADLESS)
def test_the_shape_of_sdxl(name: str, make: Make, backbone: StandaloneBackbone) -> None:
    """Three levels, none of them with attention at stride 1, two blocks a transformer."""
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 3),
        cross_attention_dim=32,
        attention_head_dim=(2, 4, 8),
    )
    model = with_unet(backbone, randomise(unet, 5), "sdxl")
    check(ask(make(name, model), model, "fox", "owl"), 2, model)


def test_every_error_is_a_sentence_of_ours(backbone: StandaloneBackbone) -> None:
    with pytest.raises(LdznetError, match="expected one of auto"):
        pick_segmenter("magic", backbone)
