"""Pictures whose alpha is known to the last hair: what `benchmarks/edges.py` measures soft edges on.

Sticker World's art has true alpha (thin legs, spokes, wings one sees through); strands of hair and a veil are drawn here. Each is
laid over two grounds, painted and photographed. Strands are drawn four times finer and averaged: alpha is the area they cover.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ldznet_ext.geometry import Size
from ldznet_ext.masks.refine import refine
from ldznet_ext.world import art, grounds
from ldznet_ext.world.concepts import concepts

SIZE = Size(320, 384)
FINER = 4
PHOTOGRAPHS = 3
STICKERS = (
    ("fluent", "spider"),
    ("noto", "mosquito"),
    ("noto", "bicycle"),
    ("noto", "lion"),
    ("fluent", "peacock"),
    ("noto", "ferris wheel"),
    ("fluent", "parachute"),
    ("noto", "wind chime"),
)


@dataclass(frozen=True, kw_only=True)
class Thing:
    """An object without a ground: `colours` float (h w 3) already times `alpha` (h w, 0..1), as premultiplied art has it."""

    name: str
    kind: str
    colours: np.ndarray
    alpha: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Case:
    """A thing over a ground: `picture` uint8 (h w 3)."""

    thing: Thing
    ground: str
    picture: np.ndarray

    @property
    def alpha(self) -> np.ndarray:
        """The truth, float (h w) 0..1."""
        return self.thing.alpha

    def hard(self) -> np.ndarray:
        """The best mask of whole pixels there is, uint8 0 or 255."""
        return (self.alpha > 0.5).astype(np.uint8) * np.uint8(255)

    def coarse(self, cells: int = 32) -> np.ndarray:
        """The mask of a network whose map has so many cells a side, its edges refined: uint8 0 or 255."""
        small = cv2.GaussianBlur(cv2.resize(self.alpha, (cells, cells), interpolation=cv2.INTER_AREA), (3, 3), 0)
        prob = cv2.resize(small, self.alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return (refine(prob, self.picture) > 0.5).astype(np.uint8) * np.uint8(255)

    def on(self, colour: Sequence[float]) -> np.ndarray:
        """The thing alone on another ground, float (h w 3)."""
        return self.thing.colours + (1 - self.alpha[..., None]) * np.array(colour, np.float32)

    def edge(self) -> np.ndarray:
        """Where a halo would be: pixels partly covered, and those next to them, bool."""
        partly = (self.alpha > 0.01) & (self.alpha < 0.99)
        return cv2.dilate(partly.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0


def cases() -> Iterator[Case]:
    """All of them; the art must be fetched (`ldznet world fetch`, and once more with `--style photo`)."""
    backdrops = list(_backdrops())
    for number, thing in enumerate(_things()):
        for second in range(2):
            name, ground = backdrops[(number * 2 + second * 6) % len(backdrops)]
            mixed = thing.colours + (1 - thing.alpha[..., None]) * ground
            picture = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
            yield Case(thing=thing, ground=name, picture=picture)


def _things() -> Iterator[Thing]:
    yield strands("brown hair", seed=1, count=700, length=0.22, curl=1.2, width=0.9, colour=(120, 70, 40), ball=0.25)
    yield strands("fair hair", seed=2, count=350, length=0.28, curl=0.6, width=0.7, colour=(225, 190, 120), ball=0.25)
    yield strands("fur", seed=4, count=2500, length=0.06, curl=0.3, width=1.0, colour=(60, 60, 70), ball=0.33)
    yield veil("veil", seed=5)
    for style, name in STICKERS:
        yield sticker(style, name)


def strands(
    name: str, *, seed: int, count: int, length: float, curl: float, width: float, colour: Sequence[int], ball: float
) -> Thing:
    """A ball with hair. length, ball: fractions of the shorter side; curl: radians along a hair; width: pixels."""
    rng = np.random.default_rng(seed)
    fine = SIZE.scaled(FINER)
    cover, colours = np.zeros(fine, np.uint8), np.zeros((*fine, 3), np.uint8)
    middle, radius = np.array([fine.width * 0.5, fine.height * 0.55]), min(fine) * ball
    for _ in range(count):
        # most of the hair stands on the upper half
        angle = rng.uniform(-np.pi, 0) if rng.random() < 0.85 else rng.uniform(-np.pi, np.pi)
        line = _hair(rng, angle, curl, length * min(fine) * rng.uniform(0.4, 1.2))
        line += middle + radius * rng.uniform(0.8, 1) * np.array([np.cos(angle), np.sin(angle)])
        shade = np.clip(np.array(colour) * rng.uniform(0.6, 1.3) + rng.normal(0, 8, 3), 0, 255)
        thick = max(1, round(FINER * width * rng.uniform(0.6, 1.4)))
        for canvas, value in ((cover, (255,)), (colours, shade.tolist())):
            cv2.polylines(canvas, [np.rint(line * 16).astype(np.int32)], False, value, thick, cv2.LINE_8, 4)
    rows, columns = np.mgrid[: fine.height, : fine.width]
    inside = (rows - middle[1]) ** 2 + (columns - middle[0]) ** 2 < radius**2
    cover[inside] = 255
    colours[inside] = np.clip(np.array(colour) + _bumps(rng, fine, 12, 16), 0, 255)[inside]
    own = np.where(cover[..., None] > 0, colours, 0).astype(np.float32)
    shares = (cv2.resize(array, SIZE[::-1], interpolation=cv2.INTER_AREA) for array in (own, cover / np.float32(255)))
    return Thing(name=name, kind="hair", **dict(zip(("colours", "alpha"), shares, strict=True)))


def veil(name: str, *, seed: int) -> Thing:
    """A pale cloud, opaque within, whose edge fades over some twenty pixels."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SIZE.height, : SIZE.width].astype(np.float32)
    away = np.hypot((rows / SIZE.height - 0.5) / 0.36, (columns / SIZE.width - 0.5) / 0.3)
    away += 0.06 * cv2.resize(rng.normal(0, 1, (6, 8)).astype(np.float32), SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    share = np.clip((1.08 - away) / 0.16, 0, 1)
    alpha = share * share * (3 - 2 * share)
    colours = np.clip(np.array([225, 235, 245], np.float32) + _bumps(rng, SIZE, 14, 32), 0, 255)
    return Thing(name=name, kind="soft", colours=colours * alpha[..., None], alpha=alpha)


def sticker(style: str, name: str) -> Thing:
    """A piece of art in the middle, at 80 % of the shorter side at most."""
    picture = art.sprite(style, next(one for one in concepts() if one.name == name)).astype(np.float32)
    size = Size(*picture.shape[:2]).scaled(min(1.0, 0.8 * min(SIZE) / max(picture.shape[:2])))
    alpha = picture[..., 3] / 255
    own = cv2.resize(picture[..., :3] * alpha[..., None], size[::-1], interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(alpha, size[::-1], interpolation=cv2.INTER_AREA)
    top, left = (SIZE.height - size.height) // 2, (SIZE.width - size.width) // 2
    around = ((top, SIZE.height - size.height - top), (left, SIZE.width - size.width - left))
    return Thing(name=name, kind="art", colours=np.pad(own, (*around, (0, 0))), alpha=np.pad(alpha, around))


def _hair(rng: np.random.Generator, angle: float, curl: float, length: float, joints: int = 24) -> np.ndarray:
    """A curved line from (0, 0), float (joints + 1, 2)."""
    turns = np.full(joints, rng.normal(0, curl) / joints) + rng.normal(0, 0.04, joints)
    ways = angle + rng.normal(0, 0.35) + np.cumsum(turns)
    steps = np.stack([np.cos(ways), np.sin(ways)], axis=1) * length / joints
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])


def _bumps(rng: np.random.Generator, size: Size, strength: float, side: int) -> np.ndarray:
    """Soft coloured noise, float32 (h w 3)."""
    grid = rng.normal(0, strength, (size.height // side, size.width // side, 3)).astype(np.float32)
    return cv2.resize(grid, size[::-1], interpolation=cv2.INTER_LINEAR)


def _backdrops() -> Iterator[tuple[str, np.ndarray]]:
    """Painted grounds and photographs, float32 (h w 3) 0..255."""
    for ground in grounds.GROUNDS:
        yield ground.name, np.clip(ground.paint(np.random.default_rng(3), *SIZE), 0, 255)
    for number, picture in enumerate(art.photo_grounds()[:PHOTOGRAPHS]):
        seen = cv2.resize(picture, SIZE[::-1], interpolation=cv2.INTER_AREA)
        yield f"photograph {number + 1}", seen.astype(np.float32)
