"""Scores against the reference's golden values, scikit-learn, and arithmetic done by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from ldznet_ext.errors import DataError
from ldznet_ext.eval import metrics
from ldznet_ext.eval.counts import BINS, THRESHOLDS, bin_of, boundary, boundary_iou, count
from ldznet_ext.result import FOUND, NOT_FOUND

GOLDEN = Path(__file__).parents[2] / "golden"
REFERENCE = json.loads((GOLDEN / "metrics_golden.json").read_text())


def golden_counts(scenario):
    """The reference's walk: sigmoid, bilinear resize with aligned corners, counts; done in torch as it does."""
    import torch
    from safetensors.torch import load_file

    inputs = load_file(GOLDEN / "metrics_inputs.safetensors")
    pred, truth = inputs[f"{scenario}.pred"].sigmoid(), inputs[f"{scenario}.gt"]
    if pred.shape != truth.shape:
        pred = torch.nn.functional.interpolate(pred, truth.shape[-2:], mode="bilinear", align_corners=True)
    pairs = zip(pred[:, 0].numpy(), truth[:, 0].numpy() > 0.5, strict=True)
    return [count(p, t) for p, t in pairs], inputs[f"{scenario}.cls"].tolist()


@pytest.mark.parametrize("scenario", ["per_sample", "resized", "classes"])
def test_golden(scenario):
    counts, classes = golden_counts(scenario)
    want = REFERENCE["results"][scenario]
    for name in ("tp", "fp", "fn"):
        np.testing.assert_array_equal(np.sum([getattr(one, name) for one in counts], axis=0), want[name])
    whole, mean = metrics.iou_fg_curve(counts), metrics.miou_curve(counts, classes)
    np.testing.assert_allclose(whole, want["fgiou_scores"], rtol=1e-12)
    np.testing.assert_allclose(mean, want["mean_iou_scores"], rtol=1e-7)
    assert whole.max() == pytest.approx(want["fgiou_best"], rel=1e-12)
    assert THRESHOLDS[whole.argmax()] == pytest.approx(want["fgiou_best_t"])
    assert THRESHOLDS[mean.argmax()] == pytest.approx(want["miou_best_t"])
    assert metrics.average_precision(counts) == pytest.approx(want["ap_scipy_simpson"], rel=1e-9)


def test_thresholds_are_strict():
    prob = np.array([[0.02, 0.03, 0.98, 1.0, 0.0]], np.float32)
    counts = count(prob, np.ones((1, 5), bool))
    assert counts.tp[0] == 3  # 0.02 does not pass 0.02
    assert counts.tp[-1] == 1  # 0.98 does not pass 0.98
    assert (counts.tp + counts.fn == 5).all()


def test_counts_in_chunks_equal_counts_at_once(monkeypatch):
    rng = np.random.default_rng(0)
    prob, truth = rng.random((7, 9), np.float32), rng.random((7, 9)) > 0.6
    whole = count(prob, truth)
    monkeypatch.setattr("ldznet_ext.eval.counts._PIXELS_AT_ONCE", 10)
    for name in ("tp", "fp", "fn", "histogram"):
        np.testing.assert_array_equal(getattr(count(prob, truth), name), getattr(whole, name))


@pytest.mark.parametrize("prob", [np.full((2, 3), 1.5), np.full((2, 3), np.nan), np.zeros((3, 2))])
def test_bad_maps_are_refused(prob):
    with pytest.raises(DataError):
        count(prob, np.zeros((2, 3), bool))


def test_bins_grow_with_the_probability():
    prob = np.sort(np.concatenate([np.linspace(0, 1, 5001), 10.0 ** -np.arange(1, 9), 1 - 10.0 ** -np.arange(1, 8)]))
    bins = bin_of(prob.astype(np.float32))
    assert (np.diff(bins) >= 0).all()
    assert bins[0] == 0
    assert bins[-1] == BINS - 1
    assert len(np.unique(bins)) > 3000


@pytest.mark.parametrize("sharpness", [0.5, 3.0, 12.0])
def test_pixel_ap_against_scikit_learn(sharpness):
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(1)
    truth = rng.random((40, 50)) < 0.15
    prob = (1 / (1 + np.exp(-(truth * 2.0 - 1 + rng.normal(size=truth.shape)) * sharpness))).astype(np.float32)
    want = average_precision_score(truth.ravel(), prob.ravel())
    assert 0.3 < want < 0.95
    assert metrics.pixel_ap(count(prob, truth).histogram) == pytest.approx(want, abs=1e-3)


def test_pixel_ap_of_few_distinct_values_is_exact():
    from sklearn.metrics import average_precision_score

    prob = np.array([[0.1, 0.1, 0.4, 0.4, 0.9], [0.9, 0.4, 0.1, 0.7, 0.7]], np.float32)
    truth = np.array([[0, 1, 0, 1, 1], [1, 0, 0, 1, 0]], bool)
    want = average_precision_score(truth.ravel(), prob.ravel())
    assert metrics.pixel_ap(count(prob, truth).histogram) == pytest.approx(want, abs=1e-12)


