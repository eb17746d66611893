"""classes(): the likeliest name a pixel, absent names left out, any method, honest where nothing fits."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import ldznet_ext as ldz
from ldznet_ext.classes import as_names, classes
from ldznet_ext.errors import MethodError, PhraseError
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.request import SegmentRequest
from ldznet_ext.result import FOUND, NOT_FOUND, UNKNOWN, Labelling
from ldznet_ext.segmenters.base import Clock, Evidence
from ldznet_ext.segmenters.view import View
from tests.tiny import picture

PLACES = {"fox": np.s_[:, :64], "owl": np.s_[:64], "snow": np.s_[:], "balloon": np.s_[:, 64:]}
LOGITS = {"fox": 4.0, "owl": 6.0, "snow": 2.0, "balloon": 8.0}
SCORES = {"fox": 0.9, "owl": 0.8, "snow": 0.7, "balloon": 0.2}


class Scripted:
    """Gives each name its place on a 128 x 128 view; with `nothing`, a background of that logit, and then names compete."""

    name = "scripted"
    needs: frozenset[str] = frozenset()
    rank: ClassVar[int] = 0
    any_length: ClassVar[bool] = False

    def __init__(self, nothing: float | None = None, familiar: bool | None = True, value: float | None = None) -> None:
        self.nothing, self.familiar, self.value = nothing, familiar, value
        self.asked: list[tuple[str, ...]] = []

    def evidence(
        self, backbone: object, view: View, phrases: Sequence[str], request: SegmentRequest, clock: Clock
    ) -> Evidence:
        assert request.exclusive and request.phrases == tuple(phrases)
        self.asked.append(tuple(phrases))
        size = view.fit.network
        logits = np.full((len(phrases), *size), -5.0, np.float32)
        for row, phrase in enumerate(phrases):
            logits[row][PLACES[phrase]] = LOGITS[phrase] if self.value is None else self.value
        return Evidence(
            logits=logits,
            scores=np.array([SCORES[phrase] for phrase in phrases], np.float32),
            familiar=self.familiar,
            calibrated=True,
            unet_calls=1,
            background=None if self.nothing is None else np.full(size, self.nothing, np.float32),
        )


def label(backbone: StandaloneBackbone, names: object, method: object, **settings: object) -> Labelling:
    return classes(picture(128, 128), names, backbone=backbone, method=method, **{"refine": False, **settings})


def test_each_pixel_goes_to_the_likeliest_name(backbone: StandaloneBackbone) -> None:
    result = label(backbone, ["fox", "owl", "snow"], Scripted())
    assert result.labels.dtype == np.int16 and result.labels.shape == result.size == (128, 128)
    expected = np.full((128, 128), 2)
    expected[:, :64] = 0
    expected[:64] = 1
    np.testing.assert_array_equal(result.labels, expected)
    assert [(one.name, one.label, one.status, one.area) for one in result.classes] == [
        ("fox", 0, FOUND, 64 * 64), ("owl", 1, FOUND, 64 * 128), ("snow", 2, FOUND, 64 * 64),
    ]  # fmt: skip
    assert result.classes[0].box == (0, 64, 64, 128) and result.classes[0].score == pytest.approx(0.9)


def test_pixels_that_no_name_fits_have_none(backbone: StandaloneBackbone) -> None:
    result = label(backbone, "fox", Scripted())
    assert (result.labels[:, 64:] == -1).all() and (result.labels[:, :64] == 0).all()
    assert (label(backbone, "fox", Scripted(), threshold=0.99).labels == -1).all()


def test_absent_names_are_left_out_and_said(backbone: StandaloneBackbone) -> None:
    method = Scripted()
    result = label(backbone, ["balloon", "fox", "snow"], method)
    assert [one.status for one in result.classes] == [NOT_FOUND, FOUND, FOUND]
    assert (result.labels[:, 64:] == 2).all() and result.classes[0].area == 0 and result.classes[0].box is None
    assert 'calls them absent: "balloon"' in result.message and result.unet_calls == 1
    assert len(method.asked) == 1  # maps that do not compete stay as they are
    kept = label(backbone, ["balloon", "fox", "snow"], Scripted(), keep_absent=True)
    assert (kept.labels[:, 64:] == 0).all() and kept.classes[0].status == NOT_FOUND and kept.message == ""


def test_names_that_compete_are_asked_again_without_the_absent(backbone: StandaloneBackbone) -> None:
    method = Scripted(nothing=0.0)
    result = label(backbone, ["balloon", "fox", "snow"], method)
    assert method.asked == [("balloon", "fox", "snow"), ("fox", "snow")] and result.unet_calls == 2
    assert result.classes[0].score == pytest.approx(0.2) and (result.labels[:, :64] == 1).all()


def test_a_background_takes_what_is_more_like_it(backbone: StandaloneBackbone) -> None:
    result = label(backbone, ["fox", "snow"], Scripted(nothing=3.0))
    assert (result.labels[:, :64] == 0).all() and (result.labels[:, 64:] == -1).all()


def test_unknown_words_label_nothing(backbone: StandaloneBackbone) -> None:
    method = Scripted()
    result = label(backbone, ["cat", "fox"], method)
    assert method.asked == [("fox",)] and [one.status for one in result.classes] == [UNKNOWN, FOUND]
    assert set(np.unique(result.labels)) == {-1, 1} and 'never saw "cat"' in result.message
    alone = label(backbone, "cat", method)
    assert (alone.labels == -1).all() and alone.unet_calls == 0 and len(method.asked) == 1


def test_an_unfamiliar_picture_has_no_names(backbone: StandaloneBackbone) -> None:
    result = label(backbone, ["fox", "snow"], Scripted(familiar=False))
    assert (result.labels == -1).all() and result.message.startswith("This picture is unlike")
    assert (label(backbone, ["snow"], Scripted(familiar=False), keep_absent=True).labels == 0).all()


@pytest.mark.parametrize("value", [float("nan"), -1e9, 0.0])
def test_maps_that_say_nothing_label_nothing(backbone: StandaloneBackbone, value: float) -> None:
    assert (label(backbone, ["fox", "snow"], Scripted(value=value)).labels == -1).all()


def test_edges_follow_the_picture(backbone: StandaloneBackbone) -> None:
    """A fox ends at the edge the picture shows at column 66, not at the map's, two pixels before it."""
    shown = np.full((128, 128, 3), 30, np.uint8)
    shown[:, 66:] = 220
    sharp = classes(shown, "fox, balloon", backbone=backbone, method=Scripted(), keep_absent=True)
    assert (sharp.labels[:, :66] == 0).all() and (sharp.labels[:, 66:] == 1).all()


