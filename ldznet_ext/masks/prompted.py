"""A mask made better by a promptable network (Segment Anything): what it is asked, and whether its answer is taken.

Each piece of the mask is asked for by its box, points inside and outside of it, and itself as a coarse map. Of the candidates the
one that agrees best with the piece is taken, and none where all agree too little: the network sharpens what was found, it does
not find something else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ldznet_ext.geometry import Box
from ldznet_ext.masks.components import Component, box_of, components

AGREEMENT = 0.6
"""Intersection over union with our piece below which a candidate is not taken for the same thing."""
MOST_PIECES = 8
LEAST_SHARE = 0.01
"""Of the mask's area: smaller pieces stay as they are."""
POINTS = 3


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What is asked for one piece, in the picture's own pixels.

    box: round the piece. inside, outside: points (x, y). shape: the piece, bool (h w), for those networks that take a map.
    """

    box: Box
    inside: tuple[tuple[int, int], ...]
    outside: tuple[tuple[int, int], ...]
    shape: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Prompted:
    """The answer: prob float32 (h w) 0..1, to be cut at 0.5. taken of asked pieces. message: what a person should know, or ""."""

    prob: np.ndarray
    taken: int
    asked: int
    message: str


Ask = Callable[[Prompt], Sequence[np.ndarray]]
"""A network that has seen the picture: a prompt -> its candidates, each float32 (h w) 0..1 at the picture's size."""


def improved(mask: np.ndarray, ask: Ask, *, agreement: float = AGREEMENT) -> Prompted:
    """A mask, bool (h w) or probabilities 0..1, with every piece of it that the network agrees about in the network's outline."""
    prob = mask.astype(np.float32)
    hard = prob > 0.5
    pieces = components(hard, at_least=max(1, round(LEAST_SHARE * np.count_nonzero(hard))))[:MOST_PIECES]
    answers = [(piece, *_best(_whole(piece, hard.shape), ask)) for piece in pieces]
    taken = [(piece, candidate) for piece, candidate, score in answers if score >= agreement]
    for piece, _ in taken:  # first all of ours goes, then all of theirs comes: pieces may touch now
        prob[piece.box.slices][piece.mask] = 0
    for _, candidate in taken:
        np.maximum(prob, candidate, out=prob)
    return Prompted(prob=prob, taken=len(taken), asked=len(pieces), message=_said(len(taken), answers, agreement))


def prompt_of(piece: np.ndarray) -> Prompt:
    """What to ask for a piece, bool (h w) with at least one true pixel."""
    box = box_of(piece)
    assert box is not None
    inside, outside = piece[box.slices], ~piece[box.slices]
    least = 0.1 * min(box.size)  # a point of the ground is worth asking with only where it is clearly ground
    return Prompt(
        box=box,
        inside=tuple((x + box.x0, y + box.y0) for x, y, _ in _middles(inside, POINTS)),
        outside=tuple((x + box.x0, y + box.y0) for x, y, depth in _middles(outside, 1) if depth > least),
        shape=piece,
    )


def iou(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Intersection over union of two masks, bool (h w); 0 where both are empty."""
    union = np.count_nonzero(ours | theirs)
    return np.count_nonzero(ours & theirs) / union if union else 0.0


def _best(piece: np.ndarray, ask: Ask) -> tuple[np.ndarray, float]:
    """The candidate that agrees best, and how well: -1 where there is none."""
    best, score = piece.astype(np.float32), -1.0
    for candidate in ask(prompt_of(piece)):
        agreed = iou(piece, candidate > 0.5)
        if agreed > score:
            best, score = candidate, agreed
    return best, score


def _whole(piece: Component, shape: tuple[int, ...]) -> np.ndarray:
    out = np.zeros(shape, bool)
    out[piece.box.slices] = piece.mask
    return out


def _middles(area: np.ndarray, count: int) -> list[tuple[int, int, float]]:
    """Up to so many innermost points (x, y, depth) of a bool area (h w), none in the disc of one before it."""
    left = np.pad(area, 1).astype(np.uint8)  # the box's own edge is an edge
    found = []
    for _ in range(count):
        depth = cv2.distanceTransform(left, cv2.DIST_L2, 5)
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        if not left[y, x]:
            break
        found.append((int(x) - 1, int(y) - 1, float(depth[y, x])))
        cv2.circle(left, (int(x), int(y)), round(2 * float(depth[y, x])), 0, -1)
    return found


def _said(taken: int, answers: Sequence[tuple[Component, np.ndarray, float]], least: float) -> str:
    if taken == len(answers):
        return ""
    worst, refused = max(min(score for _, _, score in answers), 0), len(answers) - taken
    if len(answers) == 1:
        return f"SAM's best outline of the mask overlaps with it by {worst:.2f}, less than {least:g}, so it is kept as it was."
    return (
        f"SAM's best outlines of {refused} of the mask's {len(answers)} pieces overlap with them too little (the least by "
        f"{worst:.2f}; {least:g} is asked for), so those are kept as they were."
    )
