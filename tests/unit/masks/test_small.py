"""Boxes, components, thresholds and overlays on hand-written masks."""

import numpy as np

from ldznet_ext.geometry import Box
from ldznet_ext.masks.components import box_of, components
from ldznet_ext.masks.ops import cut, to_eight_bits, to_sixteen_bits, union
from ldznet_ext.masks.overlay import overlay

MASK = np.array(
    [
        [0, 1, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [0, 0, 0, 1, 1],
    ],
    bool,
)


def test_box_is_half_open_and_none_when_empty():
    assert box_of(MASK) == Box(0, 0, 5, 3)
    assert box_of(MASK[:, 2:]) == Box(1, 2, 3, 3)
    assert box_of(np.zeros((2, 3), bool)) is None
    assert all(type(value) is int for value in box_of(MASK))


def test_components_touch_at_corners_and_come_largest_first():
    mask = MASK.copy()
    mask[2, 2] = True
    first, second = components(mask)
    assert (first.area, first.box) == (3, Box(2, 2, 5, 3)) and first.mask.all()
    assert (second.area, second.box) == (2, Box(0, 0, 2, 2))
    assert second.mask.tolist() == [[False, True], [True, False]]
    assert len(components(mask, at_least=3)) == 1 and components(np.zeros((2, 2), bool)) == []


def test_cut_includes_the_threshold_and_union_is_the_maximum():
    a, b = np.float32([[0.2, 0.5, 0.9]]), np.float32([[0.4, 0.1, 0.9]])
    assert cut(a, 0.5).tolist() == [[False, True, True]]
    assert union([a, b]).tolist() == np.float32([[0.4, 0.5, 0.9]]).tolist()
    assert a[0, 0] == np.float32(0.2)


def test_bits_span_their_range():
    deep = to_sixteen_bits(np.array([[0, 0.5, 1, 1.7, -1, np.nan]], np.float32))
    assert deep.dtype == np.uint16 and deep.tolist() == [[0, 32768, 65535, 65535, 0, 0]]
    assert to_eight_bits(np.array([[True, False]])).tolist() == [[255, 0]]


def test_overlay_tints_inside_and_leaves_the_rest():
    picture = np.full((40, 60, 3), 100, np.uint8)
    mask = np.zeros((40, 60), bool)
    mask[10:30, 15:45] = True
    out = overlay(picture, mask, colour=(200, 0, 100), tint=0.5)
    assert out[20, 30].tolist() == [150, 50, 100]
    assert (out[:8] == 100).all() and (picture == 100).all()
    assert (out[10, 30] != out[20, 30]).any()  # the outline
    assert (overlay(picture, np.zeros((40, 60), bool)) == picture).all()