def test_names_as_a_list_or_with_commas() -> None:
    assert as_names("sky, tall  grass ,fox") == as_names(["sky", "tall grass", "fox"]) == ("sky", "tall grass", "fox")
    for bad in ("", "sky,,fox", "sky,", ["sky", " "]):
        with pytest.raises(PhraseError, match="is empty"):
            as_names(bad)
    for twice in ("sky, Sky", ["tall grass", "tall  grass"]):
        with pytest.raises(PhraseError, match="is given twice; expected each once"):
            as_names(twice)
    with pytest.raises(PhraseError, match="of the type int"):
        as_names(7)  # type: ignore[arg-type]
    with pytest.raises(PhraseError, match="at most 32,767"):
        as_names([str(number) for number in range(40_000)])


@pytest.mark.parametrize("shape", [(1, 1), (1, 16), (300, 20)])
def test_pictures_of_any_shape(backbone: StandaloneBackbone, shape: tuple[int, int]) -> None:
    shown = np.resize(picture(), (*shape, 3))
    result = ldz.classes(shown, "fox, snow", backbone=backbone, method="maskdiffusion")
    assert result.method == "maskdiffusion" and result.labels.shape == shape
    assert sum(one.area for one in result.classes) == (result.labels >= 0).sum()


def test_auto_is_a_head_or_else_maskdiffusion(backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    assert label(backbone, "fox", "auto").method == "ldznet"
    assert ldz.classes(picture(64, 64), "fox", backbone=backbone).method == "ldznet"
    monkeypatch.setattr(backbone, "family", "sd2")  # no head is of this family
    assert label(backbone, "fox", "auto").method == "maskdiffusion"


@pytest.mark.parametrize("method", ["ldznet", "attention", "auto"])
def test_heads_and_attention_label_by_the_same_rule(backbone: StandaloneBackbone, method: str) -> None:
    result = label(backbone, ["fox", "owl", "snow"], method, keep_absent=True)
    assert result.method == ("ldznet" if method == "auto" else method)
    maps = ldz.segment(picture(128, 128), ["fox"], backbone=backbone, method=method, refine=False)
    assert result.labels.max() <= 2 and maps.size == result.size


def test_any_number_of_names(backbone: StandaloneBackbone) -> None:
    names = [f"fox {'on ' * n}" for n in range(1, 90)]
    result = ldz.classes(picture(), names, backbone=backbone, method="maskdiffusion", keep_absent=True)
    assert len(result.classes) == 89 and [one.label for one in result.classes] == list(range(89))


def test_an_unknown_method_is_a_sentence(backbone: StandaloneBackbone) -> None:
    with pytest.raises(MethodError, match="The method is 'magic'"):
        label(backbone, "fox", "magic")


def test_from_a_file(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(picture()).save(tmp_path / "a.png")
    assert ldz.classes(tmp_path / "a.png", "fox", backbone=backbone, method=Scripted()).size == (90, 130)
