"""`docs/results.md` and its plots, from `results.json` alone: redrawing them needs no network, no art and no GPU."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from ldznet_ext.errors import DataError
from ldznet_ext.eval import plots
from ldznet_ext.eval.pages_model import editing_lines, model_lines
from ldznet_ext.eval.pages_untrained import draw_untrained, untrained_lines
from ldznet_ext.eval.parts import EDITS, SHEET
from ldznet_ext.eval.plan import FLOORS, NETWORKS, SHIPPED
from ldznet_ext.eval.untrained import UNTRAINED_GRID

PAGE = "results.md"
NUMBERS = "results.json"
PLOTS = "results"  # folder beside the page

PAPER = {
    "test": "PhraseCut, mIoU / IoU_FG / AP: RGBNet 46.7 / 56.2 / 77.2, ZNet 51.3 / 59.0 / 78.7, "
    "LD-ZNet 52.7 / 60.0 / 78.9",
    "styles": "AI-generated pictures, mIoU / AP: RGBNet 63.4 / 84.1, ZNet 68.4 / 85.0, LD-ZNet 74.1 / 89.6",
    "referring": "RefCOCO, RefCOCO+, G-Ref IoU of LD-ZNet: 41.0, 42.5, 47.8",
}
"""What the paper reports, in per cent, on its own data: compare the order of the networks, not the numbers."""

_COLUMNS = {
    "miou": "mIoU", "interval": "95 % interval", "iou_fg": "IoU_FG", "ap": "AP", "ap_pixel": "AP pixel",
    "boundary_iou": "boundary IoU", "auroc": "AUROC",
}  # fmt: skip
_GOALS = (
    ("shipped", "objects", "miou", 0.80, "mIoU, objects, test scenes"),
    ("shipped_emojione", "objects", "miou", 0.65, "mIoU, objects, emojione"),
    ("shipped", "objects", "boundary_iou", 0.70, "boundary IoU, objects, test scenes"),
    ("shipped", "stuff", "miou", 0.90, "mIoU, stuff, test scenes"),
)
_FALSE_FOUND = 0.05

Results = Mapping[str, object]


def render(out: Path) -> Path:
    """Read `results.json` in `out` and write the page and its plots there; returns the page's path."""
    source = out / NUMBERS
    try:
        results = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(f"{source} is not there or not JSON; run `ldznet report` first.") from None
    draw(results, out / PLOTS)
    page = out / PAGE
    drawn = {name for name in ("grid.png", SHEET, EDITS, UNTRAINED_GRID) if (out / PLOTS / name).is_file()}
    page.write_text("\n".join(lines(results, drawn=drawn)) + "\n", encoding="utf-8")
    return page


def draw(results: Results, folder: Path) -> None:
    """The plots."""
    sweeps = {name: sweep for name, sweep in results["sweeps"].items() if not name.startswith("shipped")}
    methods = [*NETWORKS.values(), *FLOORS]
    rows = [_rows(sweep, _headline(sweep)) for sweep in sweeps.values()]
    series = {name: [_bar(table.get(name)) for table in rows] for name in methods}
    plots.bars(folder / "miou.png", [_short(name) for name in sweeps], series, "mIoU (95 % interval)")
    table = {name: row for name, row in _rows(sweeps.get("test", {}), "names").items() if "pr" in row}
    curves = {name: (row["pr"]["recall"], row["pr"]["precision"], row["ap_pixel"]) for name, row in table.items()}
    plots.precision_recall(folder / "precision_recall.png", curves)
    means = {name: row["miou_curve"] for name, row in table.items()}
    plots.miou_by_threshold(folder / "thresholds.png", results["thresholds"], means)
    draw_untrained(results, folder)


def _bar(row: Mapping[str, object] | None) -> plots.Interval | None:
    return (row["miou"], *row["interval"]) if row and "interval" in row else None


