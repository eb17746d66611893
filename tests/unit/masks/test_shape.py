"""Growing, filling, feathering, inverting: against scipy, by hand, and against the clock."""

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from ldznet_ext.masks.edits import Edits
from ldznet_ext.masks.finish import finish
from ldznet_ext.masks.shape import blur, fill_holes, grown
from ldznet_ext.request import MaskSettings

MAPS = arrays(np.float32, (7, 11), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]).map(np.float32))


def shape(mask: np.ndarray, **settings: Any) -> np.ndarray:
    """A mask that nobody touched, as it is used."""
    return finish(mask, MaskSettings(**settings), Edits())


def disc(radius: int) -> np.ndarray:
    """What growth by `radius` pixels means."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x * x + y * y <= radius * radius


def test_a_dot_grows_into_a_disc():
    dot = np.zeros((5, 7), bool)
    dot[2, 3] = True
    assert grown(dot, 2).astype(int).tolist() == [
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 0, 0],
        [0, 0, 0, 1, 0, 0, 0],
    ]


@given(MAPS, st.integers(-5, 5))
def test_growing_is_scipys_morphology_with_a_disc(prob, pixels):
    if pixels >= 0:
        expected = ndimage.grey_dilation(prob, footprint=disc(pixels), mode="constant", cval=-np.inf)
    else:
        expected = ndimage.grey_erosion(prob, footprint=disc(-pixels), mode="constant", cval=np.inf)
    np.testing.assert_array_equal(grown(prob, pixels), expected)


@given(MAPS, st.integers(-20, 20), st.sampled_from([0.0, 0.3, 0.5, 0.75]))
def test_cutting_and_growing_commute(prob, pixels, threshold):
    np.testing.assert_array_equal(grown(prob > threshold, pixels), grown(prob, pixels) > threshold)


@given(MAPS, st.integers(0, 6))
def test_shrinking_is_growing_the_rest(prob, pixels):
    np.testing.assert_array_equal(grown(~(prob > 0.5), -pixels), ~grown(prob > 0.5, pixels))


def test_the_whole_picture_does_not_shrink_at_its_edge():
    assert grown(np.ones((4, 9), bool), -3).all()


def test_growth_leaves_its_input_alone():
    prob = np.eye(3, 5, dtype=np.float32)
    for pixels in (-1, 0, 1):
        assert grown(prob, pixels) is not prob
    np.testing.assert_array_equal(prob, np.eye(3, 5))


def test_a_hole_is_filled_and_a_bay_is_not():
    mask = np.array(
        [
            [1, 1, 1, 0, 0],
            [1, 0, 1, 1, 1],
            [1, 1, 1, 1, 0],
        ],
        bool,
    )
    assert fill_holes(mask).astype(int).tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]
    np.testing.assert_array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask))


@pytest.mark.parametrize("deviation", [0.5, 3.0, 20.0, 60.0])
def test_feathering_is_a_gaussian(deviation):
    grey = np.zeros((300, 420), np.uint8)
    grey[100:220, :200] = 255
    expected = ndimage.gaussian_filter(grey.astype(float), deviation, mode="nearest")
    assert np.abs(blur(grey, deviation).astype(float) - expected).max() < 6


def test_a_feathered_mask_keeps_its_white_at_the_pictures_edge():
    assert (shape(np.ones((40, 60), bool), feather=50) == 255).all()


def test_the_order_is_fill_grow_feather_invert():
    mask = np.zeros((9, 11), bool)
    mask[2:7, 2:7] = True
    mask[4, 4] = False
    plain = shape(mask, grow=1, holes=True)
    assert plain.dtype == np.uint8 and set(np.unique(plain)) == {0, 255}
    np.testing.assert_array_equal(plain > 0, grown(fill_holes(mask), 1))
    np.testing.assert_array_equal(shape(mask, grow=1, feather=2, invert=True), 255 - shape(mask, grow=1, feather=2))
    np.testing.assert_array_equal(shape(np.float32([[0, 0.5, 1, 1.5, np.nan]])), [[0, 128, 255, 255, 0]])


def test_a_large_picture_takes_no_time():
    mask = np.zeros((1024, 1024), bool)
    mask[200:700, 300:800] = True
    spent = []
    for _ in range(3):
        start = time.process_time()
        shape(mask, grow=256, feather=64, invert=True, holes=True)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.2  # aimed at 0.1 on a machine with nothing else to do
