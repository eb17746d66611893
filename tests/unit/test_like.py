"""like(): an example in its own picture, in others, by clicks, and what cannot be one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ldznet_ext as ldz
from ldznet_ext.errors import LdznetError, MethodError, OptionError, PictureError
from ldznet_ext.geometry import Box
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.like import instances, mark
from ldznet_ext.pipeline import segment
from ldznet_ext.result import FOUND, NOT_FOUND
from tests.tiny import picture


def twins() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture (128 192) with two red discs on grey, and a mask for each."""
    rows, columns = np.mgrid[:128, :192]
    masks = [(rows - y) ** 2 + (columns - x) ** 2 < 24**2 for y, x in ((40, 44), (80, 140))]
    scene = np.full((128, 192, 3), 120, np.uint8)
    for mask in masks:
        scene[mask] = (230, 30, 40)
    return scene, masks[0], masks[1]


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def test_the_other_one_is_found_and_the_example_belongs_to_the_mask(backbone: StandaloneBackbone) -> None:
    scene, own, other = twins()
    result = ldz.like(scene, own, backbone=backbone)
    assert result.method == "example" and result.phrases[0].status == FOUND and result.unet_calls == 1
    assert (result.mask >= own).all() and result.prob[own].min() == 1
    assert iou(result.mask & ~own, other) > 0.6
    assert result.phrases[0].text == "example" and result.phrases[0].area == result.mask.sum()
    assert "uncalibrated" in result.message and not result.calibrated


def test_a_click_does_as_well(backbone: StandaloneBackbone) -> None:
    scene, own, other = twins()
    result = ldz.like(scene, [(44, 40)], backbone=backbone)
    both, prob = own | other, result.prob
    assert min(prob[own].mean(), prob[other].mean()) > prob[~both].mean() + 0.2
    assert result.mask[40, 44] and result.phrases[0].status == FOUND


def test_another_picture_is_searched_with_what_was_learnt_once(backbone: StandaloneBackbone) -> None:
    scene, own, other = twins()
    moved, there = np.roll(scene, 24, axis=1), np.roll(own | other, 24, axis=1)
    one, same = ldz.like(scene, own, search=[moved, scene], backbone=backbone)
    assert (one.unet_calls, same.unet_calls) == (2, 0)
    assert iou(one.prob > 0.5, there) > 0.5 and one.phrases[0].score < same.phrases[0].score
    assert (same.mask >= own).all()  # its own picture among others
    alone = ldz.like(scene, own, search=moved, backbone=backbone)
    np.testing.assert_array_equal(alone.mask, one.mask)


def test_a_picture_of_another_shape_is_searched(backbone: StandaloneBackbone) -> None:
    scene, own, _ = twins()
    result = ldz.like(scene, own, search=picture(200, 90), backbone=backbone, refine=False)
    assert result.mask.shape == (200, 90)


def test_the_threshold_keeps_the_example_in(backbone: StandaloneBackbone) -> None:
    scene, own, _ = twins()
    strict, lax = (ldz.like(scene, own, backbone=backbone, threshold=t) for t in (0.999, 0.01))
    assert (strict.mask >= own).all() and strict.mask.sum() < lax.mask.sum()
    assert strict.provenance["threshold"] == 0.999


def test_weights_that_change_are_learnt_from_again(backbone: StandaloneBackbone) -> None:
    scene, own, _ = twins()
    first = ldz.like(scene, own, backbone=backbone)
    for parameter in backbone.unet.parameters():
        parameter.data.mul_(0.9)
    again = ldz.like(scene, own, backbone=backbone)
    assert again.unet_calls == 1 and not np.array_equal(first.prob, again.prob)


def test_files_name_the_result(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    scene, own, _ = twins()
    Image.fromarray(scene).save(tmp_path / "scene.png")
    Image.fromarray(own).save(tmp_path / "left disc.png")
    result = ldz.like(tmp_path / "scene.png", tmp_path / "left disc.png", backbone=backbone)
    assert result.phrases[0].text == "left disc" and result.phrases[0].status == FOUND  # unknown words do not matter


def test_features_that_say_nothing_give_zeros_and_a_sentence(
    backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbone, "add_noise", lambda latent, noise, timestep: latent * float("nan"))
    scene, own, _ = twins()
    for example in (own, [(44, 40)]):
        result = ldz.like(scene, example, backbone=backbone)
        assert not result.prob.any() and not result.mask.any()
        assert result.phrases[0].status == NOT_FOUND and result.phrases[0].score == 0
        assert 'Nothing tells "example" from what surrounds it' in result.message


@pytest.mark.parametrize(
    "example, sentence",
    [
        (np.zeros((128, 192), bool), "empty"),
        (np.ones((128, 192), bool), "covers the whole picture"),
        (np.ones((192, 128), bool), r"192x128; expected 128x192"),
        ("fox", "not found"),
        (None, "of the type NoneType"),
        ([], "No click"),
        ([(192, 3)], r"inside the picture, 192 x 128"),
        ([(-1, 3)], "inside the picture"),
        ([(float("nan"), 3)], "inside the picture"),
        ([(1, 2, 3)], "inside the picture"),
        (["ab"], "inside the picture"),
    ],
)
def test_what_is_no_example_is_a_sentence(example: object, sentence: str) -> None:
    with pytest.raises((PictureError, OptionError), match=sentence) as caught:
        mark(twins()[0], example)  # type: ignore[arg-type]
    assert isinstance(caught.value, LdznetError) and str(caught.value).endswith(".")


def test_a_picture_of_one_pixel_has_no_surroundings() -> None:
    with pytest.raises(PictureError, match="whole picture"):
        mark(np.zeros((1, 1, 3), np.uint8), np.ones((1, 1), bool))


def test_a_picture_of_two_pixels_is_enough(backbone: StandaloneBackbone) -> None:
    two = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)
    assert ldz.like(two, np.array([[True, False]]), backbone=backbone).mask.shape == (1, 2)


def test_asked_for_by_name_it_says_what_it_needs(backbone: StandaloneBackbone) -> None:
    with pytest.raises(
        MethodError, match=r"takes an example in place of words; expected a mask or a click.*ldznet like"
    ):
        segment(twins()[0], "fox", backbone=backbone, method="example")


def test_instances_are_the_pieces_the_surest_first(backbone: StandaloneBackbone) -> None:
    scene, own, other = twins()
    marked = mark(scene, own)
    result = ldz.like(scene, own, backbone=backbone, refine=False)
    found = instances(result, marked)
    assert found[0].marked and found[0].score > found[1].score and not found[1].marked
    assert sum(one.marked for one in found) == 1
    ys, xs = np.nonzero(other)
    centre = (int(xs.mean()), int(ys.mean()))
    assert any(one.box.x0 <= centre[0] < one.box.x1 and one.box.y0 <= centre[1] < one.box.y1 for one in found[1:])
    assert isinstance(found[0].box, Box)
    clicked = mark(scene, [(44, 40)])
    assert sum(one.marked for one in instances(ldz.like(scene, [(44, 40)], backbone=backbone), clicked)) == 1
    away = ldz.like(scene, own, search=scene[:, ::-1].copy(), backbone=backbone)
    assert not any(one.marked for one in instances(away, marked))
