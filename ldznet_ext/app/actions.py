"""What a page may ask for, with plain values in and a mapping out (see `telling`): no Gradio, no web framework.

Whatever is refused becomes a sentence and leaves the work as it was. `asking` calls the model, waits for its turn, tells how far
it is and can be cancelled; what is here needs no model and is quick.
"""

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from ldznet_ext.app import strings
from ldznet_ext.app.by_hand import draw, pointed
from ldznet_ext.app.drawing import with_cuts
from ldznet_ext.app.room import Room
from ldznet_ext.app.telling import told
from ldznet_ext.app.work import Moment, Work
from ldznet_ext.errors import CancelledError, LdznetError, PictureError
from ldznet_ext.masks.edits import Edits
from ldznet_ext.masks.loading import load_picture
from ldznet_ext.ui.desk import about_of
from ldznet_ext.ui.handlers import only
from ldznet_ext.ui.messages import complaint, remark

log = logging.getLogger(__name__)
Step = Callable[[Work], Work]
Answer = dict[str, Any]
LARGEST = 64 << 20
"""Bytes of a picture's file that are taken."""


def show(room: Room, handle: str, say: str = "") -> Answer:
    """A work as it stands."""
    return _tell(room, handle, room.works.get(handle), say)


def change(room: Room, handle: str, do: Callable[[], Step]) -> Answer:
    """Do something, make it the work's next moment, and tell; what is refused or fails is told and changes nothing."""
    try:
        step = do()
        work = room.works.change(handle, step)
    except Exception as error:
        return show(room, handle, excuse(error))
    return _tell(room, handle, work)


def excuse(error: Exception) -> str:
    """What is told of something that was refused, cancelled or failed, as HTML; of a failure the log has the rest."""
    if isinstance(error, CancelledError):
        return remark(strings.CANCELLED)
    if isinstance(error, LdznetError):
        return complaint(error)
    log.error("LD-ZNet's app", exc_info=error)
    return complaint(strings.FAILED.format(kind=type(error).__name__, error=error))


def quick(room: Room, handle: str, do: Callable[[], Step]) -> Answer:
    """The same of what is done at once: a second stroke waits until the first is there."""
    with room.order.of(handle):
        return change(room, handle, do)


def now(room: Room, handle: str) -> Moment:
    """What a page shows."""
    return room.works.get(handle).now


def open_picture(room: Room, handle: str, content: bytes, name: str) -> Answer:
    """A picture that was dropped in, pasted or chosen. Words and sliders stay, and the picture before in the history."""

    def read() -> Step:
        fresh = replace(read_picture(content, name), settings=now(room, handle).settings)
        return lambda work: work.then(fresh)

    return quick(room, handle, read)


def read_picture(content: bytes, name: str) -> Moment:
    """A picture's file as a moment of its own; PictureError in a sentence where it is none."""
    stem = PurePath(name.replace("\\", "/")).stem[:80] or "picture"
    return Moment(label=strings.DONE["open"], picture=load_picture(_image(content)), name=stem)


def pick(room: Room, handle: str, number: int) -> Answer:
    """One of the prompt's things, counted from 1, as the mask."""

    def take() -> Step:
        moment = now(room, handle)
        scene = moment.scene
        if scene is None or not 1 <= number <= len(scene.phrases):
            raise PictureError("There is no such part; expected one of those that are listed, so look for parts again.")
        text = scene.phrases[number - 1].text
        settings = replace(moment.settings, words=_quoted(text))
        fresh = replace(moment, label=text, result=only(scene, text), settings=settings, edits=Edits(), before=None)
        return lambda work: work.then(fresh)

    return quick(room, handle, take)


def cut(room: Room, handle: str, cuts: Mapping[str, Any]) -> Answer:
    """Other settings, after a control was let go; several in a row are one moment of the history."""

    def again() -> Step:
        moment = now(room, handle)
        settings = with_cuts(moment.settings, cuts)
        if settings == moment.settings:
            return lambda work: work
        fresh = replace(moment, label=strings.DONE["cut"], settings=settings)
        return lambda work: work.then(fresh, merge=True)

    return quick(room, handle, again)


def stroke(
    room: Room, handle: str, points: Sequence[tuple[float, float]], radius: float, *, erase: bool, snap: bool
) -> Answer:
    """A stroke of the brush, (x, y) in pixels of the picture, added or erased."""
    label = strings.DONE["erase" if erase else "add"]
    return quick(room, handle, lambda: _next(draw(now(room, handle), points, radius, erase=erase, snap=snap), label))


def point(room: Room, handle: str, x: float, y: float, *, alone: bool) -> Answer:
    """A click on a piece of the mask: it goes, or comes back; alone: all others go."""
    return quick(room, handle, lambda: _next(*pointed(now(room, handle), x, y, alone=alone)))


def clear(room: Room, handle: str) -> Answer:
    """Without anything that was done by hand."""
    return quick(room, handle, lambda: _next(replace(now(room, handle), edits=Edits()), strings.DONE["clear"]))


def go(room: Room, handle: str, by: int | None = None, to: int | None = None) -> Answer:
    """Back and forth in the history, by steps or to a place."""
    return quick(room, handle, lambda: lambda work: work.go(work.at + (by or 0) if to is None else to))


def _tell(room: Room, handle: str, work: Work, say: str = "") -> Answer:
    return told(handle, work, about_of(room.desk), say, busy=room.running.find(handle) is not None)


def _next(moment: Moment, label: str) -> Step:
    return lambda work: work.then(replace(moment, label=label))


def _quoted(text: str) -> str:
    from ldznet_ext.prompt.write import quoted

    return quoted(text)


def _image(content: bytes) -> Any:
    """A PIL image that is yet to be read; PictureError in a sentence for what is none."""
    from PIL import Image

    if len(content) > LARGEST:
        raise PictureError(f"The picture has over {LARGEST >> 20} MB; expected less, so shrink it first.")
    try:
        return Image.open(io.BytesIO(content))
    except Image.DecompressionBombError:
        raise PictureError(
            "The picture has far more than 100 megapixels; expected at most that, so shrink it."
        ) from None
    except Exception:  # Pillow's plugins raise anything on a damaged header
        raise PictureError(
            "This is no picture that can be read; expected PNG, JPEG, WebP, GIF, BMP or TIFF, so choose one of those."
        ) from None
