"""What the panel's buttons do, with plain values in and out: no Gradio, no host, no model of its own.

A refusal becomes the message; whatever else goes wrong becomes a sentence too, and a traceback in the log.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ldznet_ext.errors import LdznetError, OptionError, PictureError
from ldznet_ext.masks.loading import load_picture
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import FOUND, Segmentation
from ldznet_ext.ui.messages import complaint, describe, describe_regions, remark
from ldznet_ext.ui.sessions import UNDOS, Session, Sessions

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

REPLACE, ADD, SUBTRACT = "replace", "add", "subtract"
WAYS = (REPLACE, ADD, SUBTRACT)
"""What becomes of the mask that is on the canvas already."""
SESSIONS = Sessions()
Settings = MaskSettings | Callable[[], MaskSettings]
"""Settings, or what makes them: then what is wrong with them becomes the message like any other refusal."""
TINT, EDGE = 0.45, 2
"""How much of a region's colour covers the picture, and how many pixels of its edge are of it alone."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """What is shown: overlay (uint8 h w 3), mask (uint8 h w); None where there is nothing to show.

    message: HTML that always says found, not found, unknown word or unfamiliar. handle: of the answer, for what comes next;
    empty where there is none.
    """

    message: str
    handle: str = ""
    overlay: np.ndarray | None = None
    mask: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Regions:
    """A picture (uint8 h w 3) and the things in it: (float32 map 0..1 of the region, label), in the order of their scores."""

    message: str
    handle: str = ""
    picture: np.ndarray | None = None
    sections: tuple[tuple[np.ndarray, str], ...] = ()


def find(desk: "Desk", picture: Any, settings: Settings, *, sessions: Sessions = SESSIONS) -> View:
    """Ask the desk for the words' mask."""
    return _said(lambda: _shown(_ask(desk, picture, settings), sessions))


def recut(handle: str, cuts: Mapping[str, Any], *, sessions: Sessions = SESSIONS) -> View:
    """The same answer at another threshold, grow, feather, invert: no model, no queue."""

    def cut() -> View:
        session = sessions.get(handle)
        session = sessions.change(handle, settings=replace(session.settings, **cuts))
        return _view(session, handle)

    return _said(cut, keep=handle)


def regions(desk: "Desk", picture: Any, prompt: str, settings: Settings, *, sessions: Sessions = SESSIONS) -> Regions:
    """Everything the prompt names, where it is in the picture."""

    def look() -> Regions:
        pixels = _pixels(picture)
        if not prompt.strip():
            raise OptionError("There is no prompt; expected what the picture was painted from, so write it.")
        wanted = _made(settings)
        result = desk.regions(pixels, prompt, wanted)
        handle = sessions.put(Session(picture=pixels, result=result, settings=wanted))
        shown = [one for one in result.phrases if one.status == FOUND]
        return Regions(
            message=describe_regions(result),
            handle=handle,
            picture=pixels,
            sections=tuple((_region(result, one.text, wanted), f"{one.text} {one.score:.2f}") for one in shown),
        )

    return _said(look, blank=Regions)


def pick(handle: str, index: int, *, sessions: Sessions = SESSIONS) -> View:
    """The region that was clicked, as a mask of its own with its own handle."""

    def take() -> View:
        session = sessions.get(handle)
        shown = [one for one in session.result.phrases if one.status == FOUND]
        if not 0 <= index < len(shown):
            raise OptionError(
                f"Region {index + 1} was clicked; expected one of {len(shown)}, so look for regions again."
            )
        result = only(session.result, shown[index].text)
        settings = replace(session.settings, words=shown[index].text)
        return _shown(Session(picture=session.picture, result=result, settings=settings), sessions)

    return _said(take, keep=handle)


def cut_out(handle: str, *, sessions: Sessions = SESSIONS) -> Image.Image:
    """The picture as RGBA, transparent outside the mask; LdznetError where nothing was found."""
    session = sessions.get(handle)
    mask = _mask(session)
    if not mask.any():
        raise OptionError("Nothing is in the mask; expected something found, so try other words or a lower threshold.")
    return Image.fromarray(np.dstack([session.picture, mask]))


def onto_canvas(
    desk: "Desk",
    picture: Any,
    painted: Any,
    settings: Settings,
    how: str = REPLACE,
    handle: str = "",
    *,
    sessions: Sessions = SESSIONS,
) -> View:
    """A mask for the canvas of an inpaint tab: found, then put in place of what is painted there, added or taken away.

    painted: the canvas' present mask in any form, or None. handle: of the answer before, whose undo steps are kept.
    """

    def paint() -> View:
        session = _ask(desk, picture, settings)
        base = _painted(painted, session.picture.shape[:2])
        past = (*_past(handle, sessions), base)[-UNDOS:]
        return _canvas(replace(session, base=base, past=past, how=how), sessions, handle)

    return _said(paint, keep=handle)


