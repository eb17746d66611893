"""Scores of methods without a head, measured on hand-made scenes: what is fitted is what the method is scored by."""

import json
from pathlib import Path

import numpy as np
import pytest

from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.segmenters.attention import AttentionSegmenter
from ldznet_ext.segmenters.methods import pick_segmenter
from ldznet_ext.segmenters.scores import Scoring
from ldznet_ext.segmenters.view import look
from ldznet_ext.train import scoring, val
from tests.tiny import picture, write_models


@pytest.fixture
def backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandaloneBackbone:
    monkeypatch.setenv("LDZNET_MODELS", str(write_models(tmp_path)))
    monkeypatch.setattr(scoring, "STYLES", ("fluent",))
    monkeypatch.setattr(val, "OBLONG", (64, 192))
    return load_backbone()


def test_what_is_fitted_is_read_again_and_used(backbone: StandaloneBackbone, tmp_path: Path) -> None:
    method = pick_segmenter("attention", backbone)
    fitted = scoring.fit_scoring(method, backbone, scenes=8)
    assert 0 < fitted.found_threshold < 1 and 0.2 <= fitted.mask_threshold <= 0.95
    (tmp_path / "attention-sticker.json").write_text(json.dumps(fitted.to_dict()))
    again = pick_segmenter("attention", backbone)
    assert isinstance(again, AttentionSegmenter) and again.scoring.calibration == fitted.calibration
    assert fitted.familiarity is not None and again.scoring.familiarity is not None
    np.testing.assert_allclose(again.scoring.familiarity.basis, fitted.familiarity.basis, rtol=1e-6)
    request = scoring.SegmentRequest(phrases=("fox",))
    evidence = again.evidence(backbone, look(picture(), backbone), ("fox",), request, scoring.Clock())
    assert evidence.calibrated and evidence.familiar in (True, False)
    other = scoring.SegmentRequest(phrases=("fox",), timestep=777)
    unknown = again.evidence(backbone, look(picture(), backbone), ("fox",), other, scoring.Clock())
    assert unknown.familiar is None  # measured at another timestep


def test_nothing_is_said_of_features_of_another_kind() -> None:
    assert Scoring().knows(np.zeros(3)) is None
