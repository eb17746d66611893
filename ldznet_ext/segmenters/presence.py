"""How likely a phrase is there at all: a logistic regression on a few robust numbers of its map of logits.

Fitted on validation scenes, present and absent phrases counting half each; numpy only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

STATISTICS = ("high", "top", "inside", "area")
RIDGE = 1e-2
"""Keeps the weights finite when the statistics separate the phrases perfectly."""


@dataclass(frozen=True)
class Calibration:
    """score = sigmoid(bias + weights . (statistics - mean) / scale)."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def score(self, statistics: np.ndarray) -> np.ndarray:
        """Probability of presence (p,) from the statistics (p, 4)."""
        standard = (np.asarray(statistics, np.float64) - self.mean) / self.scale
        return sigmoid(standard @ np.asarray(self.weights) + self.bias).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it, with the names of the statistics."""
        return {
            "statistics": list(STATISTICS),
            "mean": list(self.mean),
            "scale": list(self.scale),
            "weights": list(self.weights),
            "bias": self.bias,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Calibration":
        """Read what `to_dict` gave; ValueError for other statistics than ours and for numbers that are none."""
        if tuple(data["statistics"]) != STATISTICS:
            raise ValueError(f"the calibration is over {data['statistics']}, expected {list(STATISTICS)}")
        vectors = [tuple(float(x) for x in data[name]) for name in ("mean", "scale", "weights")]
        numbers = [*(x for vector in vectors for x in vector), float(data["bias"])]
        if (
            any(len(vector) != len(STATISTICS) for vector in vectors)
            or not np.isfinite(numbers).all()
            or not all(vectors[1])
        ):
            raise ValueError(f"the calibration is {numbers}, expected {len(STATISTICS)} finite numbers of each kind")
        return cls(*vectors, bias=numbers[-1])


def presence_stats(logits: np.ndarray) -> np.ndarray:
    """Four numbers a map: (p h w) logits at the network's size to (p, 4) float32.

    The logit at the 99.5th percentile; the mean of the top 1 %; the mean probability where it exceeds one half (one half where
    it never does); the logarithm of the part of the map above one half.
    """
    flat = np.asarray(logits, np.float32).reshape(len(logits), -1)
    count = flat.shape[1]
    top = max(1, count // 100)
    rank = min(count - 1, int(count * 0.995))
    ordered = np.partition(flat, sorted({count - top, rank}), axis=1)
    probs = sigmoid(flat)
    inside = probs > 0.5
    area = inside.sum(axis=1)
    mean_inside = np.where(area > 0, (probs * inside).sum(axis=1) / np.maximum(area, 1), 0.5)
    columns = (ordered[:, rank], ordered[:, count - top :].mean(axis=1), mean_inside, np.log((area + 1) / count))
    return np.stack(columns, axis=1).astype(np.float32)


def raw_score(logits: np.ndarray) -> np.ndarray:
    """The score of a head without calibration: the mean probability of the map's top 1 %."""
    return sigmoid(presence_stats(logits)[:, 1])


def fit_presence(stats: np.ndarray, present: np.ndarray) -> Calibration:
    """Fit by Newton's method: `stats` (n, 4) of maps, `present` (n,) whether the phrase was there.

    Both answers weigh the same however often they occur: a score of one half is where nothing is known.
    """
    stats, present = np.asarray(stats, np.float64), np.asarray(present, np.float64)
    if len(stats) != len(present) or present.min() == present.max():
        raise ValueError("expected as many statistics as answers, and both present and absent phrases")
    mean, scale = stats.mean(axis=0), stats.std(axis=0) + 1e-6
    rows = np.concatenate([(stats - mean) / scale, np.ones((len(stats), 1))], axis=1)
    counts = np.where(present > 0.5, 0.5 / present.mean(), 0.5 / (1 - present).mean())
    weights = np.zeros(rows.shape[1])
    ridge = np.diag([RIDGE * len(rows)] * (rows.shape[1] - 1) + [1e-9])
    for _ in range(100):
        probs = sigmoid(rows @ weights)
        gradient = rows.T @ (counts * (probs - present)) + ridge @ weights
        hessian = (rows * (counts * probs * (1 - probs))[:, None]).T @ rows + ridge
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(tuple(mean.tolist()), tuple(scale.tolist()), tuple(weights[:-1].tolist()), float(weights[-1]))


def found_threshold(scores: np.ndarray, present: np.ndarray, recall: float = 0.95) -> float:
    """The highest threshold that still finds this part of the phrases that are there (found: score >= threshold)."""
    ordered = np.sort(np.asarray(scores, np.float64)[np.asarray(present, bool)])[::-1]
    if not len(ordered):
        raise ValueError("expected scores of phrases that are present")
    needed = int(np.ceil(recall * len(ordered) - 1e-9))
    return float(ordered[max(needed, 1) - 1])


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logits to probabilities, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))
