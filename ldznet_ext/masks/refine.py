"""Edges from the picture: a map that is only as sharp as the latent grid follows the outlines the pixels show.

Guided filter with a colour guide (He, Sun, Tang 2013) in several rounds, on the local models of `local.py`.
"""

import numpy as np

from ldznet_ext.geometry import Size
from ldznet_ext.masks.fit import stretch
from ldznet_ext.masks.local import Guide, evaluated, fitted, guide, planes_of, tiles

WORKING_SIDE = 512
"""Longest side at which the local models are fitted: enough for any edge that a 32-128 cell grid can place."""
RADIUS = 0.03
"""Half a window's side as a fraction of sqrt(height x width): one latent cell, the uncertainty to be resolved."""
EPS = 1e-4
"""Colour variance (0..1 scale) below which a window counts as flat, and its map is merely averaged."""
ROUNDS = 3
"""Measured on scenes with degraded 32-cell maps: IoU 0.864 -> 0.927, boundary IoU 0.66 -> 0.83; two rounds 0.82."""
SETTLED = 0.002
"""Tiles of a large picture whose map is this close to 0 or 1 everywhere are not recomputed."""

__all__ = ["Guide", "prepare", "refine"]


def prepare(picture: np.ndarray, *, radius: float = RADIUS, eps: float = EPS) -> Guide:
    """Gather the colour statistics of a uint8 (h w 3) picture."""
    size = Size(*picture.shape[:2])
    working = size.scaled(min(1.0, WORKING_SIDE / max(size)))
    return guide(picture, working, radius=max(1, round(radius * working.area**0.5)), eps=eps)


def refine(prob: np.ndarray, picture: np.ndarray | Guide, *, rounds: int = ROUNDS) -> np.ndarray:
    """Snap float32 prob (h w) in 0..1 to the edges of its picture: uint8 (h w 3) of the same size, or its Guide.

    A map that is constant stays as it is, and so does one wherever it is constant over a window, textured or not. No
    value leaves the range of the map.
    """
    guide = picture if isinstance(picture, Guide) else prepare(picture)
    if prob.shape != guide.picture.shape[:2]:
        raise ValueError(
            f"The map is {prob.shape}, its picture {guide.picture.shape[:2]}; expected the same size, so resize one."
        )
    low, high = float(prob.min()), float(prob.max())
    if high - low < 1e-6:
        return np.array(prob, np.float32)
    rough = stretch(np.ascontiguousarray(prob, np.float32), Size(*guide.small.shape[:2]))
    model = fitted(rough, guide)
    for _ in range(rounds - 1):
        rough = _decided(np.clip(evaluated(model, guide.small), low, high), low, high)
        model = fitted(rough, guide)
    if guide.small.shape == guide.picture.shape:
        return np.clip(evaluated(model, guide.small), low, high)
    return _at_own_size(model, guide, prob, low, high)


def _decided(prob: np.ndarray, low: float, high: float) -> np.ndarray:
    """A smooth step between the map's own extremes: undoes a round's averaging without making a weak map strong."""
    t = (prob - low) / (high - low)
    return low + (high - low) * t * t * (3 - 2 * t)


def _at_own_size(model: np.ndarray, guide: Guide, prob: np.ndarray, low: float, high: float) -> np.ndarray:
    """Evaluate working-size models at the picture's size, a tile at a time: no second array of that size in colour."""
    out = np.array(prob, np.float32)
    coarse, planes = evaluated(model, guide.small), planes_of(model)
    for tile in tiles(Size(*out.shape), Size(*coarse.shape)):
        near = coarse[tile.near]
        if near.max() - low >= SETTLED and high - near.min() >= SETTLED:
            np.clip(tile.evaluated(planes, guide.picture), low, high, out=out[tile.far])
    return out
