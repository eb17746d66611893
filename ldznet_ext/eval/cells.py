"""One cell of the report: one method on one set, measured once and kept as a small JSON file.

A report that is killed starts again where it was: a cell with the same plan is read, not computed.
"""

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ldznet_ext.eval.counts import THRESHOLDS
from ldznet_ext.eval.example import Example
from ldznet_ext.eval.metrics import Scores, false_found_at, miou_curve, precision_recall, scores_of
from ldznet_ext.eval.plan import View
from ldznet_ext.eval.run import Progress, Segment, score
from ldznet_ext.result import Segmentation

CURVE_POINTS = 101

Cell = Mapping[str, object]


def measure(
    examples: Sequence[Example], segment: Segment, views: Sequence[View], progress: Progress | None = None
) -> dict[str, object]:
    """Run `segment` over the lines: every view's scores, curves and per-line IoU, as plain JSON types."""
    timed = Timed(segment)
    scores, _ = score(examples, segment=timed, progress=progress)
    return {
        "seconds": timed.median,
        "pictures": len({example.source for example in examples}),
        "views": {view.name: describe(seen(scores, view)) for view in views},
    }


def seen(scores: Scores, view: View) -> Scores:
    """The part of the scores a view holds."""
    lines = [line for line in scores.lines if view.holds(line.kind, line.counts is not None)]
    kinds = {line.kind for line in lines if line.counts is not None}
    histograms = {kind: sums for kind, sums in scores.histograms.items() if kind in kinds}
    return Scores(threshold=scores.threshold, lines=lines, histograms=histograms)


def describe(scores: Scores) -> dict[str, object]:
    """Scores, the share of absent phrases found at 95 % recall, curves, and IoU a line at the best threshold."""
    summary = scores.as_dict()
    del summary["by_kind"]
    there, gone = scores.present(), scores.absent()
    found: dict[str, object] = {
        **summary,
        "present": len(there),
        "absent": len(gone),
        "false_found_at_95": false_found_at(scores_of(there), scores_of(gone)),
        "false_found_at_95_by_kind": {
            kind: false_found_at(scores_of(there), scores_of(scores.absent(kind)))
            for kind in dict.fromkeys(line.kind for line in gone)
        },
    }
    if there:
        curve = miou_curve([line.counts for line in there])
        best = int(curve.argmax())
        numbers = {name: number for number, name in enumerate(dict.fromkeys(line.picture for line in there))}
        found["miou_curve"] = _rounded(curve)
        found["pr"] = _thinned(scores.histogram())
        found["line_picture"] = [numbers[line.picture] for line in there]
        found["line_iou"] = _rounded([line.counts.iou()[best] for line in there])
    return found


def cell(path: Path, plan: dict[str, object], compute: Callable[[], dict[str, object]]) -> dict[str, object]:
    """Read the cell at `path` if it was computed under the same plan, else compute it and keep it."""
    if (found := kept(path, plan)) is not None:
        return found
    fresh = {"plan": plan, **compute()}
    write_json(path, fresh)
    return fresh


def kept(path: Path, plan: dict[str, object]) -> dict[str, object] | None:
    """The cell at `path` if it was computed under the same plan."""
    found = read_json(path)
    return found if isinstance(found, dict) and found.get("plan") == plan else None


def read_json(path: Path) -> object:
    """What the file holds; None when there is none or it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, content: object) -> None:
    """Write whole or not at all, so that a kill leaves no half file to trip over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(content, allow_nan=False, separators=(",", ":")) + "\n", encoding="utf-8")
    partial.replace(path)


def kept_picture(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The picture (uint8 h w 3) kept at `path`, else a fresh one, kept there."""
    from PIL import Image

    if path.is_file():
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    picture = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    Image.fromarray(picture).save(partial, format="PNG")
    partial.replace(path)
    return picture


class Timed:
    """A segmenter that remembers how long each picture took."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.seconds: list[float] = []

    def __call__(self, picture: np.ndarray, phrases: list[str]) -> Segmentation:
        """Segment, and note the seconds."""
        started = time.perf_counter()
        result = self.segment(picture, phrases)
        self.seconds.append(time.perf_counter() - started)
        return result

    @property
    def median(self) -> float | None:
        """Median seconds a picture, the first one (warming up) left out."""
        warm = self.seconds[1:] or self.seconds
        return round(statistics.median(warm), 4) if warm else None


def one_phrase_seconds(examples: Sequence[Example], segment: Segment, pictures: int = 12) -> float | None:
    """Median seconds of one phrase on a picture not seen before, warm."""
    timed = Timed(segment)
    firsts = {example.source: example for example in examples}
    for example in list(firsts.values())[:pictures]:
        timed(example.picture, [example.phrase])
    return timed.median


def _thinned(histogram: np.ndarray) -> dict[str, list[float]]:
    """Precision at evenly spaced recalls, as the plot draws it: that where the recall is first reached."""
    precision, recall = precision_recall(histogram)
    wanted = np.linspace(0, 1, CURVE_POINTS)
    at = np.searchsorted(recall, wanted, side="left").clip(max=len(recall) - 1)
    return {"recall": _rounded(wanted), "precision": _rounded(precision[at])}


def _rounded(values: Sequence[float] | np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]


def thresholds() -> list[float]:
    """The 49 thresholds as JSON numbers."""
    return [round(float(value), 2) for value in THRESHOLDS]
