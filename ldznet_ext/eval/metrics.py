"""Scores of a set of maps: mIoU, IoU_FG and AP as CLIPSeg defines them, and what they do not show.

mIoU, IoU_FG and AP follow CLIPSeg's FixedIntervalMetrics (the paper's "methodology of CLIPSeg"), at the picture's size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ldznet_ext.eval.counts import BINS, THRESHOLDS, Counts, boundary_iou, count
from ldznet_ext.result import FOUND

OPERATING_THRESHOLD = 0.5


def iou_fg_curve(counts: Sequence[Counts]) -> np.ndarray:
    """IoU of the pixels of all maps together at each of the 49 thresholds, +1 in the denominator."""
    return _total(counts).iou()


def miou_curve(counts: Sequence[Counts], classes: Sequence[object] | None = None) -> np.ndarray:
    """Mean over classes of the class's IoU at each threshold; without `classes` every map is its own class."""
    if classes is None:
        return np.mean([one.iou() for one in counts], axis=0)
    members: dict[object, list[Counts]] = {}
    for one, name in zip(counts, classes, strict=True):
        members.setdefault(name, []).append(one)
    return np.mean([_total(group).iou() for group in members.values()], axis=0)


def average_precision(counts: Sequence[Counts]) -> float | None:
    """CLIPSeg's AP: Simpson over the recall that the 49 thresholds cover, and no more; None when nothing was predicted.

    It mostly measures calibration (sharp, excellent maps cover a sliver of recall): read `pixel_ap` beside it.
    """
    from scipy.integrate import simpson

    total = _total(counts)
    kept = total.tp + total.fp > 0
    if not kept.any():
        return None
    precision = total.tp / (1.0 + total.tp + total.fp)
    recall = total.tp / (1.0 + total.tp + total.fn)
    # Points of equal recall keep the order a set gives them, as in the reference: it moves AP by up to 1e-5.
    points = sorted(set(zip(recall[kept].tolist(), precision[kept].tolist(), strict=True)), key=lambda point: point[0])
    return float(simpson([p for _, p in points], x=[r for r, _ in points])) if len(points) > 1 else 0.0