def repaint(handle: str, how: str, cuts: Mapping[str, Any], *, sessions: Sessions = SESSIONS) -> View:
    """The canvas' mask after a slider was moved, from what was there before the words came."""

    def again() -> View:
        session = sessions.get(handle)
        return _canvas(replace(session, how=how, settings=replace(session.settings, **cuts)), sessions, handle)

    return _said(again, keep=handle)


def undo(handle: str, *, sessions: Sessions = SESSIONS) -> View:
    """The canvas' mask as it was before the last words."""

    def back() -> View:
        session = sessions.get(handle)
        if not session.past:
            raise OptionError("Nothing is left to undo; expected a mask made from words, so make one first.")
        sessions.change(handle, base=session.past[-1], past=session.past[:-1])
        return View(message=remark("Undone: the mask is as it was before."), handle=handle, mask=session.past[-1])

    return _said(back, keep=handle)


def clear(picture: Any, painted: Any, handle: str = "", *, sessions: Sessions = SESSIONS) -> View:
    """An empty mask; undo brings the old one back."""

    def wipe() -> View:
        size = _pixels(picture).shape[:2]
        if handle and (past := _past(handle, sessions)) is not None:
            kept = (*past, _painted(painted, size))[-UNDOS:]
            _change_quietly(handle, sessions, past=kept)
        return View(message=remark("The mask is empty."), handle=handle, mask=np.zeros(size, np.uint8))

    return _said(wipe, keep=handle)


def only(result: Segmentation, text: str) -> Segmentation:
    """The answer of one phrase alone."""
    kept = tuple(one for one in result.phrases if one.text == text)
    from ldznet_ext.pipeline import rethreshold

    return rethreshold(replace(result, phrases=kept, message=""), None)


def _ask(desk: "Desk", picture: Any, settings: Settings) -> Session:
    pixels, settings = _pixels(picture), _made(settings)
    if not settings.words.strip():
        raise OptionError('There are no words; expected what to mask, so write it, for example "fox & !tail".')
    return Session(picture=pixels, result=desk.mask(pixels, settings), settings=settings)


def _made(settings: Settings) -> MaskSettings:
    return settings() if callable(settings) else settings


def _pixels(picture: Any) -> np.ndarray:
    if picture is None:
        raise PictureError("There is no picture; expected one, so drop one in first.")
    return load_picture(picture)


def _shown(session: Session, sessions: Sessions) -> View:
    return _view(session, sessions.put(session))


def _view(session: Session, handle: str) -> View:
    from ldznet_ext.masks.overlay import overlay

    mask = _mask(session)
    drawn = overlay(session.picture, mask > 127)
    return View(message=describe(session.result), handle=handle, overlay=drawn, mask=mask)


def _mask(session: Session) -> np.ndarray:
    # not at the top: this module is there as soon as the page is made, the networks are not
    from ldznet_ext.pipeline import apply

    return apply(session.result, session.settings)


def _region(result: Segmentation, text: str, settings: MaskSettings) -> np.ndarray:
    """A tint with a firm edge: the picture stays to be seen under it."""
    from ldznet_ext.masks.shape import grown
    from ldznet_ext.pipeline import apply

    mask = apply(only(result, text), replace(settings, words=text)) > 127
    return np.where(mask, TINT, 0.0).astype(np.float32) + (mask & ~grown(mask, -EDGE)) * np.float32(1 - TINT)


def _canvas(session: Session, sessions: Sessions, handle: str) -> View:
    """What goes onto the canvas; where nothing is found it stays as it was, and the message says so."""
    found, base = _mask(session), session.base
    handle = sessions.put(session, handle)
    if base is None or (session.how == REPLACE and found.any()):
        mask = found
    elif session.how == SUBTRACT:
        mask = np.minimum(base, 255 - found)
    else:
        mask = np.maximum(base, found)
    return View(message=describe(session.result), handle=handle, mask=mask)


def _painted(painted: Any, size: tuple[int, ...]) -> np.ndarray:
    """A canvas' mask as uint8 (h w): its alpha where it has one, else its brightness; nothing as zeros."""
    if painted is None:
        return np.zeros(size, np.uint8)
    image = painted if isinstance(painted, Image.Image) else Image.fromarray(np.asarray(painted))
    grey = image.getchannel("A") if image.mode in ("RGBA", "LA") else image.convert("L")
    if grey.size != (size[1], size[0]):
        grey = grey.resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.array(grey, np.uint8)


def _past(handle: str, sessions: Sessions) -> tuple[np.ndarray, ...]:
    try:
        return sessions.get(handle).past
    except LdznetError:
        return ()


def _change_quietly(handle: str, sessions: Sessions, **fields: Any) -> None:
    try:
        sessions.change(handle, **fields)
    except LdznetError:
        return


def _said(do: Callable[[], Any], *, keep: str = "", blank: Callable[..., Any] = View) -> Any:
    """The answer, or a view with nothing but a sentence."""
    try:
        return do()
    except LdznetError as error:
        return blank(message=complaint(str(error)), handle=keep)
    except Exception as error:
        log.exception("LD-ZNet's panel")
        return blank(
            message=complaint(f"This went wrong inside ({type(error).__name__}: {error}); the log says where."),
            handle=keep,
        )
