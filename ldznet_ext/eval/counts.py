"""What one scored map leaves behind: pixel counts at 49 thresholds, a fine histogram, and the boundary overlap.

Threshold semantics: CLIPSeg's FixedIntervalMetrics. Boundary IoU: Cheng et al. 2021 (arXiv:2103.16562).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ldznet_ext.errors import DataError

# 0.02 ... 0.98. float32, because the reference compares float32 probabilities with thresholds cast to float32.
THRESHOLDS = np.linspace(0, 1, 51)[1:-1].astype(np.float32)

BOUNDARY = 0.02  # of the diagonal
_PIXELS_AT_ONCE = 1 << 20  # keeps a 100-megapixel map from needing eight bytes a pixel more

_MANTISSA_BITS = 9  # 512 bins an octave: neighbouring bins differ by less than 0.2 % in odds
_FLOOR = np.float32(2.0**-25)  # below the smallest 1 - p of float32, so that p = 1 has a bin of its own
_SHIFT = 23 - _MANTISSA_BITS


def _octaves(value: np.ndarray) -> np.ndarray:
    """Bin of float32 values in [_FLOOR, 1/2] by exponent and leading mantissa bits: float bits grow with the value."""
    bits = np.maximum(value, _FLOOR).view(np.int32)
    return (bits >> _SHIFT) - (_FLOOR.view(np.int32) >> _SHIFT)


_HALF_BINS = int(_octaves(np.array([0.5], np.float32))[0]) + 1
BINS = 2 * _HALF_BINS


def bin_of(prob: np.ndarray) -> np.ndarray:
    """Histogram bin (0 ... BINS - 1) of probabilities, fine near 0 and near 1 where confident networks live."""
    prob = prob.astype(np.float32, copy=False)
    low = _octaves(np.minimum(prob, 0.5))
    high = BINS - 1 - _octaves(np.minimum(1 - prob, 0.5))
    return np.where(prob < 0.5, low, high)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Pixels of one map (or a sum of maps) against its truth; `tp`, `fp`, `fn` are int64 of shape (49,)."""

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    histogram: np.ndarray  # int64 (2, BINS): row 0 pixels outside the truth, row 1 inside

    def iou(self) -> np.ndarray:
        """Foreground IoU at each threshold, with the reference's +1 in the denominator."""
        return self.tp / (1.0 + self.tp + self.fp + self.fn)


def count(prob: np.ndarray, truth: np.ndarray) -> Counts:
    """Count the pixels of `prob` (h w, float 0-1) against `truth` (h w, bool) of the same size."""
    if prob.shape != truth.shape or prob.ndim != 2:
        raise DataError(
            f"The map is {_shape(prob)} and the true mask {_shape(truth)}; scores need both at the picture's own size."
        )
    if not np.isfinite(prob).all() or prob.min(initial=0) < 0 or prob.max(initial=0) > 1:
        raise DataError("The map holds values that are not probabilities; give numbers from 0 to 1.")
    prob, truth = prob.astype(np.float32, copy=False).ravel(), truth.astype(bool, copy=False).ravel()
    steps = np.zeros((2, len(THRESHOLDS) + 1), np.int64)
    histogram = np.zeros((2, BINS), np.int64)
    for start in range(0, prob.size, _PIXELS_AT_ONCE):
        p, inside = prob[start : start + _PIXELS_AT_ONCE], truth[start : start + _PIXELS_AT_ONCE]
        passed = np.searchsorted(THRESHOLDS, p, side="left")  # how many thresholds lie strictly below p
        fine = bin_of(p)
        for row, chosen in enumerate((~inside, inside)):
            steps[row] += np.bincount(passed[chosen], minlength=steps.shape[1])
            histogram[row] += np.bincount(fine[chosen], minlength=BINS)
    above = steps[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]  # pixels that pass at least threshold k
    return Counts(tp=above[1], fp=above[0], fn=steps[1].sum() - above[1], histogram=histogram)


def boundary(mask: np.ndarray, fraction: float = BOUNDARY) -> np.ndarray:
    """The pixels of `mask` (h w, bool) within `fraction` of the diagonal of its edge; the picture's border is an edge.

    The same as the mask minus its erosion by a square, but in time that does not grow with the width.
    """
    width = max(1, round(fraction * float(np.hypot(*mask.shape))))
    padded = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_C, 3)[1:-1, 1:-1]
    return mask & (depth <= width)


def boundary_iou(mask: np.ndarray, truth: np.ndarray, fraction: float = BOUNDARY) -> float:
    """IoU of the two boundary bands (Cheng et al. 2021); 0 where both are empty."""
    ours, theirs = boundary(mask, fraction), boundary(truth, fraction)
    union = np.count_nonzero(ours | theirs)
    return np.count_nonzero(ours & theirs) / union if union else 0.0


def _shape(array: np.ndarray) -> str:
    return "x".join(map(str, array.shape))
