"""What a method without a head must know of itself on our own model: scores, thresholds, and which pictures it is at home in.

Measured on val scenes, every fourth an oblong cut-out, through the method itself; nothing of it is for real families.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.backbone import Backbone
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.base import Clock, Segmenter
from ldznet_ext.segmenters.familiarity import fit_familiarity
from ldznet_ext.segmenters.presence import presence_stats, raw_score, sigmoid
from ldznet_ext.segmenters.scores import Scoring
from ldznet_ext.segmenters.view import View, look
from ldznet_ext.train.val import fit_scores, ious_at, val_cases

COMPONENTS = 16
"""Principal directions of what is familiar: few scenes are measured, and the file should stay small."""
THRESHOLDS = np.linspace(0.2, 0.95, 16)
"""Maps that are not trained are not sure of themselves: theirs may be cut higher than a head's."""
STYLES = ("fluent", "noto", "flat", "twemoji")
"""What Sticker-SD is trained on."""


@dataclass(frozen=True)
class Recorder(Scoring):
    """In a method's place of scoring: notes what it would be scored by, and dims nothing."""

    found_threshold: float = 1e-6
    stats: list[np.ndarray] = field(default_factory=list)
    pooled: list[np.ndarray] = field(default_factory=list)

    @property
    def measured(self) -> bool:
        """So that every method asks for scores."""
        return True

    def scores(self, logits: np.ndarray) -> np.ndarray:
        """Raw scores, their statistics noted."""
        self.stats.append(presence_stats(logits))
        return raw_score(logits)


@torch.inference_mode()
def fit_scoring(method: Segmenter, backbone: Backbone, *, scenes: int, seed: int = 0) -> Scoring:
    """Calibration, found-threshold (95 % recall), mask-threshold (best mean IoU) and, if the method reads such, familiarity.

    The method has an attribute `scoring`, whose `scores` it calls once for the phrases it is asked for; one with `read` also
    says by `pooled` what its familiarity looks at.
    """
    recorder = Recorder()
    method.scoring = recorder  # type: ignore[attr-defined]
    present, overlaps = [], []
    for view, phrases, masks in _views(backbone, scenes, seed):
        request = SegmentRequest(phrases=phrases)
        logits = method.evidence(backbone, view, phrases, request, Clock()).logits
        there = masks.flatten(1).any(1).numpy()
        present.append(there)
        probs = sigmoid(logits[there])
        overlaps += [ious_at(prob, mask, THRESHOLDS) for prob, mask in zip(probs, masks[there], strict=True)]
        if hasattr(method, "read"):
            recorder.pooled.append(method.read(backbone, view, request)[0].pooled())  # type: ignore[attr-defined]
    return Scoring(
        **fit_scores(recorder.stats, present, overlaps, THRESHOLDS),
        familiarity=fit_familiarity(np.stack(recorder.pooled), components=COMPONENTS) if recorder.pooled else None,
    )


def _views(backbone: Backbone, count: int, seed: int) -> Iterator[tuple[View, tuple[str, ...], Tensor]]:
    """Views of val scenes with their phrases, each once, and masks (p h w)."""
    for case in val_cases(count, seed=seed, native=backbone.native.height, styles=STYLES):
        picture = ((case.pixels[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
        unique = tuple(dict.fromkeys(case.phrases))  # a scene with few phrases repeats them
        yield look(picture, backbone), unique, case.masks[[case.phrases.index(phrase) for phrase in unique]]
