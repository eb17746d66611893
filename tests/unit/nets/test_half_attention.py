"""Attention in half precision on a CPU, made in pieces where its weights are many."""

import pytest
import torch

from ldznet_ext.nets import attention


@pytest.mark.parametrize("rows", [3, 5, 512])
def test_pieces_are_the_whole(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    q, k, v = (torch.randn(2, 3, count, 4).bfloat16().transpose(0, 1) for count in (10, 7, 7))
    with torch.inference_mode():
        whole = attention.attend(q, k, v)
        monkeypatch.setattr(attention, "CACHED", 0)
        monkeypatch.setattr(attention, "ROWS", rows)
        assert torch.equal(attention.attend(q, k, v), whole)


def test_what_is_learnt_goes_through_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "CACHED", 0)
    monkeypatch.setattr(attention, "ROWS", None)  # would fail where it is used
    q = torch.randn(1, 2, 6, 4, dtype=torch.bfloat16, requires_grad=True)
    attention.attend(q, q, q).sum().backward()
    assert q.grad is not None and q.grad.isfinite().all()
