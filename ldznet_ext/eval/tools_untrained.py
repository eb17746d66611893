"""The report's real methods without a head: words, names and examples asked of one loaded model."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ldznet_ext.backbone import Backbone
from ldznet_ext.classes import classes
from ldznet_ext.eval import costs
from ldznet_ext.eval.classes import Label
from ldznet_ext.eval.like import clicked_search, like_search
from ldznet_ext.eval.maskdiffusion import trials
from ldznet_ext.eval.plan import LABELLERS, TEXT_METHODS
from ldznet_ext.eval.run import Segment
from ldznet_ext.eval.toolbox import Untrained
from ldznet_ext.pipeline import segment
from ldznet_ext.result import Labelling, Segmentation
from ldznet_ext.segmenters import attention, example, maskdiffusion, noise_difference
from ldznet_ext.segmenters.maskdiffusion_settings import MaskDiffusionSettings
from ldznet_ext.segmenters.scores import Scoring, scoring_for
from ldznet_ext.segmenters.settings import for_family

TABLES: Mapping[str, Mapping[str, object]] = {
    "attention": attention.ATTENTION,
    "maskdiffusion": maskdiffusion.MASKDIFFUSION,
    "noise_difference": noise_difference.SETTINGS,
    "example": example.SETTINGS,
}
"""Settings by family of every method without a head."""


def untrained_with(backbone: Backbone, head: Path | None) -> Untrained:
    """The methods on this model, everything at its default; `head` is the one that ships, to stand beside them."""
    family = backbone.family
    scorings = {name: scoring_for(name, family) for name in TABLES}
    marks = {name: _mark(for_family(table, family), scorings[name]) for name, table in TABLES.items()}
    settings = for_family(maskdiffusion.MASKDIFFUSION, family)
    head_mark = _digest(head.read_bytes()) if head is not None else ""
    words = [*TEXT_METHODS, *(["ldznet"] if head is not None else [])]
    names = [name for name in LABELLERS if name in words]
    return Untrained(
        segment={name: _segmenter(backbone, name, head) for name in words},
        label={name: _labeller(backbone, name, head) for name in names},
        search={"mask": like_search(backbone), "click": clicked_search(backbone)},
        trials=trials(backbone),
        costs=lambda: costs.table(costs.costs()),
        marks={
            **marks,
            "ldznet": head_mark,
            "trials": _mark(settings),
            "costs": _digest(repr([for_family(table, costs.FAMILY) for table in TABLES.values()]).encode()),
            "seconds": _digest(repr((marks, head_mark)).encode()),
        },
        calibrated={name: scoring.calibration is not None for name, scoring in scorings.items()},
        settings=in_words(settings),
    )


def in_words(settings: MaskDiffusionSettings) -> str:
    """What the trials change, as it is set."""
    return (
        f"t = {settings.timestep}, features of {', '.join(settings.features)}, {settings.values} maps of "
        f"{', '.join(settings.places)}, compared by {settings.measure}"
    )


def _segmenter(backbone: Backbone, method: str, head: Path | None) -> Segment:
    head = head if method == "ldznet" else None

    def run(picture: np.ndarray, phrases: list[str]) -> Segmentation:
        return segment(picture, phrases, backbone=backbone, method=method, head=head)

    return run


def _labeller(backbone: Backbone, method: str, head: Path | None) -> Label:
    head = head if method == "ldznet" else None

    def label(picture: np.ndarray, names: Sequence[str]) -> Labelling:
        return classes(picture, names, backbone=backbone, method=method, head=head)

    return label


def _mark(settings: object, scoring: Scoring | None = None) -> str:
    scores = json.dumps(scoring.to_dict(), sort_keys=True) if scoring is not None else ""
    return _digest(f"{settings} {scores}".encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
