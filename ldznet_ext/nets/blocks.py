"""Building blocks of the SD UNet: residual block, resampling, spatial transformer, and the block that strings them.

Follows CompVis `openaimodel.py`; parameter names are SD's own.
"""

from typing import TypeVar

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ldznet_ext.nets.attention import AttentionPool2d, PositionMode, TransformerBlock
from ldznet_ext.shapes import Float

Layer = TypeVar("Layer", bound=nn.Module)
FEW_CELLS, MANY_WEIGHTS = 256, 2**22
"""Where a 3x3 convolution on a CPU is a matrix product: at both twice as fast or more, beyond either slower."""
GROUPS = 32  # of every group norm in SD; hence every width is a multiple of 32


def one_row(batch: Tensor) -> Tensor:
    """The row that a batch repeats in place (`expand`); other batches as they are.

    What is the same for all texts is computed once: the first attention to the texts makes as many rows of it.
    """
    return batch[:1] if batch.shape[0] > 1 and batch.stride(0) == 0 else batch


def zeroed(layer: Layer) -> Layer:
    """A layer that at first adds nothing: all its parameters are zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class GroupNorm32(nn.GroupNorm):
    """Group norm computed in float32 whatever the network runs in."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__(GROUPS, channels, eps=eps)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        weight, bias = self.weight.float(), self.bias.float()
        return F.group_norm(x.float(), self.num_groups, weight, bias, self.eps).to(x.dtype)


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution; of few cells and many weights a matrix product, for a CPU reorders all weights for each convolution."""

    def __init__(self, channels: int, out_channels: int, *, stride: int = 1) -> None:
        super().__init__(channels, out_channels, 3, stride=stride, padding=1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        few = x.shape[0] * x.shape[-2] * x.shape[-1] <= FEW_CELLS * self.stride[0] ** 2
        if few and self.weight.numel() >= MANY_WEIGHTS and x.device.type == "cpu" and x.dtype == torch.float32:
            return self._as_product(x)
        return super().forward(x)

    def _as_product(self, x: Tensor) -> Tensor:
        """Each cell's neighbourhood as a column, times the weights."""
        height, width = ((side - 1) // self.stride[0] + 1 for side in x.shape[-2:])
        columns = F.unfold(x, 3, padding=1, stride=self.stride).transpose(0, 1).flatten(1)  # (c*9, b*h2*w2)
        cells = self.weight.flatten(1) @ columns
        if self.bias is not None:
            cells = cells + self.bias[:, None]
        return rearrange(cells, "c (b h w) -> b c h w", h=height, w=width).contiguous()


class ResBlock(nn.Module):
    """Two convolutions around the time embedding, with a skip."""

    def __init__(self, channels: int, emb_dim: int, out_channels: int) -> None:
        super().__init__()
        conv_in = Conv3x3(channels, out_channels)
        conv_out = zeroed(Conv3x3(out_channels, out_channels))
        self.in_layers = nn.Sequential(GroupNorm32(channels), nn.SiLU(), conv_in)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(emb_dim, out_channels))
        # the place between SiLU and convolution held SD's dropout of rate 0
        self.out_layers = nn.Sequential(GroupNorm32(out_channels), nn.SiLU(), nn.Identity(), conv_out)
        same = channels == out_channels
        self.skip_connection = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Float[Tensor, "b c h w"], emb: Float[Tensor, "e d"]) -> Float[Tensor, "b c2 h w"]:
        """`emb` may have one row for the whole batch."""
        shift = rearrange(self.emb_layers(emb), "b c -> b c 1 1")
        return self.skip_connection(x) + self.out_layers(self.in_layers(x) + shift)


class Downsample(nn.Module):
    """Halve both sides with a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = Conv3x3(channels, channels, stride=2)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        return self.op(x)


class Upsample(nn.Module):
    """Double both sides: nearest, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv3x3(channels, channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class SpatialTransformer(nn.Module):
    """A transformer over the cells of a feature map, conditioned on text, with an outer residual.

    One that is `resting` adds nothing and is not computed; see `let_zeros_rest`.
    """

    resting = False

    def __init__(
        self,
        channels: int,
        context_dim: int,
        heads: int,
        *,
        linear: bool = False,
        depth: int = 1,
        feature_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.norm = GroupNorm32(channels, eps=1e-6)
        self.linear = linear
        self.proj_in = nn.Linear(channels, channels) if linear else nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(channels, context_dim, heads, feature_dim=feature_dim) for _ in range(depth)
        )
        self.proj_out = zeroed(nn.Linear(channels, channels) if linear else nn.Conv2d(channels, channels, 1))

    def forward(
        self, x: Float[Tensor, "b c h w"], context: Float[Tensor, "b words d"], feature: Tensor | None = None
    ) -> Float[Tensor, "b c h w"]:
        """`feature` is for the variants that inject one; here it is not looked at."""
        return x if self.resting else x + self._transform(x, context, None)

    def _transform(self, x: Tensor, context: Tensor, pooled: Tensor | None) -> Tensor:
        height, width = x.shape[-2:]
        h = self.norm(x)
        h = h if self.linear else self.proj_in(h)
        h = rearrange(h, "b c h w -> b (h w) c")
        h = self.proj_in(h) if self.linear else h
        for block in self.transformer_blocks:
            h = block(h, context, pooled)
        h = self.proj_out(h) if self.linear else h
        h = rearrange(h, "b (h w) c -> b c h w", h=height, w=width)
        return h if self.linear else self.proj_out(h)


class FeatureTransformer(SpatialTransformer):
    """LD-ZNet's variant: a third attention, after the text's, to the pooled diffusion feature (spec 2.2)."""

    def __init__(
        self, channels: int, context_dim: int, heads: int, *, grid: int, position: PositionMode = "geometry"
    ) -> None:
        super().__init__(channels, context_dim, heads, feature_dim=channels)
        self.attentionpool2D = AttentionPool2d(channels, grid, heads, position=position)

    def forward(
        self, x: Float[Tensor, "b c h w"], context: Float[Tensor, "b words d"], feature: Tensor | None = None
    ) -> Float[Tensor, "b c h w"]:
        """`feature` (b or 1, c, h, w) is required; one row serves the whole batch."""
        assert feature is not None, "checked by the network before its first block"
        if self.resting:
            return x
        pooled = rearrange(self.attentionpool2D(feature), "b c n -> b n c")
        rows = max(x.shape[0], context.shape[0])
        return x + self._transform(x, context, pooled.expand(rows, -1, -1))


class UNetBlock(nn.Sequential):
    """A chain of layers; each gets what it needs besides the map."""

    def forward(self, x: Tensor, emb: Tensor, context: Tensor, feature: Tensor | None = None) -> Tensor:
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, emb)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context, feature)
            else:
                x = layer(x)
        return x


def let_zeros_rest(network: nn.Module) -> None:
    """Leave out of the pass every transformer whose last layer is zero: it would add nothing, at its full cost.

    Where the latent grid is fine, attention among its cells costs more than all else; a head whose finest transformers are
    zero is several times faster. One that learns again is woken by `resting = False`.
    """
    for module in network.modules():
        if isinstance(module, SpatialTransformer):
            module.resting = not any(parameter.any() for parameter in module.proj_out.parameters())
