"""IoU of labels on maps written by hand, and the questions that scenes of Sticker World ask."""

import numpy as np
import pytest

from ldznet_ext.errors import DataError
from ldznet_ext.eval.classes import Named, evaluate_classes, miou, named, picture_iou
from ldznet_ext.geometry import Size
from ldznet_ext.result import FOUND, NOT_FOUND, ClassResult, Labelling
from ldznet_ext.world import concepts as table
from ldznet_ext.world import grounds, scenes
from ldznet_ext.world.scenes import Scene, SceneObject

TRUTH = np.array([[0, 0, 1, -1], [0, 0, 1, -1]])


def test_iou_counts_every_pixel_and_only_the_names_that_are_there() -> None:
    labels = np.array([[0, 2, 1, 1], [0, 0, 1, -1]])  # one pixel lost to an absent name, one taken from nothing
    assert picture_iou(labels, TRUTH) == {0: 3 / 4, 1: 2 / 3}
    assert miou(labels, TRUTH) == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert miou(TRUTH, TRUTH) == 1.0 and miou(np.full((2, 4), -1), TRUTH) == 0.0
    assert miou(labels, np.full((2, 4), -1)) is None


def test_labels_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match="one size"):
        miou(TRUTH[:1], TRUTH)


def fake_scene() -> Scene:
    """Two foxes and a sun-lit sky over grass, 6 x 8."""
    masks = np.zeros((2, 6, 8), bool)
    masks[0, 4:, :2] = masks[1, 4:, 6:] = True
    fox = table.concept("fox")
    things = tuple(SceneObject(concept=fox, colour=None, mask=mask, extent=0.3) for mask in masks)
    below, free = np.arange(6)[:, None] >= 3, ~masks.any(axis=0)
    return Scene(
        picture=np.zeros((6, 8, 3), np.uint8), objects=things, ground=grounds.GROUNDS[0], sky=grounds.SKIES[0], plain=None,
        ground_mask=free & below, sky_mask=free & ~below, style="fluent", split="test", seed=0, index=5,
    )  # fmt: skip


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(scenes, "vocabulary", lambda style, name: table.named())
    return fake_scene()


def test_a_scene_asks_for_all_that_is_in_it(painted: Scene) -> None:
    one = named(painted, 0)
    assert one.names == ("fox", "grass", "blue sky") and one.present == (0, 1, 2)
    assert (one.truth == 0).sum() == 8 and (one.truth == 2).sum() == 24 and (one.truth != -1).all()


def test_absent_names_are_mixed_in_and_label_nothing(painted: Scene) -> None:
    one, again = named(painted, 20), named(painted, 20)
    assert one.names == again.names and len(set(one.names)) == 23
    assert {one.names[place] for place in one.present} == {"fox", "grass", "blue sky"}
    assert one.present != (0, 1, 2)  # not in front, where their place would give them away


def test_scores_over_pictures(painted: Scene) -> None:
    """A labeller that gives everything to the first name: right for the sky of one picture, wrong for the other's."""
    left = Named(where="a", picture=np.zeros((2, 4, 3), np.uint8), names=("sky", "fox"), truth=np.zeros((2, 4), int))
    right = Named(where="b", picture=np.zeros((2, 4, 3), np.uint8), names=("sky", "fox"), truth=np.ones((2, 4), int))

    def label(picture: np.ndarray, names: tuple[str, ...]) -> Labelling:
        answers = tuple(
            ClassResult(name=name, label=n, status=NOT_FOUND if n else FOUND, score=0.5, box=None, area=0)
            for n, name in enumerate(names)
        )
        return Labelling(
            size=Size(2, 4), method="m", model="n", familiar=None, classes=answers, labels=np.zeros((2, 4), np.int16),
            seconds={}, unet_calls=0,
        )  # fmt: skip

    scores = evaluate_classes([left, right], label)
    assert (scores["n"], scores["miou"], scores["accuracy"], scores["each"]) == (2, 0.5, 0.5, [1.0, 0.0])
    assert (scores["kept_present"], scores["kept_absent"]) == (0.5, 0.5)
