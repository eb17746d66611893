"""Sticker World: a scene from (seed, index) alone, with the exact mask of everything in it.

A ground under a sky (or a plain studio ground) and one to four pasted objects at random size, place, tilt, mirror and
brightness, with occlusion. Nothing but the art and a seed is stored, so train, val and test never meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from ldznet_ext.errors import OptionError
from ldznet_ext.geometry import Box
from ldznet_ext.world import art, grounds
from ldznet_ext.world.concepts import Concept, held_out, named

SPLITS = ("train", "val", "test")
VOCABULARIES = ("named", "known", "held_out")
"""Which objects a scene may hold: the named ones, also those held out from head training, or only the latter."""
STYLE_WEIGHTS = {"fluent": 0.55, "noto": 0.15, "flat": 0.15, "twemoji": 0.15}

NATIVE = 256
MIN_AREA = 0.02
MIN_VISIBLE = 0.4
MIN_SIDE = 32 / NATIVE
SIZES = {1: (0.45, 0.72), 2: (0.34, 0.54), 3: (0.28, 0.44), 4: (0.25, 0.38)}
"""Longer side of an object as a fraction of the picture, by the number of objects planned."""
HUES = {"red": 1, "yellow": 27, "green": 62, "blue": 110, "purple": 142}
"""OpenCV hues (0-179) of the colours an object may be repainted in."""
COLOURABLE = frozenset(
    [
        "automobile",
        "backpack",
        "balloon",
        "umbrella",
        "t-shirt",
        "bus",
        "guitar",
        "butterfly",
        "rose",
        "key",
        "robot",
        "books",
        "camera",
        "bicycle",
        "wrapped gift",
        "high-heeled shoe",
        "hot pepper",
        "fire engine",
        "alarm clock",
    ]
)
FLYING = frozenset(
    [
        "airplane",
        "balloon",
        "butterfly",
        "rocket",
        "umbrella",
        "helicopter",
        "bee",
        "parrot",
        "dove",
        "eagle",
        "bat",
        "kite",
    ]
)


@dataclass(frozen=True, kw_only=True)
class SceneObject:
    """A pasted object: what it is, its colour when repainted, and its visible mask (bool h w)."""

    concept: Concept
    colour: str | None
    mask: np.ndarray
    extent: float
    """Longer side before occlusion, as a fraction of the picture."""

    @property
    def box(self) -> Box:
        """Bounding box of the visible mask."""
        rows, columns = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)

    @property
    def centre(self) -> tuple[float, float]:
        """(y, x) of the bounding box's middle, as fractions of the picture."""
        box, (height, width) = self.box, self.mask.shape
        return (box.y0 + box.y1) / 2 / height, (box.x0 + box.x1) / 2 / width


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A picture (uint8 h w 3 RGB) and everything in it. `plain` is the studio colour, or None with ground and sky."""

    picture: np.ndarray
    objects: tuple[SceneObject, ...]
    ground: grounds.Region | None
    sky: grounds.Region | None
    plain: str | None
    ground_mask: np.ndarray
    sky_mask: np.ndarray
    style: str
    split: str
    seed: int
    index: int


def generator(split: str, seed: int, index: int, stream: int = 0) -> np.random.Generator:
    """The generator of one scene; `stream` 0 paints it, 1 words its caption, 2 picks its phrases."""
    if split not in SPLITS:
        raise OptionError(f"The split is {split!r}; expected one of {', '.join(SPLITS)}.")
    return np.random.default_rng([SPLITS.index(split), seed, index, stream])


@lru_cache(maxsize=64)
def vocabulary(style: str, name: str) -> tuple[Concept, ...]:
    """Concepts of a vocabulary that exist in a style."""
    wanted = {"named": named(), "known": named() + held_out(), "held_out": held_out()}[name]
    present = set(art.available(style))
    return tuple(concept for concept in wanted if concept in present)


def scene(
    seed: int,
    index: int,
    *,
    split: str = "train",
    styles: Sequence[str] | None = None,
    concepts: str = "named",
    size: int = NATIVE,
) -> Scene:
    """Paint scene `index` of `seed`.

    `styles`: drawn from with STYLE_WEIGHTS (None: the four training styles). `concepts`: one of VOCABULARIES. `size`: side
    in pixels; the layout is the same at every size up to rounding. Raises DataError when the art is not fetched.
    """
    rng = generator(split, seed, index)
    style = _choose_style(rng, styles)
    backdrop, ground, sky, plain, horizon = _backdrop(rng, size, style)
    layers = _place(rng, style, concepts, size, horizon, dim=0.85 if sky is not None and sky.name == "night" else 1.0)
    picture = _composite(backdrop, layers)
    masks = _visible([layer.alpha for layer in layers])
    objects = tuple(
        SceneObject(concept=layer.concept, colour=layer.colour, mask=mask, extent=layer.extent)
        for layer, mask in zip(layers, masks, strict=True)
    )
    free = ~np.any(masks, axis=0) if masks else np.ones((size, size), bool)
    below = np.arange(size)[:, None] >= horizon
    regions = plain is None
    return Scene(
        picture=picture,
        objects=objects,
        ground=ground,
        sky=sky,
        plain=plain,
        ground_mask=free & below & regions,
        sky_mask=free & ~below & regions,
        style=style,
        split=split,
        seed=seed,
        index=index,
    )


def cut_out(whole: Scene, box: Box, *, keep: float = 0.5, region: float = 1 / 8) -> Scene:
    """The part of a scene inside `box`, as a scene of its own.

    An object stays where more than `keep` of what is visible of it lies inside; ground and sky where they fill more than
    `region` of the box.
    """
    window = (slice(box.y0, box.y1), slice(box.x0, box.x1))
    objects = tuple(
        replace(thing, mask=thing.mask[window])
        for thing in whole.objects
        if thing.mask[window].sum() > keep * thing.mask.sum()
    )
    ground, sky = whole.ground_mask[window], whole.sky_mask[window]
    return replace(
        whole,
        picture=whole.picture[window],
        objects=objects,
        ground=whole.ground if ground.mean() > region else None,
        sky=whole.sky if sky.mean() > region else None,
        ground_mask=ground,
        sky_mask=sky,
    )


def _choose_style(rng: np.random.Generator, styles: Sequence[str] | None) -> str:
    styles = tuple(styles or STYLE_WEIGHTS)
    weights = np.array([STYLE_WEIGHTS.get(style, 0.15) for style in styles])
    return styles[int(rng.choice(len(styles), p=weights / weights.sum()))]


def _backdrop(rng: np.random.Generator, size: int, style: str):
    """-> (float32 RGB, ground, sky, plain colour, horizon row)."""
    if style == "photo":
        return art.photo_ground(rng, size), None, None, "photo", size
    if rng.random() < 0.18:
        colour = "white" if rng.random() < 0.4 else str(rng.choice(list(grounds.PLAIN_COLOURS)))
        return grounds.plain(rng, size, size, colour), None, None, colour, size
    ground = grounds.GROUNDS[int(rng.choice(len(grounds.GROUNDS), p=(0.2, 0.2, 0.2, 0.2, 0.1, 0.1)))]
    sky = grounds.SKIES[int(rng.choice(len(grounds.SKIES), p=(0.3, 0.3, 0.3, 0.1)))]
    horizon = int(rng.uniform(0.32, 0.62) * size)
    upper, lower = sky.paint(rng, horizon, size), ground.paint(rng, size - horizon, size)
    return np.clip(np.concatenate([upper, lower]), 0, 255), ground, sky, None, horizon


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """One object on the whole canvas: premultiplied colour float32 (h w 3) and alpha float32 (h w), nearest last."""

    concept: Concept
    colour: str | None
    extent: float
    rgb: np.ndarray
    alpha: np.ndarray
    bottom: int


def _place(rng, style: str, concepts: str, size: int, horizon: int, dim: float) -> list[_Layer]:
    """Choose objects and places until each satisfies the visibility rules; an object that never fits is left out."""
    choices = vocabulary(style, concepts)
    planned = int(rng.choice((1, 2, 3, 4), p=(0.3, 0.38, 0.22, 0.1)))
    picks = [choices[i] for i in rng.choice(len(choices), planned, replace=False)]
    twins = planned >= 2 and rng.random() < 0.25
    if twins:
        picks[1] = picks[0]
    layers: list[_Layer] = []
    for number, concept in enumerate(picks):
        fraction = rng.uniform(*SIZES[planned])
        if twins and number < 2:
            fraction = (rng.uniform(0.42, 0.55), rng.uniform(0.24, 0.32))[number]
        colour = str(rng.choice(list(HUES))) if concept.name in COLOURABLE and rng.random() < 0.5 else None
        brightness = rng.uniform(0.85, 1.08) * dim
        tries = np.random.default_rng(rng.integers(2**32))
        for _ in range(12):
            layer = _draw(tries, style, concept, colour, fraction, brightness, size, horizon)
            trial = sorted([*layers, layer], key=lambda item: item.bottom)
            if _lawful(trial):
                layers = trial
                break
    return layers


def _draw(rng, style, concept, colour, fraction, brightness, size, horizon) -> _Layer:
    """Scale, tilt, mirror and place one sprite on an empty canvas."""
    sprite = _sprite(style, concept, colour)
    h, w = sprite.shape[:2]
    longest = max(fraction * size, 1.12 * MIN_SIDE * size * max(h, w) / min(h, w))
    scale = longest / max(h, w)
    small = cv2.resize(sprite, (max(1, round(w * scale)), max(1, round(h * scale))), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        small = small[:, ::-1]
    h, w = small.shape[:2]
    angle = float(np.clip(rng.normal(0, 7), -20, 20))
    if concept.name in FLYING and horizon < size and rng.random() < 0.6:
        bottom = rng.uniform(h, max(h + 1, 0.75 * size))
    elif horizon < size:
        bottom = rng.uniform(max(h, horizon + 0.06 * size), max(h + 1, 0.99 * size))
    else:
        bottom = rng.uniform(h, max(h + 1, 0.99 * size))
    left = rng.uniform(-0.06 * w, max(size - 0.94 * w, 1))
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), angle, 1)
    matrix[:, 2] += (left, bottom - h)
    canvas = cv2.warpAffine(np.ascontiguousarray(small), matrix, (size, size), flags=cv2.INTER_LINEAR)
    return _Layer(
        concept=concept,
        colour=colour,
        extent=longest / size,
        rgb=canvas[..., :3] * np.float32(brightness),
        alpha=canvas[..., 3],
        bottom=int(bottom),
    )


@lru_cache(maxsize=2048)
def _sprite(style: str, concept: Concept, colour: str | None) -> np.ndarray:
    """Premultiplied float32 RGBA, colour 0..255, alpha 0..1, optionally repainted in another hue."""
    rgba = art.sprite(style, concept)
    rgb = _repaint(rgba[..., :3], colour) if colour else rgba[..., :3]
    alpha = rgba[..., 3:].astype(np.float32) / 255
    return np.concatenate([rgb.astype(np.float32) * alpha, alpha], axis=2)


def _repaint(rgb: np.ndarray, colour: str) -> np.ndarray:
    """Turn every saturated pixel to one hue; greys, blacks and whites stay."""
    hsv = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2HSV)
    vivid = hsv[..., 1] > 60
    hsv[..., 0][vivid] = HUES[colour]
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _visible(alphas: list[np.ndarray]) -> list[np.ndarray]:
    """Visible bool masks of layers given from the farthest to the nearest."""
    masks: list[np.ndarray] = []
    covered = None
    for alpha in reversed(alphas):
        solid = alpha > 0.5
        masks.append(solid if covered is None else solid & ~covered)
        covered = solid if covered is None else covered | solid
    return masks[::-1]


def _lawful(layers: list[_Layer]) -> bool:
    """True when every object covers 2 %, keeps 32 px on its shorter side and shows 40 % of itself."""
    masks = _visible([layer.alpha for layer in layers])
    for layer, mask in zip(layers, masks, strict=True):
        seen, whole = int(mask.sum()), int((layer.alpha > 0.5).sum())
        if seen < MIN_AREA * mask.size or seen < MIN_VISIBLE * whole:
            return False
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if min(np.ptp(rows), np.ptp(columns)) + 1 < MIN_SIDE * mask.shape[0]:
            return False
    return True


def _composite(backdrop: np.ndarray, layers: list[_Layer]) -> np.ndarray:
    """Paint shadows and layers over the backdrop, uint8 RGB."""
    canvas = backdrop.astype(np.float32)
    for layer in layers:
        alpha = layer.alpha[..., None]
        canvas = canvas * (1 - alpha) + layer.rgb
    return np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
