"""A stroke of a brush as a mask, and one that follows the picture's edges: no model, milliseconds.

Snapping is GrabCut (Rother, Kolmogorov, Blake 2004) on the stroke's surroundings: the middle of the stroke is surely meant, its
rim and a little beyond may be.
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from ldznet_ext.errors import OptionError
from ldznet_ext.geometry import Box

CORE = 0.35
"""Part of a stroke's half width, round its middle, that is meant whatever the picture shows."""
REACH = 0.5
"""How far beyond the stroke an edge may lie, in half widths."""
ROUNDS = 2
WORKING_SIDE = 192
"""Longest side at which a snapped stroke is settled; a larger part of a picture is looked at in this size."""
CONTRAST = 18.0
"""Levels (of 255) between the colours of the stroke's middle and of what is round it, below which there is no edge to follow."""
MOST_POINTS = 20_000


def stroke(points: Sequence[tuple[float, float]], radius: float, size: tuple[int, int]) -> np.ndarray:
    """Bool (h w): a round brush of this radius drawn through the points, each (x, y) in pixels of the picture.

    OptionError for no points, too many, or what is no number; a stroke may leave the picture.
    """
    line = _checked(points)
    if not 0 < radius <= 4096:  # false for NaN
        raise OptionError(f"The brush's radius is {radius}; expected a number of pixels up to 4096, so choose one.")
    canvas = np.zeros(size, np.uint8)
    shift = 4
    fixed = np.rint(np.clip(line, -(2**20), 2**20) * (1 << shift)).astype(np.int32)
    for start, end in pairwise(fixed):
        cv2.line(canvas, start.tolist(), end.tolist(), 1, max(1, round(2 * radius)), cv2.LINE_8, shift)
    for point in (fixed[0], fixed[-1]):
        cv2.circle(canvas, point.tolist(), round(radius * (1 << shift)), 1, cv2.FILLED, cv2.LINE_8, shift)
    return canvas.astype(bool)


def snapped(picture: np.ndarray, points: Sequence[tuple[float, float]], radius: float) -> np.ndarray:
    """Bool (h w): the stroke, moved to the edges of its picture, uint8 (h w 3), where they lie in or just beyond its rim."""
    size = (picture.shape[0], picture.shape[1])
    whole, core = stroke(points, radius, size), stroke(points, max(1.0, radius * CORE), size)
    around = _surroundings(whole, round(radius * (1 + REACH)) + 4)
    if around is None:
        return whole
    part, meant, drawn = (array[around.slices] for array in (picture, core, whole))
    scale = min(1.0, WORKING_SIDE / max(part.shape[:2]))
    small = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    marks = _marks(_resized(meant, small), _resized(drawn, small), max(1, round(radius * REACH * scale)))
    found = _cut(cv2.resize(part, small, interpolation=cv2.INTER_AREA), marks)
    if found is None:
        return whole
    mask = np.zeros(size, bool)
    mask[around.slices] = _resized(found, (part.shape[1], part.shape[0])) | meant
    return mask


def _checked(points: Sequence[tuple[float, float]]) -> np.ndarray:
    """float64 (n 2)."""
    try:
        line = np.asarray(points, np.float64)
    except (TypeError, ValueError):
        line = np.empty(0)
    if line.ndim != 2 or line.shape[1:] != (2,) or not 0 < len(line) <= MOST_POINTS or not np.isfinite(line).all():
        raise OptionError(
            f"A stroke has points that cannot be read; expected 1 to {MOST_POINTS:,} pairs of x and y, so draw it again."
        )
    return line


def _surroundings(mask: np.ndarray, room: int) -> Box | None:
    """The mask's box with room round it, within the picture; None where there is no mask."""
    from ldznet_ext.masks.components import box_of

    if (box := box_of(mask)) is None:
        return None
    height, width = mask.shape
    return Box(max(0, box.x0 - room), max(0, box.y0 - room), min(width, box.x1 + room), min(height, box.y1 + room))


def _marks(core: np.ndarray, drawn: np.ndarray, reach: int) -> np.ndarray:
    """GrabCut's marks, uint8 (h w): sure of the core and of what is far from the stroke, undecided between."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(drawn.astype(np.uint8), kernel).astype(bool)
    marks = np.full(core.shape, cv2.GC_BGD, np.uint8)
    marks[near] = cv2.GC_PR_BGD
    marks[drawn] = cv2.GC_PR_FGD
    marks[core] = cv2.GC_FGD
    return marks


def _cut(part: np.ndarray, marks: np.ndarray) -> np.ndarray | None:
    """Bool (h w): what GrabCut takes; None where it has nothing to tell apart."""
    ground, core = part[marks == cv2.GC_BGD], part[marks == cv2.GC_FGD]
    if not len(ground) or not len(core):
        return None
    if np.linalg.norm(np.median(ground, axis=0) - np.median(core, axis=0)) < CONTRAST:
        return None
    cv2.setRNGSeed(0)  # its clusters begin at random: the same stroke is to give the same mask
    cv2.grabCut(part, marks, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bool of another (width, height)."""
    return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
