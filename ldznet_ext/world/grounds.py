"""Procedural grounds and skies: the regions ("stuff") of a Sticker World scene.

Every texture is drawn from the scene's own generator, at the scene's own size, in about a millisecond.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

Texture = Callable[[np.random.Generator, int, int], np.ndarray]
"""(generator, height, width) -> float32 (height, width, 3) RGB in 0..255."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """A ground or a sky: its caption name, other words for it, and how to paint it."""

    name: str
    synonyms: tuple[str, ...]
    paint: Texture


def _noise(rng: np.random.Generator, height: int, width: int, cells_y: int, cells_x: int) -> np.ndarray:
    """Smooth noise in -1..1 with about cells_y x cells_x bumps, (height, width) float32."""
    grid = rng.uniform(-1, 1, (max(2, cells_y), max(2, cells_x))).astype(np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)


def _gradient(height: int, width: int, top: tuple[float, ...], bottom: tuple[float, ...]) -> np.ndarray:
    """Vertical blend from `top` to `bottom` RGB."""
    t = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    return np.broadcast_to(
        np.array(top, np.float32) * (1 - t) + np.array(bottom, np.float32) * t, (height, width, 3)
    ).copy()


def _tinted(picture: np.ndarray, field: np.ndarray, tint: tuple[float, ...]) -> np.ndarray:
    return picture + field[..., None] * np.array(tint, np.float32)


def _grass(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base = _gradient(h, w, (118, 182, 72), (74, 146, 46))
    base = _tinted(base, _noise(rng, h, w, 4, 6), (14, 14, 8))
    return _tinted(base, _noise(rng, h, w, 16, 48), (16, 20, 10))


def _sand(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base = _gradient(h, w, (236, 212, 160), (218, 184, 120))
    base = _tinted(base, _noise(rng, h, w, 3, 4), (10, 9, 8))
    return _tinted(base, _noise(rng, h, w, 10, 5), (9, 8, 7))


def _sea(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base = _gradient(h, w, (60, 150, 190), (16, 82, 138))
    base = _tinted(base, _noise(rng, h, w, 12, 5), (16, 20, 20))
    crests = np.clip(_noise(rng, h, w, 22, 9) - 0.45, 0, 1)
    return _tinted(base, crests, (110, 110, 100))


def _snow(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base = _gradient(h, w, (240, 245, 252), (222, 232, 246))
    return _tinted(base, _noise(rng, h, w, 4, 5), (10, 8, 4))


def _blue_sky(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base = _gradient(h, w, (84, 158, 232), (186, 220, 248))
    clouds = np.clip(_noise(rng, h, w, 4, 5) + 0.4 * _noise(rng, h, w, 9, 11) - 0.25, 0, 0.8)[..., None]
    return base * (1 - clouds) + 250 * clouds


def _sunset(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base = _gradient(h, w, (122, 66, 128), (252, 158, 74))
    base = _tinted(base, np.clip(_noise(rng, h, w, 7, 3), 0, 1), (46, 20, 0))
    y, x = np.mgrid[0:h, 0:w].astype(np.float32) / max(h, w)
    glow = np.exp(-((x - rng.uniform(0.2, 0.8)) ** 2 + (y - h / max(h, w)) ** 2) * 14)
    return _tinted(base, glow, (60, 70, 40))


def _night(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base = _gradient(h, w, (12, 16, 44), (34, 40, 88))
    base = _tinted(base, _noise(rng, h, w, 3, 4), (5, 5, 10))
    stars = rng.uniform(0, 1, (24, 3))
    scale = max(h, w) / 256
    for y, x, size in stars:
        centre = (int(x * w * 8), int(y * h * 8))
        cv2.circle(base, centre, int((0.6 + size) * scale * 8), (236, 236, 214), -1, cv2.LINE_AA, 3)
    return base


def _wooden_floor(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base = _gradient(h, w, (176, 122, 74), (150, 98, 56))
    planks = int(rng.integers(4, 7))
    tones = rng.uniform(-14, 14, planks).astype(np.float32)
    rows = np.minimum((np.linspace(0, 1, h, endpoint=False) ** 1.3 * planks).astype(int), planks - 1)
    base += tones[rows][:, None, None]
    base[np.flatnonzero(np.diff(rows)) + 1] -= 40
    return _tinted(base, _noise(rng, h, w, 20, 3), (8, 6, 4))


def _road(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base = _gradient(h, w, (120, 122, 128), (92, 94, 100))
    return _tinted(base, _noise(rng, h, w, 24, 40), (9, 9, 9))


def _brick_wall(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    base = _gradient(h, w, (178, 90, 72), (158, 76, 60))
    base = _tinted(base, _noise(rng, h, w, 10, 8), (16, 9, 8))
    step = max(h, w) / float(rng.uniform(11, 15))
    y, x = np.mgrid[0:h, 0:w].astype(np.float32) / step
    joint = max(0.1, 1.2 / step)
    mortar = ((y % 1) < joint) | (((x / 2 + 0.5 * (np.floor(y) % 2)) % 1) < joint / 2)
    base[mortar] = (206, 196, 186)
    return base


GROUNDS = (
    Region(name="grass", synonyms=("lawn", "meadow"), paint=_grass),
    Region(name="sand", synonyms=("beach", "desert"), paint=_sand),
    Region(name="sea", synonyms=("water", "ocean"), paint=_sea),
    Region(name="snow", synonyms=("snowy ground",), paint=_snow),
    Region(name="wooden floor", synonyms=("floor", "planks"), paint=_wooden_floor),
    Region(name="road", synonyms=("street", "asphalt"), paint=_road),
)
SKIES = (
    Region(name="blue sky", synonyms=("sky", "cloudy sky"), paint=_blue_sky),
    Region(name="sunset", synonyms=("evening sky", "orange sky"), paint=_sunset),
    Region(name="night", synonyms=("night sky", "starry sky"), paint=_night),
    Region(name="brick wall", synonyms=("wall",), paint=_brick_wall),
)
PLAIN_COLOURS = {
    "white": (248, 248, 248),
    "grey": (150, 152, 156),
    "black": (24, 24, 28),
    "blue": (96, 150, 214),
    "pink": (240, 178, 196),
    "yellow": (246, 216, 110),
    "green": (126, 190, 128),
}


def plain(rng: np.random.Generator, height: int, width: int, colour: str) -> np.ndarray:
    """A plain studio ground of a named colour with a faint vertical shade, float32 RGB 0..255."""
    rgb = np.array(PLAIN_COLOURS[colour], np.float32)
    shade = rng.uniform(0, 10)
    return np.clip(_gradient(height, width, tuple(rgb + shade), tuple(rgb - shade)), 0, 255)
