"""Words to edit: "mask A, repaint as B", judged by a classifier that must then see B and no A.

On generated pictures the mask comes from words. Those have no exact mask, so the ceiling (the exact mask) and the floor
(its box) are measured on test scenes, beside the words on the same scenes.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from ldznet_ext.errors import DataError
from ldznet_ext.eval.cells import kept_picture, read_json, write_json
from ldznet_ext.eval.edit_cases import Case, generated_cases, scene_cases
from ldznet_ext.eval.judge import Judge
from ldznet_ext.eval.run import Progress
from ldznet_ext.eval.toolbox import Find, Repaint
from ldznet_ext.geometry import Size
from ldznet_ext.world.captions import article

GENERATED, SCENES = 200, 40
WORDS, EXACT, BOX = "words", "exact mask", "box"
SHOWN = 8
_TILE, _LABEL = 160, 20


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a case. `painted`: the old thing was seen before. `untouched`: None where nothing was edited."""

    painted: bool
    found: bool
    sees_new: bool
    sees_old: bool
    new_is_strongest: bool
    untouched: bool | None

    @property
    def right(self) -> bool:
        """The new thing is seen and the old one is not."""
        return self.found and self.sees_new and not self.sees_old


def judge_editing(
    cases: Sequence[Case],
    judge: Judge,
    *,
    find: Find,
    repaint: Repaint,
    folder: Path,
    progress: Progress | None = None,
) -> dict[str, object]:
    """Make every edit once a kind of mask and sum up: {"n", "masks": {"words": {...}, "exact mask": ..., "box": ...}}.

    Verdicts are kept in `folder`, one small file a case, and read where they already are.
    """
    if not cases:
        raise DataError("There is no picture to edit; expected at least one, so raise the number.")
    verdicts: dict[str, list[Verdict]] = {}
    for number, case in enumerate(cases):
        for kind in (WORDS,) if case.truth is None else (EXACT, WORDS, BOX):
            path = folder / "verdicts" / f"{case.name}.{kind}.json".replace(" ", "-")
            verdict = _kept(path) or _judged(case, kind, judge, find, repaint, folder, show=number < SHOWN)
            write_json(path, asdict(verdict))
            verdicts.setdefault(kind, []).append(verdict)
        if progress is not None:
            progress(number + 1, len(cases))
    return {"n": len(cases), "masks": {kind: summary(found) for kind, found in verdicts.items()}}


