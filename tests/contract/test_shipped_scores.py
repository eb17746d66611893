"""The scores shipped beside Sticker-SD were measured on the very weights that are shipped, and can be used."""

import hashlib
import json
from pathlib import Path

import pytest

from ldznet_ext.segmenters.scores import Scoring

pytestmark = pytest.mark.sticker
MODELS = Path(__file__).resolve().parents[2] / "models"
METHODS = ("attention", "maskdiffusion")


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_of_the_shipped_weights(method: str) -> None:
    """Where this fails, the model has changed: run tools/calibrate.py again."""
    path = MODELS / f"{method}-sticker.json"
    measured = json.loads(path.read_text("utf-8"))["measured"]["weights"]
    shipped = {
        file.relative_to(MODELS / "sticker-sd").as_posix() for file in (MODELS / "sticker-sd").glob("*/*.safetensors")
    }
    assert set(measured) == shipped
    for name, digest in measured.items():
        assert hashlib.sha256((MODELS / "sticker-sd" / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_calibrated_and_small(method: str) -> None:
    path = MODELS / f"{method}-sticker.json"
    scoring = Scoring.from_dict(json.loads(path.read_text("utf-8")))
    assert scoring.calibration is not None and scoring.familiarity is not None
    assert path.stat().st_size < 100_000
