"""`ldznet evaluate --data DIR|sticker:test[:style]`: mIoU and its kin of a method on a test set."""

import argparse
from typing import Any

from ldznet_ext.cli import console, engine, options
from ldznet_ext.errors import DataError

SHOWN = ("miou", "iou_fg", "ap", "ap_pixel", "boundary_iou", "auroc", "false_found", "recall_found")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--data", required=True, metavar="DATA", help="folder with annotations.jsonl, or sticker:test[:style]"
    )
    options.add_model(parser)
    parser.add_argument("--limit", type=options.whole, metavar="N", help="the first N lines only")
    parser.add_argument(
        "--no-refine", dest="refine", action="store_false", help="leave edges as the network draws them"
    )
    options.add_output(parser, folder=False)


def run(args: argparse.Namespace) -> int:
    """Score, print."""
    if not args.data.strip():
        raise DataError("The data has no name; expected a folder with annotations.jsonl, or sticker:test, so give one.")
    with console.quiet_output(), console.progress("evaluating", "line") as tick:
        answer = engine.evaluate(args.data, args, tick)
    if args.json:
        console.emit(answer)
    else:
        for line in table(answer):
            console.tell(line)
    return 0


def table(answer: dict[str, Any]) -> list[str]:
    """The scores for people: a row for all, a row a kind, in per cent."""
    rows = {"all": answer, **answer["by_kind"]}
    width = max(map(len, rows))
    head = f"{answer['method']} on {answer['data']}, {answer['n']} phrases, per cent"
    names = f"{'':<{width}}  {'n':>6}  " + "  ".join(f"{name:>12}" for name in SHOWN)
    return [head, names, *(_row(name, row, width) for name, row in rows.items())]


def _row(name: str, row: dict[str, Any], width: int) -> str:
    cells = (row.get(key) for key in SHOWN)
    return f"{name:<{width}}  {row['n']:>6}  " + "  ".join(
        f"{'-' if v is None else f'{v * 100:.1f}':>12}" for v in cells
    )
