"""A map as a local linear function of its picture's colours: fitted in every window at a working size, evaluated at any.

The model behind the guided filter (He, Sun, Tang 2013) and closed-form matting (Levin et al. 2006) alike. Fitted small and
evaluated at the picture's own size, a tile at a time ("Fast Guided Filter", He & Sun 2015), 100 megapixels cost seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ldznet_ext.geometry import Size
from ldznet_ext.masks.fit import stretch

TILE = 512


@dataclass(frozen=True, kw_only=True)
class Guide:
    """A picture prepared for `fitted`: its local colour statistics, shared by all maps of it.

    `picture` uint8 (h w 3); `small` float32 (h' w' 3) in 0..1 at the working size; `mean` its window mean (h' w' 3);
    `inverse`: the six distinct entries xx xy xz yy yz zz, (6 h' w'), of the inverse of the windows' colour covariance;
    `radius`: half a window's side in working pixels.
    """

    picture: np.ndarray
    small: np.ndarray
    mean: np.ndarray
    inverse: np.ndarray
    radius: int


def guide(picture: np.ndarray, working: Size, *, radius: int, eps: float) -> Guide:
    """Gather the colour statistics of a uint8 (h w 3) picture in windows of `radius` working pixels.

    eps: colour variance (0..1 scale) below which a window counts as flat, and its map is merely averaged.
    """
    small = stretch(picture, working).astype(np.float32) / 255.0
    mean = _window_mean(small, radius)
    return Guide(picture=picture, small=small, mean=mean, inverse=_inverse(small, mean, radius, eps), radius=radius)


def fitted(prob: np.ndarray, guide: Guide) -> np.ndarray:
    """Coefficients (h' w' 4) of prob = r*red + g*green + b*blue + 1*offset, fitted in and averaged over the windows."""
    mean = _window_mean(prob, guide.radius)
    covariance = _window_mean(guide.small * prob[..., None], guide.radius) - guide.mean * mean[..., None]
    x, y, z = cv2.split(covariance)
    xx, xy, xz, yy, yz, zz = guide.inverse
    slopes = [xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z]
    offset = mean - sum(slope * one for slope, one in zip(slopes, cv2.split(guide.mean), strict=True))
    return _window_mean(cv2.merge([*slopes, offset]), guide.radius)


def evaluated(model: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The models (h w 4) on a picture (h w 3) in 0..1."""
    r, g, b, offset = cv2.split(model)
    red, green, blue = cv2.split(picture)
    return r * red + g * green + b * blue + offset


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A tile of the picture: `far` its (rows, columns) there, `near` the working cells that it lies between."""

    rows: "_Taps"
    columns: "_Taps"

    @property
    def far(self) -> tuple[slice, slice]:
        """Where it lies in the picture."""
        return self.rows.far, self.columns.far

    @property
    def near(self) -> tuple[slice, slice]:
        """Where it lies at the working size."""
        return self.rows.near, self.columns.near

    def stretch(self, planes: np.ndarray) -> np.ndarray:
        """Planes (n h' w') of the working size at the tile's own pixels, bilinear: float32 (n h w)."""
        return self.rows.stretch(self.columns.stretch(planes[(slice(None), *self.near)], axis=2), axis=1)

    def evaluated(self, planes: np.ndarray, picture: np.ndarray) -> np.ndarray:
        """Models, as planes (4 h' w'), on the tile of a uint8 picture (h w 3): float32."""
        r, g, b, offset = self.stretch(planes)
        for slope, colour in zip((r, g, b), cv2.split(picture[self.far]), strict=True):
            slope *= colour
            slope *= 1 / 255
            offset += slope
        return offset


def tiles(size: Size, working: Size) -> Iterator[Tile]:
    """The tiles of a picture, row by row."""
    columns = [_taps(left, min(left + TILE, size.width), size.width, working.width) for left in _starts(size.width)]
    for top in _starts(size.height):
        rows = _taps(top, min(top + TILE, size.height), size.height, working.height)
        for column in columns:
            yield Tile(rows=rows, columns=column)


def planes_of(array: np.ndarray) -> np.ndarray:
    """Channels first, contiguous: (h w n) as (n h w)."""
    return np.ascontiguousarray(array.transpose(2, 0, 1))


@dataclass(frozen=True, kw_only=True)
class _Taps:
    """Bilinear interpolation along one side of a tile: of coarse[near], which cells each pixel of fine[far] lies between.

    Not as a product with a matrix of weights: the threads of a BLAS wait for each other busily, and on a machine that has
    other work to do that took thirty times as long.
    """

    far: slice
    near: slice
    left: np.ndarray
    right: np.ndarray
    share: np.ndarray

    def stretch(self, coarse: np.ndarray, axis: int) -> np.ndarray:
        """Interpolate along an axis."""
        share = self.share.reshape([-1 if side == axis else 1 for side in range(coarse.ndim)])
        low, out = np.take(coarse, self.left, axis), np.take(coarse, self.right, axis)
        out -= low
        out *= share
        out += low
        return out


def _starts(side: int) -> range:
    return range(0, side, TILE)


def _taps(start: int, stop: int, fine: int, coarse: int) -> _Taps:
    position = np.clip((np.arange(start, stop) + 0.5) * (coarse / fine) - 0.5, 0, coarse - 1)
    left = np.minimum(position.astype(int), max(coarse - 2, 0))
    right = np.minimum(left + 1, coarse - 1)
    first, share = int(left[0]), (position - left).astype(np.float32)
    near = slice(first, int(right[-1]) + 1)
    return _Taps(far=slice(start, stop), near=near, left=left - first, right=right - first, share=share)


def _window_mean(array: np.ndarray, radius: int) -> np.ndarray:
    side = 2 * radius + 1
    return cv2.boxFilter(array, -1, (side, side), borderType=cv2.BORDER_REFLECT)


def _inverse(small: np.ndarray, mean: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """Inverse of the 3x3 colour covariance + eps of every window, (6 h w), by cofactors."""
    (x, y, z), (mx, my, mz) = cv2.split(small), cv2.split(mean)
    xx = _window_mean(x * x, radius) - mx * mx + eps
    yy = _window_mean(y * y, radius) - my * my + eps
    zz = _window_mean(z * z, radius) - mz * mz + eps
    xy = _window_mean(x * y, radius) - mx * my
    xz = _window_mean(x * z, radius) - mx * mz
    yz = _window_mean(y * z, radius) - my * mz
    first = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    determinant = xx * first[0] + xy * first[1] + xz * first[2]
    cofactors = np.stack([*first, xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy])
    return cofactors / determinant
