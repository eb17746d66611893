"""Prototypes and likeness on features written out by hand; the authors' numbers are in tests/golden."""

import torch

from ldznet_ext.geometry import Size
from ldznet_ext.segmenters.prototypes import attention_values, focused, joined, likeness, mean_map, peaked, prototypes

LEFT = torch.tensor([[1.0, 1, 0, 0]] * 2)
"""Two pixels a row in the left half of a 2 x 4 grid."""


def halves(length: float = 1.0) -> torch.Tensor:
    """Features (2 h w): along the first axis on the left, the second on the right; the right ones `length` long."""
    return torch.stack([LEFT, length * (1 - LEFT)])


def test_a_rough_map_finds_all_pixels_of_its_kind() -> None:
    rough = torch.zeros(1, 2, 4)
    rough[0, 0, 0] = 1.0  # the attention sees a corner of the left half only
    found = likeness(halves(), prototypes(halves(), rough))
    torch.testing.assert_close(found, LEFT[None])


def test_lengths_of_features_do_not_matter() -> None:
    maps = torch.rand(3, 2, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(prototypes(halves(1000.0), maps), prototypes(halves(), maps))


def test_cosine_and_dot_tell_unfocused_maps_apart() -> None:
    """A map over both halves has a prototype between them: half a unit vector's worth of length is gone."""
    both = torch.ones(1, 2, 4)
    kinds = prototypes(halves(), both)
    torch.testing.assert_close(likeness(halves(), kinds, "dot"), torch.full((1, 2, 4), 0.5))
    torch.testing.assert_close(likeness(halves(), kinds, "cosine"), torch.full((1, 2, 4), 0.5**0.5))


def test_a_map_of_zeros_and_features_of_zeros_give_zeros() -> None:
    assert not likeness(halves(), prototypes(halves(), torch.zeros(1, 2, 4))).any()
    nothing = torch.zeros(5, 2, 4)
    assert not likeness(nothing, prototypes(nothing, torch.ones(2, 2, 4))).any()
    assert not peaked(torch.zeros(1, 2, 4)).any() and not peaked(-torch.ones(1, 2, 4)).any()


def test_focused_maps_are_where_a_map_wins_by_its_own_measure() -> None:
    """The second map is a thousand times weaker, and yet wins where it rises; the third is flat."""
    maps = torch.tensor([[[5.0, 9.0, 5.0, 5.0]], [[0.0, 0.0, 0.0, 0.004]], [[7.0, 7.0, 7.0, 7.0]]])
    torch.testing.assert_close(focused(maps), torch.tensor([[[0.0, 1, 0, 0]], [[0.0, 0, 0, 1]], [[0.0, 0, 0, 0]]]))


def test_no_level_outweighs_another() -> None:
    coarse, fine = 100 * torch.ones(3, 1, 2), 0.01 * torch.ones(2, 2, 4)
    together = joined([coarse, fine], Size(4, 6))
    assert together.shape == (5, 4, 6)
    torch.testing.assert_close(together[:3].norm(dim=0), together[3:].norm(dim=0))


def test_layers_of_many_heads_weigh_more() -> None:
    maps = mean_map([torch.zeros(1, 1, 2, 1), torch.ones(3, 2, 4, 1)], Size(2, 4))
    torch.testing.assert_close(maps, torch.full((1, 2, 4), 0.75))


def test_values_are_shares_exponentials_or_logits_in_single_precision() -> None:
    logits = torch.tensor([[[20.0, 0.0]]]).half()
    assert attention_values(logits, "exp").isfinite().all()  # half precision ends at 65504
    torch.testing.assert_close(attention_values(logits, "exp"), logits.float().exp())
    torch.testing.assert_close(attention_values(logits).sum(dim=-1), torch.ones(1, 1))
    assert attention_values(logits, "raw").dtype == torch.float32
