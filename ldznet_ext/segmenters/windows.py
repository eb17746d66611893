"""A large picture looked at through overlapping windows, whose maps are blended into one without seams.

A diffusion model sees best at the size it was trained at: at twice that size a window shows it a quarter of the picture as
large as it knows things. Windows start at multiples of 64 pixels, one cell of the coarsest level, so every level's
cells lie on one grid and nothing is resampled.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ldznet_ext.geometry import Box, Size
from ldznet_ext.masks.imaging import fit
from ldznet_ext.shapes import Float

CELL = 64
"""Pixels a cell of the coarsest level covers, and what every network size is a multiple of."""
LARGE = 1.5
"""Times the native side from which a picture counts as large: below, windows would show next to nothing new."""
FITS = 1.6
"""Times the native area that a canvas may have and still be one window: multiples of 64 seldom meet the native area."""
OVERLAP = 0.25
"""Of a window's side, at least; where two windows meet they fade into each other over it."""


def canvas_size(picture: Size, native: Size, largest: float = 2.0) -> Size:
    """The size in pixels at which a picture is looked at: the network's own, or up to `largest` times that for a large one.

    >>> canvas_size(Size(600, 800), Size(512, 512))
    Size(height=448, width=576)
    >>> canvas_size(Size(3000, 4000), Size(512, 512))
    Size(height=896, width=1216)
    """
    scale = math.sqrt(picture.area / native.area)
    scale = min(scale, largest) if scale >= LARGE and largest > 1 else 1.0
    return fit(picture, native.scaled(scale)).network


def lay(canvas: Size, native: Size) -> tuple[Box, ...]:
    """Windows of about the native area that together cover a canvas whose sides are multiples of 64, row by row.

    >>> len(lay(Size(512, 512), Size(512, 512))), len(lay(Size(1024, 1024), Size(512, 512)))
    (1, 9)
    """
    window = _window(canvas, native)
    return tuple(
        Box(left, top, left + window.width, top + window.height)
        for top in _starts(canvas.height, window.height)
        for left in _starts(canvas.width, window.width)
    )


def blend(pieces: Sequence[Float[Tensor, "c h w"]], boxes: Sequence[Box], size: Size) -> Float[Tensor, "c H W"]:
    """Maps of windows (boxes in the maps' own cells) as one map: a weighted mean, each piece fading towards its edges.

    Float32 where there is more than one; a single piece is given back as it is. What the pieces agree on comes back as it was.
    """
    if len(pieces) == 1 and tuple(pieces[0].shape[-2:]) == tuple(size):
        return pieces[0]
    total = torch.zeros(pieces[0].shape[0], *size, device=pieces[0].device)
    weight = torch.zeros(tuple(size), device=total.device)
    for piece, box in zip(pieces, boxes, strict=True):
        fade = _fade(box.size, total.device)
        total[(slice(None), *box.slices)] += piece.float() * fade
        weight[box.slices] += fade
    return total / weight


def in_cells(box: Box, stride: int) -> Box:
    """A box in pixels as one in cells of `stride` pixels."""
    return Box(*(edge // stride for edge in box))


def _window(canvas: Size, native: Size) -> Size:
    """The native sides, or along a narrow canvas as much more as keeps the area."""
    if canvas.area <= FITS * native.area:
        return canvas
    height, width = min(canvas.height, native.height), min(canvas.width, native.width)
    if height < native.height:
        width = min(canvas.width, native.area // height // CELL * CELL)
    elif width < native.width:
        height = min(canvas.height, native.area // width // CELL * CELL)
    return Size(height, width)


def _starts(side: int, window: int) -> list[int]:
    """Evenly spread starts in multiples of a cell, of neighbours that share at least the overlap."""
    cells, wide = side // CELL, window // CELL
    step = max(1, wide - max(1, math.ceil(wide * OVERLAP)))
    count = math.ceil((cells - wide) / step)
    return [round(index * (cells - wide) / count) * CELL for index in range(count + 1)] if count else [0]


def _fade(size: Size, device: torch.device) -> Float[Tensor, "h w"]:
    """A pyramid: each cell's distance from the window's edge along both sides, multiplied."""
    sides = (torch.arange(side, device=device) + 0.5 for side in size)
    rows, columns = (torch.minimum(line, len(line) - line) for line in sides)
    return rows[:, None] * columns[None, :]
