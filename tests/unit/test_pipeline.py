"""segment(): statuses, maps at the picture's own size, determinism, thresholds, and what a person is told."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from ldznet_ext.errors import HeadError, MethodError, OptionError, PhraseError, PictureError
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.masks.shape import blur, grown, to_grey
from ldznet_ext.pipeline import apply, rethreshold, segment
from ldznet_ext.request import MaskSettings, SegmentRequest
from ldznet_ext.result import FOUND, NOT_FOUND, UNKNOWN, Segmentation
from ldznet_ext.segmenters.base import Clock, Evidence
from ldznet_ext.segmenters.view import View
from tests.tiny import picture, write_head


class Scripted:
    """A method that answers what the test wants: a bright square for each phrase, a row further down each time."""

    name = "scripted"
    needs: frozenset[str] = frozenset()
    rank: ClassVar[int] = 0

    def __init__(self, scores: Sequence[float] = (0.9, 0.1), **evidence: object) -> None:
        self.scores, self.settings, self.asked = scores, evidence, []

    def evidence(
        self, backbone: object, view: View, phrases: Sequence[str], request: SegmentRequest, clock: Clock
    ) -> Evidence:
        self.asked.append(tuple(phrases))
        height, width = view.fit.network
        logits = np.full((len(phrases), height, width), -6.0, np.float32)
        for row in range(len(phrases)):
            logits[row, height // 4 + row : height // 2 + row, width // 4 : width // 2] = 6.0
        scores = np.array(self.scores[: len(phrases)], np.float32)
        return Evidence(logits=logits, scores=scores, **{"calibrated": True, "familiar": True, **self.settings})


def _find(backbone: StandaloneBackbone, words: object, method: object, **settings: object) -> Segmentation:
    return segment(picture(), words, backbone=backbone, method=method, **{"refine": False, **settings})


def test_a_square_comes_back_at_the_pictures_size(backbone: StandaloneBackbone) -> None:
    result = segment(picture(128, 256), "fox", backbone=backbone, method=Scripted(), refine=False)
    assert result.size == (128, 256) and result.prob.shape == result.mask.shape == (128, 256)
    assert result.prob.dtype == np.float32 and result.mask.dtype == bool
    answer = result.phrases[0]
    assert (answer.status, answer.box, answer.area) == (FOUND, (64, 32, 128, 64), 64 * 32)
    assert answer.score == pytest.approx(0.9)
    np.testing.assert_array_equal(result.mask, answer.prob > 0.5)


def test_the_three_statuses(backbone: StandaloneBackbone) -> None:
    method = Scripted()
    result = _find(backbone, ["fox", "owl", "cat"], method)
    assert [answer.status for answer in result.phrases] == [FOUND, NOT_FOUND, UNKNOWN]
    assert method.asked == [("fox", "owl")]  # nothing is computed for a word the model never saw
    absent, unknown = result.phrases[1:]
    assert absent.prob.max() > 0.9 and absent.box is None and absent.area == 0
    assert unknown.score == 0 and not unknown.prob.any() and unknown.box is None
    assert 'never saw "cat" in training' in result.message


def test_prob_is_the_union_and_mask_only_of_what_is_found(backbone: StandaloneBackbone) -> None:
    both = _find(backbone, ["fox", "owl"], Scripted((0.9, 0.9)))
    np.testing.assert_array_equal(both.prob, np.maximum(both.phrases[0].prob, both.phrases[1].prob))
    np.testing.assert_array_equal(both.mask, both.prob > 0.5)
    one = _find(backbone, ["fox", "owl"], Scripted((0.9, 0.1)))
    np.testing.assert_array_equal(one.prob, both.prob)
    np.testing.assert_array_equal(one.mask, one.phrases[0].prob > 0.5)


def test_an_unfamiliar_picture_never_yields_found(backbone: StandaloneBackbone) -> None:
    result = _find(backbone, "fox", Scripted((0.99,), familiar=False))
    assert result.familiar is False and result.phrases[0].status == NOT_FOUND
    assert result.phrases[0].prob.max() > 0.9 and not result.mask.any()
    assert "unlike those sticker-sd was trained on" in result.message and "--model" in result.message


def test_missing_statistics_block_nothing_and_are_said(backbone: StandaloneBackbone) -> None:
    result = _find(backbone, "fox", Scripted((0.99,), familiar=None, calibrated=False))
    assert result.familiar is None and not result.calibrated and result.phrases[0].status == FOUND
    assert "uncalibrated" in result.message


def test_nothing_to_say_is_nothing_said(backbone: StandaloneBackbone) -> None:
    assert _find(backbone, "fox", Scripted()).message == ""


def test_the_found_threshold_is_the_heads(backbone: StandaloneBackbone) -> None:
    statuses = [_find(backbone, "fox", Scripted((0.3,), found_threshold=t)).phrases[0].status for t in (0.29, 0.31)]
    assert statuses == [FOUND, NOT_FOUND]


def test_a_threshold_cuts_the_mask_and_never_a_status(backbone: StandaloneBackbone) -> None:
    results = [_find(backbone, ["fox", "owl"], Scripted(), threshold=t) for t in (0.01, 0.999)]
    assert results[0].mask.sum() > results[1].mask.sum() == 0
    assert results[1].phrases[0].status == FOUND and results[1].phrases[0].box is None
    np.testing.assert_array_equal(results[0].prob, results[1].prob)


def test_rethreshold_equals_asking_again_and_is_quick(backbone: StandaloneBackbone) -> None:
    asked = _find(backbone, ["fox", "owl", "cat"], Scripted((0.9, 0.9)), threshold=0.2)
    start = time.perf_counter()
    again = rethreshold(asked, 0.9)
    assert time.perf_counter() - start < 0.1
    expected = _find(backbone, ["fox", "owl", "cat"], Scripted((0.9, 0.9)), threshold=0.9)
    np.testing.assert_array_equal(again.mask, expected.mask)
    assert [(a.status, a.box, a.area) for a in again.phrases] == [(a.status, a.box, a.area) for a in expected.phrases]
    np.testing.assert_array_equal(
        rethreshold(again).mask, _find(backbone, ["fox", "owl", "cat"], Scripted((0.9, 0.9))).mask
    )
    with pytest.raises(OptionError, match="threshold is 1"):
        rethreshold(asked, 1.0)


def test_settings_are_applied_without_asking_again(backbone: StandaloneBackbone) -> None:
    method = Scripted((0.9, 0.9))
    result = _find(backbone, ["fox", "owl"], method, threshold=0.999)
    np.testing.assert_array_equal(apply(result, MaskSettings()), 255 * rethreshold(result).mask.astype(np.uint8))
    settings = MaskSettings(threshold=0.2, grow=-3, feather=2, invert=True)
    expected = 255 - blur(to_grey(grown(rethreshold(result, 0.2).mask, -3)), 2)
    np.testing.assert_array_equal(apply(result, settings), expected)
    assert expected.min() == 0 < 255 == expected.max() and len(method.asked) == 1


def test_nothing_found_stays_empty_whatever_is_applied(backbone: StandaloneBackbone) -> None:
    result = _find(backbone, ["owl", "cat"], Scripted((0.1,)))
    applied = apply(result, MaskSettings(grow=9, feather=9, invert=True))
    assert applied.dtype == np.uint8 and applied.shape == result.size and not applied.any()


def test_the_heads_own_mask_threshold(backbone: StandaloneBackbone) -> None:
    low, high = (_find(backbone, "fox", Scripted(mask_threshold=t)) for t in (0.01, 0.99))
    assert low.mask.sum() > high.mask.sum() > 0
    assert low.provenance["threshold"] == 0.01


def test_refining_follows_the_picture(backbone: StandaloneBackbone) -> None:
    scene = np.zeros((128, 128, 3), np.uint8)
    scene[30:66, 30:66] = 255  # the scripted square is 32..64
    rough = segment(scene, "fox", backbone=backbone, method=Scripted(), refine=False)
    fine = segment(scene, "fox", backbone=backbone, method=Scripted(), refine=True)
    truth = scene[..., 0] > 0

    def iou(mask: np.ndarray) -> float:
        return (mask & truth).sum() / (mask | truth).sum()

    assert iou(fine.mask) > iou(rough.mask) > 0.7


def test_the_same_call_gives_the_same_bits(backbone: StandaloneBackbone) -> None:
    words = ["fox", "red balloon"]
    first = segment(picture(), words, backbone=backbone)
    segment(picture(seed=1), "owl", backbone=backbone)
    cached = segment(picture(), words, backbone=backbone)
    backbone.caches.clear()
    fresh = segment(picture(), words, backbone=backbone)
    for other in (cached, fresh):
        np.testing.assert_array_equal(other.prob, first.prob)
        assert [a.score for a in other.phrases] == [a.score for a in first.phrases]
    assert (first.unet_calls, cached.unet_calls, fresh.unet_calls) == (1, 0, 1)
    assert not np.array_equal(segment(picture(), words, backbone=backbone, seed=1).prob, first.prob)


def test_several_phrases_take_one_pass_and_repeated_ones_nothing(backbone: StandaloneBackbone) -> None:
    result = segment(picture(), ["fox", "owl", "fox"], backbone=backbone)
    assert result.unet_calls == backbone.unet_calls == 1
    assert [answer.text for answer in result.phrases] == ["fox", "owl", "fox"]
    np.testing.assert_array_equal(result.phrases[0].prob, result.phrases[2].prob)


def test_only_unknown_words_take_no_pass(backbone: StandaloneBackbone) -> None:
    result = segment(picture(), "cat", backbone=backbone)
    assert result.unet_calls == backbone.unet_calls == 0
    assert not result.mask.any() and result.phrases[0].status == UNKNOWN and result.familiar is None
    assert "uncalibrated" not in result.message


def test_the_host_model_is_left_as_it_was(backbone: StandaloneBackbone) -> None:
    before = {name: value.clone() for name, value in backbone.unet.state_dict().items()}
    noisy, context = torch.randn(1, 4, 16, 16), backbone.text(["fox"])
    expected = backbone.predict(noisy, 400, context)
    segment(picture(), "fox", backbone=backbone)
    assert torch.equal(backbone.predict(noisy, 400, context), expected)
    assert all(torch.equal(value, before[name]) for name, value in backbone.unet.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in backbone.unet.modules())


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 3), (64, 1024), (301, 77)])
def test_any_size(backbone: StandaloneBackbone, size: tuple[int, int]) -> None:
    result = segment(picture(*size), "fox", backbone=backbone)
    assert result.size == size == result.mask.shape and np.isfinite(result.prob).all()
    assert result.prob.min() >= 0 and result.prob.max() <= 1


def test_path_pil_and_array_are_the_same(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    array = picture()
    Image.fromarray(array).save(tmp_path / "p.png")
    expected = segment(array, "fox", backbone=backbone).prob
    for source in (tmp_path / "p.png", str(tmp_path / "p.png"), Image.fromarray(array)):
        np.testing.assert_array_equal(segment(source, "fox", backbone=backbone).prob, expected)


def test_the_default_model_is_loaded_once(backbone: StandaloneBackbone, models: Path) -> None:
    one, two = (segment(picture(), "fox") for _ in range(2))
    assert one.model == "sticker-sd" and (one.unet_calls, two.unet_calls) == (1, 0)


def test_seconds_and_provenance(backbone: StandaloneBackbone) -> None:
    result = segment(picture(), "fox", backbone=backbone, seed=3)
    seconds = result.seconds
    assert set(seconds) == {"encode", "text", "unet", "head", "post", "total"}
    assert min(seconds["encode"], seconds["unet"], seconds["head"], seconds["post"]) > 0
    assert sum(seconds.values()) - seconds["total"] <= seconds["total"] + 1e-6
    said = result.provenance
    assert (said["seed"], said["timestep"], said["head"]) == (3, 400, "ldznet-sticker.safetensors")


def test_a_phrase_longer_than_the_encoder_reads_is_refused(backbone: StandaloneBackbone) -> None:
    for words in ("fox " * 76, ["fox", "cat " * 300]):
        with pytest.raises(PhraseError, match=r"tokens? too long .*75 tokens at most, so shorten it"):
            segment(picture(), words, backbone=backbone)
    assert segment(picture(), "fox " * 75, backbone=backbone).phrases[0].status != UNKNOWN


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"phrases": ""}, PhraseError),
        ({"phrases": []}, PhraseError),
        ({"phrases": ["fox", " "]}, PhraseError),
        ({"phrases": 3}, PhraseError),
        ({"phrases": [3]}, PhraseError),
        ({"phrases": b"fox"}, PhraseError),
        ({"phrases": {"fox": 1}}, PhraseError),
        ({"threshold": 0.0}, OptionError),
        ({"threshold": float("nan")}, OptionError),
        ({"seed": -1}, OptionError),
        *(({"timestep": bad}, OptionError) for bad in (1000, -1, "x", 1.5, True)),
        *(({"threshold": bad}, OptionError) for bad in ("x", True, np.float32("nan"))),
        ({"method": 3}, MethodError),
        ({"method": "magic"}, MethodError),
        ({"picture": "nowhere.png"}, PictureError),
        ({"head": "nowhere.safetensors"}, HeadError),
    ],
)
def test_bad_input_is_one_sentence(
    backbone: StandaloneBackbone, settings: dict[str, object], error: type[Exception]
) -> None:
    given = {"picture": picture(), "phrases": "fox", **settings}
    with pytest.raises(error) as caught:
        segment(given.pop("picture"), given.pop("phrases"), backbone=backbone, **given)
    assert "\n" not in str(caught.value)
    assert len(backbone.caches.features) == 0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_nearly_the_same_map(backbone: StandaloneBackbone, dtype: str) -> None:
    half = segment(picture(), "fox", backbone=load_backbone(None, "cpu", dtype))
    assert half.prob.dtype == np.float32
    assert np.abs(half.prob - segment(picture(), "fox", backbone=backbone).prob).mean() < 0.03


def test_the_timestep_is_the_heads_unless_named(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    path = write_head(tmp_path / "h.safetensors", timestep=350)
    assert segment(picture(), "fox", backbone=backbone, head=path).provenance["timestep"] == 350
    assert segment(picture(), "fox", backbone=backbone, head=path, timestep=300).provenance["timestep"] == 300


def test_numpys_numbers_and_no_method_are_taken(backbone: StandaloneBackbone) -> None:
    settings = {"threshold": np.float32(0.25), "timestep": np.int64(300), "seed": np.uint8(3)}
    taken = segment(picture(), np.array(["fox"]), backbone=backbone, method=None, **settings)
    plain = segment(picture(), "fox", backbone=backbone, threshold=0.25, timestep=300, seed=3)
    assert taken.method == plain.method == "ldznet"
    np.testing.assert_array_equal(taken.prob, plain.prob)
    np.testing.assert_array_equal(taken.mask, plain.mask)
    assert {name: type(taken.provenance[name]) for name in settings} == {
        "threshold": float,
        "timestep": int,
        "seed": int,
    }


def test_words_of_a_wrong_type_are_named(backbone: StandaloneBackbone) -> None:
    with pytest.raises(PhraseError, match=r"words are of the type bytes; expected text or a list of texts, so give"):
        segment(picture(), b"fox", backbone=backbone)


def test_results_are_values(backbone: StandaloneBackbone) -> None:
    result = _find(backbone, "fox", Scripted())
    with pytest.raises(AttributeError):
        result.message = "other"
    assert replace(result, message="other").message == "other"
