"""How much of an example is found again in a picture."""

import pytest
import torch
from torch import Tensor

from ldznet_ext.segmenters.matching import MOST, parts_of


def marked() -> tuple[Tensor, Tensor]:
    """Features (3 4 5) of a ground with two unlike cells in it, and the coverage of both."""
    features = torch.zeros(3, 4, 5)
    features[0] = 1
    features[:, 1, 1], features[:, 1, 2] = torch.tensor([1.0, 3.0, 0.0]), torch.tensor([1.0, 0.0, 3.0])
    coverage = torch.zeros(4, 5)
    coverage[1, 1:3] = torch.tensor([1.0, 0.8])
    return features, coverage


def test_all_of_it_is_in_its_own_picture_wherever_its_parts_are() -> None:
    features, coverage = marked()
    parts = parts_of(features, coverage)
    assert len(parts.cells) == 2 and parts.matched(features) == pytest.approx(1)
    assert parts.matched(features.flip(1, 2)) == pytest.approx(1)
    assert parts.matched(features.half()) == pytest.approx(1, abs=1e-2)


def test_without_one_part_it_is_the_mean_of_the_squares() -> None:
    features, coverage = marked()
    parts, middle = parts_of(features, coverage), features.flatten(1).mean(dim=1)
    lacking = features.clone()
    lacking[:, 1, 2] = features[:, 0, 0]
    gone, ground, other = (features[:, 1, 2] - middle, features[:, 0, 0] - middle, features[:, 1, 1] - middle)
    best = max(float(torch.cosine_similarity(gone, cell, dim=0)) for cell in (ground, other))
    assert parts.matched(lacking) == pytest.approx((1 + max(best, 0) ** 2) / 2, abs=1e-5)
    assert parts.matched(lacking) < 0.6


def test_what_is_no_number_matches_nothing_and_large_examples_are_thinned() -> None:
    features, coverage = marked()
    assert parts_of(features, coverage).matched(torch.full((3, 2, 2), float("nan"))) == 0
    large = parts_of(torch.randn(3, 40, 50), torch.ones(40, 50))
    assert MOST / 2 < len(large.cells) <= MOST
