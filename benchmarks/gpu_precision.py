"""The part "precision" of benchmarks/gpu.py: Sticker-SD's masks of the test set in half precision beside those in float32."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu import Record
from ldznet_ext.eval.annotations import read_lines
from ldznet_ext.eval.example import Example
from ldznet_ext.hosts.standalone import load_backbone
from ldznet_ext.pipeline import segment

TEST_SET = Path(__file__).resolve().parent.parent / "tests" / "data" / "sticker_test"
KINDS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
Masks = dict[tuple[str, str], np.ndarray]


def measure_precision(record: Record, device: torch.device, pictures: int) -> None:
    """A block for each type; the first is what the others are compared with."""
    present = [example for example in read_lines(TEST_SET) if example.mask is not None]
    grouped = [list(lines) for _, lines in groupby(present, key=lambda example: example.source)][:pictures]
    truth: Masks = {(one.source, one.phrase): np.asarray(one.mask) for lines in grouped for one in lines}
    reference: Masks = {}
    for name, kind in KINDS.items():
        if device.type == "cpu" and kind == torch.float16:
            continue  # minutes a picture there

        def one(kind: torch.dtype = kind) -> dict[str, Any]:
            found = masks(grouped, device, kind)
            if not reference:
                reference.update(found)
            return compared(found, reference, truth)

        record.block(f"precision {name}", one)
    record.block("precision float32 on the CPU", lambda: _on_the_cpu(grouped[:12], reference, truth), needs=30)


def _on_the_cpu(grouped: Sequence[Sequence[Example]], reference: Masks, truth: Masks) -> dict[str, Any]:
    return compared(masks(grouped, torch.device("cpu"), torch.float32), reference, truth)


def masks(grouped: Sequence[Sequence[Example]], device: torch.device, dtype: torch.dtype) -> Masks:
    """(picture, phrase) -> its map above the head's own threshold, found or not: bool (h w)."""
    backbone = load_backbone(None, device, dtype)
    found = {}
    for lines in grouped:
        result = segment(lines[0].picture, [line.phrase for line in lines], backbone=backbone)
        limit = result.provenance["mask_threshold"]
        found |= {(line.source, line.phrase): one.prob > limit for line, one in zip(lines, result.phrases, strict=True)}
    return found


def compared(found: Masks, reference: Masks, truth: Masks) -> dict[str, Any]:
    """mIoU of the masks and of the reference's, and how far single ones are apart; all in points of a hundred."""
    own = np.array([100 * iou(mask, truth[key]) for key, mask in found.items()])
    other = np.array([100 * iou(reference[key], truth[key]) for key in found])
    agreement = np.array([iou(mask, reference[key]) for key, mask in found.items()])
    return {
        "phrases": len(own),
        "miou": round(float(own.mean()), 4),
        "miou_minus_reference": round(float(own.mean() - other.mean()), 4),
        "largest_difference_of_one_iou": round(float(np.abs(own - other).max()), 4),
        "agreement_mean": round(float(agreement.mean()), 6),
        "agreement_least": round(float(agreement.min()), 6),
        "agreement_below_0.999": int((agreement < 0.999).sum()),
    }


def iou(mask: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union; 1 where both are empty."""
    union = np.count_nonzero(mask | other)
    return np.count_nonzero(mask & other) / union if union else 1.0
