"""Grounds and skies: in range, seeded, told apart by their mean colour, alike at every size."""

import numpy as np
import pytest

from ldznet_ext.world.grounds import GROUNDS, PLAIN_COLOURS, SKIES, plain

REGIONS = [*GROUNDS, *SKIES]


def paint(region, height, width, seed=3):
    return region.paint(np.random.default_rng(seed), height, width)


@pytest.mark.parametrize("region", REGIONS, ids=lambda region: region.name)
def test_a_region_is_float_rgb_about_in_range_and_seeded(region):
    texture = paint(region, 40, 72)
    assert texture.shape == (40, 72, 3)
    assert texture.dtype == np.float32
    assert np.isfinite(texture).all()
    assert texture.min() > -80 and texture.max() < 400  # the scene clips
    np.testing.assert_array_equal(texture, paint(region, 40, 72))
    assert not np.array_equal(texture, paint(region, 40, 72, seed=4))


@pytest.mark.parametrize("region", REGIONS, ids=lambda region: region.name)
def test_a_region_looks_the_same_at_another_size(region):
    small, large = paint(region, 64, 128).clip(0, 255), paint(region, 128, 256).clip(0, 255)
    np.testing.assert_allclose(small.mean((0, 1)), large.mean((0, 1)), atol=6)
    np.testing.assert_array_less(np.abs(small.mean(1) - large.mean(1).reshape(64, 2, 3).mean(1)).mean(), 8)


@pytest.mark.parametrize("size", [(1, 64), (2, 3), (5, 200)])
def test_slivers_can_be_painted(size):
    for region in REGIONS:
        assert paint(region, *size).shape == (*size, 3)


def test_at_least_seven_regions_with_names_of_their_own():
    words = [word for region in REGIONS for word in (region.name, *region.synonyms)]
    assert len(REGIONS) >= 7
    assert len(words) == len(set(words))


def test_regions_differ():
    means = [
        np.mean([paint(region, 32, 64, seed).clip(0, 255).mean((0, 1)) for seed in range(4)], axis=0)
        for region in REGIONS
    ]
    for place, one in enumerate(means):
        assert all(np.abs(one - other).max() > 8 for other in means[place + 1 :])


@pytest.mark.parametrize("colour", PLAIN_COLOURS)
def test_plain_grounds_have_their_colour(colour):
    ground = plain(np.random.default_rng(0), 24, 40, colour)
    assert ground.shape == (24, 40, 3)
    assert ground.min() >= 0 and ground.max() <= 255
    np.testing.assert_allclose(ground.mean((0, 1)), PLAIN_COLOURS[colour], atol=6)
    assert np.ptp(ground, axis=1).max() < 1e-3  # no row changes from left to right
