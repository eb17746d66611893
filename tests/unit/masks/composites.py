"""Pictures whose alpha is known to the last hair, small."""

from dataclasses import dataclass

import cv2
import numpy as np

FINER = 4
"""Strands are drawn so many times finer than the picture and averaged: their alpha is the area they cover."""


@dataclass(frozen=True)
class Composite:
    """`picture` uint8 (h w 3) = `colours` (h w 3, already times alpha) over a ground; `alpha` float (h w)."""

    picture: np.ndarray
    colours: np.ndarray
    alpha: np.ndarray

    def hard(self) -> np.ndarray:
        """The best mask of whole pixels, uint8 0 or 255."""
        return (self.alpha > 0.5).astype(np.uint8) * np.uint8(255)

    def on(self, colour: np.ndarray) -> np.ndarray:
        """The object alone on another ground, float (h w 3)."""
        return self.colours + (1 - self.alpha[..., None]) * colour


def strands(height: int, width: int, *, count: int = 120, seed: int = 0) -> Composite:
    """A brown ball with hair on a green, softly textured ground."""
    rng = np.random.default_rng(seed)
    fine = (height * FINER, width * FINER)
    cover, colours = np.zeros(fine, np.uint8), np.zeros((*fine, 3), np.uint8)
    middle, radius = np.array([fine[1] / 2, fine[0] / 2]), min(fine) * 0.25
    for angle in rng.uniform(0, 2 * np.pi, count):
        ways = angle + np.cumsum(rng.normal(0, 0.15, 12))
        steps = np.stack([np.cos(ways), np.sin(ways)], axis=1) * min(fine) * 0.016
        line = middle + radius * 0.95 * np.array([np.cos(angle), np.sin(angle)]) + np.cumsum(steps, axis=0)
        shade = np.array([120, 70, 40]) * rng.uniform(0.7, 1.3)
        for canvas, value in ((cover, (255,)), (colours, shade.tolist())):
            cv2.polylines(canvas, [np.rint(line * 16).astype(np.int32)], False, value, 4, cv2.LINE_8, 4)
    ball = np.rint(middle).astype(int).tolist()
    for canvas, value in ((cover, (255,)), (colours, (120, 70, 40))):
        cv2.circle(canvas, ball, int(radius), value, -1)
    size = (width, height)
    alpha, own = (
        cv2.resize(array.astype(np.float32), size, interpolation=cv2.INTER_AREA) for array in (cover / 255, colours)
    )
    bumps = cv2.resize(
        rng.normal(0, 8, (height // 6, width // 6, 3)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC
    )
    ground = np.array([90, 160, 70]) + bumps
    picture = np.rint(np.clip(own + (1 - alpha[..., None]) * ground, 0, 255)).astype(np.uint8)
    return Composite(picture=picture, colours=own, alpha=alpha)
