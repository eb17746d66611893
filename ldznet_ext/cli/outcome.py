"""A Segmentation as the commands give it away: three PNGs, one JSON object, a line a phrase."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console
from ldznet_ext.saving.kinds import USUAL
from ldznet_ext.saving.output import OutputFolder

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.backbone import Backbone
    from ldznet_ext.result import ClassResult, Labelling, PhraseResult, Segmentation

KINDS = USUAL
DEFECT, ABSENT = 1, 3
"""Exit codes: something of ours went wrong; nothing was found where that is to count (`--not-found fail`)."""


def write_masks(
    out: OutputFolder,
    stem: str,
    picture: "np.ndarray",
    result: "Segmentation",
    source: str,
    backbone: "Backbone | None",
) -> dict[str, str]:
    """Write mask (8-bit, its recipe in it), prob (16-bit) and overlay (RGB), all at the picture's size; their names by kind.

    source: the picture's file, which the recipe names.
    """
    from ldznet_ext.masks.ops import to_eight_bits
    from ldznet_ext.request import MaskSettings
    from ldznet_ext.saving.exports import EXPORTS, Item
    from ldznet_ext.saving.recipe import recipe_of

    how = result.provenance
    threshold = how.get("threshold") if how.get("threshold") != how.get("mask_threshold") else None
    settings = MaskSettings(seed=how.get("seed", 0), refine=how.get("refined", True), threshold=threshold)
    recipe = recipe_of(picture, result, settings, name=source, backbone=backbone)
    item = Item(picture=picture, mask=to_eight_bits(result.mask), prob=result.prob, recipe=recipe, stem=stem)
    return {kind: out.write(f"{stem}{EXPORTS[kind].suffix}", EXPORTS[kind].make(item)) for kind in KINDS}


def png(array: "np.ndarray") -> bytes:
    """`saving.png.png`."""
    from ldznet_ext.saving.png import png as encode

    return encode(array)


def as_object(picture: str, result: "Segmentation", files: dict[str, str]) -> dict[str, Any]:
    """The object `ldznet mask --json` prints."""
    phrases = [_phrase(answer) for answer in result.phrases]
    return {**asked(picture, result), "phrases": phrases, "files": files, **spent(result)}


def asked(picture: str, result: "Segmentation | Labelling") -> dict[str, Any]:
    """How every object about a picture begins: what was looked at, by what."""
    return {
        "picture": picture,
        "size": list(result.size),
        "method": result.method,
        "model": result.model,
        "familiar": result.familiar,
    }


def spent(result: "Segmentation | Labelling") -> dict[str, Any]:
    """How it ends: what it took."""
    return {"seconds": dict(result.seconds), "unet_calls": result.unet_calls}


def report(result: "Segmentation") -> list[str]:
    """A line an answer, for people, and below an expression's a line for each of its phrases."""
    rows = [row for answer in result.phrases for row in (("", answer), *(("  ", term) for term in answer.terms))]
    width = min(40, max(len(before) + len(answer.text) for before, answer in rows))
    return [before + _line(answer, width - len(before)) for before, answer in rows]


def wrote(folder: str, names: Iterable[str]) -> str:
    """The last line of a report."""
    return f"Wrote {', '.join(names)}{'' if folder == '.' else f' to {folder}'}."


def say_message(result: "Segmentation | Labelling") -> None:
    """What a person should know of the result, on standard error."""
    if result.message:
        console.say(result.message)


def _phrase(answer: "PhraseResult") -> dict[str, Any]:
    terms = {"terms": [_phrase(term) for term in answer.terms]} if answer.terms else {}
    return {"text": answer.text, **judged(answer), **terms}


def judged(answer: "PhraseResult | ClassResult") -> dict[str, Any]:
    """What the objects say of one phrase or name, as numbers that JSON takes."""
    score = float(answer.score)
    return {
        "status": answer.status,
        "score": score if 0 <= score <= 1 else 0.0,  # false for NaN: a score is a number in any case
        "box": None if answer.box is None else [int(edge) for edge in answer.box],
        "area": int(answer.area),
    }


def _line(answer: "PhraseResult", width: int) -> str:
    text = f"{answer.text:<{width}}  {answer.status}, score {answer.score:.2f}"
    if answer.box is None:
        return text
    x0, y0, x1, y1 = answer.box
    return f"{text}, box {x0},{y0} to {x1},{y1}, {answer.area:,} pixels"
