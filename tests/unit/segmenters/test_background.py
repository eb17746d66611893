"""Prototypes of what no name claims."""

import pytest
import torch

from ldznet_ext.segmenters.background import background_prototypes, unclaimed


def stripes(*widths: int) -> torch.Tensor:
    """Features (c 2 w): each stripe along an axis of its own."""
    owner = torch.repeat_interleave(torch.arange(len(widths)), torch.tensor(widths))
    return torch.nn.functional.one_hot(owner, len(widths)).T[:, None].expand(-1, 2, -1).float()


def test_unclaimed_is_the_complement_of_the_largest_map_squared() -> None:
    maps = torch.tensor([[[1.0, 0.5, 0.0]], [[0.0, 0.2, 0.1]]])
    torch.testing.assert_close(unclaimed(maps), torch.tensor([[0.0, 0.25, 0.81]]))


def test_one_prototype_is_the_weighted_mean() -> None:
    weights = torch.tensor([[1.0, 1, 0, 0], [1, 1, 0, 0]])
    (mean,) = background_prototypes(stripes(1, 1, 2), weights, 1)
    torch.testing.assert_close(mean, torch.tensor([0.5, 0.5, 0.0]))


def test_several_prototypes_find_the_stripes_and_leave_what_is_claimed() -> None:
    features = stripes(3, 5, 2, 4)
    weights = 1 - features[1]  # the second stripe is a name's
    kinds = background_prototypes(features, weights, 3)
    found = {tuple(row) for row in kinds.round(decimals=4).tolist()}
    assert found == {(1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0)}


@pytest.mark.parametrize("kinds", [1, 4])
def test_nothing_unclaimed_gives_zeros_or_cells_but_never_nan(kinds: int) -> None:
    assert background_prototypes(stripes(2, 2), torch.zeros(2, 4), kinds).isfinite().all()
    assert not background_prototypes(stripes(2, 2), torch.zeros(2, 4), 1).any()


def test_there_is_no_chance_in_it() -> None:
    features = torch.randn(7, 6, 9, generator=torch.Generator().manual_seed(0))
    first = background_prototypes(features, torch.ones(6, 9), 4)
    assert torch.equal(first, background_prototypes(features, torch.ones(6, 9), 4)) and first.shape == (4, 7)
