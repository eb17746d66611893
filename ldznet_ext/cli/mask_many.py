"""`ldznet mask` with a folder or several pictures: a bar, a table of scores, and on from where it was stopped."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console, engine, outcome
from ldznet_ext.errors import DataError
from ldznet_ext.saving.names import DEFAULT
from ldznet_ext.saving.order import FAIL, Order

if TYPE_CHECKING:
    from ldznet_ext.cli.mask import Wish
    from ldznet_ext.saving.report import Report

FOLDER = "masks"


def run(args: argparse.Namespace, wish: "Wish") -> int:
    """Mask all pictures, print the summary. What one person drew on one picture by hand is left out."""
    order = Order(
        words=wish.words,
        settings=wish.settings,
        save=wish.save,
        pattern=args.pattern or DEFAULT,
        not_found=args.not_found,
        overwrite=args.overwrite,
    )
    if wish.recipe and wish.recipe.edits:
        console.say("What was drawn by hand belongs to its picture alone, so it is left out here.")
    with console.quiet_output():
        report = _masked(args, wish, order)
    if len(report.skipped) == report.pictures and not report.defects:
        raise DataError(
            f"None of the {report.pictures:,} files is a picture that can be read; expected some, so name others."
        )
    console.give(args.json, _object(report), _lines(report))
    if report.defects:
        return outcome.DEFECT
    return outcome.ABSENT if report.not_found and args.not_found == FAIL else 0


def _masked(args: argparse.Namespace, wish: "Wish", order: Order) -> "Report":
    from ldznet_ext.batch import run as mask_all
    from ldznet_ext.saving.listing import pictures_in

    paths = pictures_in(wish.pictures)
    found_by = engine.finder(order, args)
    done = 0
    try:
        with console.progress("masking", "picture") as show:

            def tick(count: int, total: int) -> None:
                nonlocal done
                done = count
                show(count, total)

            report = mask_all(paths, order, found_by, FOLDER if args.out is None else args.out, tick)
    except BaseException:
        if done:
            console.say(f"Stopped after {done:,} of {len(paths):,} pictures; the same command goes on from there.")
        raise
    _say(report)
    return report


def _say(report: "Report") -> None:
    """What a person should know, on standard error."""
    if report.news:
        console.say(report.news)
    for message, count in report.messages.items():
        console.say(f"Of {count:,} picture{'s' * (count != 1)}: {message}")
    for _, reason in report.skipped:
        console.say(f"Skipped: {reason}")


def _object(report: "Report") -> dict[str, Any]:
    """The object `ldznet mask DIR --json` prints."""
    return {
        "pictures": report.pictures,
        "found": report.found,
        "not_found": report.not_found,
        "skipped": [{"picture": picture, "reason": reason} for picture, reason in report.skipped],
        "before": report.before,
        "files": report.files,
        "messages": [{"text": text, "pictures": count} for text, count in report.messages.items()],
        "out": report.out,
        "table": report.table,
        "seconds": report.seconds,
    }


def _lines(report: "Report") -> Iterator[str]:
    counts = f"found in {report.found:,}, not found in {len(report.not_found):,}, skipped {len(report.skipped):,}"
    yield f"{report.pictures:,} picture{'s' * (report.pictures != 1)}: {counts}."
    if report.before:
        yield f"{report.before:,} of them had been done before."
    yield f"{report.files:,} files and the scores, {report.table}, are in {report.out}."
