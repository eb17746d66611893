"""The mask on the canvas of an inpaint tab, which words and a person paint together: no Gradio, no model of its own.

The canvas belongs to the person. What differs from every mask that we put there lately was painted by hand; it stays, whatever
sliders and words do under it. A mask belongs to its picture: on another one it is never put.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ldznet_ext.errors import OptionError, PictureError
from ldznet_ext.result import FOUND
from ldznet_ext.ui.messages import describe, remark
from ldznet_ext.ui.sessions import Session, Sessions
from ldznet_ext.ui.views import Settings, View, ask, mask_of, pixels_of, said

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

REPLACE, ADD, SUBTRACT, WITHIN = "replace", "add", "subtract", "within"
WAYS = {REPLACE: "Replace it", ADD: "Add to it", SUBTRACT: "Take away from it", WITHIN: "Only within it"}
"""What becomes of the mask that is on the canvas already, and what a person reads of it."""
UNDOS, LATELY = 8, 4
"""Steps that can be undone; masks among which the canvas' is looked for: the page may still show an earlier one."""
STROKE = 32
"""Levels (of 255) from which on a difference was painted by hand and is none of a canvas' own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Painting:
    """One canvas. picture: uint8 (h w 3), the one that all masks here belong to.

    answer: the words' one, None where there is none. how: it meets the base. base: uint8 (h w), the mask before the words.
    strokes: int16 (h w), what was painted by hand since, -1 where nothing was. given: masks we put there, the latest last.
    past: masks to go back to, the latest last.
    """

    picture: np.ndarray
    base: np.ndarray
    strokes: np.ndarray
    answer: Session | None = None
    how: str = REPLACE
    given: tuple[np.ndarray, ...] = ()
    past: tuple[np.ndarray, ...] = ()

    @property
    def bytes(self) -> int:
        """Its size in memory."""
        own = sum(array.nbytes for array in (self.base, self.strokes, *self.given, *self.past))
        return own + (self.picture.nbytes if self.answer is None else self.answer.bytes)


PAINTINGS: Sessions[Painting] = Sessions()


def paint(
    desk: "Desk",
    picture: Any,
    painted: Any,
    settings: Settings,
    how: str = REPLACE,
    handle: str = "",
    *,
    paintings: Sessions[Painting] = PAINTINGS,
) -> View:
    """The words' mask, put in place of what is painted, added to it, taken away or kept within it; undo brings that back.

    painted: the canvas' present mask in any form, or None. handle: of this canvas' answer before.
    """

    def words() -> View:
        answer = ask(desk, picture, settings)
        old, now = _begin(answer.picture, painted, handle, paintings)
        past, given = (*old.past, now)[-UNDOS:], (*old.given, now)
        fresh = replace(old, answer=answer, how=how, base=now, strokes=_none(now), given=given, past=past)
        return _put(fresh, composed(fresh), describe(answer.result), handle, paintings)

    return said(words, keep=handle)


def recut(
    picture: Any,
    painted: Any,
    how: str,
    cuts: Mapping[str, Any],
    handle: str,
    *,
    paintings: Sessions[Painting] = PAINTINGS,
) -> View:
    """The same answer after a slider was moved, under what was painted by hand: no model, no queue."""

    def again() -> View:
        old = _read(paintings.get(handle), picture, painted)
        if old.answer is None:
            raise OptionError("No mask of words is on the canvas; expected one, so ask for it first.")
        answer = replace(old.answer, settings=replace(old.answer.settings, **cuts))
        fresh = replace(old, answer=answer, how=how)
        return _put(fresh, composed(fresh), describe(answer.result), handle, paintings)

    return said(again, keep=handle)


def undo(picture: Any, painted: Any, handle: str, *, paintings: Sessions[Painting] = PAINTINGS) -> View:
    """The mask as it was before the last words, or before it was cleared; what was painted by hand since then stays."""

    def back() -> View:
        old = _read(paintings.get(handle), picture, painted)
        if not old.past:
            raise OptionError("Nothing is left to undo; expected a mask made from words, so make one first.")
        fresh = replace(old, answer=None, base=old.past[-1], past=old.past[:-1])
        return _put(fresh, composed(fresh), remark("Undone: the mask is as it was before."), handle, paintings)

    return said(back, keep=handle)


def clear(picture: Any, painted: Any, handle: str = "", *, paintings: Sessions[Painting] = PAINTINGS) -> View:
    """An empty mask; undo brings the old one back, also one that was painted before any words."""

    def wipe() -> View:
        old, now = _begin(pixels_of(picture), painted, handle, paintings)
        empty = np.zeros_like(now)
        past, given = (*old.past, now)[-UNDOS:], (*old.given, now)
        fresh = replace(old, answer=None, base=empty, strokes=_none(now), given=given, past=past)
        return _put(fresh, empty, remark("The mask is empty."), handle, paintings)

    return said(wipe, keep=handle)


def composed(painting: Painting) -> np.ndarray:
    """The canvas' mask, uint8 (h w): the base, the words' mask as it meets it, and what was painted by hand on top."""
    mask, answer = painting.base, painting.answer
    if answer is not None and any(one.status == FOUND for one in answer.result.phrases):
        found = mask_of(answer)
        if painting.how == REPLACE:
            mask = found
        elif painting.how == SUBTRACT:
            mask = np.minimum(mask, 255 - found)
        elif painting.how == WITHIN:
            mask = np.minimum(mask, found)
        else:
            mask = np.maximum(mask, found)
    return np.where(painting.strokes >= 0, painting.strokes, mask).astype(np.uint8)


def _begin(
    picture: np.ndarray, painted: Any, handle: str, paintings: Sessions[Painting]
) -> tuple[Painting, np.ndarray]:
    """This canvas so far, a new one where the handle is of another picture or of none; and its present mask."""
    now, _ = _grey(painted, picture.shape[:2])
    old = paintings.find(handle)
    if old is None or not np.array_equal(old.picture, picture):
        old = Painting(picture=picture, base=now, strokes=_none(now))
    return old, now


def _read(painting: Painting, picture: Any, painted: Any) -> Painting:
    """The painting with what was painted by hand since; PictureError where it is of another picture."""
    if not np.array_equal(pixels_of(picture), painting.picture):
        raise PictureError("The picture has changed since the mask was made; expected the same one, so ask again.")
    now, resized = _grey(painted, painting.picture.shape[:2])
    drawn = [_differs(now, mask, resized=resized) for mask in reversed(painting.given)]
    by_hand = min(drawn, key=np.count_nonzero) if drawn else np.zeros(now.shape, bool)
    return replace(painting, strokes=np.where(by_hand, now.astype(np.int16), painting.strokes))


def _differs(now: np.ndarray, mask: np.ndarray, *, resized: bool) -> np.ndarray:
    """Bool (h w): where a canvas holds something else than a mask; of a resized one no line of single pixels, its edge's."""
    from ldznet_ext.masks.shape import grown

    differs = np.abs(now.astype(np.int16) - mask) > STROKE
    return grown(grown(differs, -1), 1) if resized else differs


def _put(painting: Painting, mask: np.ndarray, message: str, handle: str, paintings: Sessions[Painting]) -> View:
    """Keep the painting with what is put onto the canvas now."""
    kept = replace(painting, given=(*painting.given, mask)[-LATELY:])
    return View(message=message, handle=paintings.put(kept, handle), mask=mask)


def _none(mask: np.ndarray) -> np.ndarray:
    """No strokes."""
    return np.full(mask.shape, -1, np.int16)


def _grey(painted: Any, size: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    """A canvas' mask as uint8 (h w): its alpha where it has one, else its brightness; and whether it had another size."""
    if painted is None:
        return np.zeros(size, np.uint8), False
    image = painted if isinstance(painted, Image.Image) else Image.fromarray(np.asarray(painted))
    grey = image.getchannel("A") if image.mode in ("RGBA", "LA") else image.convert("L")
    if grey.size == (size[1], size[0]):
        return np.array(grey, np.uint8), False
    return np.array(grey.resize((size[1], size[0]), Image.Resampling.NEAREST), np.uint8), True
