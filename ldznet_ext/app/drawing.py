"""The pictures that the page asks for while it shows a moment: picture, mask, heat, parts. Bytes of a PNG each.

Shapes come from `pipeline.apply` alone; the page only tints what it is given.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ldznet_ext.app.seen import scale_of, scaled, seen
from ldznet_ext.app.work import Moment
from ldznet_ext.errors import OptionError
from ldznet_ext.masks.edits import Edits
from ldznet_ext.request import OPTION, MaskSettings
from ldznet_ext.result import FOUND, Segmentation


def mask_of(moment: Moment, cuts: Mapping[str, Any] | None = None, edits: Edits | None = None) -> np.ndarray:
    """The mask, uint8 (h w); empty where nothing was asked or drawn. cuts: settings that replace the moment's."""
    from ldznet_ext.pipeline import apply

    if moment.result is None:
        return np.zeros(moment.size, np.uint8)
    settings = with_cuts(moment.settings, cuts) if cuts else moment.settings
    return apply(moment.result, settings, moment.edits if edits is None else edits, moment.picture)


def shown_mask(moment: Moment, cuts: Mapping[str, Any] | None = None) -> np.ndarray:
    """The same at the size it is shown, uint8 (h' w')."""
    settings = with_cuts(moment.settings, cuts) if cuts else moment.settings
    return mask_of(replace(seen(moment), settings=scaled(settings, scale_of(moment))))


def with_cuts(settings: MaskSettings, cuts: Mapping[str, Any]) -> MaskSettings:
    """Settings with some of the page's values in place of theirs; OptionError for what is none of ours or out of range."""
    given = {name: OPTION[name].from_widget(_number(value)) for name, value in cuts.items() if name in OPTION}
    if len(given) != len(cuts):
        raise OptionError(f"There is no setting {', '.join(sorted(cuts.keys() - OPTION.keys()))}; reload the page.")
    return replace(settings, **given)


def heat_of(moment: Moment) -> np.ndarray:
    """The probability, uint8 (h w)."""
    from ldznet_ext.masks.shape import to_grey

    return np.zeros(moment.size, np.uint8) if moment.result is None else to_grey(moment.result.prob)


def parts_of(moment: Moment) -> np.ndarray:
    """Which of the prompt's things each pixel belongs to, uint8 (h w): its number from 1, 0 for none that was found."""
    labels = np.zeros(moment.size, np.uint8)
    if moment.scene is None:
        return labels
    best = np.full(moment.size, _cut(moment.scene), np.float32)
    for number, phrase in enumerate(moment.scene.phrases[:255], 1):
        if phrase.status == FOUND:
            better = phrase.prob > best
            labels[better] = number
            np.copyto(best, phrase.prob, where=better)
    return labels


def _cut(result: Segmentation | None) -> float:
    return 0.5 if result is None else float(result.provenance.get("mask_threshold", 0.5))


def _number(value: Any) -> Any:
    """A text of an address as what it says: "12" is 12."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value
