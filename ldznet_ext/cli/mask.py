"""`ldznet mask PICTURE WORDS...`: what the words name, as files and as numbers."""

import argparse
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console, engine, options, outcome
from ldznet_ext.prompt.parse import parse
from ldznet_ext.request import OPTION, OPTIONS, MaskSettings
from ldznet_ext.result import FOUND
from ldznet_ext.saving.output import OutputFolder, stem_of

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.result import Segmentation

FLAGS = tuple(option.name for option in OPTIONS if option.name not in ("words", "method"))
"""Of the table of options; `method` is shared with other commands, and the words are arguments."""
BY_MODEL = {"words", "method", "threshold", "refine", "sam", "seed", "timestep"}
"""What the result was made with already; the others shape its mask."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("picture", metavar="PICTURE", help="any picture file: PNG, JPEG, WebP, GIF, BMP, TIFF")
    parser.add_argument(
        "words",
        metavar="WORDS",
        nargs="+",
        help="expressions such as fox, 'red fox', 'fox & !tail', 'fox*1.5 | owl@0.4', 'hair +12', in single quotes for a shell; "
        "each has its own answer, the mask is of all",
    )
    options.add_output(parser)
    options.add_model(parser)
    for name in FLAGS:
        options.add_setting(parser, OPTION[name])


def run(args: argparse.Namespace) -> int:
    """Segment, write the three files, print the answer."""
    settings = MaskSettings(method=args.method, **{name: getattr(args, name) for name in FLAGS})
    for words in args.words:
        parse(words)
    with console.quiet_output(), OutputFolder(args.out) as out:
        answer, lines = _segment(args, settings, out)
    console.give(args.json, answer, (*lines, outcome.wrote(args.out, answer["files"].values())))
    return 0


def _segment(args: argparse.Namespace, settings: MaskSettings, out: OutputFolder) -> tuple[dict[str, Any], list[str]]:
    picture = engine.read_picture(args.picture)
    given = {"method": settings.method, "threshold": settings.threshold, "refine": settings.refine}
    given |= {name: value for name, value in settings.to_mapping().items() if name in ("seed", "timestep")}
    result = engine.segment(picture, tuple(args.words), engine.open_backbone(args), **given)
    files = outcome.write_masks(out, stem_of(args.picture), picture, result, _shaped(result, settings, picture))
    outcome.say_message(result)
    return outcome.as_object(args.picture, result, files), outcome.report(result)


def _shaped(result: "Segmentation", settings: MaskSettings, picture: "np.ndarray") -> "np.ndarray | None":
    """The mask shaped as asked, uint8 (h w); None where nothing is asked."""
    if not settings.to_mapping().keys() - BY_MODEL:
        return None
    if settings.invert and not any(answer.status == FOUND for answer in result.phrases):
        console.say("Nothing was found, so the mask stays empty and was not inverted; try other words.")
    return engine.apply(result, settings, picture)
