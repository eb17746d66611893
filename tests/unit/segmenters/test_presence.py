"""The score: statistics by hand, the regression against scikit-learn, the threshold by counting."""

import numpy as np
import pytest

from ldznet_ext.segmenters.presence import Calibration, fit_presence, found_threshold, presence_stats, raw_score


def test_statistics_of_a_map_written_by_hand() -> None:
    logits = np.full((1, 10, 20), -4.0, np.float32)  # 200 cells, so the top 1 % are two
    logits[0, 3, 5:8] = 4.0, 2.0, 1.0
    high, top, inside, area = presence_stats(logits)[0]
    probs = 1 / (1 + np.exp(-np.array([4.0, 2.0, 1.0])))
    assert high == 4.0  # the 200th of 200 is at index 199 = int(200 * 0.995)
    assert top == pytest.approx(3.0)
    assert inside == pytest.approx(probs.mean(), abs=1e-6)
    assert area == pytest.approx(np.log(4 / 200))


def test_a_map_with_nothing_in_it_has_finite_statistics() -> None:
    stats = presence_stats(np.full((2, 3, 5), -100.0, np.float32))
    assert np.isfinite(stats).all() and (stats[:, 2] == 0.5).all()
    assert (raw_score(np.full((1, 3, 5), -100.0, np.float32)) < 1e-6).all()


def test_each_map_is_judged_alone() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 7, 9)).astype(np.float32)
    together = presence_stats(maps)
    alone = np.concatenate([presence_stats(one[None]) for one in maps])
    np.testing.assert_array_equal(together, alone)


def _noisy(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    stats = rng.normal(size=(count, 4)) * (1, 5, 0.1, 2) + (0, 3, 0.5, -4)
    present = rng.uniform(size=count) < 1 / (1 + np.exp(-(stats[:, 0] + 0.3 * (stats[:, 1] - 3))))
    return stats, present


def test_regression_agrees_with_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is the oracle here")
    stats, present = _noisy()
    standard = (stats - stats.mean(0)) / (stats.std(0) + 1e-6)
    settings = {"C": 1 / (1e-2 * len(stats)), "tol": 1e-10, "max_iter": 1000, "class_weight": "balanced"}
    oracle = linear_model.LogisticRegression(**settings).fit(standard, present)
    ours = fit_presence(stats, present)
    np.testing.assert_allclose(ours.score(stats), oracle.predict_proba(standard)[:, 1], atol=1e-5)


def test_scores_are_probabilities_that_mean_what_they_say() -> None:
    stats, present = _noisy(4000)
    scores = fit_presence(stats, present).score(stats)
    assert scores.min() >= 0 and scores.max() <= 1
    assert scores.mean() == pytest.approx(present.mean(), abs=1e-3)
    confident = scores > 0.8
    assert present[confident].mean() == pytest.approx(scores[confident].mean(), abs=0.06)


def test_rare_absence_does_not_make_everything_likely() -> None:
    stats = np.random.default_rng(0).normal(size=(400, 4))
    present = np.arange(400) % 5 > 0  # says nothing of the statistics
    assert abs(float(fit_presence(stats, present).score(stats).mean()) - 0.5) < 0.02


def test_perfectly_separated_phrases_do_not_run_away() -> None:
    stats = np.array([[0, 0, 0, 0], [1, 1, 1, 1]] * 10, float)
    calibration = fit_presence(stats, np.array([0, 1] * 10))
    scores = calibration.score(stats)
    assert np.isfinite(calibration.weights).all() and scores[0] < 0.2 and scores[1] > 0.8


def test_one_kind_of_answer_cannot_be_fitted() -> None:
    with pytest.raises(ValueError, match="both present and absent"):
        fit_presence(np.zeros((4, 4)), np.ones(4))


def test_calibration_round_trip_and_foreign_statistics() -> None:
    calibration = fit_presence(*_noisy(50))
    data = calibration.to_dict()
    assert Calibration.from_dict(data) == calibration
    with pytest.raises(ValueError, match="expected"):
        Calibration.from_dict({**data, "statistics": ["mean"]})


def test_threshold_is_the_highest_that_keeps_the_recall() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.99])
    present = np.array([1, 1, 1, 1, 1, 0], bool)
    assert found_threshold(scores, present, recall=0.8) == 0.2
    assert found_threshold(scores, present, recall=1.0) == 0.1
    assert (scores[present] >= found_threshold(scores, present, recall=0.6)).mean() == 0.6
