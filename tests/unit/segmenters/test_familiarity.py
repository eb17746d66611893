"""Distances: against a plain Mahalanobis distance, unseen pictures of the same kind near, others far."""

import numpy as np
import pytest

from ldznet_ext.segmenters.familiarity import Familiarity, fit_familiarity, pool_features, texture

RNG = np.random.default_rng(0)
MIXING = RNG.normal(size=(5, 12))


def _kind(count: int, seed: int) -> np.ndarray:
    """Features of one kind: five hidden causes over twelve channels, and a little noise."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 5)) @ MIXING + 0.1 * rng.normal(size=(count, 12)) + 3


def test_all_directions_give_the_mahalanobis_distance() -> None:
    features = RNG.normal(size=(200, 3)) @ RNG.normal(size=(3, 3)) + 5
    fitted = fit_familiarity(features, components=3)
    centred = features - features.mean(0)
    inverse = np.linalg.inv(np.cov(centred.T, bias=True))
    expected = np.sqrt(np.einsum("ni,ij,nj->n", centred, inverse, centred))
    np.testing.assert_allclose(fitted.distance(features), expected, rtol=1e-4)


def test_unseen_pictures_of_the_same_kind_are_familiar() -> None:
    fitted = fit_familiarity(_kind(600, 1), components=5)
    near = (fitted.distance(_kind(2000, 2)) <= fitted.limit).mean()
    assert 0.975 < near < 0.999


@pytest.mark.parametrize("change", ["shift", "direction", "scale"])
def test_other_kinds_are_not(change: str) -> None:
    fitted = fit_familiarity(_kind(600, 1), components=5)
    other = _kind(200, 3)
    if change == "shift":
        other = other + 20
    elif change == "direction":  # within the usual range of every channel, but not in the usual combinations
        other = np.random.default_rng(4).permuted(other, axis=0)
    else:
        other = (other - 3) * 6 + 3
    assert (fitted.distance(other) > fitted.limit).mean() > 0.95


def test_round_trip_through_a_file() -> None:
    fitted = fit_familiarity(_kind(100, 1))
    arrays = fitted.to_arrays()
    assert all(array.dtype == np.float32 for array in arrays.values())
    again = Familiarity.from_arrays(arrays)
    np.testing.assert_allclose(again.distance(_kind(5, 2)), fitted.distance(_kind(5, 2)), rtol=1e-4)
    assert again.limit == pytest.approx(fitted.limit)


def test_pooling_averages_cells_and_rows_tap_after_tap() -> None:
    features = {"mid": np.arange(12.0).reshape(2, 3, 1, 2), "in.8": np.ones((1, 2, 3, 5))}
    latent = np.zeros((1, 4, 6, 8))
    pooled = pool_features(features, ("in.8", "mid"), latent)
    np.testing.assert_allclose(pooled[:5], [1, 1, 3.5, 5.5, 7.5])
    np.testing.assert_array_equal(pooled[5:], texture(latent))


def test_texture_tells_slope_from_grain() -> None:
    slope = np.broadcast_to(np.arange(8.0), (1, 1, 6, 8))
    values = texture(slope)
    assert values.shape == (14,)
    assert values[0] == 3.5
    np.testing.assert_allclose(values[2:8], 1)  # one a cell, everywhere
    np.testing.assert_allclose(values[8:11], 2)
    grain = np.random.default_rng(0).normal(size=(1, 1, 32, 32))
    fine, coarse = texture(grain)[4], texture(grain)[12]
    assert fine > 3 * coarse > 0


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2)])
def test_texture_of_the_smallest_latents(size: tuple[int, int]) -> None:
    values = texture(np.ones((1, 4, *size)))
    assert values.shape == (56,)
    assert np.isfinite(values).all()


def test_too_few_pictures() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        fit_familiarity(np.zeros((3, 5)))
