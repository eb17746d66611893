"""`ldznet mask PICTURE WORDS...`: what the words name, as files and as numbers."""

import argparse
from typing import Any

from ldznet_ext.cli import console, engine, options, outcome
from ldznet_ext.cli.output import OutputFolder, stem_of
from ldznet_ext.request import SegmentRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("picture", metavar="PICTURE", help="any picture file: PNG, JPEG, WebP, GIF, BMP, TIFF")
    parser.add_argument("words", metavar="WORDS", nargs="+", help="phrases, each quoted if it has spaces")
    options.add_output(parser)
    options.add_model(parser)
    parser.add_argument(
        "--threshold", type=options.number, help="cuts the probability into the mask, in (0, 1) (default: the head's)"
    )
    parser.add_argument(
        "--no-refine", dest="refine", action="store_false", help="leave edges as the network draws them"
    )


def run(args: argparse.Namespace) -> int:
    """Segment, write the three files, print the answer."""
    request = SegmentRequest(
        phrases=tuple(args.words), method=args.method, threshold=args.threshold, refine=args.refine
    )
    with console.quiet_output(), OutputFolder(args.out) as out:
        answer, lines = _segment(args, request, out)
    console.give(args.json, answer, (*lines, outcome.wrote(args.out, answer["files"].values())))
    return 0


def _segment(args: argparse.Namespace, request: SegmentRequest, out: OutputFolder) -> tuple[dict[str, Any], list[str]]:
    picture = engine.read_picture(args.picture)
    result = engine.segment(
        picture,
        request.phrases,
        engine.open_backbone(args),
        method=request.method,
        threshold=request.threshold,
        refine=request.refine,
    )
    files = outcome.write_masks(out, stem_of(args.picture), picture, result)
    outcome.say_message(result)
    return outcome.as_object(args.picture, result, files), outcome.report(result)
