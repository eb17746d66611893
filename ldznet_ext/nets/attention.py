"""Attention layers of the SD UNet on `scaled_dot_product_attention`, and LD-ZNet's attention pool.

Follows CompVis `ldm/modules/attention.py` and LD-ZNet (arXiv 2303.12343), whose parameter names are kept.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ldznet_ext.geometry import Size
from ldznet_ext.shapes import Float

PositionMode = Literal["geometry", "parity"]
CACHED = 16 * 2**20
"""Bytes of attention weights that a processor keeps at hand."""
ROWS = 512


class CrossAttention(nn.Module):
    """Multi-head attention; keys and values come from the context, or from the queries' own source without one.

    One row of queries serves a context of many rows.
    """

    def __init__(self, query_dim: int, context_dim: int | None, heads: int) -> None:
        super().__init__()
        context_dim = query_dim if context_dim is None else context_dim
        if query_dim % heads:
            raise ValueError(f"{query_dim} channels cannot be shared by {heads} heads")
        self.heads = heads
        self.to_q = nn.Linear(query_dim, query_dim, bias=False)
        self.to_k = nn.Linear(context_dim, query_dim, bias=False)
        self.to_v = nn.Linear(context_dim, query_dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(query_dim, query_dim))

    def forward(
        self, x: Float[Tensor, "b tokens c"], context: Float[Tensor, "b keys d"] | None = None
    ) -> Float[Tensor, "b tokens c"]:
        context = x if context is None else context
        q, k, v = self.to_q(x), self.to_k(context), self.to_v(context)
        q, k, v = (rearrange(t, "b n (heads d) -> b heads n d", heads=self.heads) for t in (q, k, v))
        q = q.expand(k.shape[0], -1, -1, -1) if q.shape[0] == 1 else q
        return self.to_out(rearrange(attend(q, k, v), "b heads n d -> b n (heads d)"))


def attend(
    q: Float[Tensor, "b heads n d"], k: Float[Tensor, "b heads keys d"], v: Float[Tensor, "b heads keys d"]
) -> Float[Tensor, "b heads n d"]:
    """Fused attention; in half precision on a CPU its three steps one by one, which are twice as fast there.

    Where their weights would outgrow a processor's cache and nothing is learnt, they are made a head and some rows at a time.
    """
    if q.device.type != "cpu" or q.element_size() > 2:
        return F.scaled_dot_product_attention(q, k, v)
    if torch.is_grad_enabled() or q.shape[:-1].numel() * k.shape[-2] * q.element_size() <= CACHED:
        return in_steps(q, k, v)
    pieces = [
        torch.cat([in_steps(part, keys, values) for part in queries.split(ROWS)])
        for queries, keys, values in zip(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), strict=True)
    ]
    return torch.stack(pieces).view(q.shape)


def in_steps(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scores, softmax, sum, as the authors compute attention."""
    return ((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)).softmax(dim=-1) @ v


class GEGLU(nn.Module):
    """Linear layer gated by the exact (erf) GELU of its second half."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim_in, dim_out * 2)

    def forward(self, x: Float[Tensor, "b tokens c"]) -> Float[Tensor, "b tokens d"]:
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * F.gelu(gate)


class FeedForward(nn.Module):
    """GEGLU, then a linear layer back; four times wider inside. The middle place held SD's dropout of rate 0."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GEGLU(dim, dim * 4), nn.Identity(), nn.Linear(dim * 4, dim))

    def forward(self, x: Float[Tensor, "b tokens c"]) -> Float[Tensor, "b tokens c"]:
        return self.net(x)


class TransformerBlock(nn.Module):
    """Self-attention, text attention, optionally a third attention to a feature, feed-forward: all residual."""

    def __init__(self, dim: int, context_dim: int, heads: int, *, feature_dim: int | None = None) -> None:
        super().__init__()
        self.attn1 = CrossAttention(dim, None, heads)
        self.ff = FeedForward(dim)
        self.attn2 = CrossAttention(dim, context_dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.norm3 = nn.LayerNorm(dim)
        if feature_dim is not None:
            self.attn3 = CrossAttention(dim, feature_dim, heads)
            self.norm_sd = nn.LayerNorm(dim)

    def forward(
        self,
        x: Float[Tensor, "b tokens c"],
        context: Float[Tensor, "b words d"],
        pooled: Float[Tensor, "b keys f"] | None = None,
    ) -> Float[Tensor, "b tokens c"]:
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), context)
        if pooled is not None:
            x = x + self.attn3(self.norm_sd(x), pooled)
        return x + self.ff(self.norm3(x))


class AttentionPool2d(nn.Module):
    """Self-attention over a feature map and its mean, with a learned position embedding; every token is returned.

    CLIP's attention pool as LD-ZNet modified it (`attentionpool2D`). `grid` is the side of the stored square embedding.
    """

    def __init__(self, channels: int, grid: int, heads: int, *, position: PositionMode = "geometry") -> None:
        super().__init__()
        self.grid, self.heads, self.position = grid, heads, position
        self.positional_embedding = nn.Parameter(torch.randn(channels, grid * grid + 1) / channels**0.5)
        self.qkv_proj = nn.Conv1d(channels, channels * 3, 1)
        self.c_proj = nn.Conv1d(channels, channels, 1)

    def forward(self, feature: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c tokens"]:
        """Return h*w + 1 tokens, the mean's first."""
        size = Size(*feature.shape[-2:])
        cells = rearrange(feature, "b c h w -> b c (h w)")
        tokens = torch.cat([cells.mean(dim=-1, keepdim=True), cells], dim=-1)  # (b, c, h*w + 1)
        tokens = tokens + self._positions(size).to(tokens.dtype)
        return self.c_proj(self._attend(self.qkv_proj(tokens)))

    def _positions(self, size: Size) -> Float[Tensor, "c tokens"]:
        """The embedding for a grid of this size: as stored, or resized without its first column (the mean token's)."""
        if self._fits(size):
            return self.positional_embedding
        # float32: bicubic has no half-precision kernel on every CPU, and the embedding is tiny
        square = rearrange(self.positional_embedding[:, 1:].float(), "c (h w) -> 1 c h w", h=self.grid)
        resized = F.interpolate(square, size=tuple(size), mode="bicubic", align_corners=False)
        cells = rearrange(resized[0], "c h w -> c (h w)").to(self.positional_embedding.dtype)
        return torch.cat([self.positional_embedding[:, :1], cells], dim=1)

    def _fits(self, size: Size) -> bool:
        if self.position == "parity":  # the authors compare only the number of tokens: 8x18 passes for 12x12
            return size.area == self.grid**2
        return size == Size(self.grid, self.grid)

    def _attend(self, qkv: Float[Tensor, "b c3 tokens"]) -> Float[Tensor, "b c tokens"]:
        q, k, v = rearrange(qkv, "b (three heads d) n -> three b heads d n", three=3, heads=self.heads)
        scale = q.shape[-2] ** -0.25  # on both sides, so that half precision does not overflow before the softmax
        weight = (q * scale).transpose(-1, -2) @ (k * scale)  # (b, heads, queries, keys)
        weight = weight.float().softmax(dim=-1).to(v.dtype)
        return rearrange(v @ weight.transpose(-1, -2), "b heads d n -> b (heads d) n")