def summary(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Fractions over all cases, with intervals for the main one; "untouched" over those that were edited.

    "right_of_painted": over pictures in which the judge saw the old thing before the edit.
    """
    right = [verdict.right for verdict in verdicts]
    edited = [verdict.untouched for verdict in verdicts if verdict.untouched is not None]
    painted = [verdict.right for verdict in verdicts if verdict.painted]
    return {
        "n": len(verdicts),
        "right": _share(right),
        "interval": list(wilson(sum(right), len(right))),
        "found": _share([verdict.found for verdict in verdicts]),
        "sees_new": _share([verdict.sees_new for verdict in verdicts]),
        "no_old": _share([verdict.found and not verdict.sees_old for verdict in verdicts]),
        "new_is_strongest": _share([verdict.new_is_strongest for verdict in verdicts]),
        "painted": _share([verdict.painted for verdict in verdicts]),
        "right_of_painted": _share(painted),
        "edited": len(edited),
        "untouched": _share(edited),
    }


def draw_rows(path: Path, cases: Sequence[Case], folder: Path) -> None:
    """Draw the first cases one below the other: before, the words' mask, after; the words stand underneath."""
    from PIL import Image, ImageDraw, ImageFont

    files = [(case, _row_file(folder, case, WORDS)) for case in cases[:SHOWN]]
    rows = [(case, file) for case, file in files if file.is_file()]
    if not rows:
        return
    width, height = 3 * _TILE, _TILE + _LABEL
    canvas = Image.new("RGB", (2 * (width + _LABEL), -(-len(rows) // 2) * height), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default()
    for number, (case, file) in enumerate(rows):
        x, y = number % 2 * (width + _LABEL), number // 2 * height
        with Image.open(file) as row:
            canvas.paste(row.convert("RGB").resize((width, _TILE), Image.Resampling.LANCZOS), (x, y))
        draw.text(
            (x, y + _TILE + 2), f'mask "{case.old}", repaint as "{article(case.new)}"', fill=(40, 44, 52), font=font
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, format="PNG", optimize=True)


def _row_file(folder: Path, case: Case, kind: str) -> Path:
    return folder / "rows" / f"{case.name}.{kind}.png".replace(" ", "-")


def wilson(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share of independent cases (Wilson 1927): honest also where all or none are hits.

    >>> [round(end, 3) for end in wilson(20, 20)]
    [0.839, 1.0]
    """
    share, spread = hits / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    reach = z * (share * (1 - share) / count + spread / (4 * count)) ** 0.5 / (1 + spread)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def untouched(picture: np.ndarray, edited: np.ndarray, mask: np.ndarray, feather: int) -> bool:
    """Whether every pixel farther than `feather` from the mask is the same, bit for bit."""
    away = cv2.distanceTransform(np.uint8(~mask), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return bool((picture == edited)[away > feather].all())


def _judged(case: Case, kind: str, judge: Judge, find: Find, repaint: Repaint, folder: Path, *, show: bool) -> Verdict:
    from ldznet_ext.inpaint import default_feather

    picture = case.read()
    mask = _mask(case, kind, picture, find)
    found = bool(mask.any())
    edited = repaint(picture, mask, article(case.new), case.seed) if found else picture
    if show:
        row = np.concatenate([picture, _overlaid(picture, mask), edited], axis=1)
        kept_picture(_row_file(folder, case, kind), lambda: row)
    return Verdict(
        painted=judge.sees(picture, case.old),
        found=found,
        sees_new=judge.sees(edited, case.new),
        sees_old=judge.sees(edited, case.old),
        new_is_strongest=judge.strongest(edited) == case.new,
        untouched=untouched(picture, edited, mask, default_feather(Size(*mask.shape))) if found else None,
    )


def _mask(case: Case, kind: str, picture: np.ndarray, find: Find) -> np.ndarray:
    if kind == WORDS:
        return find(picture, case.old)
    truth = case.truth()
    if kind == EXACT:
        return truth
    rows, columns = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
    box = np.zeros_like(truth)
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return box


def _kept(path: Path) -> Verdict | None:
    kept = read_json(path)
    return Verdict(**kept) if isinstance(kept, dict) else None


def _overlaid(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    from ldznet_ext.masks.overlay import overlay

    return overlay(picture, mask)


def _share(values: Sequence[bool]) -> float | None:
    return float(np.mean(values)) if values else None


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m ldznet_ext.eval.editing --classifier FILE --limit N --scenes M -o DIR --json`."""
    from ldznet_ext.eval import commands

    parser = commands.parser("Mask A by words, repaint as B, ask a classifier what it sees.", "editing")
    parser.add_argument("--limit", type=int, default=GENERATED, help=f"generated pictures (default: {GENERATED})")
    parser.add_argument("--scenes", type=int, default=SCENES, help=f"test scenes, 0 for none (default: {SCENES})")
    return commands.run(parser.parse_args(argv), _measure, _words)


def _measure(args, progress: Progress) -> dict[str, object]:
    from ldznet_ext.eval import commands, tools

    judge = commands.judge(args)
    backbone, mark = tools.open_backbone(args.model, args.device)
    head = tools.shipped_head(backbone.family)
    folder = args.out / tools.digest(f"{mark} {tools.file_mark(head)} {judge.mark}")
    settings = {"find": tools.find_with(backbone, head), "repaint": tools.repaint_with(backbone), "progress": progress}
    count = commands.at_least_one(args.limit, "pictures") or GENERATED
    cases = generated_cases(tools.paint_with(backbone), count, folder / "pictures")
    answer = {"generated": judge_editing(cases, judge, folder=folder, **settings)}
    if args.scenes > 0:
        answer["scenes"] = judge_editing(scene_cases(args.scenes), judge, folder=folder, **settings)
    draw_rows(args.out / "edits.png", cases, folder)
    write_json(args.out / "editing.json", {"model": mark, **answer})
    return answer


def _words(answer: Mapping[str, object]) -> str:
    lines = []
    for source, part in answer.items():
        for kind, found in part["masks"].items():
            low, high = found["interval"]
            lines.append(
                f"{source}, {kind}: {found['right']:.1%} of {found['n']} right ({low:.1%} to {high:.1%}), "
                f"found {found['found']:.1%}, new seen {found['sees_new']:.1%}, untouched outside {found['untouched']}"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
