"""`ldznet mask` with one picture, or with the recipe of one."""

import argparse
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console, engine, outcome
from ldznet_ext.request import LOOKED
from ldznet_ext.result import FOUND
from ldznet_ext.saving.kinds import KINDS
from ldznet_ext.saving.names import DEFAULT, file_names
from ldznet_ext.saving.order import EMPTY, FAIL
from ldznet_ext.saving.output import OutputFolder, stem_of

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.cli.mask import Wish
    from ldznet_ext.result import Segmentation
    from ldznet_ext.saving.exports import Item


def run(args: argparse.Namespace, wish: "Wish") -> int:
    """Find, write the files, print the answer."""
    place = "." if args.out is None else args.out
    with console.quiet_output(), OutputFolder(place) as out:
        answer, lines = _segment(args, wish, out)
    absent = not any(phrase["status"] == FOUND for phrase in answer["phrases"])
    last = outcome.wrote(place, answer["files"].values()) if answer["files"] else "Wrote nothing: nothing was found."
    console.give(args.json, answer, (*lines, last))
    return outcome.ABSENT if absent and args.not_found == FAIL else 0


def _segment(args: argparse.Namespace, wish: "Wish", out: OutputFolder) -> tuple[dict[str, Any], list[str]]:
    settings, path = wish.settings, wish.pictures[0]
    picture = engine.read_picture(path)
    given = {"method": settings.method, "threshold": settings.threshold, "refine": settings.refine}
    given |= {name: value for name, value in settings.to_mapping().items() if name in LOOKED}
    backbone = engine.open_backbone(args)
    result = engine.segment(picture, wish.words, backbone, **given)
    item = _item(wish, picture, result, backbone)
    wanted = args.not_found == EMPTY or any(answer.status == FOUND for answer in result.phrases)
    files = _write(args, wish, item, out) if wanted else {}
    outcome.say_message(result)
    answer = outcome.as_object(path, result, files)
    return (answer | _repeated(wish, item)) if wish.recipe else answer, outcome.report(result)


def _item(wish: "Wish", picture: "np.ndarray", result: "Segmentation", backbone: Any) -> "Item":
    """The result as it is saved."""
    from ldznet_ext.saving.exports import item_of
    from ldznet_ext.saving.recipe import recipe_of

    path, settings, edits = wish.pictures[0], wish.settings, wish.recipe.edits if wish.recipe else None
    if settings.invert and not any(answer.status == FOUND for answer in result.phrases):
        console.say("Nothing was found, so the mask stays empty and was not inverted; try other words.")
    recipe = recipe_of(picture, result, settings, name=path, edits=edits, backbone=backbone)
    return item_of(picture, result, settings, recipe, stem=stem_of(path), edits=edits)


def _write(args: argparse.Namespace, wish: "Wish", item: "Item", out: OutputFolder) -> dict[str, str]:
    """Write what is to be saved; the names by kind.

    The usual names are those of this picture's masks, of which there is one: the last. Names by a pattern, and what may lie
    beside the very file that is repeated, are never written over unless that is asked for.
    """
    from ldznet_ext.saving.exports import EXPORTS

    over = args.overwrite or (args.pattern is None and wish.recipe is None)
    kinds = [KINDS[kind] for kind in wish.save]
    taken = (lambda name: False) if over else lambda name: (out.folder / name).exists()
    names = file_names(args.pattern or DEFAULT, item, 1, kinds, taken)
    for kind, name in names.items():
        out.write(name, EXPORTS[kind].make(item))
    return names


def _repeated(wish: "Wish", item: "Item") -> dict[str, Any]:
    """Say whether a mask is the one that was to be repeated, and why it need not be."""
    from ldznet_ext.saving.differences import differences, pixels_off

    assert wish.recipe is not None
    reasons = differences(wish.recipe, item.recipe)
    off = pixels_off(wish.source, item.mask)
    for reason in reasons:
        console.say(reason)
    if off is not None:
        same = (
            "The mask is the same, pixel for pixel."
            if off == 0
            else f"The mask differs from that file's in {off:,} pixels."
        )
        console.say(same)
    return {"repeats": {"file": wish.source, "pixels_off": off, "differences": list(reasons)}}
