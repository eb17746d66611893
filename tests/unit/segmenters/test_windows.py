"""Windows cover everything, overlap, and leave no seam."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ldznet_ext.geometry import Box, Size
from ldznet_ext.segmenters.windows import CELL, FITS, blend, canvas_size, in_cells, lay

NATIVE = Size(256, 256)
SIDES = st.integers(1, 32).map(lambda cells: cells * CELL)


def cut(field: torch.Tensor, boxes: list[Box]) -> list[torch.Tensor]:
    return [field[(slice(None), *box.slices)] for box in boxes]


@given(height=SIDES, width=SIDES)
def test_windows_cover_everything_and_have_about_the_native_area(height: int, width: int) -> None:
    canvas = Size(height, width)
    boxes = lay(canvas, NATIVE)
    seen = torch.zeros(height // CELL, width // CELL, dtype=torch.int32)
    for box in boxes:
        assert all(edge % CELL == 0 for edge in box) and box.size == boxes[0].size
        seen[in_cells(box, CELL).slices] += 1
    assert seen.min() >= 1 and seen.shape == seen[: height // CELL, : width // CELL].shape
    assert boxes[0].size.area <= FITS * NATIVE.area and (len(boxes) == 1) == (boxes[0].size == canvas)


@given(height=SIDES, width=SIDES)
def test_neighbours_share_a_quarter(height: int, width: int) -> None:
    boxes = lay(Size(height, width), NATIVE)
    lefts = sorted({box.x0 for box in boxes})
    side = boxes[0].size.width
    assert all(after - before <= max(side - side / 4, CELL) for before, after in itertools.pairwise(lefts))


@pytest.mark.parametrize("stride", [8, 16, 64])
def test_what_the_windows_agree_on_comes_back(stride: int) -> None:
    """A constant and a gradient, cut into windows and blended, are what they were: no seam."""
    canvas = Size(448, 640)
    boxes = [in_cells(box, stride) for box in lay(canvas, NATIVE)]
    size = Size(canvas.height // stride, canvas.width // stride)
    rows, columns = torch.meshgrid(torch.arange(size.height), torch.arange(size.width), indexing="ij")
    field = torch.stack([torch.full(tuple(size), 3.0), rows + 2.0 * columns])
    torch.testing.assert_close(blend(cut(field, boxes), boxes, size), field)


def test_windows_that_disagree_fade_into_each_other() -> None:
    """The step between two windows of 0 and 1 is spread over what they share."""
    boxes = [Box(0, 0, 32, 4), Box(16, 0, 48, 4)]
    mixed = blend([torch.zeros(1, 4, 32), torch.ones(1, 4, 32)], boxes, Size(4, 48))[0, 2]
    assert mixed[:16].max() == 0 and mixed[32:].min() == 1
    steps = mixed.diff()
    assert steps.min() >= 0 and steps.max() < 0.1


def test_a_picture_that_fits_is_one_window_untouched() -> None:
    canvas = canvas_size(Size(300, 400), NATIVE)
    (box,) = lay(canvas, NATIVE)
    assert box == Box(0, 0, canvas.width, canvas.height)
    piece = torch.rand(2, 3, 4).half()
    assert blend([piece], [Box(0, 0, 4, 3)], Size(3, 4)) is piece


def test_a_large_picture_is_looked_at_larger_and_no_larger_than_asked() -> None:
    small, large = canvas_size(Size(380, 380), NATIVE), canvas_size(Size(4000, 6000), NATIVE)
    assert small == (256, 256)
    assert 3 < large.area / NATIVE.area < 4.5
    assert canvas_size(Size(4000, 6000), NATIVE, largest=1.0).area < 1.3 * NATIVE.area
    assert canvas_size(Size(1, 1), NATIVE) == (256, 256)


@given(height=st.integers(1, 4000), width=st.integers(1, 4000))
def test_windows_are_for_large_pictures_alone(height: int, width: int) -> None:
    picture = Size(height, width)
    canvas = canvas_size(picture, NATIVE)
    assert (len(lay(canvas, NATIVE)) > 1) == (picture.area >= 1.5**2 * NATIVE.area)
