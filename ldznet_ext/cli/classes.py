"""`ldznet classes PICTURE NAMES`: every pixel by name, as a palette picture, an overlay with a legend, and numbers."""

import argparse
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console, engine, options, outcome
from ldznet_ext.errors import PhraseError
from ldznet_ext.saving.output import OutputFolder, stem_of

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.result import ClassResult, Labelling

MOST = 255
"""Names that an 8-bit palette holds beside nothing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("picture", metavar="PICTURE", help="any picture file")
    parser.add_argument("names", metavar="NAMES", nargs="+", help='names with commas between, e.g. "sky, grass, fox"')
    options.add_output(parser)
    options.add_model(parser)
    parser.add_argument("--keep-absent", action="store_true", help="let names label that their own score calls absent")
    parser.add_argument(
        "--no-refine", dest="refine", action="store_false", help="leave edges as the network draws them"
    )


def run(args: argparse.Namespace) -> int:
    """Label, write the two files, print the answer."""
    names = _names(args.names)
    with console.quiet_output(), OutputFolder(args.out) as out:
        answer, lines = _label(args, names, out)
    console.give(args.json, answer, (*lines, outcome.wrote(args.out, answer["files"].values())))
    return 0


def _names(given: list[str]) -> tuple[str, ...]:
    """The names of all arguments, checked."""
    names = engine.as_names(",".join(given))
    if len(names) > MOST:
        raise PhraseError(f"There are {len(names)} names; expected at most {MOST}, so ask in several calls.")
    return names


def _label(args: argparse.Namespace, names: tuple[str, ...], out: OutputFolder) -> tuple[dict[str, Any], list[str]]:
    picture = engine.read_picture(args.picture)
    result = engine.classes(
        picture,
        names,
        engine.open_backbone(args),
        method=args.method,
        keep_absent=args.keep_absent,
        refine=args.refine,
    )
    files = _write(out, stem_of(args.picture), picture, result)
    outcome.say_message(result)
    return _as_object(args.picture, result, files), _report(result)


def _write(out: OutputFolder, stem: str, picture: "np.ndarray", result: "Labelling") -> dict[str, str]:
    from ldznet_ext.masks.legend import Entry, legend, palette_png

    shown = [Entry(one.label, f"{one.name} {_share(one, result):.0%}") for one in result.classes if one.area]
    return {
        "classes": out.write(f"{stem}_classes.png", palette_png(result.labels)),
        "overlay": out.write(f"{stem}_classes_overlay.png", outcome.png(legend(picture, result.labels, shown))),
    }


def _as_object(picture: str, result: "Labelling", files: dict[str, str]) -> dict[str, Any]:
    """The object `ldznet classes --json` prints; `index` is a name's value in the palette picture, 0 is nothing."""
    return {
        **outcome.asked(picture, result),
        "classes": [{"text": one.name, "index": one.label + 1, **outcome.judged(one)} for one in result.classes],
        "unlabelled": result.size.area - sum(one.area for one in result.classes),
        "files": files,
        **outcome.spent(result),
    }


def _report(result: "Labelling") -> list[str]:
    """A line a name, for people."""
    width = min(40, max(len(one.name) for one in result.classes))
    return [
        f"{one.name:<{width}}  {one.status}, score {one.score:.2f}, {_share(one, result):.1%} of the picture"
        for one in result.classes
    ]


def _share(one: "ClassResult", result: "Labelling") -> float:
    return one.area / result.size.area
