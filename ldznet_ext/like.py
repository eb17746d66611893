"""Mask by example, as a call: mark one fox by a mask or a click, find the rest in its picture or in others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ldznet_ext.backbone import Backbone, default_backbone
from ldznet_ext.errors import LdznetError, OptionError, PictureError
from ldznet_ext.geometry import Box, Size
from ldznet_ext.masks.components import components
from ldznet_ext.masks.given import read_mask
from ldznet_ext.masks.imaging import load_picture
from ldznet_ext.pipeline import rethreshold, segment
from ldznet_ext.result import FOUND, Segmentation
from ldznet_ext.segmenters.example import ExampleSegmenter, Marked
from ldznet_ext.words import check_phrase

if TYPE_CHECKING:
    from ldznet_ext.masks.imaging import Picture

    Clicks = Sequence[tuple[float, float]]

NAME = "example"
"""What an example without a file's name is called."""
SMALLEST = 0.05
"""Pieces below this part of the example's area (of the median piece's, for clicks) are crumbs, not instances."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One piece of a mask that looks like the example: box and area in picture pixels, mean probability (0..1) in it.

    marked: whether it is the example itself, or grown together with it.
    """

    box: Box
    area: int
    score: float
    marked: bool


@overload
def like(
    picture: "Picture",
    example: "np.ndarray | Picture | Clicks",
    *,
    search: "Picture | None" = None,
    backbone: Backbone | None = None,
    threshold: float | None = None,
    refine: bool = True,
    seed: int = 0,
    timestep: int | None = None,
) -> Segmentation: ...


@overload
def like(
    picture: "Picture",
    example: "np.ndarray | Picture | Clicks",
    *,
    search: "Sequence[Picture]",
    backbone: Backbone | None = None,
    threshold: float | None = None,
    refine: bool = True,
    seed: int = 0,
    timestep: int | None = None,
) -> list[Segmentation]: ...


def like(
    picture: "Picture",
    example: "np.ndarray | Picture | Clicks",
    *,
    search: "Picture | Sequence[Picture] | None" = None,
    backbone: Backbone | None = None,
    threshold: float | None = None,
    refine: bool = True,
    seed: int = 0,
    timestep: int | None = None,
) -> Segmentation | list[Segmentation]:
    """Find what looks like an example.

    picture: where the example is marked. example: its mask (an array, a PIL image or a file of the picture's size), or a list
    of clicks on it as (x, y) pixels, each grown over what looks like it. search: None for the picture itself, whose result
    holds the example too; another picture; or a list of them, with a result each. backbone, threshold, refine, seed, timestep:
    as in `segment`. The one phrase of a result is called after the mask's file, or "example".
    """
    segmenter = ExampleSegmenter(mark(picture, example))
    backbone = backbone or default_backbone()
    settings = {"threshold": threshold, "refine": refine, "seed": seed, "timestep": timestep}
    if search is None:
        return seek(segmenter, segmenter.marked.picture, backbone, **settings)
    if isinstance(search, (list, tuple)):
        return [seek(segmenter, one, backbone, **settings) for one in search]
    return seek(segmenter, search, backbone, **settings)  # type: ignore[arg-type]


def mark(picture: "Picture", example: "np.ndarray | Picture | Clicks") -> Marked:
    """The marked picture, checked: PictureError where the mask is of another size, empty or full, OptionError for bad clicks."""
    pixels = load_picture(picture)
    size = Size(*pixels.shape[:2])
    if isinstance(example, (list, tuple)):
        return Marked(picture=pixels, clicks=_checked_clicks(example, size), name=NAME)
    mask = read_mask(example, size)  # type: ignore[arg-type]
    if not mask.any():
        raise PictureError("The example's mask is empty; expected one object marked, so mark one.")
    if mask.all():
        raise PictureError(
            "The example's mask covers the whole picture; expected something around the object to compare with, so mark the "
            "object alone."
        )
    return Marked(picture=pixels, mask=mask, name=_name(example))


def seek(segmenter: ExampleSegmenter, picture: "Picture", backbone: Backbone, **settings: Any) -> Segmentation:
    """Find the example in one picture; where it is the example's own, what was marked belongs to the mask."""
    marked, pixels = segmenter.marked, load_picture(picture)
    own = np.array_equal(pixels, marked.picture)
    result = segment(pixels, marked.name, backbone=backbone, method=segmenter, **settings)
    result = replace(result, provenance={**result.provenance, "own_picture": own})
    if not own or marked.mask is None or result.phrases[0].status != FOUND:
        return result
    answer = replace(result.phrases[0], prob=np.maximum(result.prob, marked.mask))
    return rethreshold(replace(result, phrases=(answer,)), result.provenance["threshold"])


def instances(result: Segmentation, marked: Marked) -> list[Instance]:
    """The connected pieces of a result's mask, the surest first; crumbs are left out, but not the marked one."""
    pieces = components(result.mask)
    own = _own(result, marked)
    typical = float(np.median([piece.area for piece in pieces] or [0]))
    if marked.mask is not None:
        typical = float(marked.mask.mean()) * result.size.area
    found = [
        Instance(
            box=piece.box,
            area=piece.area,
            score=float(result.prob[piece.box.slices][piece.mask].mean()),
            marked=bool(own[piece.box.slices][piece.mask].any()),
        )
        for piece in pieces
    ]
    kept = [one for one in found if one.marked or one.area >= SMALLEST * typical]
    return sorted(kept, key=lambda one: -one.score)


def _own(result: Segmentation, marked: Marked) -> np.ndarray:
    """Bool (h w): what was marked in the very picture of the result; nothing in another one."""
    if result.provenance["own_picture"] and marked.mask is not None:
        return marked.mask
    own = np.zeros(result.size, bool)
    if result.provenance["own_picture"]:
        for x, y in marked.clicks:
            own[y, x] = True
    return own


def _checked_clicks(clicks: "Clicks", size: Size) -> tuple[tuple[int, int], ...]:
    if not clicks:
        raise OptionError("No click was given; expected at least one point (x, y) on the example, so click on it.")
    return tuple(_checked_click(click, size) for click in clicks)


def _checked_click(click: Any, size: Size) -> tuple[int, int]:
    pair = list(click) if isinstance(click, (list, tuple, np.ndarray)) else []
    x, y = pair if len(pair) == 2 and all(isinstance(one, Real) for one in pair) else (-1, -1)
    if not (0 <= x < size.width and 0 <= y < size.height):  # NaN is not
        raise OptionError(
            f"A click is at {click}; expected a point (x, y) inside the picture, {size.width} x {size.height} pixels, so "
            "click on it."
        )
    return int(x), int(y)


def _name(example: Any) -> str:
    """The name of a mask's file without its ending, where it is one that can be printed."""
    if not isinstance(example, (str, PathLike)):
        return NAME
    stem = Path(example).stem
    try:
        check_phrase(stem)
    except LdznetError:
        return NAME
    return stem
