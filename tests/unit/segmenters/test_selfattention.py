"""The walk by self-attention: rows sum to one, chunks and recomputing change nothing, flat and NaN maps become zeros."""

import pytest
import torch
from torch import Tensor

from ldznet_ext.segmenters import selfattention
from ldznet_ext.segmenters.selfattention import SelfAttention, settle, walk

STEPS, HEADS, CELLS, WIDTH = 2, 3, 20, 4


@pytest.fixture
def qk() -> tuple[Tensor, Tensor]:
    """Queries and keys (steps heads n d) of a 4x5 grid."""
    generator = torch.Generator().manual_seed(1)
    q, k = torch.randn(2, STEPS, HEADS, CELLS, WIDTH, generator=generator)
    return q, k


def dense(q: Tensor, k: Tensor) -> Tensor:
    """A as the definition has it, all at once."""
    return (q @ k.transpose(-1, -2) * WIDTH**-0.5).softmax(dim=-1).mean(dim=(0, 1))


def test_spread_is_a_times_the_map(qk: tuple[Tensor, Tensor]) -> None:
    maps = torch.rand(2, CELLS)
    torch.testing.assert_close(SelfAttention(*qk).spread(maps), maps @ dense(*qk).T)


def test_sharpening_is_isegs(qk: tuple[Tensor, Tensor]) -> None:
    """Divided by each key's peak, plus ent log10(e A), not below zero, rows of sum one."""
    plain = dense(*qk)
    scaled = plain / plain.amax(dim=0)
    sharp = (scaled + 0.2 * torch.log10(torch.e * scaled)).clamp(min=0)
    sharp = sharp / sharp.sum(dim=1, keepdim=True)
    identity = torch.eye(CELLS)
    torch.testing.assert_close(SelfAttention(*qk, sharpen=0.2).spread(identity).T, sharp)
    assert (sharp == 0).any()


@pytest.mark.parametrize("sharpen", [0.0, 0.2])
def test_chunks_and_recomputing_change_nothing(
    qk: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch, sharpen: float
) -> None:
    maps = torch.rand(3, CELLS)
    whole = SelfAttention(*qk, sharpen=sharpen).spread(maps)
    monkeypatch.setattr(selfattention, "CHUNK", 7)
    monkeypatch.setattr(selfattention, "KEPT_CELLS", 0)
    torch.testing.assert_close(SelfAttention(*qk, sharpen=sharpen).spread(maps), whole)


def test_the_largest_matrix_at_a_time_is_a_chunk_of_queries(
    qk: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """[heads, n, n] never exists."""
    monkeypatch.setattr(selfattention, "CHUNK", 5)
    softmax, seen = torch.Tensor.softmax, []
    monkeypatch.setattr(torch.Tensor, "softmax", lambda self, dim: seen.append(self.numel()) or softmax(self, dim))
    SelfAttention(*qk, sharpen=0.1).spread(torch.rand(1, CELLS))
    assert seen and max(seen) == HEADS * 5 * CELLS < HEADS * CELLS * CELLS


@pytest.mark.parametrize("sharpen", [0.0, 0.5])
def test_what_is_the_same_everywhere_stays_nothing(qk: tuple[Tensor, Tensor], sharpen: float) -> None:
    """The authors' code divides 0 by 0 here."""
    flat = torch.full((1, CELLS), 0.3)
    assert not walk(flat, SelfAttention(*qk, sharpen=sharpen), rounds=4).any()
    torch.testing.assert_close(SelfAttention(*qk, sharpen=sharpen).spread(flat), flat)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_none_become_zeros(qk: tuple[Tensor, Tensor], bad: float) -> None:
    q, k = qk
    maps = torch.rand(2, CELLS)
    maps[0, 3] = bad
    walked = walk(maps, SelfAttention(q, k), rounds=2)
    assert not walked[0].any() and walked[1].any()
    assert not walk(maps[1:], SelfAttention(q * bad, k), rounds=2).any()


def test_attention_that_is_the_same_everywhere_says_nothing() -> None:
    constant = torch.ones(1, 2, CELLS, WIDTH)
    assert not walk(torch.rand(1, CELLS), SelfAttention(constant, constant, sharpen=0.1), rounds=1).any()


def test_restart_keeps_to_the_first_map(qk: tuple[Tensor, Tensor]) -> None:
    maps, attention = torch.rand(1, CELLS), SelfAttention(*qk)
    torch.testing.assert_close(walk(maps, attention, rounds=3, restart=1.0), settle(maps))
    once = settle(0.7 * attention.spread(settle(maps)) + 0.3 * settle(maps))
    torch.testing.assert_close(walk(maps, attention, rounds=1, restart=0.3), once)


def test_half_precision_is_computed_in_full(qk: tuple[Tensor, Tensor]) -> None:
    q, k = (part.half() for part in qk)
    maps = torch.rand(1, CELLS)
    torch.testing.assert_close(
        walk(maps, SelfAttention(q, k, sharpen=0.1), rounds=5),
        walk(maps, SelfAttention(q.float(), k.float(), sharpen=0.1), rounds=5),
    )
