"""Soft alpha for hair, thin parts and transparent edges: only in a band along the mask's edge, by closed-form matting.

The band is solved at a working size where it is large, and evaluated at the picture's own through the same local linear models
of colour that the method rests on. Outside the band the mask stays as it is, byte for byte.
"""

import cv2
import numpy as np

from ldznet_ext.geometry import Size
from ldznet_ext.masks.fit import stretch
from ldznet_ext.masks.foreground import foreground
from ldznet_ext.masks.laplacian import EPS, solve
from ldznet_ext.masks.local import fitted, guide, planes_of, tiles
from ldznet_ext.masks.shape import to_grey

BAND = 0.02
"""Half the band's width as a fraction of sqrt(height x width): 10 pixels to either side of the edge at 512x512."""
HOLD, LOOSE = 0.1, 0.01
"""How firmly the mask itself holds the band: HOLD where a part is thin (a whisker with no sure pixel near it would melt into the
ground), LOOSE where sure object and sure ground are both near. Measured on composites, like NEAR."""
NEAR = 1.7
"""What is near, in widths of the band on one side."""
WORKING_SIDE = 1024
MOST_UNKNOWN = 100_000
"""Pixels solved for at once, about a second of one core: a longer edge or a wider band is solved at a smaller size."""

__all__ = ["alpha", "band_of", "foreground"]


def alpha(picture: np.ndarray, mask: np.ndarray, *, band: int | None = None) -> np.ndarray:
    """The share of the object in each pixel, uint8 (h w): a mask (uint8 h w) made soft where its picture (uint8 h w 3) says so.

    band: so many pixels to either side of the mask's edge are looked at, by default 2 % of the picture's side; hair that stands
    out further wants more. An empty or a full mask comes back as it is.
    """
    if mask.shape != picture.shape[:2]:
        raise ValueError(
            f"The mask is {mask.shape}, its picture {picture.shape[:2]}; expected the same size, so resize one."
        )
    hard = mask > 127
    if hard.all() or not hard.any():
        return mask.copy()
    size = Size(*mask.shape)
    reach = band_of(size) if band is None else max(1, band)
    working, unknown = _working(hard, size, reach)
    small, rough = (stretch(array, working).astype(np.float64) / 255 for array in (picture, mask))
    solved = solve(small, rough, unknown, _hold(rough > 0.5, unknown, NEAR * reach * working.width / size.width))
    if working == size:
        return np.where(unknown, np.rint(solved * 255), mask).astype(np.uint8)
    return _at_own_size(picture, mask, solved, unknown)


def band_of(size: Size) -> int:
    """Half the band's width in pixels for a picture of this size.

    >>> band_of(Size(512, 512))
    10
    """
    return max(2, round(BAND * size.area**0.5))


def _working(hard: np.ndarray, size: Size, reach: int) -> tuple[Size, np.ndarray]:
    """The size at which the band is solved, and the band there, bool."""
    factor = min(1.0, WORKING_SIDE / max(size))
    while True:
        working = size.scaled(factor)
        unknown = _band(stretch(to_grey(hard), working) > 127, max(1.0, reach * factor))
        count = np.count_nonzero(unknown)
        if count <= MOST_UNKNOWN:
            return working, unknown
        factor *= 0.95 * (MOST_UNKNOWN / count) ** 0.5


def _band(hard: np.ndarray, reach: float) -> np.ndarray:
    """Pixels within reach of the edge between mask and ground; none where there is no edge."""
    inside, outside = (
        cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for side in (hard, ~hard)
    )
    return np.maximum(inside, outside) <= reach


def _hold(hard: np.ndarray, unknown: np.ndarray, near: float) -> np.ndarray:
    """HOLD or LOOSE for each pixel, float (h w)."""
    sure = (hard & ~unknown, ~hard & ~unknown)
    if not all(side.any() for side in sure):
        return np.full(hard.shape, HOLD)
    object_away, ground_away = (
        cv2.distanceTransform((~side).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for side in sure
    )
    return np.where(np.maximum(object_away, ground_away) <= near, LOOSE, HOLD)


def _at_own_size(picture: np.ndarray, mask: np.ndarray, solved: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Alpha at the picture's size: in the band by the local models of the solution, a tile at a time."""
    working = Size(*solved.shape)
    planes = planes_of(fitted(solved.astype(np.float32), guide(picture, working, radius=1, eps=EPS)))
    out, band = mask.copy(), unknown[None].astype(np.float32)
    for tile in tiles(Size(*mask.shape), working):
        if unknown[tile.near].any():
            inside = tile.stretch(band)[0] > 0.5
            share = np.rint(np.clip(tile.evaluated(planes, picture), 0, 1) * 255)
            out[tile.far] = np.where(inside, share, out[tile.far])
    return out
