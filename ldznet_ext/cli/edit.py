"""`ldznet edit PICTURE --mask-prompt WORDS --prompt P`: repaint what the words name, or all but that.

After imaginAIry's `--mask-prompt` and `--mask-mode replace|keep`.
"""

import argparse
import time
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console, engine, options, outcome
from ldznet_ext.prompt.parse import parse
from ldznet_ext.result import FOUND, UNKNOWN
from ldznet_ext.sampling import Sampling, check_seed
from ldznet_ext.saving.output import OutputFolder, stem_of
from ldznet_ext.words import check_prompt

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.result import Segmentation

REPLACE, KEEP = "replace", "keep"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("picture", metavar="PICTURE", help="any picture file")
    parser.add_argument(
        "--mask-prompt",
        metavar="WORDS",
        action="append",
        required=True,
        help="what to find, e.g. fox or 'fox & !tail'; may be given several times",
    )
    parser.add_argument("--prompt", metavar="P", required=True, help='what to paint, e.g. "an owl"')
    parser.add_argument(
        "--mask-mode",
        choices=(REPLACE, KEEP),
        default=REPLACE,
        help="repaint the words' mask, or all but it (default: replace)",
    )
    options.add_sampling(parser)
    options.add_output(parser)
    options.add_model(parser)


def run(args: argparse.Namespace) -> int:
    """Segment, repaint, write the files, print the answer; words that are not found are no failure."""
    check_prompt(args.prompt)
    for words in args.mask_prompt:
        parse(words)
    Sampling(steps=args.steps)  # refuses what is out of range before a model is loaded
    check_seed(args.seed)
    with console.quiet_output(), OutputFolder(args.out) as out:
        answer, lines = _edit(args, out)
    written = [*filter(None, [answer["image"]]), *answer["files"].values()]
    console.give(args.json, answer, (*lines, outcome.wrote(args.out, written)))
    return 0


def _edit(args: argparse.Namespace, out: OutputFolder) -> tuple[dict[str, Any], list[str]]:
    picture = engine.read_picture(args.picture)
    backbone = engine.open_backbone(args)
    options.say_cut(args.prompt, backbone)
    result = engine.segment(picture, args.mask_prompt, backbone, method=args.method)
    stem = stem_of(args.picture)
    files = outcome.write_masks(out, stem, picture, result, args.picture, backbone)
    outcome.say_message(result)
    where, image, start = _where(result, args.mask_mode), f"{stem}_edit.png", time.perf_counter()
    if isinstance(where, str):
        console.say(where)
        out.remove(image)  # of an earlier call: it would not go with the new mask
    else:
        with console.progress("painting", "step") as tick:
            edited = engine.inpaint(picture, where, args.prompt, backbone, tick, seed=args.seed, steps=args.steps)
        _write(out, image, edited)
    answer = outcome.as_object(args.picture, result, files)
    answer["seconds"]["total"] += time.perf_counter() - start  # the painting
    answer |= {"image": None if isinstance(where, str) else image, "prompt": args.prompt, "seed": args.seed}
    return answer, outcome.report(result)


def _where(result: "Segmentation", mode: str) -> "np.ndarray | str":
    """The bool (h w) mask to repaint, or a sentence that says why there is nothing to repaint."""
    if not any(answer.status == FOUND for answer in result.phrases):
        named = ", ".join(f'"{answer.text[:40]}"' for answer in result.phrases)
        unknown = all(answer.status == UNKNOWN for answer in result.phrases)
        reason = "is unknown to this model" if unknown else "was not found in this picture"
        return f"{named} {reason}, so nothing was repainted; try other words or another model."
    where = result.mask if mode == REPLACE else ~result.mask
    if where.any():
        return where
    covers = "no pixel" if mode == REPLACE else "the whole picture"
    return f"The mask covers {covers}, so nothing was repainted; try other words or another --mask-mode."


def _write(out: OutputFolder, name: str, image: Any) -> None:
    import numpy as np

    out.write(name, outcome.png(np.asarray(image)))
