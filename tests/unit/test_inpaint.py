"""Repainting: what lies beyond mask and feather stays bit for bit, at any size; what lies inside is new."""

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import OptionError, PhraseError, PictureError
from ldznet_ext.geometry import Box, Size
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.inpaint import blend, default_feather, feathered, inpaint, prepare_job
from tests.tiny import picture

NATIVE = Size(128, 128)


def _mask(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[rows, columns] = True
    return mask


@pytest.mark.parametrize("size", [(90, 130), (128, 128), (700, 500), (40, 600)])
@pytest.mark.parametrize("feather", [None, 0, 7])
def test_outside_stays_and_inside_changes(
    backbone: StandaloneBackbone, size: tuple[int, int], feather: int | None
) -> None:
    image = picture(*size)
    mask = _mask(*size, slice(size[0] // 3, size[0] // 2), slice(10, 40))
    edited = np.asarray(inpaint(image, mask, "an owl", backbone=backbone, seed=2, steps=2, feather=feather))
    assert edited.shape == image.shape and edited.dtype == np.uint8
    changed = (edited != image).any(axis=-1)
    width = default_feather(Size(*size)) if feather is None else feather
    reach = cv2.distanceTransform(np.uint8(~mask), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert not changed[reach > width].any() and not (width and changed[reach >= width].any())
    assert changed[mask].mean() > 0.9


def test_the_same_seed_gives_the_same_picture(backbone: StandaloneBackbone) -> None:
    mask = _mask(90, 130, slice(20, 60), slice(30, 70))
    runs = [np.asarray(inpaint(picture(), mask, "an owl", backbone=backbone, seed=s, steps=2)) for s in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()


def test_the_given_picture_is_not_written_to(backbone: StandaloneBackbone) -> None:
    image = picture()
    before = image.copy()
    inpaint(image, np.ones((90, 130), bool), "an owl", backbone=backbone, steps=1)
    np.testing.assert_array_equal(image, before)


def test_masks_of_every_kind_are_the_same(tmp_path: Path) -> None:
    mask = _mask(90, 130, slice(20, 60), slice(30, 70))
    grey = Image.fromarray(np.uint8(mask) * 255)
    grey.save(tmp_path / "mask.png")
    kinds = (
        *(mask, mask.astype(np.float32), mask.tolist(), grey, Image.fromarray(mask)),
        *(np.uint8(mask) * 255, np.uint8(mask), mask.astype(int), np.uint8(mask) * 100 + 100),
        *(tmp_path / "mask.png", str(tmp_path / "mask.png")),
    )
    for kind in kinds:
        np.testing.assert_array_equal(prepare_job(picture(), kind, "an owl", native=NATIVE).mask, mask)


def test_alpha_is_one_on_the_mask_and_falls_to_zero_at_the_feather() -> None:
    mask = _mask(3, 12, slice(0, 3), slice(0, 2))
    alpha = feathered(mask, 4)
    assert (alpha[:, :4] == 1).all()  # the mask, and half of the feather beyond it
    np.testing.assert_allclose(alpha[0, 3:6], [1, 0.5, 0], atol=1e-6)
    assert not alpha[:, 5:].any()
    np.testing.assert_array_equal(feathered(mask, 0), mask)


@pytest.mark.parametrize(("size", "pixels"), [((20, 30), 2), ((256, 256), 8), ((400, 500), 13), ((3000, 4000), 16)])
def test_the_default_feather_grows_with_the_picture_up_to_16_pixels(size: tuple[int, int], pixels: int) -> None:
    assert default_feather(Size(*size)) == pixels


def test_blending_by_hand() -> None:
    old = np.full((1, 3, 3), 100, np.uint8)
    new = np.full((1, 3, 3), 200, np.uint8)
    alpha = np.array([[0.0, 0.25, 1.0]], np.float32)
    np.testing.assert_array_equal(blend(old, new, alpha)[0, :, 0], [100, 125, 200])


def test_a_picture_near_native_size_is_seen_whole() -> None:
    job = prepare_job(picture(150, 180), _mask(150, 180, slice(0, 9), slice(0, 9)), "an owl", native=NATIVE)
    assert job.crop == Box(0, 0, 180, 150)


def test_of_a_large_picture_the_surroundings_of_the_mask_are_seen() -> None:
    mask = _mask(1000, 700, slice(950, 1000), slice(0, 30))  # in a corner, smaller than the native size
    job = prepare_job(picture(1000, 700), mask, "an owl", native=NATIVE, feather=4)
    assert job.crop == Box(0, 872, 128, 1000) and job.network == NATIVE
    mask = _mask(1000, 700, slice(300, 700), slice(300, 400))
    wide = prepare_job(picture(1000, 700), mask, "an owl", native=NATIVE, feather=4).crop
    assert wide == Box(300 - 204, 300 - 204, 400 + 204, 700 + 204)


def test_alpha_lies_within_the_crop() -> None:
    mask = _mask(1000, 700, slice(300, 700), slice(300, 400))
    job = prepare_job(picture(1000, 700), mask, "an owl", native=NATIVE, feather=300)
    assert job.alpha.shape == job.crop.size
    whole = feathered(mask, 300)
    np.testing.assert_allclose(job.alpha, whole[job.crop.slices], atol=1e-6)
    whole[job.crop.slices] = 0
    assert not whole.any()


@pytest.mark.parametrize(("rows", "most"), [(slice(1000, 1040), 1.6), (slice(100, 1900), 5)])
def test_a_large_picture_takes_memory_for_the_crop_alone(rows: slice, most: float) -> None:
    """In multiples of the bytes of the picture, which is copied itself; nothing of its size is ever in float, but alpha."""
    image, mask = picture(2000, 3000), _mask(2000, 3000, rows, rows)
    tracemalloc.start()
    job = prepare_job(image, mask, "an owl", native=NATIVE)
    blend(job.picture[job.crop.slices], np.zeros((*job.crop.size, 3), np.uint8), job.alpha)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < most * image.nbytes, peak / image.nbytes


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"mask": np.zeros((90, 130), bool)}, PictureError, "mask is empty"),
        ({"mask": np.ones((130, 90), bool)}, PictureError, "130x90; expected 90x130"),
        ({"mask": np.ones((90, 130, 3), bool)}, PictureError, "90x130x3; expected 90x130"),
        ({"mask": None}, PictureError, "mask is of the type NoneType; expected an array"),
        ({"mask": 1}, PictureError, "mask is of the type int; expected an array"),
        ({"mask": [[1, 2], [3]]}, PictureError, "mask is of the type list; expected an array"),
        ({"mask": "nowhere.png"}, PictureError, "nowhere.png"),
        ({"prompt": " "}, PhraseError, "prompt is empty"),
        ({"prompt": None}, PhraseError, "prompt is of the type NoneType"),
        ({"strength": 0}, OptionError, "strength"),
        ({"strength": float("nan")}, OptionError, "strength"),
        ({"feather": -1}, OptionError, "feather"),
        ({"feather": 2.5}, OptionError, "feather"),
        ({"seed": -3}, OptionError, "seed"),
        ({"image": "nowhere.png"}, PictureError, "nowhere.png"),
    ],
)
def test_bad_input_is_one_sentence(settings: dict[str, object], error: type[Exception], said: str) -> None:
    given = {"image": picture(), "mask": np.ones((90, 130), bool), "prompt": "an owl", **settings}
    with pytest.raises(error, match=said) as caught:
        prepare_job(given.pop("image"), given.pop("mask"), given.pop("prompt"), native=NATIVE, **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("strength", "calls"), [(1.0, 10), (0.3, 3), (0.01, 1)])
def test_strength_is_the_part_of_the_run_that_is_done(
    backbone: StandaloneBackbone, strength: float, calls: int
) -> None:
    inpaint(picture(), np.ones((90, 130), bool), "an owl", backbone=backbone, steps=10, strength=strength)
    assert backbone.unet_calls == calls
