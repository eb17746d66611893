"""The page's section about methods without a head, from its numbers alone: words, names, examples, ablations, costs."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ldznet_ext.eval import plots
from ldznet_ext.eval.classes import ABSENT
from ldznet_ext.eval.like import ACROSS, TWINS
from ldznet_ext.eval.plan import AS_SET, FLOORS, LABELLERS, SHIPPED, TEXT_METHODS, UNTRAINED
from ldznet_ext.eval.untrained import EXAMPLES

WORDS, GIVEN, MIXED, EXAMPLE = 0.60, 0.70, 0.60, 0.70
"""To reach, mIoU: best method by words on objects, names given, absent names mixed in, other instances by example."""

SWEEPS = {"shipped": "test scenes", "shipped_emojione": "emojione"}
NAMED = (*TEXT_METHODS.values(), SHIPPED, *FLOORS)
VIEWS = ("objects", "stuff", "names")
BARS, LABELS, TRIALS = "untrained_words.png", "untrained_classes.png", "untrained_ablations.png"

PAPER = (
    "The paper (arXiv 2403.11194), mIoU on Cityscapes: t = 1 17.1, 10 5.5, 100 2.4, 500 0.9; maps of 8x8 and 16x16 cells 17.1, "
    "with 32x32 14.5; prototypes from the true masks 35.0."
)
_COLUMNS = {
    "miou": "mIoU", "interval": "95 % interval", "boundary_iou": "boundary IoU", "auroc": "AUROC",
    "recall_found": "recall_found", "false_found": "false_found",
}  # fmt: skip

Results = Mapping[str, object]
Parts = Mapping[str, Mapping]


def untrained_lines(results: Results, folder: str, *, grid: bool) -> Iterator[str]:
    """The section; `grid`: whether the picture of masks is there."""
    sweeps, parts = results["sweeps"], results.get(UNTRAINED, {})
    yield from ("## Without training", "")
    yield (
        "Methods that need a diffusion model and no head, everything at its default, with edge refinement; beside them the "
        "shipped head, likewise, and the floors, learnt from all training styles."
    )
    yield from ("", *_goals(sweeps, parts))
    yield from _words(sweeps, parts, folder)
    if grid:
        yield from (
            "Objects picked by the rank of the best of the three alone: its upper half, then its worst twentieth.",
            "",
        )
        yield from (f"![Picture, truth and masks without training]({folder}/untrained.png)", "")
    yield from _labels(parts, folder)
    yield from _examples(parts)
    yield from _ablations(parts, folder)
    yield from _costs(parts)


def draw_untrained(results: Results, folder: Path) -> None:
    """The plots of what there are numbers for."""
    sweeps, parts = results["sweeps"], results.get(UNTRAINED, {})
    rows = [_rows(sweeps.get(sweep), "objects") for sweep in SWEEPS]
    if any(name in table for table in rows for name in TEXT_METHODS.values()):
        series = {name: [_bar(table.get(name)) for table in rows] for name in NAMED}
        plots.bars(folder / BARS, list(SWEEPS.values()), series, "mIoU of objects (95 % interval)")
    series = {
        name: [_bar(parts.get(f"classes.{kind}.{absent}")) for absent in (0, ABSENT)]
        for kind, name in LABELLERS.items()
    }
    if any(value for values in series.values() for value in values):
        groups = ["names given", f"with {ABSENT} absent names"]
        plots.bars(folder / LABELS, groups, series, "mIoU a picture (95 % interval)")
    tried = {name: bar for name, part in _trials(parts).items() if (bar := _bar(part)) is not None}
    if tried:
        plots.ranking(folder / TRIALS, tried, "mIoU a picture (95 % interval)", AS_SET)


def _goals(sweeps: Results, parts: Parts) -> Iterator[str]:
    rows = _rows(sweeps.get("shipped"), "objects")
    by_words = {name: rows[name]["miou"] for name in TEXT_METHODS.values() if name in rows}
    yield from ("| | to reach | measured | by | |", "|---|---|---|---|---|")
    yield _goal("mIoU, objects, test scenes, best of the methods by words", WORDS, by_words)
    for absent, goal, words in ((0, GIVEN, "names given"), (ABSENT, MIXED, f"{ABSENT} absent names mixed in")):
        found = {name: parts.get(f"classes.{kind}.{absent}", {}).get("miou") for kind, name in LABELLERS.items()}
        found.pop(SHIPPED)
        yield _goal(f"every pixel by name, {words}", goal, found)
    part = parts.get("example.mask", {})
    for kind, words in ((TWINS, "the other in the same picture"), (ACROSS, "the same object in another picture")):
        yield _goal(f"example by its mask, {words}", EXAMPLE, {"example": part.get(kind, {}).get("iou")})
    yield ""


def _goal(words: str, goal: float, found: Mapping[str, float | None]) -> str:
    known = {name: value for name, value in found.items() if value is not None}
    if not known:
        return f"| {words} | {goal:.2f} | - | - | not run |"
    best = max(known, key=lambda name: known[name])
    verdict = "reached" if known[best] >= goal else "not reached"
    return f"| {words} | {goal:.2f} | {known[best]:.3f} | {best} | {verdict} |"


def _words(sweeps: Results, parts: Parts, folder: str) -> Iterator[str]:
    yield from ("### Masks by words", "")
    tables = {title: list(_table(sweeps.get(name) or {})) for name, title in SWEEPS.items()}
    for (title, table), name in zip(tables.items(), SWEEPS, strict=True):
        reason = (sweeps.get(name) or {}).get("not_run") or _reason(parts)
        yield from (*_not_run({} if table else {title: {"not_run": reason}}), *table)
    if any(tables.values()):
        yield from (f"![mIoU of objects by words]({folder}/{BARS})", "", _calibrated(parts), "")


def _table(sweep: Results) -> Iterator[str]:
    """Every view of a set, the floors last; nothing where no method without a head was run."""
    rows = {view: _rows(sweep, view) for view in VIEWS}
    if not rows["objects"].keys() & set(TEXT_METHODS.values()):
        return
    yield from (f"`{sweep['data']}`, {sweep['pictures']} pictures:", "")
    yield "| | | " + " | ".join(_COLUMNS.values()) + " |"
    yield "|---|---|" + "---|" * len(_COLUMNS)
    for view, table in rows.items():
        for name in (name for name in NAMED if name in table):
            yield f"| {view} | {name} | " + " | ".join(_number(table[name].get(key)) for key in _COLUMNS) + " |"
    yield ""


def _calibrated(parts: Parts) -> str:
    known = parts.get("calibrated", {})
    yes = [name for kind, name in TEXT_METHODS.items() if known.get(kind)]
    no = [name for kind, name in TEXT_METHODS.items() if not known.get(kind)]
    said = [f"calibrated for {', '.join(yes)}"] if yes else []
    said += [f"not calibrated, and cut at 0.5, for {', '.join(no)}"] if no else []
    return (
        f"Scores are {'; '.join(said)}. AUROC and false_found are over phrases that are there and phrases that are not."
    )


def _labels(parts: Parts, folder: str) -> Iterator[str]:
    yield from ("### Every pixel by name", "")
    yield (
        "mIoU of each picture over the names that are in it, ground and sky counted, then the mean over pictures. Names "
        "that the method's own score calls absent are dropped; *kept* are the parts of the present and absent ones that stay."
    )
    yield from ("", "| names | | n | mIoU | 95 % interval | accuracy of pixels | present kept | absent kept |")
    yield "|---|---|---|---|---|---|---|---|"
    reasons = {}
    for absent, words in ((0, "given"), (ABSENT, f"{ABSENT} absent mixed in")):
        for kind, name in LABELLERS.items():
            part = parts.get(f"classes.{kind}.{absent}", {})
            if "n" in part:
                keys = ("miou", "interval", "accuracy", "kept_present", "kept_absent")
                yield f"| {words} | {name} | {part['n']} | " + " | ".join(_number(part.get(key)) for key in keys) + " |"
            else:
                reasons[f"{name}, {words}"] = part
    yield from ("", *_not_run(reasons))
    if len(reasons) < 2 * len(LABELLERS):
        yield from (f"![mIoU of labels]({folder}/{LABELS})", "")


def _examples(parts: Parts) -> Iterator[str]:
    yield from ("### Mask by example", "")
    yield (
        "One of two alike objects is marked and the other is to be found; or an object is marked and it is to be found in "
        "another picture. The example itself does not count. *False found*: pictures without such an object where one is found."
    )
    yield from ("", "| example | to be found | n | mean IoU | 95 % interval | median |", "|---|---|---|---|---|---|")
    reasons, scores = {}, []
    for kind, words in EXAMPLES.items():
        part = parts.get(f"example.{kind}", {})
        if TWINS not in part:
            reasons[f"example {words}"] = part
            continue
        for case, title in ((TWINS, "the other, same picture"), (ACROSS, "same object, another picture")):
            row = part[case]
            numbers = " | ".join(_number(row.get(key)) for key in ("iou", "interval", "median"))
            yield f"| {words} | {title} | {row['n']} | {numbers} |"
        told = ", ".join(f"{key} {_number(part[key])}" for key in ("auroc", "recall_found", "false_found"))
        scores.append(f"In another picture, {words}: {told} ({part['absent']} pictures without).")
    yield from ("", *_not_run(reasons), *scores, "")


def _ablations(parts: Parts, folder: str) -> Iterator[str]:
    yield from ("### The paper's ablations in small", "")
    found = _trials(parts)
    done = {name: part for name, part in found.items() if "n" in part}
    if not done:
        reason = next((part for part in found.values()), {"not_run": _reason(parts)})
        yield from (*_not_run({"ablations": reason}),)
        return
    yield (
        f"MaskDiffusion on {parts.get('tried')} validation scenes, names given, one thing changed at a time. As set: "
        f"{parts.get('settings')}. Levels are named by their stride on the latent."
    )
    yield from ("", f"| | mIoU | 95 % interval | against “{AS_SET}” |", "|---|---|---|---|")
    base = done.get(AS_SET, {}).get("miou")
    for name, part in done.items():
        change = "-" if base is None or part["miou"] is None else f"{part['miou'] - base:+.3f}"
        yield f"| {name} | {_number(part['miou'])} | {_number(part['interval'])} | {change} |"
    yield from ("", f"![mIoU of every variant]({folder}/{TRIALS})", "", PAPER, "")
    yield from _not_run({name: part for name, part in found.items() if "n" not in part})


def _costs(parts: Parts) -> Iterator[str]:
    yield from ("### Costs", "")
    costs, timed = parts.get("costs", {}), parts.get("seconds", {})
    if "rows" not in costs:
        yield from _not_run({"costs": costs, "seconds": timed})
        return
    yield (
        "One phrase, or one example, on a picture never seen before. GFLOP at SD 1.5's 512x512, early exits counted (a product "
        "and a sum are two); seconds on the loaded model at its own size, median, warm, on the machine of this report."
    )
    yield from (
        "",
        "| | UNet calls | rows | encode | text | UNet | head | GFLOP in all | seconds |",
        "|---|" + "---|" * 8,
    )
    for row in costs["rows"]:
        work = " | ".join(f"{row['gflop'][part]:.0f}" for part in ("encode", "text", "unet", "head", "total"))
        seconds = _number(timed.get("seconds", {}).get(row["method"]))
        yield f"| {row['method']} | {row['unet_calls']} | {row['unet_rows']} | {work} | {seconds} |"
    yield ""
    yield from _not_run({"seconds": timed} if "seconds" not in timed else {})


def _trials(parts: Parts) -> dict[str, Mapping]:
    """Variants by their names."""
    start = "ablation."
    return {name.removeprefix(start): part for name, part in parts.items() if name.startswith(start)}


def _not_run(parts: Parts) -> Iterator[str]:
    """A sentence a reason."""
    reasons: dict[str, list[str]] = {}
    for name, part in parts.items():
        reasons.setdefault(str(part.get("not_run") or "not measured").rstrip("."), []).append(name)
    for reason, names in reasons.items():
        yield from (f"Not run ({'; '.join(names)}): {reason}.", "")


def _reason(parts: Parts) -> str:
    """Why what needs no part of its own was not measured: for the reason of the clock, which needs the same."""
    return str(parts.get("seconds", {}).get("not_run") or "not measured")


def _rows(sweep: Results | None, view: str) -> dict[str, dict]:
    return (sweep or {}).get("views", {}).get(view, {}).get("rows", {})


def _bar(part: Mapping | None) -> plots.Interval | None:
    known = part and part.get("miou") is not None and part.get("interval")
    return (part["miou"], *part["interval"]) if part and known else None


def _number(value: float | Sequence[float] | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, (int, float)) else " … ".join(f"{end:.3f}" for end in value)
