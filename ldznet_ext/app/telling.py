"""What the page is told after anything was done: a plain mapping that goes over the wire as JSON."""

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ldznet_ext.app import strings
from ldznet_ext.app.work import Moment, Work
from ldznet_ext.masks.legend import colour
from ldznet_ext.request import OPTIONS
from ldznet_ext.result import FOUND, PhraseResult
from ldznet_ext.ui.messages import describe, remark, status_of

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import About


def told(handle: str, work: Work, about: "About", say: str = "", *, busy: bool = False) -> dict[str, Any]:
    """Everything the page shows of a work. say: HTML of a sentence in place of what the present answer says. busy: whether the
    page still waits for the model.
    """
    now = work.now
    return {
        "handle": handle,
        "revision": work.revision,
        "at": work.at,
        "history": [moment.label for moment in work.moments],
        "size": list(now.size),
        "pictured": zlib.crc32(np.ascontiguousarray(now.picture).data),
        "name": now.name,
        "prompt": now.prompt,
        "words": now.settings.words,
        "settings": settings_of(now),
        "parts": parts_of(now),
        "chosen": now.result.phrases[0].text if now.result is not None else "",
        "answered": now.result is not None,
        "before": now.before is not None,
        "drawn": bool(now.edits),
        "unfamiliar": now.result is not None and now.result.familiar is False,
        "message": say or message_of(now),
        "model": about.model,
        "busy": busy,
    }


def settings_of(moment: Moment) -> dict[str, Any]:
    """Every setting but the words, as the page's controls hold it."""
    return {each.name: each.to_widget(getattr(moment.settings, each.name)) for each in OPTIONS if each.name != "words"}


def parts_of(moment: Moment) -> list[dict[str, Any]]:
    """The prompt's things, likeliest first, absent ones last, each with its colour in the picture of the parts."""
    if moment.scene is None:
        return []
    familiar = moment.scene.familiar
    return [_part(number, phrase, familiar) for number, phrase in enumerate(moment.scene.phrases, 1)]


def message_of(moment: Moment) -> str:
    """What the answer says, as HTML; what to do where there is none yet."""
    if moment.result is None:
        return remark(strings.NOTHING_YET if moment.scene is None else strings.PARTS_HINT)
    return describe(moment.result)


def _part(number: int, phrase: PhraseResult, familiar: bool | None) -> dict[str, Any]:
    return {
        "number": number,
        "text": phrase.text,
        "status": status_of(phrase, familiar),
        "there": phrase.status == FOUND,
        "score": round(float(phrase.score), 4),
        "colour": "#{:02x}{:02x}{:02x}".format(*colour(number - 1)),
    }
