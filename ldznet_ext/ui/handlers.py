"""What the panel's buttons do, with plain values in and out: no Gradio, no host, no model of its own.

A refusal becomes the message; whatever else goes wrong becomes a sentence too, and a traceback in the log.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ldznet_ext.errors import OptionError
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import FOUND, Segmentation
from ldznet_ext.ui.messages import describe, describe_regions
from ldznet_ext.ui.sessions import Session, Sessions
from ldznet_ext.ui.views import Regions, Settings, View, ask, made, mask_of, pixels_of, said

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

SESSIONS: Sessions[Session] = Sessions()
TINT, EDGE = 0.45, 2
"""How much of a region's colour covers the picture, and how many pixels of its edge are of it alone."""


def find(desk: "Desk", picture: Any, settings: Settings, *, sessions: Sessions[Session] = SESSIONS) -> View:
    """Ask the desk for the words' mask."""
    return said(lambda: _shown(ask(desk, picture, settings), sessions))


def things(
    desk: "Desk", picture: Any, prompt: str, settings: Settings, *, sessions: Sessions[Session] = SESSIONS
) -> View:
    """All that the prompt names, in one mask."""
    return said(lambda: _shown(_named(desk, picture, prompt, settings), sessions))


def recut(handle: str, cuts: Mapping[str, Any], *, sessions: Sessions[Session] = SESSIONS) -> View:
    """The same answer at another threshold, grow, feather, invert: no model, no queue."""

    def cut() -> View:
        old = sessions.get(handle)
        session = replace(old, settings=replace(old.settings, **cuts))
        return _view(session, sessions.put(session, handle))

    return said(cut, keep=handle)


def regions(
    desk: "Desk", picture: Any, prompt: str, settings: Settings, *, sessions: Sessions[Session] = SESSIONS
) -> Regions:
    """Everything the prompt names, where it is in the picture."""

    def look() -> Regions:
        session = _named(desk, picture, prompt, settings)
        result, handle = session.result, sessions.put(session)
        shown = [one for one in result.phrases if one.status == FOUND]
        return Regions(
            message=describe_regions(result),
            handle=handle,
            picture=session.picture,
            sections=tuple(
                (_region(result, one.text, session.settings), f"{one.text} {one.score:.2f}") for one in shown
            ),
        )

    return said(look, blank=Regions)


def pick(handle: str, index: int, *, sessions: Sessions[Session] = SESSIONS) -> View:
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

    return said(take, keep=handle)


def cut_out(handle: str, *, sessions: Sessions[Session] = SESSIONS) -> Image.Image:
    """The picture as RGBA, transparent outside the mask; LdznetError where nothing was found.

    With soft alpha the colours at the edge are those of the thing alone, so that no halo of the old ground stays.
    """
    session = sessions.get(handle)
    mask = mask_of(session)
    if not mask.any():
        raise OptionError("Nothing is in the mask; expected something found, so try other words or a lower threshold.")
    colours = session.picture
    if session.settings.alpha:
        from ldznet_ext.masks.matting import foreground

        colours = foreground(session.picture, mask)
    return Image.fromarray(np.dstack([colours, mask]))


def only(result: Segmentation, text: str) -> Segmentation:
    """The answer of one phrase alone."""
    kept = tuple(one for one in result.phrases if one.text == text)
    from ldznet_ext.pipeline import rethreshold

    return rethreshold(replace(result, phrases=kept, message=""), None)


def _named(desk: "Desk", picture: Any, prompt: str, settings: Settings) -> Session:
    pixels = pixels_of(picture)
    if not prompt.strip():
        raise OptionError("There is no prompt; expected what the picture was painted from, so write it, or words.")
    wanted = made(settings)
    return Session(picture=pixels, result=desk.regions(pixels, prompt, wanted), settings=wanted)


def _shown(session: Session, sessions: Sessions[Session]) -> View:
    return _view(session, sessions.put(session))


def _view(session: Session, handle: str) -> View:
    from ldznet_ext.masks.overlay import overlay

    mask = mask_of(session)
    drawn = overlay(session.picture, mask > 127)
    return View(message=describe(session.result), handle=handle, overlay=drawn, mask=mask)


def _region(result: Segmentation, text: str, settings: MaskSettings) -> np.ndarray:
    """A tint with a firm edge, so of no soft alpha: the picture stays to be seen under it."""
    from ldznet_ext.masks.shape import grown
    from ldznet_ext.pipeline import apply

    mask = apply(only(result, text), replace(settings, words=text, alpha=False)) > 127
    return np.where(mask, TINT, 0.0).astype(np.float32) + (mask & ~grown(mask, -EDGE)) * np.float32(1 - TINT)
