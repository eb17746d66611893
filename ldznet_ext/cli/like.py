"""`ldznet like PICTURE --example MASK [--in DIR]`: what looks like a marked example, as files and as numbers."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldznet_ext.cli import console, engine, options, outcome
from ldznet_ext.errors import DataError, PictureError
from ldznet_ext.request import check_threshold
from ldznet_ext.saving.output import OutputFolder, stem_of

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.like import Instance
    from ldznet_ext.result import Segmentation
    from ldznet_ext.segmenters.example import Marked

    Seek = Callable[[np.ndarray], Segmentation]

Answer = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("picture", metavar="PICTURE", help="any picture file with the example in it")
    parser.add_argument(
        "--example", metavar="MASK", required=True, help="picture of PICTURE's size, white where the example is"
    )
    parser.add_argument("--in", dest="folder", metavar="DIR", help="search the pictures of a folder (default: PICTURE)")
    options.add_output(parser)
    options.add_backbone(parser)
    parser.add_argument(
        "--threshold", type=options.number, help="cuts the probability into the mask, in (0, 1) (default: 0.5)"
    )
    parser.add_argument(
        "--no-refine", dest="refine", action="store_false", help="leave edges as the network draws them"
    )


def run(args: argparse.Namespace) -> int:
    """Search, write three files a picture, print the answer."""
    check_threshold(args.threshold)
    paths = [] if args.folder is None else pictures_in(args.folder, without=args.example)
    with console.quiet_output(), OutputFolder(args.out) as out:
        marked = engine.mark(engine.read_picture(args.picture), args.example)
        seek = engine.seeker(marked, engine.open_backbone(args), threshold=args.threshold, refine=args.refine)
        answer, lines = _alone(args, marked, seek, out) if args.folder is None else _all(args, paths, marked, seek, out)
    console.give(args.json, answer, lines)
    return 0


def pictures_in(folder: str, *, without: str) -> list[Path]:
    """The files of a folder that may be pictures to search, by name.

    Left out are hidden files, the example's mask, and what an earlier search left of a picture that is there.
    """
    from ldznet_ext.saving.listing import made_of

    try:
        files = sorted(path for path in Path(folder).iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise DataError(
            f"The folder '{folder}' cannot be read ({error.strerror or error}); expected one with pictures, so check it."
        ) from None
    ours = made_of(files)
    found = [path for path in files if path.name not in ours and not _same(path, Path(without))]
    if not found:
        raise DataError(f"The folder '{folder}' holds no file to search; expected pictures, so name another.")
    return found


def _alone(args: argparse.Namespace, marked: "Marked", seek: "Seek", out: OutputFolder) -> tuple[Answer, list[str]]:
    """Search the example's own picture."""
    result = seek(marked.picture)
    answer = _written(args.picture, stem_of(args.picture), marked.picture, result, marked, out)
    outcome.say_message(result)
    lines = [*outcome.report(result), _count(answer), outcome.wrote(args.out, answer["files"].values())]
    return {**answer, "example": args.example}, lines


def _all(
    args: argparse.Namespace, paths: list[Path], marked: "Marked", seek: "Seek", out: OutputFolder
) -> tuple[Answer, list[str]]:
    """Search a folder, the best score first; what is no picture is skipped and listed."""
    answers: list[Answer] = []
    skipped: list[Answer] = []
    messages: dict[str, None] = {}
    stems = unique_stems(paths)
    with console.progress("searching", "picture") as tick:
        for path, stem in zip(paths, stems, strict=True):
            try:
                picture = engine.read_picture(str(path))
            except PictureError as error:
                skipped.append({"picture": str(path), "reason": console.one_line(error)})
            else:
                result = seek(picture)
                messages[result.message] = None
                answers.append(_written(str(path), stem, picture, result, marked, out))
            tick(len(answers) + len(skipped), len(paths))
    if not answers:
        raise DataError(
            f"None of the {len(paths)} files in '{args.folder}' is a picture that can be read; expected some, so name another "
            "folder."
        )
    for text in (*messages, *(f"Skipped: {one['reason']}" for one in skipped)):
        console.say(text) if text else None
    answers.sort(key=lambda one: -one["phrases"][0]["score"])
    return _object(args, answers, skipped), [*map(_line, answers), _wrote_all(args, answers)]


def unique_stems(paths: Iterable[Path]) -> list[str]:
    """What the outputs of each picture are called: its stem, or its whole name where an earlier one has that stem."""
    taken: list[str] = []
    for path in paths:
        taken.append(stem_of(path) if stem_of(path) not in taken else path.name)
    return taken


def _written(
    name: str, stem: str, picture: "np.ndarray", result: "Segmentation", marked: "Marked", out: OutputFolder
) -> Answer:
    """The three files and the object of one picture: that of `ldznet mask`, and its instances."""
    files = outcome.write_masks(out, stem, picture, result, name, None)
    return {
        **outcome.as_object(name, result, files),
        "instances": [_instance(one) for one in engine.instances(result, marked)],
    }


def _instance(one: "Instance") -> Answer:
    return {"box": [int(edge) for edge in one.box], "area": one.area, "score": one.score, "marked": one.marked}


def _object(args: argparse.Namespace, answers: list[Answer], skipped: list[Answer]) -> Answer:
    """The object `ldznet like --in --json` prints."""
    return {
        "picture": args.picture,
        "example": args.example,
        "in": args.folder,
        "method": answers[0]["method"],
        "model": answers[0]["model"],
        "pictures": answers,
        "skipped": skipped,
        "unet_calls": sum(one["unet_calls"] for one in answers),
    }


def _count(answer: Answer) -> str:
    others = sum(not one["marked"] for one in answer["instances"])
    return f"{others} other{'s' * (others != 1)} like it."


def _line(answer: Answer) -> str:
    phrase, count = answer["phrases"][0], len(answer["instances"])
    text = f"{phrase['score']:.2f}  {Path(answer['picture']).name}  {phrase['status']}"
    return f"{text}, {count} instance{'s' * (count != 1)}" if count else text


def _wrote_all(args: argparse.Namespace, answers: list[Answer]) -> str:
    return f"Wrote {3 * len(answers)} files{'' if args.out == '.' else f' to {args.out}'}."


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
