"""Running a segmenter over lines, with a fake that knows the answer."""

import json

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import DataError
from ldznet_ext.eval import run
from ldznet_ext.geometry import Size
from ldznet_ext.result import FOUND, NOT_FOUND, PhraseResult, Segmentation

LEFT = np.zeros((4, 6), bool)
LEFT[:, :3] = True


class Fake:
    """Answers "left" and "right" exactly, anything else with nothing; counts its calls."""

    def __init__(self, threshold=None):
        self.calls = []
        self.provenance = {} if threshold is None else {"threshold": threshold}

    def __call__(self, picture, phrases):
        self.calls.append((int(picture[0, 0, 0]), tuple(phrases)))
        answers = tuple(self.answer(phrase, picture.shape[:2]) for phrase in phrases)
        empty = np.zeros(picture.shape[:2], np.float32)
        return Segmentation(
            size=Size(*picture.shape[:2]), method="fake", model="none", familiar=None, phrases=answers,
            prob=empty, mask=empty > 0, seconds={}, unet_calls=0, provenance=self.provenance,
        )  # fmt: skip

    def answer(self, phrase, shape):
        prob = np.zeros(shape, np.float32)
        known = phrase in ("left", "right")
        if known:
            prob[:] = (LEFT if phrase == "left" else ~LEFT) * 0.9
        status = FOUND if known else NOT_FOUND
        return PhraseResult(text=phrase, status=status, score=0.9 * known, prob=prob, box=None, area=0)


@pytest.fixture
def data(tmp_path):
    for name, grey in (("a", 1), ("b", 2)):
        Image.fromarray(np.full((4, 6, 3), grey, np.uint8)).save(tmp_path / f"{name}.png")
    Image.fromarray(LEFT).save(tmp_path / "left.png")
    Image.fromarray(~LEFT).save(tmp_path / "right.png")
    rows = [("a", "left"), ("b", "cat"), ("a", "right"), ("b", "left")]
    lines = [
        {"image": f"{image}.png", "phrase": phrase, "mask": None if phrase == "cat" else f"{phrase}.png",
         "kind": "absent" if phrase == "cat" else phrase}
        for image, phrase in rows
    ]  # fmt: skip
    (tmp_path / "annotations.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return str(tmp_path)


def test_one_call_a_picture_and_lines_stay_in_order(data):
    fake, seen = Fake(), []
    scores, name = run.score(run.load(data), segment=fake, progress=lambda *done: seen.append(done))
    assert fake.calls == [(1, ("left", "right")), (2, ("cat", "left"))]
    assert [line.kind for line in scores.lines] == ["left", "absent", "right", "left"]
    assert seen == [(2, 4), (4, 4)]
    assert name == "fake"


def test_many_phrases_are_cut_into_several_calls(data, monkeypatch):
    monkeypatch.setattr(run, "PHRASES_AT_ONCE", 1)
    fake = Fake()
    run.evaluate(data, segment=fake)
    assert [phrases for _, phrases in fake.calls] == [("left",), ("right",), ("cat",), ("left",)]


def test_the_object_evaluate_prints(data):
    got = run.evaluate(data, segment=Fake())
    assert list(got)[:3] == ["data", "method", "n"]
    assert (got["data"], got["method"], got["n"]) == (data, "fake", 4)
    assert got["miou"] == pytest.approx(12 / 13)
    assert got["auroc"] == got["recall_found"] == got["boundary_iou"] == got["ap_pixel"] == 1.0
    assert got["false_found"] == 0.0
    assert got["by_kind"]["left"]["n"] == 2
    assert run.evaluate(data, segment=Fake(), limit=2, method="x")["n"] == 2
    json.dumps(got, allow_nan=False)


def test_a_mask_of_another_size_is_refused(data, tmp_path):
    Image.fromarray(LEFT[:, :5]).save(tmp_path / "left.png")
    with pytest.raises(DataError, match=r"line 1: the mask is 5 x 4 pixels and the picture 6 x 4"):
        run.evaluate(data, segment=Fake())


def test_boundaries_are_taken_at_the_segmenters_own_threshold(data):
    def boundary(own=None, **given):
        return run.evaluate(data, segment=Fake(own), **given)["boundary_iou"]

    assert boundary() == boundary(own=0.89) == 1.0  # its masks are 0.9
    assert boundary(own=0.91) == 0.0
    assert boundary(own=0.91, threshold=0.3) == 1.0
