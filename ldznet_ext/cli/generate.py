"""`ldznet generate PROMPT [--mask WORDS]`: pictures from words, and masks from other words at no extra pass."""

import argparse
import time
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console, engine, options, outcome
from ldznet_ext.cli.output import slug
from ldznet_ext.errors import OptionError
from ldznet_ext.prompt.parse import parse
from ldznet_ext.sampling import DEFAULT_GUIDANCE, Sampling, check_seed
from ldznet_ext.saving.output import OutputFolder
from ldznet_ext.words import check_prompt

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

MOST = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("prompt", metavar="PROMPT", help='what to paint, e.g. "a fox and a doughnut on snow, night"')
    parser.add_argument(
        "--mask",
        metavar="WORDS",
        action="append",
        default=[],
        help="what to find in it, e.g. fox or 'fox & !tail'; may be given several times",
    )
    options.add_sampling(parser)
    parser.add_argument(
        "--guidance", type=options.number, default=DEFAULT_GUIDANCE, help=f"0-100 (default: {DEFAULT_GUIDANCE:g})"
    )
    parser.add_argument(
        "-n", dest="number", metavar="N", type=options.whole, default=1, help="pictures, of seeds SEED to SEED+N-1"
    )
    options.add_output(parser)
    options.add_model(parser)


def run(args: argparse.Namespace) -> int:
    """Paint and segment, write the files, print the answer."""
    _check(args)
    with console.quiet_output(), OutputFolder(args.out) as out:
        backbone = engine.open_backbone(args)
        options.say_cut(args.prompt, backbone)
        with console.progress("painting", "step") as tick:
            images, lines = [], []
            for index in range(args.number):
                image, report = _one(args, index, backbone, out, _shifted(tick, index, args.number))
                images.append(image)
                lines += report
        answer = {
            "prompt": args.prompt,
            "seed": args.seed,
            "steps": args.steps,
            "model": backbone.name,
            "images": images,
            "extra_unet_calls": sum(image["unet_calls"] for image in images),
        }
    count = sum(map(_count, images))
    console.give(args.json, answer, (*lines, outcome.wrote(args.out, [f"{count} file{'s' * (count > 1)}"])))
    return 0


def _check(args: argparse.Namespace) -> None:
    check_prompt(args.prompt)
    for words in args.mask:
        parse(words)
    Sampling(steps=args.steps, guidance=args.guidance)  # refuses what is out of range
    check_seed(args.seed)
    if not 1 <= args.number <= MOST:
        raise OptionError(
            f"The number of pictures is {args.number}; expected a whole number from 1 to {MOST:,}, so choose one."
        )
    check_seed(args.seed + args.number - 1)
    engine.check_method(args.method)


def _one(
    args: argparse.Namespace, index: int, backbone: "Backbone", out: OutputFolder, tick: console.Tick
) -> tuple[dict[str, Any], list[str]]:
    import numpy as np

    seed, start = args.seed + index, time.perf_counter()
    settings = {"seed": seed, "steps": args.steps, "guidance": args.guidance}
    if args.mask:
        settings["method"] = args.method
    image, result = engine.generate(args.prompt, args.mask, backbone, tick, **settings)
    picture = np.asarray(image)
    stem = f"{slug(args.prompt)}_{seed}"
    name = out.write(f"{stem}.png", outcome.png(picture))
    if result is None:
        return _unmasked(name, picture.shape[:2], backbone, time.perf_counter() - start), [name]
    files = outcome.write_masks(out, stem, picture, result, name, backbone)
    outcome.say_message(result)
    return {"image": name, **outcome.as_object(name, result, files)}, [
        name,
        *("  " + x for x in outcome.report(result)),
    ]


def _unmasked(name: str, size: tuple[int, ...], backbone: "Backbone", seconds: float) -> dict[str, Any]:
    """The mask object of a picture in which nothing was asked for: the same keys, nothing found."""
    return {
        "image": name,
        "picture": name,
        "size": list(size),
        "method": None,
        "model": backbone.name,
        "familiar": None,
        "phrases": [],
        "files": dict.fromkeys(outcome.KINDS),
        "seconds": {**dict.fromkeys(("encode", "text", "unet", "head", "post"), 0.0), "total": seconds},
        "unet_calls": 0,
    }


def _shifted(tick: console.Tick, index: int, number: int) -> console.Tick:
    return lambda done, total: tick(index * total + done, number * total)


def _count(image: dict[str, Any]) -> int:
    return 1 + sum(name is not None for name in image["files"].values())
