"""A moment as the page sees it: at no more pixels than a screen shows, so that a slider is quick on a photograph, too.

Only for the eyes: what is saved, repainted or taken as an example is computed at the picture's own size.
"""

from dataclasses import replace
from weakref import WeakKeyDictionary

import cv2
import numpy as np

from ldznet_ext.app.work import Moment
from ldznet_ext.geometry import Size
from ldznet_ext.masks.edits import Click, Edits
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import PhraseResult, Segmentation

SIDE = 1280
"""Longest side that is shown."""
_kept: "WeakKeyDictionary[Moment, Moment]" = WeakKeyDictionary()


def seen(moment: Moment) -> Moment:
    """The moment at the size it is shown, its settings still in the picture's own pixels (see `scaled`)."""
    scale = scale_of(moment)
    if scale == 1:
        return moment
    if (kept := _kept.get(moment)) is None:
        kept = _kept[moment] = _smaller(moment, scale)
    return kept


def scale_of(moment: Moment) -> float:
    """Shown pixels for one of the picture's, at most 1."""
    return min(1.0, SIDE / max(moment.size))


def scaled(settings: MaskSettings, scale: float) -> MaskSettings:
    """Settings for a mask at that scale: lengths shrink with it, areas with its square."""
    if scale == 1:
        return settings
    return replace(
        settings,
        grow=round(settings.grow * scale),
        feather=settings.feather * scale,
        islands=round(settings.islands * scale * scale),
    )


def _smaller(moment: Moment, scale: float) -> Moment:
    size = Size(*(max(1, round(side * scale)) for side in moment.size))
    return replace(
        moment,
        picture=_area(moment.picture, size),
        before=None if moment.before is None else _area(moment.before, size),
        result=None if moment.result is None else _result(moment.result, size),
        scene=None if moment.scene is None else _result(moment.scene, size),
        edits=_edits(moment.edits, size, scale),
    )


def _result(result: Segmentation, size: Size) -> Segmentation:
    phrases = tuple(_phrase(phrase, size) for phrase in result.phrases)
    prob = phrases[0].prob if result.prob is result.phrases[0].prob else _area(result.prob, size)
    return replace(result, size=size, phrases=phrases, prob=prob, mask=_nearest(result.mask, size))


def _phrase(phrase: PhraseResult, size: Size) -> PhraseResult:
    terms = tuple(_phrase(term, size) for term in phrase.terms)
    return replace(phrase, prob=_area(phrase.prob, size), terms=terms)


def _edits(edits: Edits, size: Size, scale: float) -> Edits:
    def drawn(mask: np.ndarray | None) -> np.ndarray | None:
        return None if mask is None else _nearest(mask, size)

    def clicked(points: tuple[Click, ...]) -> tuple[Click, ...]:
        last = size.width - 1, size.height - 1
        return tuple((min(int(x * scale), last[0]), min(int(y * scale), last[1])) for x, y in points)

    return Edits(
        add=drawn(edits.add),
        erase=drawn(edits.erase),
        only=drawn(edits.only),
        keep=clicked(edits.keep),
        drop=clicked(edits.drop),
    )


def _area(array: np.ndarray, size: Size) -> np.ndarray:
    return cv2.resize(array, (size.width, size.height), interpolation=cv2.INTER_AREA)


def _nearest(mask: np.ndarray, size: Size) -> np.ndarray:
    return cv2.resize(mask.view(np.uint8), (size.width, size.height), interpolation=cv2.INTER_NEAREST).view(bool)