def precision_recall(histogram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall, by falling probability, at every bin of a (2, BINS) histogram that holds a pixel."""
    seen = histogram[:, ::-1].cumsum(axis=1)
    filled = histogram[:, ::-1].sum(axis=0) > 0
    fp, tp = seen[0][filled], seen[1][filled]
    return tp / np.maximum(tp + fp, 1), tp / max(int(histogram[1].sum()), 1)


def pixel_ap(histogram: np.ndarray) -> float | None:
    """Full average precision over pixels, sum of precision times the step in recall; None without a true pixel."""
    if not histogram[1].any():
        return None
    precision, recall = precision_recall(histogram)
    return float(np.sum(precision * np.diff(recall, prepend=0.0)))


def auroc(present: Sequence[float], absent: Sequence[float]) -> float | None:
    """Chance that a phrase that is there scores above one that is not, ties half; None when either kind is missing."""
    from scipy.stats import rankdata

    if not present or not absent:
        return None
    n, m = len(present), len(absent)
    ranks = rankdata(np.concatenate([present, absent]))
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def false_found_at(present: Sequence[float], absent: Sequence[float], recall: float = 0.95) -> float | None:
    """Share of absent phrases at or above the highest score that still lets `recall` of the present ones pass."""
    if not present or not absent:
        return None
    ordered = np.sort(np.asarray(present, float))[::-1]
    threshold = ordered[max(0, int(np.ceil(recall * len(ordered) - 1e-9)) - 1)]
    return float(np.mean(np.asarray(absent, float) >= threshold))


@dataclass(frozen=True, kw_only=True)
class Line:
    """What is kept of one phrase on one picture: a few numbers, never the map."""

    picture: str
    kind: str
    score: float | None
    found: bool
    counts: Counts | None  # None: the phrase is absent. Its histogram is summed away, see Scores.
    boundary: float | None


@dataclass
class Scores:
    """Accumulates scored maps and gives the object `ldznet evaluate --json` prints.

    Boundary IoU is of the mask `prob > threshold`, the head's operating threshold, not of the best one of 49.
    Memory grows by about a kilobyte a phrase.
    """

    threshold: float = OPERATING_THRESHOLD
    lines: list[Line] = field(default_factory=list)
    histograms: dict[str, np.ndarray] = field(default_factory=dict)  # kind -> (2, BINS)

    def add(
        self,
        prob: np.ndarray,
        truth: np.ndarray | None,
        *,
        score: float | None = None,
        status: str = FOUND,
        kind: str = "object",
        picture: str = "",
        threshold: float | None = None,
    ) -> None:
        """Take in one map `prob` (h w, 0-1) and its truth (h w, bool), None when the phrase is absent.

        `threshold` is the operating point of this map (None: that of the set). `status` never gates the map: a phrase
        that is there counts with its map although it was not found.
        A truth without a single true pixel scores 0, as in the reference.
        """
        score = None if score is None or not np.isfinite(score) else float(score)
        counts = edge = None
        if truth is not None:
            full = count(prob, truth)
            sums = self.histograms.setdefault(kind, np.zeros((2, BINS), np.int64))
            sums += full.histogram
            counts = Counts(tp=full.tp, fp=full.fp, fn=full.fn, histogram=np.zeros((2, 0), np.int64))
            cut = self.threshold if threshold is None else threshold
            edge = boundary_iou(prob > cut, truth.astype(bool, copy=False))
        found = status == FOUND
        self.lines.append(Line(picture=picture, kind=kind, score=score, found=found, counts=counts, boundary=edge))

    def as_dict(self) -> dict[str, object]:
        """All scores, fractions; None for what cannot be computed; `by_kind` holds the same a kind, in order met."""
        kinds = dict.fromkeys(line.kind for line in self.lines)
        return {**self._summary(None), "by_kind": {kind: self._summary(kind) for kind in kinds}}

    def histogram(self, kind: str | None = None) -> np.ndarray:
        """Pixels by truth and probability, (2, BINS): of one kind, or of all."""
        chosen = [sums for name, sums in self.histograms.items() if kind in (None, name)]
        return sum(chosen, np.zeros((2, BINS), np.int64))

    def present(self, kind: str | None = None) -> list[Line]:
        """The lines whose phrase is there."""
        return [line for line in self.lines if line.counts is not None and kind in (None, line.kind)]

    def absent(self, kind: str | None = None) -> list[Line]:
        """The lines whose phrase is absent."""
        return [line for line in self.lines if line.counts is None and kind in (None, line.kind)]

    def _summary(self, kind: str | None) -> dict[str, object]:
        there, gone = self.present(kind), self.absent(kind)
        return {
            "n": len(there) + len(gone),
            **_overlap([line.counts for line in there]),
            "ap_pixel": pixel_ap(self.histogram(kind)),
            "boundary_iou": _mean(line.boundary for line in there),
            "auroc": auroc(scores_of(there), scores_of(gone)),
            "false_found": _mean(line.found for line in gone),
            "recall_found": _mean(line.found for line in there),
        }


def scores_of(lines: Iterable[Line]) -> list[float]:
    """The scores of lines that have one."""
    return [line.score for line in lines if line.score is not None]


def bootstrap(
    values: Sequence[float], pictures: Sequence[object], *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean of `values`, drawing whole pictures: phrases of one picture are not independent.

    Give differences of two methods on the same lines for a paired interval. The same seed gives the same interval.
    """
    order = {name: index for index, name in enumerate(dict.fromkeys(pictures))}
    rows = np.array([order[name] for name in pictures])
    sums = np.bincount(rows, weights=np.asarray(values, float))
    sizes = np.bincount(rows)
    generator = np.random.default_rng(seed)
    means: list[float] = []
    while len(means) < draws:  # in blocks: memory stays small for sets of any size
        drawn = generator.integers(0, len(order), (min(100, draws - len(means)), len(order)))
        means += (sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)).tolist()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _overlap(counts: list[Counts]) -> dict[str, float | None]:
    if not counts:
        return dict.fromkeys(["miou", "miou_threshold", "iou_fg", "iou_fg_threshold", "ap"])
    mean, whole = miou_curve(counts), iou_fg_curve(counts)
    return {
        "miou": float(mean.max()),
        "miou_threshold": _threshold(mean),
        "iou_fg": float(whole.max()),
        "iou_fg_threshold": _threshold(whole),
        "ap": average_precision(counts),
    }


def _threshold(curve: np.ndarray) -> float:
    return round(float(THRESHOLDS[int(curve.argmax())]), 2)


def _total(counts: Sequence[Counts]) -> Counts:
    return Counts(
        tp=np.sum([one.tp for one in counts], axis=0),
        fp=np.sum([one.fp for one in counts], axis=0),
        fn=np.sum([one.fn for one in counts], axis=0),
        histogram=np.sum([one.histogram for one in counts], axis=0),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None