def lines(results: Results, *, drawn: Collection[str]) -> Iterator[str]:
    """The page, line by line; `drawn` are the pictures that are there."""
    yield from _head(results)
    sweeps = results["sweeps"]
    yield from _claims(sweeps)
    yield from (f"![mIoU of every network on every set]({PLOTS}/miou.png)", "")
    yield from _table("Table 1: test scenes", sweeps.get("test"), "names", PAPER["test"])
    yield from (f"![Precision over recall]({PLOTS}/precision_recall.png)", "")
    yield from (f"![mIoU over the threshold]({PLOTS}/thresholds.png)", "")
    yield from _table("Table 2a: styles only the diffusion model knows", sweeps.get("styles"), "names", PAPER["styles"])
    yield from _table("Table 2b: a style neither knows (emojione)", sweeps.get("emojione"), "names")
    yield from _table("Table 2c: photographs", sweeps.get("photo"), "names")
    yield from _table("Table 3: referring phrases", sweeps.get("test"), "referring", PAPER["referring"])
    yield from _fusion(sweeps)
    yield from _table("Held-out objects", sweeps.get("held_out"), "objects")
    yield from _table("Pictures redrawn by img2img", sweeps.get("img2img"), "names")
    yield from _seconds(sweeps.get("test"))
    yield from _shipped(sweeps)
    yield from untrained_lines(results, PLOTS, grid=UNTRAINED_GRID in drawn)
    own = results.get("model", {})
    yield from model_lines(own, PLOTS, sheet=SHEET in drawn)
    yield from editing_lines(own, PLOTS, sheet=EDITS in drawn)
    if "grid.png" in drawn:
        yield from ("## Eight phrases", "", f"![Picture, truth, RGBNet, ZNet, LD-ZNet]({PLOTS}/grid.png)", "")
        yield "Picked by LD-ZNet's rank alone: six phrases from its upper half, the last two from its worst twentieth."


def _head(results: Results) -> Iterator[str]:
    plan = results["plan"]
    seeds = ", ".join(map(str, plan["seeds"]))
    limit = f"the first {plan['limit']} lines" if plan["limit"] else "all lines"
    yield from ("# Results", "", "Written by `ldznet report` from `results.json`; do not edit.", "")
    yield (
        f"RGBNet, ZNet, LD-ZNet and concatenation start from Sticker-SD's UNet and train alike: "
        f"{plan['budget']} each, on the `fluent` style, seed {seeds}."
        if _compared(results)
        else "The comparison of RGBNet, ZNet, LD-ZNet and concatenation was not run."
    )
    which = f"{limit[0].upper()}{limit[1:]} of each set are scored"
    yield f"{which}, at the picture's own size, the compared networks without edge refinement."
    if _compared(results) and len(plan["seeds"]) < 3:
        run = len(plan["seeds"])
        yield f"Of three seeds {run} ran, the others were not run: how much training itself scatters is not known."
    yield ""
    yield (
        "mIoU, IoU_FG and AP follow CLIPSeg (best of 49 thresholds). AP integrates only the recall those thresholds "
        "reach and mostly measures calibration; *AP pixel* is full average precision over pixels. "
        "Boundary IoU: a band of 2 % of the diagonal, at threshold 0.5. AUROC: scores of present and absent phrases. "
        "Intervals resample pictures, not trainings."
    )
    yield ""


def _compared(results: Results) -> bool:
    """Whether a network of the comparison was run over anything."""
    rows = (view["rows"] for sweep in results["sweeps"].values() for view in sweep["views"].values())
    return any(name in row for row in rows for name in NETWORKS.values())


def _claims(sweeps: Results) -> Iterator[str]:
    yield from ("## RGBNet < ZNet < LD-ZNet?", "")
    yield from ("The difference in mIoU on the same phrases, with its paired 95 % interval.", "")
    yield from ("| set | difference | mIoU | 95 % interval | |", "|---|---|---|---|---|")
    for name, sweep in sweeps.items():
        for pair, (mean, low, high) in _differences(sweep).items():
            verdict = "holds" if low > 0 else "reversed" if high < 0 else "not told apart"
            yield f"| {_short(name)} | {pair} | {mean:+.3f} | {low:+.3f} … {high:+.3f} | {verdict} |"
    yield ""
    steps = [_differences(sweeps.get("test")).get(pair) for pair in ("ZNet - RGBNet", "LD-ZNet - ZNet")]
    if all(steps):
        held = "holds" if all(low > 0 for _, low, _ in steps) else "is not shown"
        yield from (f"On test scenes the paper's order {held} at this budget.", "")


