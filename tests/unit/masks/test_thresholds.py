"""Ways to cut a map, on maps written out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ldznet_ext.masks.thresholds import FLAT, agreeing, automatic, hysteresis, lower, ramp

MAPS = arrays(np.float32, (4, 7), elements=st.floats(0, 1, width=32))
THRESHOLDS = st.sampled_from([0.1, 0.3, 0.5, 0.65, 0.9])


def two_hills(low: float, high: float, share: float = 0.2) -> np.ndarray:
    random = np.random.default_rng(1)
    prob = random.normal(low, 0.05, (30, 50))
    prob[:, : round(50 * share)] = random.normal(high, 0.05, (30, round(50 * share)))
    return np.clip(prob, 0, 1).astype(np.float32)


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.9), (0.3, 0.6), (0.45, 0.75)])
def test_the_automatic_threshold_parts_two_hills(low: float, high: float) -> None:
    found = automatic(two_hills(low, high), 0.5)
    assert low + 0.07 < found < high - 0.07
    expected = np.arange(50) < 10
    assert ((two_hills(low, high) > found) == expected).mean() > 0.97


@pytest.mark.parametrize("default", [0.3, 0.5, 0.65])
def test_a_flat_map_has_the_default_threshold(default: float) -> None:
    for level in (0.0, 0.4, 1.0):
        assert automatic(np.full((5, 9), level, np.float32), default) == default
    wavy = np.linspace(0.2, 0.2 + FLAT * 0.9, 45, dtype=np.float32).reshape(5, 9)
    assert automatic(wavy, default) == default
    assert automatic(np.full((5, 9), np.nan, np.float32), default) == default
    assert automatic(np.zeros((0, 4), np.float32), default) == default


def test_it_is_cut_neither_in_the_middle_of_nothing_nor_of_the_thing() -> None:
    assert automatic(two_hills(0.02, 0.12), 0.3) == 0.15, "nothing is there"
    assert automatic(two_hills(0.99, 0.8), 0.3) == 0.65, "it is everywhere"


@given(MAPS, THRESHOLDS)
def test_the_automatic_threshold_is_one(prob: np.ndarray, default: float) -> None:
    assert default / 2 <= automatic(prob, default) <= (1 + default) / 2


def test_a_map_with_nan_counts_them_as_nothing() -> None:
    prob = two_hills(0.1, 0.9)
    holed = np.where(prob < 0.2, np.nan, prob).astype(np.float32)
    assert 0.15 < automatic(holed, 0.5) < 0.9


def test_hysteresis_keeps_what_touches_something_sure() -> None:
    likely = np.array([[1, 1, 0, 0, 1], [0, 0, 0, 0, 1], [1, 0, 0, 1, 0]], bool)
    sure = np.array([[0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]], bool)
    expected = np.array([[0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0]], bool)
    np.testing.assert_array_equal(hysteresis(sure, likely), expected)
    assert not hysteresis(np.zeros((3, 5), bool), likely).any()


@given(MAPS)
def test_hysteresis_is_held_to_scipy(prob: np.ndarray) -> None:
    from scipy import ndimage

    labels, _ = ndimage.label(prob > 0.3, np.ones((3, 3)))
    theirs = np.isin(labels, np.unique(labels[prob > 0.7])) & (labels > 0)
    np.testing.assert_array_equal(hysteresis(prob > 0.7, prob > 0.3), theirs)


def test_the_lower_threshold_is_half_the_upper_and_never_above_it() -> None:
    assert lower(0.6, None) == 0.3 and lower(0.6, 0.2) == 0.2 and lower(0.3, 0.8) == 0.3


@given(MAPS, THRESHOLDS)
def test_a_soft_mask_is_half_at_the_threshold_and_keeps_the_order(prob: np.ndarray, threshold: float) -> None:
    soft = ramp(prob, threshold)
    assert soft.dtype == np.float32 and soft.min() >= 0 and soft.max() <= 1
    clear = np.abs(prob - threshold) > 1e-5
    np.testing.assert_array_equal((soft > 0.5)[clear], (prob > threshold)[clear])
    assert not soft[prob < threshold / 2 - 1e-5].any() and (soft[prob > (1 + threshold) / 2 + 1e-5] == 1).all()
    flat = np.sort(prob.ravel())
    assert (np.diff(ramp(flat, threshold)) >= -1e-6).all()


@given(MAPS, arrays(bool, (4, 7)))
def test_a_soft_mask_agrees_with_a_hard_one(soft: np.ndarray, mask: np.ndarray) -> None:
    both = agreeing(soft, mask)
    np.testing.assert_array_equal(both >= 0.5, mask)
    np.testing.assert_array_equal(np.rint(both * 255) >= 128, mask)
    same = (soft >= 0.5) == mask
    np.testing.assert_allclose(both[same], soft[same], atol=0.003)
