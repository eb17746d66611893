"""`ldznet report`: train RGBNet, ZNet, LD-ZNet and concatenation alike, compare them, write docs/results.md."""

import argparse
from pathlib import Path

from ldznet_ext.cli import console, options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "-o", "--out", metavar="DIR", default="docs", help="folder for the page and its plots (default: docs)"
    )
    parser.add_argument("--minutes", type=options.number, help="of training a network and seed (default: 20)")
    parser.add_argument("--steps", type=options.whole, help="of training a network and seed, in place of minutes")
    parser.add_argument("--seeds", type=options.whole, nargs="+", default=[0], metavar="SEED", help="(default: 0)")
    parser.add_argument(
        "--limit", type=options.whole, metavar="N", help="the first N lines of each test set, objects and edits only"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="SECTION", help="compared shipped model editing untrained (default: all)"
    )
    parser.add_argument("--classifier", metavar="FILE", help="the judge of pictures (default: in models/ or runs/)")
    parser.add_argument("--networks", nargs="+", metavar="NAME", help="rgbnet znet ldznet concat (default: all four)")
    parser.add_argument(
        "--work",
        metavar="DIR",
        default="runs/report",
        help="heads and finished cells are kept here (default: runs/report)",
    )
    parser.add_argument("--model", help="the diffusion model (default: sticker-sd)")
    parser.add_argument("--device", help="where to compute, e.g. cpu")
    options.add_output(parser, folder=False)


def run(args: argparse.Namespace) -> int:
    """Do what is not done yet, write the page."""
    with console.quiet_output():
        page = _report(args)
    if args.json:
        console.emit({"page": str(page), "numbers": str(page.with_suffix(".json"))})
    else:
        console.tell(f"Wrote {page}.")
    return 0


def _report(args: argparse.Namespace) -> Path:
    from ldznet_ext.eval.plan import NETWORKS, SECTIONS, Budget
    from ldznet_ext.eval.report import report
    from ldznet_ext.eval.tools import default_tools

    return report(
        Path(args.out),
        budget=Budget(minutes=None if args.steps else args.minutes or 20.0, steps=args.steps),
        seeds=tuple(args.seeds),
        limit=args.limit,
        networks=tuple(args.networks or NETWORKS),
        only=tuple(args.only or SECTIONS),
        work=Path(args.work),
        tools=default_tools(args.model, args.device, Path(args.classifier) if args.classifier else None),
        say=console.say,
    )
