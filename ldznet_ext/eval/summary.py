"""From cells to tables: means over seeds, intervals over pictures, paired differences between networks.

An interval is a 95 % bootstrap over pictures, of the mean over seeds, each map cut at its set's best threshold.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ldznet_ext.eval.cells import Cell, thresholds
from ldznet_ext.eval.metrics import bootstrap
from ldznet_ext.eval.plan import FLOORS, NETWORKS, SHIPPED, TEXT_METHODS, Plan, Sweep

SCORES = (
    "miou", "miou_threshold", "iou_fg", "iou_fg_threshold", "ap", "ap_pixel", "boundary_iou", "auroc", "false_found",
    "recall_found", "false_found_at_95",
)  # fmt: skip
PAIRS = (("ZNet", "RGBNet"), ("LD-ZNet", "ZNet"), ("LD-ZNet", "concatenation"))
"""Differences the paper makes claims about: minuend, subtrahend."""

Cells = Mapping[tuple[str, str], Sequence[Cell]]
"""(sweep, method) -> a cell a seed."""


def summarise(plan: Plan, cells: Cells, not_run: Mapping[str, str]) -> dict[str, object]:
    """Everything `results.md` says, as one JSON object; `not_run` gives the reason a sweep has no numbers."""
    return {
        "plan": {
            "budget": str(plan.budget),
            "seeds": list(plan.seeds),
            "limit": plan.limit,
            "strengths": list(plan.strengths),
        },
        "thresholds": thresholds(),
        "sweeps": {sweep.name: _sweep(sweep, cells, not_run) for sweep in (*plan.sweeps, *plan.goals)},
    }


def _sweep(sweep: Sweep, cells: Cells, not_run: Mapping[str, str]) -> dict[str, object]:
    order = (*NETWORKS.values(), *FLOORS, *TEXT_METHODS.values(), SHIPPED)
    methods = [name for name in order if cells.get((sweep.name, name))]
    views: dict[str, object] = {}
    for view in sweep.views:
        parts = {name: [one["views"][view.name] for one in cells[sweep.name, name]] for name in methods}
        views[view.name] = {
            "rows": {name: _row(seeds) for name, seeds in parts.items()},
            "differences": _differences(parts),
        }
    return {
        "title": sweep.title,
        "data": sweep.data,
        "redrawn": sweep.redrawn,
        "not_run": not_run.get(sweep.name),
        "pictures": next((cells[sweep.name, name][0]["pictures"] for name in methods), 0),
        "seconds": {name: _mean([one["seconds"] for one in cells[sweep.name, name]]) for name in methods},
        "seconds_one": {name: _mean([one.get("seconds_one") for one in cells[sweep.name, name]]) for name in methods},
        "views": views,
    }


def _row(seeds: Sequence[Cell]) -> dict[str, object]:
    row: dict[str, object] = {name: _mean([one[name] for one in seeds]) for name in SCORES}
    row |= {"present": seeds[0]["present"], "absent": seeds[0]["absent"], "seeds": len(seeds)}
    row["miou_by_seed"] = [one["miou"] for one in seeds]
    kinds = seeds[0]["false_found_at_95_by_kind"]
    row["false_found_at_95_by_kind"] = {
        kind: _mean([one["false_found_at_95_by_kind"].get(kind) for one in seeds]) for kind in kinds
    }
    if seeds[0]["present"]:
        row["interval"] = _interval(_lines(seeds), seeds[0]["line_picture"])
        row["miou_curve"] = _average([one["miou_curve"] for one in seeds])
        recall = seeds[0]["pr"]["recall"]
        row["pr"] = {"recall": recall, "precision": _average([one["pr"]["precision"] for one in seeds])}
    return row


def _differences(parts: Mapping[str, Sequence[Cell]]) -> dict[str, list[float]]:
    """Mean IoU a line, one network minus another, with the ends of the paired interval."""
    found: dict[str, list[float]] = {}
    for more, less in PAIRS:
        both = [parts.get(name) for name in (more, less)]
        if all(seeds and seeds[0]["present"] for seeds in both):
            change = _lines(both[0]) - _lines(both[1])
            found[f"{more} - {less}"] = [round(float(change.mean()), 4), *_interval(change, both[0][0]["line_picture"])]
    return found


def _lines(seeds: Sequence[Cell]) -> np.ndarray:
    return np.mean([one["line_iou"] for one in seeds], axis=0)


def _interval(values: np.ndarray, pictures: Sequence[int]) -> list[float]:
    return [round(end, 4) for end in bootstrap(values, pictures)]


def _average(curves: Sequence[Sequence[float]]) -> list[float]:
    return [round(float(value), 4) for value in np.mean(curves, axis=0)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 4) if known else None
