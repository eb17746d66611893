"""What a hand does to a mask: strokes added and erased, pieces that were clicked."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from ldznet_ext.app import strings
from ldznet_ext.app.drawing import mask_of
from ldznet_ext.app.work import Moment
from ldznet_ext.errors import OptionError
from ldznet_ext.geometry import Size
from ldznet_ext.masks import brush
from ldznet_ext.masks.edits import Edits
from ldznet_ext.result import FOUND, PhraseResult, Segmentation

HAND = "by hand"
PLAIN = {"grow": 0, "feather": 0.0, "invert": False, "holes": False, "soft": False, "alpha": False}
"""Settings under which a mask's pieces are those that a click keeps or drops."""


def draw(moment: Moment, points: Sequence[tuple[float, float]], radius: float, *, erase: bool, snap: bool) -> Moment:
    """The moment with a stroke added to its mask, or taken from it: the mask that is seen, so the other way round while that is
    inverted, for what the hand does comes before.
    """
    if snap:
        fresh = brush.snapped(moment.picture, points, radius)
    else:
        fresh = brush.stroke(points, radius, moment.size)
    add, gone = moment.edits.add, moment.edits.erase
    if erase != moment.settings.invert:
        edits = replace(moment.edits, add=_without(add, fresh), erase=_with(gone, fresh))
    else:
        edits = replace(moment.edits, add=_with(add, fresh), erase=_without(gone, fresh))
    result = by_hand(moment) if moment.result is None else moment.result
    return replace(moment, edits=edits, result=result)


def pointed(moment: Moment, x: float, y: float, *, alone: bool) -> tuple[Moment, str]:
    """The moment after a click on a piece of its mask, and what became of the piece.

    A piece that is there goes, one that went comes back; alone: all others go. OptionError where there is none.
    """
    if moment.result is None:
        raise OptionError("There is no mask yet; expected one with pieces to click, so type words first.")
    pieces = _pieces(moment.edits, moment)
    piece = pieces == pieces[_row_column(_nearest(pieces, x, y))]
    edits, label = _alone(moment, piece) if alone else _turned(moment, piece)
    return replace(moment, edits=edits), label


def _alone(moment: Moment, piece: np.ndarray) -> tuple[Edits, str]:
    """One piece, and nothing else."""
    place = _of_the_words(moment, piece)
    add = _within(moment.edits.add, piece)
    keep, drop = ((place,), ()) if place else ((), _all_places(moment))
    return replace(moment.edits, add=add, keep=keep, drop=drop), strings.DONE["only"]


def _turned(moment: Moment, piece: np.ndarray) -> tuple[Edits, str]:
    """A piece that is there goes, one that went comes back."""
    edits, place = moment.edits, _of_the_words(moment, piece)
    if place is None:  # it is drawn by hand alone
        return replace(edits, add=_within(edits.add, ~piece)), strings.DONE["drop"]
    if len(back := _outside(edits.drop, piece)) < len(edits.drop):
        return replace(edits, drop=back), strings.DONE["keep"]
    kept = _outside(edits.keep, piece)
    if edits.keep and len(kept) == len(edits.keep):
        return replace(edits, keep=(*kept, place)), strings.DONE["keep"]
    if kept:
        return replace(edits, keep=kept, add=_within(edits.add, ~piece)), strings.DONE["drop"]
    return replace(edits, keep=()).dropped(*place, piece), strings.DONE["drop"]


def by_hand(moment: Moment) -> Segmentation:
    """An answer in which nothing is found but by the hand: its map is 0 everywhere."""
    prob = np.zeros(moment.size, np.float32)
    drawn = PhraseResult(text=HAND, status=FOUND, score=1.0, prob=prob, box=None, area=0)
    return Segmentation(
        size=Size(*moment.size),
        method=HAND,
        model="",
        familiar=None,
        phrases=(drawn,),
        prob=prob,
        mask=np.zeros(moment.size, bool),
        seconds={},
        unet_calls=0,
    )


def _pieces(edits: Edits, moment: Moment) -> np.ndarray:
    """int32 (h w): the number of the piece at each pixel, 0 for none, before any was dropped and before any shaping."""
    settings = replace(moment.settings, **PLAIN)
    mask = mask_of(replace(moment, settings=settings), edits=replace(edits, keep=(), drop=()))
    return cv2.connectedComponents((mask > 127).astype(np.uint8), connectivity=8)[1]


def _of_the_words(moment: Moment, piece: np.ndarray) -> tuple[int, int] | None:
    """(x, y) of a pixel in a piece that is the words' own; None where all of it was drawn by hand."""
    words = _pieces(replace(moment.edits, add=None), moment) > 0
    rows, columns = np.nonzero(words & piece)
    middle = len(rows) // 2
    return (int(columns[middle]), int(rows[middle])) if len(rows) else None


def _all_places(moment: Moment) -> tuple[tuple[int, int], ...]:
    """(x, y) of a pixel in each of the words' pieces."""
    pieces = _pieces(replace(moment.edits, add=None), moment)
    _, first = np.unique(pieces, return_index=True)
    places = (divmod(int(at), pieces.shape[1]) for at in first)
    return tuple((column, row) for row, column in places if pieces[row, column])


def _nearest(pieces: np.ndarray, x: float, y: float, reach: int = 12) -> tuple[int, int]:
    """(x, y) of a pixel of the piece that was clicked, or of one close by; OptionError where none is."""
    height, width = pieces.shape
    column, row = min(max(int(x), 0), width - 1), min(max(int(y), 0), height - 1)
    top, left = max(0, row - reach), max(0, column - reach)
    rows, columns = np.nonzero(pieces[top : row + reach + 1, left : column + reach + 1])
    if not len(rows):
        raise OptionError("No piece of the mask is here; expected a click on one, so click the mask.")
    best = int(np.argmin((rows + top - row) ** 2 + (columns + left - column) ** 2))
    return int(columns[best]) + left, int(rows[best]) + top


def _outside(points: Sequence[tuple[int, int]], piece: np.ndarray) -> tuple[tuple[int, int], ...]:
    """The clicks that are not in a piece."""
    return tuple(point for point in points if not piece[_row_column(point)])


def _row_column(point: tuple[int, int]) -> tuple[int, int]:
    """An (x, y) as numpy counts."""
    return point[1], point[0]


def _with(mask: np.ndarray | None, more: np.ndarray) -> np.ndarray:
    return more if mask is None else mask | more


def _without(mask: np.ndarray | None, less: np.ndarray) -> np.ndarray | None:
    return _within(mask, ~less)


def _within(mask: np.ndarray | None, room: np.ndarray) -> np.ndarray | None:
    left = None if mask is None else mask & room
    return left if left is not None and left.any() else None
