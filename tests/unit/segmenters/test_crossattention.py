"""Token maps from kept queries, on grids that are not square: shares, means over heads and steps, levels by weight."""

import pytest
import torch

from ldznet_ext.geometry import Size
from ldznet_ext.segmenters.crossattention import (
    Queries,
    against_background,
    blend,
    heat,
    levels_of,
    of_sum_one,
    token_maps,
)

SIZE = Size(2, 3)


@pytest.fixture
def queries() -> Queries:
    return Queries(torch.randn(4, 2, SIZE.area, 5, generator=torch.Generator().manual_seed(1)), SIZE, 4)


def keys(rows: int = 2, tokens: int = 7) -> torch.Tensor:
    return torch.randn(rows, 2, tokens, 5, generator=torch.Generator().manual_seed(2))


def test_shares_sum_to_one_over_tokens(queries: Queries) -> None:
    maps = token_maps(queries, keys())
    assert maps.shape == (2, 7, *SIZE) and maps.dtype == torch.float32
    torch.testing.assert_close(maps.sum(dim=1), torch.ones(2, *SIZE))


def test_steps_and_heads_are_averaged(queries: Queries) -> None:
    each = [heat(step[None], keys()).mean(dim=1) for step in queries.values]
    torch.testing.assert_close(token_maps(queries, keys()).flatten(2), torch.stack(each).mean(dim=0))


def test_tokens_may_come_in_any_order(queries: Queries) -> None:
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    torch.testing.assert_close(token_maps(queries, keys()[:, :, order]), token_maps(queries, keys())[:, order])


def test_two_texts_are_as_each_alone(queries: Queries) -> None:
    both = token_maps(queries, keys())
    torch.testing.assert_close(both[1:], token_maps(queries, keys()[1:]))


def test_half_precision_queries(queries: Queries) -> None:
    half = Queries(queries.values.half(), SIZE, 4)
    torch.testing.assert_close(token_maps(half, keys()), token_maps(queries, keys()), atol=1e-2, rtol=0)


def test_levels_are_means_of_their_layers() -> None:
    a, b, c = torch.rand(3, 1, 2, 3)
    levels = levels_of([(4, a), (2, c.repeat(1, 2, 2)), (4, b)])
    assert list(levels) == [4, 2]
    torch.testing.assert_close(levels[4], (a + b) / 2)


def test_levels_by_weight_whatever_is_there() -> None:
    """Weights of levels that a model lacks go to the others."""
    level = torch.rand(1, 2, 3)
    torch.testing.assert_close(blend({4: level}, {4: 0.7, 2: 0.3}, SIZE), level)
    ones, twos = torch.ones(1, 2, 3), torch.full((1, 4, 6), 2.0)
    torch.testing.assert_close(blend({4: ones, 2: twos}, {4: 0.7, 2: 0.3}, Size(4, 6)), torch.full((1, 4, 6), 1.3))


def test_sums_of_one_and_zeros() -> None:
    maps = of_sum_one(torch.tensor([[[1.0, 3.0]], [[0.0, 0.0]]]))
    torch.testing.assert_close(maps, torch.tensor([[[0.25, 0.75]], [[0.0, 0.0]]]))


def test_background_is_what_no_class_claims() -> None:
    maps = torch.tensor([[[0.0, 0.5]], [[1.0, 0.2]]])
    torch.testing.assert_close(against_background(maps), torch.tensor([[0.0, 0.25]]))
