"""The grid of eight phrases: picked by rank, so that nobody's taste decides which masks are shown."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ldznet_ext.eval.example import Example
from ldznet_ext.eval.plan import NAMES, View
from ldznet_ext.eval.plots import GridRow, grid
from ldznet_ext.eval.run import Segment

RANKS = (0.98, 0.9, 0.8, 0.7, 0.6, 0.5, 0.05, 0.01)
"""Quantiles of IoU that are shown, of the network that is ranked by: six of its upper half and two failures."""

_RANKED_BY = "LD-ZNet"


def pick(ious: Sequence[float], pictures: Sequence[object], ranks: Sequence[float] = RANKS) -> list[int]:
    """Line numbers nearest to the wanted quantiles, each from a picture of its own while there are enough."""
    order = np.argsort(np.asarray(ious), kind="stable")
    chosen: list[int] = []
    for rank in ranks:
        wanted = rank * (len(order) - 1)
        near = sorted(range(len(order)), key=lambda place: abs(place - wanted))
        fresh = [int(order[place]) for place in near if int(order[place]) not in chosen]
        taken = {pictures[number] for number in chosen}
        chosen += [next((number for number in fresh if pictures[number] not in taken), fresh[0])] if fresh else []
    return chosen


def draw(
    path: Path,
    examples: Sequence[Example],
    cells: Mapping[str, Mapping[str, object]],
    openers: Mapping[str, Callable[[], Segment]],
    *,
    ranked_by: str = _RANKED_BY,
    view: View = NAMES,
) -> None:
    """Draw the grid of each network in `cells` (the scores of a view), every mask cut at its network's best threshold."""
    present = [one for one in examples if view.holds(one.kind, True) and one.mask is not None]
    if not present:
        return
    ranked = cells[ranked_by]["line_iou"]
    chosen = [present[number] for number in pick(ranked, [one.source for one in present])]
    masks: dict[str, list[np.ndarray]] = {}
    for name, start in openers.items():
        segment, threshold = start(), cells[name]["miou_threshold"]
        masks[name] = [segment(one.picture, [one.phrase]).phrases[0].prob > threshold for one in chosen]
    rows = []
    for place, one in enumerate(chosen):
        truth = one.mask
        own = {name: found[place] for name, found in masks.items()}
        ious = {name: _iou(mask, truth) for name, mask in own.items()}
        rows.append(GridRow(picture=one.picture, phrase=one.phrase, truth=truth, masks=own, ious=ious))
    grid(path, rows)


def _iou(mask: np.ndarray, truth: np.ndarray) -> float:
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 0.0
