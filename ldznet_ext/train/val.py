"""The val scenes that scores are measured on, and what is read off them: calibration and thresholds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from einops import rearrange
from torch import Tensor

from ldznet_ext.segmenters.presence import fit_presence, found_threshold
from ldznet_ext.train.phrased import PhrasedScenes

RECALL = 0.95
EACH = 4
THRESHOLDS = np.linspace(0.2, 0.7, 11)
OBLONG = (192, 320)
"""Height and width of the cut-outs (and, turned, of every other one)."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A picture (1 3 h w), EACH of its phrases with masks (EACH h w), and its caption."""

    pixels: Tensor
    phrases: list[str]
    masks: Tensor
    caption: str


def val_cases(count: int, *, seed: int, native: int, styles: tuple[str, ...] | None) -> Iterator[Case]:
    """Val scenes at the native size; every fourth is an oblong cut-out of a larger one."""
    for index in range(count):
        oblong = index % 4 == 3
        size = max(OBLONG) if oblong else native
        item = PhrasedScenes(seed=seed, size=size, styles=styles, each=EACH, split="val")[index]
        pixels, masks = item["pixels"][None], item["masks"]
        if oblong:
            height, width = OBLONG if index % 8 == 3 else OBLONG[::-1]
            y, x = (size - height) // 2, (size - width) // 2
            pixels, masks = pixels[..., y : y + height, x : x + width], masks[..., y : y + height, x : x + width]
        yield Case(pixels=pixels, phrases=list(item["phrases"]), masks=masks, caption=item["caption"])


def fit_scores(
    stats: Sequence[np.ndarray],
    present: Sequence[np.ndarray],
    overlaps: Sequence[np.ndarray],
    thresholds: np.ndarray = THRESHOLDS,
) -> dict[str, Any]:
    """Calibration, found_threshold (95 % recall) and mask_threshold (best mean IoU) of cases.

    stats: of each case's maps (p 4); present: which of its phrases were there (p,); overlaps: `ious_at` of each that was,
    at `thresholds`.
    """
    rows, there = np.concatenate(stats), np.concatenate(present)
    calibration = fit_presence(rows, there)
    return {
        "calibration": calibration,
        "found_threshold": found_threshold(calibration.score(rows), there, RECALL),
        "mask_threshold": float(thresholds[np.mean(overlaps, axis=0).argmax()]),
    }


def ious_at(prob: np.ndarray, mask: Tensor, thresholds: np.ndarray = THRESHOLDS) -> np.ndarray:
    """IoU of a map (h w) at every threshold."""
    truth = mask.numpy() > 0.5
    cuts = prob[None] > thresholds[:, None, None]
    flat = rearrange(cuts, "t h w -> t (h w)")
    both = (flat & truth.reshape(-1)).sum(1)
    return both / np.maximum(1, flat.sum(1) + truth.sum() - both)
