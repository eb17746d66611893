"""The attention pool's position embedding: when it is resized, and how."""

import pytest
import torch
import torch.nn.functional as F

from ldznet_ext.geometry import Size
from ldznet_ext.nets.attention import AttentionPool2d, CrossAttention, FeedForward


def pool(position: str) -> AttentionPool2d:
    torch.manual_seed(0)
    return AttentionPool2d(8, 4, heads=2, position=position).eval()


@pytest.mark.parametrize("position", ["geometry", "parity"])
def test_native_grid_is_taken_as_stored(position: str) -> None:
    layer = pool(position)
    assert layer._positions(Size(4, 4)) is layer.positional_embedding


def test_scrambled_grid_is_kept_only_for_parity() -> None:
    """2x8 has as many cells as 4x4: the authors add the embedding unresized, we resize it."""
    layer = pool("parity")
    assert layer._positions(Size(2, 8)) is layer.positional_embedding
    assert torch.equal(layer._positions(Size(2, 8)), layer.positional_embedding)
    resized = pool("geometry")._positions(Size(2, 8))
    assert resized.shape == (8, 17)
    assert not torch.allclose(resized, layer.positional_embedding)


@pytest.mark.parametrize("position", ["geometry", "parity"])
def test_other_grids_are_resized_without_the_mean_tokens_column(position: str) -> None:
    layer = pool(position)
    got = layer._positions(Size(3, 5))
    square = layer.positional_embedding[:, 1:].reshape(1, 8, 4, 4)
    want = F.interpolate(square, size=(3, 5), mode="bicubic", align_corners=False).reshape(8, 15)
    assert torch.equal(got[:, :1], layer.positional_embedding[:, :1])
    assert torch.equal(got[:, 1:], want)


def test_every_token_comes_back_and_the_first_is_the_means() -> None:
    layer = pool("geometry")
    feature = torch.randn(2, 8, 3, 5)
    out = layer(feature)
    assert out.shape == (2, 8, 16)
    layer.positional_embedding.data.zero_()
    constant = layer(feature.mean(dim=(2, 3), keepdim=True).expand(-1, -1, 3, 5))
    torch.testing.assert_close(constant[..., 0], constant[..., 7])


def test_attention_by_hand() -> None:
    torch.manual_seed(1)
    layer = CrossAttention(4, 6, heads=2).eval()
    x, context = torch.randn(1, 3, 4), torch.randn(1, 5, 6)
    q, k, v = layer.to_q(x), layer.to_k(context), layer.to_v(context)
    heads = [
        (q[..., s] @ k[..., s].mT / 2**0.5).softmax(-1) @ v[..., s] for s in (slice(0, 2), slice(2, 4))
    ]  # fmt: skip
    torch.testing.assert_close(layer(x, context), layer.to_out(torch.cat(heads, -1)))


def test_feed_forward_gates_with_the_exact_gelu() -> None:
    layer = FeedForward(3)
    x = torch.randn(1, 2, 3)
    value, gate = layer.net[0].proj(x).chunk(2, -1)
    gelu = gate * 0.5 * (1 + torch.erf(gate / 2**0.5))
    torch.testing.assert_close(layer(x), layer.net[2](value * gelu))
