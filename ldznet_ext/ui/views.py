"""What every answer of the panel has in common: what is shown, what is refused, and how a failure becomes a sentence."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ldznet_ext.errors import LdznetError, OptionError, PictureError
from ldznet_ext.masks.loading import load_picture
from ldznet_ext.request import MaskSettings
from ldznet_ext.ui.messages import complaint
from ldznet_ext.ui.sessions import Session

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

Settings = MaskSettings | Callable[[], MaskSettings]
"""Settings, or what makes them: then what is wrong with them becomes the message like any other refusal."""
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


def ask(desk: "Desk", picture: Any, settings: Settings) -> Session:
    """The desk's answer to the words; LdznetError where there are none, or no picture."""
    pixels, settings = pixels_of(picture), made(settings)
    if not settings.words.strip():
        raise OptionError('There are no words; expected what to mask, so write it, for example "fox & !tail".')
    return Session(picture=pixels, result=desk.mask(pixels, settings), settings=settings)


def made(settings: Settings) -> MaskSettings:
    """Settings, made where they are yet to be."""
    return settings() if callable(settings) else settings


def pixels_of(picture: Any) -> np.ndarray:
    """A picture in any form as uint8 (h w 3); PictureError where there is none."""
    if picture is None:
        raise PictureError("There is no picture; expected one, so drop one in first.")
    return load_picture(picture)


def mask_of(session: Session) -> np.ndarray:
    """The mask as its settings cut it, uint8 (h w)."""
    # not at the top: this module is there as soon as the page is made, the networks are not
    from ldznet_ext.pipeline import apply

    return apply(session.result, session.settings, session.edits, session.picture)


def said(do: Callable[[], Any], *, keep: str = "", blank: Callable[..., Any] = View) -> Any:
    """The answer, or a view with nothing but a sentence."""
    try:
        return do()
    except LdznetError as error:
        return blank(message=complaint(error), handle=keep)
    except Exception as error:
        log.exception("LD-ZNet's panel")
        return blank(
            message=complaint(f"This went wrong inside ({type(error).__name__}: {error}); the log says where."),
            handle=keep,
        )
