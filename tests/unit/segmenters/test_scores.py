"""Scores of methods without a head: measured where a file lies, defaults elsewhere, never a damaged file in silence."""

import json
from pathlib import Path

import numpy as np
import pytest

from ldznet_ext.errors import ModelError
from ldznet_ext.segmenters.presence import Calibration, presence_stats, sigmoid
from ldznet_ext.segmenters.scores import Scoring, dimmed, scoring_for, to_logits

MEASURED = Scoring(
    calibration=Calibration((0.0,) * 4, (1.0,) * 4, (1.0, 0.0, 0.0, 0.0), 0.5), found_threshold=0.4, mask_threshold=0.6
)
PARTS = ("mean", "scale", "basis", "variance", "residual", "limit")
LOGITS = np.linspace(-3, 3, 30, dtype=np.float32).reshape(1, 5, 6)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    monkeypatch.setattr("ldznet_ext.weights.model_folders", lambda: (first, second))
    return first, second


def test_without_a_file_the_defaults_are_uncalibrated(folders: tuple[Path, Path]) -> None:
    scoring = scoring_for("attention", "sd1")
    assert scoring == Scoring() and scoring.calibration is None
    np.testing.assert_allclose(scoring.scores(LOGITS), sigmoid(presence_stats(LOGITS)[:, 1]))


def test_what_was_measured_is_read_from_the_first_folder_that_has_it(folders: tuple[Path, Path]) -> None:
    first, second = folders
    (second / "attention-sticker.json").write_text(json.dumps(MEASURED.to_dict()))
    assert scoring_for("attention", "sticker") == MEASURED
    assert scoring_for("attention", "sd1") == scoring_for("maskdiffusion", "sticker") == Scoring()
    np.testing.assert_allclose(MEASURED.scores(LOGITS), sigmoid(presence_stats(LOGITS)[:, 0] + 0.5), rtol=1e-6)
    (first / "attention-sticker.json").write_text(json.dumps(Scoring(found_threshold=0.3).to_dict()))
    assert scoring_for("attention", "sticker").found_threshold == 0.3


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        json.dumps({**MEASURED.to_dict(), "format": "other"}),
        json.dumps({**MEASURED.to_dict(), "found_threshold": 2}),
        json.dumps({**MEASURED.to_dict(), "familiarity": [1]}),
        json.dumps({**MEASURED.to_dict(), "familiarity": {name: [[0], ""] for name in PARTS}}),
    ],
)
def test_a_damaged_file_is_a_sentence(folders: tuple[Path, Path], content: str) -> None:
    (folders[0] / "attention-sticker.json").write_text(content)
    with pytest.raises(ModelError, match=r"attention-sticker.json cannot be read as scores .*; expected .*, so "):
        scoring_for("attention", "sticker")


def test_only_what_is_not_found_is_dimmed() -> None:
    maps = np.array([[[0.2, 1.0]], [[0.2, 1.0]]], np.float32)
    np.testing.assert_allclose(dimmed(maps, np.array([0.1, 0.9]), 0.4), [[[0.05, 0.25]], [[0.2, 1.0]]], rtol=1e-6)


def test_logits_of_certainty_are_finite() -> None:
    logits = to_logits(np.array([0.0, 0.5, 1.0], np.float32))
    assert logits.dtype == np.float32 and np.isfinite(logits).all()
    np.testing.assert_allclose(logits[1], 0, atol=1e-6)
    np.testing.assert_allclose(logits[0], -logits[2], rtol=1e-4)
