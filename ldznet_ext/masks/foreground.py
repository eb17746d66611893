"""The colours of what was cut out, without the ground's: so that a cut-out shows no halo on another ground.

Fast multi-level foreground estimation (Germer, Uelwer, Conrad, Harmeling 2020): foreground F and ground B that mix to the
picture, alpha F + (1 - alpha) B, and are smooth where alpha is; solved from one pixel upwards, each size from the one before it.
Above a working size F and B are interpolated, and the mixing equation is met exactly by the least change of both.
"""

from collections.abc import Iterator
from math import ceil, log2

import cv2
import numpy as np

from ldznet_ext.geometry import Size
from ldznet_ext.masks.fit import stretch
from ldznet_ext.masks.local import planes_of, tiles

WORKING_SIDE = 1024
SMOOTH, STEEP = 1e-3, 0.1
"""Weight of smoothness everywhere, and what is added per unit by which neighbouring alphas differ. Measured."""
SMALL, ROUNDS_SMALL, ROUNDS = 32, 10, 2
"""Rounds at sizes up to SMALL pixels, and above: the first settle the colours, the others only sharpen them."""
_BESIDE = ((0, 1), (0, -1), (1, 0), (-1, 0))


def foreground(picture: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours uint8 (h w 3) to go with alpha (uint8 h w): the picture's where it is opaque, elsewhere without its ground.

    Where alpha is 0 the nearest colours are continued, so that scaling the cut-out brings no rim either.
    """
    if alpha.min(initial=255) == 255 or not alpha.any():
        return picture.copy()
    size = Size(*alpha.shape)
    working = size.scaled(min(1.0, WORKING_SIDE / max(size)))
    small = stretch(picture, working).astype(np.float32) / 255
    front, ground = _unmixed(small, stretch(alpha, working).astype(np.float32) / 255)
    if working == size:
        out = np.rint(front * 255).astype(np.uint8)
    else:
        out = _at_own_size(picture, alpha, front, ground)
    np.copyto(out, picture, where=(alpha == 255)[..., None])
    return out


def _unmixed(picture: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Foreground and ground, float32 (h w 3) in 0..1, of a picture in 0..1 and its alpha (h w)."""
    front = ground = picture.mean(axis=(0, 1), keepdims=True)
    for size in _sizes(Size(*alpha.shape)):
        near = (size.width, size.height)
        front, ground, seen, share = (
            cv2.resize(array, near, interpolation=cv2.INTER_NEAREST) for array in (front, ground, picture, alpha)
        )
        front, ground = _level(seen, share, front, ground, ROUNDS_SMALL if max(size) <= SMALL else ROUNDS)
    return front, ground


def _sizes(size: Size) -> Iterator[Size]:
    """From one pixel to the whole, about doubling."""
    steps = max(1, ceil(log2(max(size))))
    for step in range(steps + 1):
        yield Size(round(size.height ** (step / steps)), round(size.width ** (step / steps)))


def _level(
    picture: np.ndarray, alpha: np.ndarray, front: np.ndarray, ground: np.ndarray, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rounds of Jacobi's method: each pixel's F and B together, given those of its four neighbours."""
    weights = [SMOOTH + STEEP * np.abs(alpha - _beside(alpha, *step)) for step in _BESIDE]
    total, other = sum(weights), 1 - alpha
    a, b, c = alpha * alpha + total, alpha * other, other * other + total
    a, b, c = ((entry / (a * c - b * b))[..., None] for entry in (a, b, c))  # of the inverse, [[c, -b], [-b, a]]
    for _ in range(rounds):
        f, g = alpha[..., None] * picture, other[..., None] * picture
        for weight, step in zip(weights, _BESIDE, strict=True):
            f += weight[..., None] * _beside(front, *step)
            g += weight[..., None] * _beside(ground, *step)
        front, ground = np.clip(c * f - b * g, 0, 1), np.clip(a * g - b * f, 0, 1)
    return front, ground


def _beside(array: np.ndarray, down: int, right: int) -> np.ndarray:
    """The neighbours one step away; beyond the edge a pixel is its own neighbour."""
    out = array.copy()
    height, width = array.shape[:2]
    to = (slice(max(-down, 0), height - max(down, 0)), slice(max(-right, 0), width - max(right, 0)))
    of = (slice(max(down, 0), height - max(-down, 0)), slice(max(right, 0), width - max(-right, 0)))
    out[to] = array[of]
    return out


def _at_own_size(picture: np.ndarray, alpha: np.ndarray, front: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """The foreground at the picture's size, a tile at a time."""
    out = picture.copy()
    both, working = planes_of(np.concatenate([front, ground], axis=2)), Size(*front.shape[:2])
    for tile in tiles(Size(*alpha.shape), working):
        share = alpha[tile.far]
        if share.min() == 255:
            continue
        share = share[..., None].astype(np.float32) / 255
        f, g = np.split(tile.stretch(both).transpose(1, 2, 0), 2, axis=2)
        missing = picture[tile.far].astype(np.float32) / 255 - share * f - (1 - share) * g
        f = f + share * missing / (share**2 + (1 - share) ** 2)
        out[tile.far] = np.rint(np.clip(f, 0, 1) * 255)
    return out
