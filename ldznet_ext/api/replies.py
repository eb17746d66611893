"""Results as JSON: what was found, where, how sure, and the files that were asked for, in base64 or as they are."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ldznet_ext.api.pictures import png, to_base64
from ldznet_ext.api.tables import CLASSES_KIND, OVERLAY
from ldznet_ext.saving.exports import EXPORTS, item_of
from ldznet_ext.saving.recipe import recipe_of

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.like import Instance
    from ldznet_ext.masks.edits import Edits
    from ldznet_ext.request import MaskSettings
    from ldznet_ext.result import ClassResult, Labelling, PhraseResult, Segmentation

STEM = "picture"
"""What a picture without a name is called in the files that name it."""


def mask_reply(
    image: "np.ndarray",
    result: "Segmentation",
    settings: "MaskSettings",
    want: Sequence[str],
    edits: "Edits | None" = None,
) -> dict[str, Any]:
    """One expression on one picture. `box` and `area` are those of the mask that is sent: grown, drawn on, inverted as asked."""
    from ldznet_ext.masks.components import box_of
    from ldznet_ext.pipeline import apply

    mask = apply(result, settings, edits, image)
    answer, solid = result.phrases[0], mask >= 128
    return {
        "words": answer.text,
        **_judged(answer),
        "box": _box(box_of(solid)),
        "area": int(solid.sum()),
        "terms": [{"text": term.text, **_judged(term)} for term in answer.terms],
        **_files(image, mask, result, settings, want, edits),
        **_spent(result),
    }


def classes_reply(image: "np.ndarray", result: "Labelling", want: Sequence[str]) -> dict[str, Any]:
    """Every pixel of a picture by name; `index` is a name's value in the palette picture, 0 is nothing."""
    from ldznet_ext.masks.legend import Entry, legend, palette_png

    shown = [Entry(one.label, f"{one.name} {one.area / result.size.area:.0%}") for one in result.classes if one.area]
    draw = {
        CLASSES_KIND: lambda: to_base64(palette_png(result.labels)),
        OVERLAY: lambda: png(legend(image, result.labels, shown)),
    }
    return {
        "size": list(result.size),
        "names": [{"text": one.name, "index": one.label + 1, **_judged(one)} for one in result.classes],
        "unlabelled": int(result.size.area - sum(one.area for one in result.classes)),
        **{kind: draw[kind]() for kind in want},
        **_spent(result),
    }


def instance_reply(one: "Instance") -> dict[str, Any]:
    """One piece that looks like an example."""
    return {"box": _box(one.box), "area": int(one.area), "score": _score(one.score), "marked": one.marked}


def _judged(answer: "PhraseResult | ClassResult") -> dict[str, Any]:
    return {
        "status": answer.status,
        "score": _score(answer.score),
        "box": _box(answer.box),
        "area": int(answer.area),
    }


def _score(score: float) -> float:
    return float(score) if 0 <= score <= 1 else 0.0  # false for NaN, which JSON has not


def _box(box: Sequence[int] | None) -> list[int] | None:
    return None if box is None else [int(edge) for edge in box]


def _spent(result: "Segmentation | Labelling") -> dict[str, Any]:
    """Which method it was, and what it took."""
    return {
        "method": result.method,
        "familiar": result.familiar,
        "message": result.message,
        "unet_calls": result.unet_calls,
        "seconds": {name: round(float(value), 4) for name, value in result.seconds.items()},
    }


def _files(
    image: "np.ndarray",
    mask: "np.ndarray",
    result: "Segmentation",
    settings: "MaskSettings",
    want: Sequence[str],
    edits: "Edits | None",
) -> Mapping[str, Any]:
    """The wanted exports: JSON as it is, all else in base64."""
    if not want:
        return {}
    recipe = recipe_of(image, result, settings, edits=edits)
    item = item_of(image, result, settings, recipe, stem=STEM, edits=edits, mask=mask)
    made = {kind: (EXPORTS[kind].suffix, EXPORTS[kind].make(item)) for kind in want}
    return {
        kind: json.loads(data) if suffix.endswith(".json") else to_base64(data) for kind, (suffix, data) in made.items()
    }
