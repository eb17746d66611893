"""Windows of a scene: the part around one object, at the object's full size, for a fraction of the whole scene's cost."""

import numpy as np

from ldznet_ext.geometry import Box
from ldznet_ext.world.scenes import Scene

CELL = 8
"""Pixels a latent cell; windows begin at cells."""
JITTER = 1.5
"""Standard deviation, in cells, of a window's place around its object."""


def window_around(centre: tuple[float, float], size: int, side: int, rng: np.random.Generator) -> Box:
    """A square of `side` pixels near `centre` (y, x as fractions) of a picture of `size` pixels, all of it inside."""
    cells, span = size // CELL, side // CELL
    jitter = rng.normal(0, JITTER, 2)
    y, x = (int(np.clip(c * cells - span / 2 + j, 0, cells - span)) for c, j in zip(centre, jitter, strict=True))
    return Box(x * CELL, y * CELL, (x + span) * CELL, (y + span) * CELL)


def any_window(painted: Scene, side: int, rng: np.random.Generator) -> Box:
    """A window around one of the objects, or anywhere where there is none."""
    centres = [thing.centre for thing in painted.objects] or [(rng.random(), rng.random())]
    return window_around(centres[int(rng.integers(len(centres)))], painted.picture.shape[0], side, rng)
