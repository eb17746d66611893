"""From what a method without a head saw to "it is there": scores, calibrated where something was measured.

Measured for a method on a family: `METHOD-FAMILY.json` in a model folder, as `tools/calibrate.py` writes it beside the model
it was measured on. Elsewhere the documented defaults hold, and the score is marked uncalibrated.
"""

import base64
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ldznet_ext import weights
from ldznet_ext.errors import ModelError
from ldznet_ext.segmenters.familiarity import Familiarity
from ldznet_ext.segmenters.presence import Calibration, presence_stats, raw_score

FORMAT = "ldznet-scores-1"


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How a method's maps become scores and statuses.

    calibration: from the statistics of a map of logits to a probability; None: the score is the mean probability of the map's
    top 1 %, uncalibrated. found_threshold: the score from which a phrase counts as found. mask_threshold: cuts `prob`.
    familiarity: statistics of what the method read of pictures of the model's kind, at its own timestep.
    """

    calibration: Calibration | None = None
    found_threshold: float = 0.5
    mask_threshold: float = 0.5
    familiarity: Familiarity | None = None

    @property
    def measured(self) -> bool:
        """Whether `scores` says more than a map's own height."""
        return self.calibration is not None

    def scores(self, logits: np.ndarray) -> np.ndarray:
        """Scores (p,) of maps of logits (p h w)."""
        return self.calibration.score(presence_stats(logits)) if self.calibration else raw_score(logits)

    def knows(self, pooled: np.ndarray) -> bool | None:
        """Whether a picture with these pooled features (d,) is of the model's kind; None where that cannot be said."""
        known = self.familiarity
        if known is None or pooled.shape != known.mean.shape or not np.isfinite(pooled).all():
            return None
        return known.is_familiar(pooled)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it; arrays in base64."""
        return {
            "format": FORMAT,
            "calibration": self.calibration.to_dict() if self.calibration else None,
            "found_threshold": self.found_threshold,
            "mask_threshold": self.mask_threshold,
            "familiarity": _packed(self.familiarity.to_arrays()) if self.familiarity else None,
        }

    @classmethod
    def from_dict(cls, data: Any) -> "Scoring":
        """Read what `to_dict` gave; ValueError, LookupError, TypeError or AttributeError for anything else."""
        if data["format"] != FORMAT:
            raise ValueError(f"the format is {data['format']}, expected {FORMAT}")
        thresholds = {name: float(data[name]) for name in ("found_threshold", "mask_threshold")}
        for name, value in thresholds.items():
            if not 0 < value < 1:
                raise ValueError(f"{name} is {value}, expected a number between 0 and 1")
        calibration = Calibration.from_dict(data["calibration"]) if data["calibration"] else None
        familiarity = Familiarity.from_arrays(_unpacked(data["familiarity"])) if data.get("familiarity") else None
        return cls(calibration=calibration, familiarity=familiarity, **thresholds)


def scoring_for(method: str, family: str) -> Scoring:
    """What was measured for a method on a family, from the first model folder that has it; the defaults where none does."""
    for folder in weights.model_folders():
        path = folder / f"{method}-{family}.json"
        if path.is_file():
            return _read(path, path.stat().st_mtime_ns)
    return Scoring()


def dimmed(prob: np.ndarray, scores: np.ndarray, found_threshold: float) -> np.ndarray:
    """Maps (p h w) of where a phrase is if it is anywhere, made honest: what is not found is dimmed, the more the less."""
    return prob * np.minimum(1.0, scores / found_threshold).astype(prob.dtype)[:, None, None]


def to_logits(prob: np.ndarray) -> np.ndarray:
    """Probabilities as float32 logits; 0 and 1 stay a little inside, where logits have no end."""
    inside = np.clip(prob.astype(np.float64), CERTAIN, 1 - CERTAIN)
    return (np.log(inside) - np.log1p(-inside)).astype(np.float32)


CERTAIN = 1e-6


def _packed(arrays: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
    """Name -> shape and float32 numbers."""
    packed = {name: np.asarray(array, "<f4") for name, array in arrays.items()}
    return {name: [list(array.shape), base64.b64encode(array.tobytes()).decode()] for name, array in packed.items()}


def _unpacked(packed: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {
        name: np.frombuffer(base64.b64decode(numbers), "<f4").reshape(shape)
        for name, (shape, numbers) in packed.items()
    }


@functools.lru_cache(maxsize=16)
def _read(path: Path, changed: int) -> Scoring:
    """`changed`: when the file was last written, so that a new one is read."""
    try:
        return Scoring.from_dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} cannot be read as scores ({error}); expected a file made by tools/calibrate.py, so restore or delete it."
        ) from error
