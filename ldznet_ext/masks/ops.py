"""The smallest operations on maps and masks, at the picture's own size."""

from collections.abc import Sequence

import numpy as np


def cut(prob: np.ndarray, threshold: float) -> np.ndarray:
    """Bool (h w) mask of the pixels of prob (h w) at or above the threshold."""
    return prob >= threshold


def union(probs: Sequence[np.ndarray]) -> np.ndarray:
    """Maximum of maps (h w), float32; one copy at a time, so that many large maps need no stack."""
    out = np.array(probs[0], np.float32)
    for prob in probs[1:]:
        np.maximum(out, prob, out=out)
    return out


def to_sixteen_bits(prob: np.ndarray) -> np.ndarray:
    """Float 0..1 (h w) to uint16 0..65535, rounded; NaN counts as 0."""
    out = np.empty(prob.shape, np.uint16)
    for top in range(0, len(prob), 1024):
        band = np.clip(np.nan_to_num(prob[top : top + 1024], nan=0.0), 0, 1)
        out[top : top + 1024] = np.rint(band * 65535)
    return out


def to_eight_bits(mask: np.ndarray) -> np.ndarray:
    """Bool (h w) to uint8 0 or 255."""
    return mask.astype(np.uint8) * np.uint8(255)
