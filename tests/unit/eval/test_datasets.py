"""Sticker World as a test set: which scenes, how many lines, and nothing held in memory."""

from types import SimpleNamespace

import numpy as np
import pytest

from ldznet_ext.errors import DataError
from ldznet_ext.eval import datasets
from ldznet_ext.world import captions, phrases, scenes
from ldznet_ext.world.phrases import Phrase


@pytest.fixture(autouse=True)
def fake_world(monkeypatch):
    """Scene n is n + 1 grey, has a fox over n pixels and lacks an owl; -> the calls that painted."""
    calls = []

    def scene(seed, index, *, split, styles, concepts):
        calls.append((index, split, styles, concepts))
        return SimpleNamespace(picture=np.full((3, 5, 3), index % 99 + 1, np.uint8), index=index)

    def listed(scene, *, concepts):
        fox = np.arange(15).reshape(3, 5) < scene.index
        return [Phrase(text="fox", mask=fox, kind="object"), Phrase(text="owl", mask=None, kind="absent")]

    monkeypatch.setattr(scenes, "scene", scene)
    monkeypatch.setattr(phrases, "phrases", listed)
    monkeypatch.setattr(captions, "caption", lambda scene: f"caption {scene.index}")
    datasets._painted.cache_clear()
    yield calls
    datasets._painted.cache_clear()


def test_all_scenes_and_the_first_lines(fake_world):
    assert len(datasets.load("sticker:test")) == 512
    assert {call[1:] for call in fake_world} == {("test", None, "named")}
    fake_world.clear()
    few = datasets.load("sticker:test", 5)
    assert [(one.phrase, one.kind) for one in few] == [("fox", "object"), ("owl", "absent")] * 2 + [("fox", "object")]
    assert len({one.source for one in few}) == 3
    assert max(call[0] for call in fake_world) == 2  # scenes beyond the limit are not painted


def test_pixels_are_those_of_the_line_in_any_order():
    few = datasets.load("sticker:test", 8)
    for line in (7, 0, 4, 6, 2):
        one, scene = few[line], line // 2
        assert (one.picture == scene + 1).all()
        assert one.caption == f"caption {scene}"
        assert one.mask is None if line % 2 else one.mask.sum() == scene


def test_styles_and_objects_are_passed_on(fake_world):
    datasets.load("sticker:val:noto,flat:held_out", 1)
    assert fake_world[-1] == (0, "val", ("noto", "flat"), "held_out")
    datasets.load("sticker:train::known", 1)
    assert fake_world[-1] == (0, "train", None, "known")


@pytest.mark.parametrize(
    "spec", ["sticker:", "sticker:all", "sticker:test:cubist", "sticker:test:noto:mine", "sticker:test:noto:named:x"]
)
def test_unknown_parts_list_the_choices(spec, fake_world):
    with pytest.raises(DataError, match=r"train, val, test.*fluent, noto.*named, known, held_out"):
        datasets.load(spec)
    assert fake_world == []