def _table(title: str, sweep: Results | None, view: str, paper: str = "") -> Iterator[str]:
    yield from (f"## {title}", "")
    rows = _rows(sweep, view)
    if not rows:
        yield from (f"Not run{_reason(sweep)}.", "")
        return
    first = next(iter(rows.values()))
    there, gone = first["present"], first["absent"]
    yield from (f"`{sweep['data']}`: {sweep['pictures']} pictures, {there} phrases, {gone} absent ones.", "")
    yield "| | " + " | ".join(_COLUMNS.values()) + " |"
    yield "|---|" + "---|" * len(_COLUMNS)
    for name, row in rows.items():
        yield f"| {name} | " + " | ".join(_number(row.get(column)) for column in _COLUMNS) + " |"
    missing = [name for name in NETWORKS.values() if name not in rows]
    if missing:
        yield from ("", f"Not run: {', '.join(missing)}.")
    if paper:
        yield from ("", f"The paper (its data, per cent): {paper}.")
    yield ""


def _fusion(sweeps: Results) -> Iterator[str]:
    yield from ("## Table 4: how the features come in", "")
    yield from ("| mIoU | none (ZNet) | concatenation | cross-attention (LD-ZNet) |", "|---|---|---|---|")
    for name, sweep in sweeps.items():
        rows = _rows(sweep, _headline(sweep))
        if not name.startswith("shipped"):
            wanted = [_number(rows.get(method, {}).get("miou")) for method in ("ZNet", "concatenation", "LD-ZNet")]
            yield f"| {_short(name)} | " + " | ".join(wanted) + " |"
    yield ""


def _seconds(sweep: Results | None) -> Iterator[str]:
    yield from ("## Seconds", "", "Median, warm, on the machine of this report.", "")
    yield from ("| | one phrase on a new picture | all phrases of a picture |", "|---|---|---|")
    for name, seconds in (sweep or {}).get("seconds", {}).items():
        yield f"| {name} | {_number(sweep['seconds_one'].get(name))} | {_number(seconds)} |"
    yield ""


def _shipped(sweeps: Results) -> Iterator[str]:
    yield from ("## The shipped head", "", "All training styles, with edge refinement.", "")
    yield from ("| | to reach | measured | |", "|---|---|---|---|")
    for sweep, view, score, goal, words in _GOALS:
        value = _rows(sweeps.get(sweep), view).get(SHIPPED, {}).get(score)
        verdict = "not run" if value is None else "reached" if value >= goal else "not reached"
        yield f"| {words} | {goal:.2f} | {_number(value)} | {verdict} |"
    row = _rows(sweeps.get("shipped"), "names").get(SHIPPED, {})
    for kind, value in (row.get("false_found_at_95_by_kind") or {"absent": None}).items():
        verdict = "not run" if value is None else "reached" if value <= _FALSE_FOUND else "not reached"
        yield f"| false_found at 95 % recall, {kind} | at most {_FALSE_FOUND:.2f} | {_number(value)} | {verdict} |"
    there, gone = _number(row.get("recall_found")), _number(row.get("false_found"))
    yield from (
        "",
        f"At the head's own threshold: recall_found {there}, false_found {gone} over all absent phrases.",
        "",
    )


def _rows(sweep: Results | None, view: str) -> dict[str, dict]:
    return (sweep or {}).get("views", {}).get(view, {}).get("rows", {})


def _headline(sweep: Results | None) -> str:
    return next(iter((sweep or {}).get("views", {})), "names")


def _differences(sweep: Results | None) -> dict[str, list[float]]:
    return (sweep or {}).get("views", {}).get(_headline(sweep), {}).get("differences", {})


def _reason(sweep: Results | None) -> str:
    reason = (sweep or {}).get("not_run")
    return f": {reason.rstrip('.')}" if reason else ""


def _number(value: float | Sequence[float] | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, (int, float)) else " … ".join(f"{end:.3f}" for end in value)


def _short(name: str) -> str:
    return {"test": "test", "styles": "known styles", "held_out": "held-out", "shipped": "shipped"}.get(name, name)