def test_auroc_against_scikit_learn():
    from sklearn.metrics import roc_auc_score

    present, absent = [0.9, 0.4, 0.4, 0.7], [0.4, 0.2, 0.8]
    want = roc_auc_score([1] * 4 + [0] * 3, present + absent)
    assert metrics.auroc(present, absent) == pytest.approx(want)
    assert metrics.auroc(present, []) is None


def test_false_found_at_recall():
    present = [i / 100 for i in range(1, 101)]  # 95 % of them are >= 0.06
    assert metrics.false_found_at(present, [0.01, 0.05, 0.06, 0.5]) == 0.5
    assert metrics.false_found_at(present, []) is None


def test_boundary_is_the_mask_minus_its_erosion():
    import cv2

    rng = np.random.default_rng(2)
    mask = cv2.GaussianBlur(rng.random((60, 81)).astype(np.float32), (0, 0), 5) > 0.5
    mask[:, -9:] = True
    for width in (1, 3):
        square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
        eroded = cv2.erode(np.pad(mask.astype(np.uint8), width), square)[width:-width, width:-width]
        fraction = width / np.hypot(60, 81)
        np.testing.assert_array_equal(boundary(mask, fraction), mask & (eroded == 0))


def test_boundary_iou_by_hand():
    truth = np.zeros((8, 10), bool)  # diagonal 12.8: one pixel wide
    truth[1:7, 1:7] = True  # a ring of 20
    filled = truth.copy()
    holed = truth.copy()
    holed[3:5, 3:5] = False  # the same ring, and 12 more pixels beside the hole
    assert boundary_iou(filled, truth) == 1.0
    assert boundary_iou(holed, truth) == pytest.approx(20 / 32)
    assert boundary_iou(np.zeros_like(truth), truth) == 0.0
    assert boundary_iou(np.zeros_like(truth), np.zeros_like(truth)) == 0.0


def three_lines():
    """A perfect map, a map that is half right but not found, and an absent phrase that was found."""
    truth = np.array([[1, 1, 0], [0, 0, 0]], bool)
    scores = metrics.Scores()
    scores.add(truth * 0.9, truth, score=0.9, status=FOUND, kind="object", picture="a")
    scores.add(np.array([[0.9, 0, 0], [0, 0, 0]]), truth, score=0.2, status=NOT_FOUND, kind="stuff", picture="a")
    scores.add(np.full((2, 3), 0.9), None, score=0.5, status=FOUND, kind="absent", picture="b")
    return scores


def test_scores_as_dict():
    got = three_lines().as_dict()
    assert list(got) == [
        "n", "miou", "miou_threshold", "iou_fg", "iou_fg_threshold", "ap", "ap_pixel", "boundary_iou",
        "auroc", "false_found", "recall_found", "by_kind",
    ]  # fmt: skip
    assert got["n"] == 3
    assert got["miou"] == pytest.approx((2 / 3 + 1 / 3) / 2)  # +1 in each denominator; the found flag gates nothing
    assert got["iou_fg"] == pytest.approx(3 / 5)
    assert got["miou_threshold"] == got["iou_fg_threshold"] == 0.02
    assert got["auroc"] == 0.5
    assert got["false_found"] == 1.0
    assert got["recall_found"] == 0.5
    assert list(got["by_kind"]) == ["object", "stuff", "absent"]
    assert got["by_kind"]["object"]["ap_pixel"] == 1.0
    assert got["by_kind"]["stuff"]["boundary_iou"] == 0.5
    json.dumps(got, allow_nan=False)


def test_what_cannot_be_computed_is_null():
    scores = three_lines()
    absent = scores.as_dict()["by_kind"]["absent"]
    assert absent == {
        "n": 1, "miou": None, "miou_threshold": None, "iou_fg": None, "iou_fg_threshold": None, "ap": None,
        "ap_pixel": None, "boundary_iou": None, "auroc": None, "false_found": 1.0, "recall_found": None,
    }  # fmt: skip
    assert scores.as_dict()["by_kind"]["object"]["false_found"] is None
    assert metrics.Scores().as_dict()["miou"] is None


def test_an_unscored_phrase_leaves_auroc_to_the_others():
    scores = three_lines()
    scores.add(np.zeros((2, 3)), np.ones((2, 3), bool), score=float("nan"))
    assert scores.as_dict()["auroc"] == 0.5


def test_nothing_predicted():
    scores = metrics.Scores()
    scores.add(np.zeros((2, 3)), np.ones((2, 3), bool))
    got = scores.as_dict()
    assert got["miou"] == 0.0
    assert got["ap"] is None
    assert got["ap_pixel"] == 1.0  # every pixel is true


def test_bootstrap():
    values = [0.0, 1.0] * 50
    uneven = np.random.default_rng(0).random(30)
    pictures = [index // 2 for index in range(100)]  # each picture holds a 0 and a 1: every resample has mean 1/2
    assert metrics.bootstrap(values, pictures, draws=50) == (0.5, 0.5)
    low, high = metrics.bootstrap(values, range(100))
    assert 0.35 < low < 0.45 < 0.55 < high < 0.65  # 0.5 +- 1.96 x 0.05
    assert metrics.bootstrap(uneven, range(30)) == metrics.bootstrap(uneven, range(30))
    assert metrics.bootstrap(uneven, range(30)) != metrics.bootstrap(uneven, range(30), seed=1)
