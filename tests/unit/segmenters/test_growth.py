"""A click grows over what looks like it and is connected with it."""

import torch

from ldznet_ext.segmenters.growth import grow


def two_squares() -> torch.Tensor:
    """Features (3 6 10): two squares of one kind apart from each other, and a bar of another kind."""
    features = torch.zeros(3, 6, 10)
    features[0] = 1
    features[:, 1:4, 1:4] = features[:, 2:5, 6:9] = torch.tensor([0.0, 1.0, 0.1])[:, None, None]
    features[:, 5, :] = torch.tensor([0.0, 0.0, 1.0])[:, None]
    return features + 0.02 * torch.randn(3, 6, 10, generator=torch.Generator().manual_seed(0))


def test_a_click_takes_its_square_and_not_the_other() -> None:
    expected = torch.zeros(6, 10, dtype=torch.bool)
    expected[1:4, 1:4] = True
    assert torch.equal(grow(two_squares(), [(2, 2)]), expected)


def test_two_clicks_take_both() -> None:
    assert grow(two_squares(), [(2, 2), (3, 7)]).sum() == 18


def test_a_click_in_the_corner_has_a_smaller_seed() -> None:
    features = torch.zeros(2, 5, 7)
    features[0] = 1
    features[:, 3:, :3] = torch.tensor([0.0, 1.0])[:, None, None]
    region = grow(features, [(4, 0)])
    assert region[3:, :3].all() and region.sum() == 6


def test_where_everything_is_alike_the_click_stays_a_cell() -> None:
    for value in (0.0, 2.0, float("nan")):
        region = grow(torch.full((3, 4, 5), value), [(3, 1)])
        assert region[3, 1] and region.sum() == 1
