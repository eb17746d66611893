"""The concatenation variant of LD-ZNet (paper, Table 4): features joined by a 1x1 convolution, not attended to."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ldznet_ext.nets.blocks import SpatialTransformer, zeroed
from ldznet_ext.nets.registry import register_head
from ldznet_ext.nets.znet import ZNet
from ldznet_ext.shapes import Float


class ConcatTransformer(SpatialTransformer):
    """[x, f] through a 1x1 convolution, then the plain transformer. It starts as if there were no feature."""

    def __init__(self, channels: int, context_dim: int, heads: int) -> None:
        super().__init__(channels, context_dim, heads)
        self.join = zeroed(nn.Conv2d(channels * 2, channels, 1))
        with torch.no_grad():
            self.join.weight[:, :channels, 0, 0] = torch.eye(channels)

    def forward(
        self, x: Float[Tensor, "b c h w"], context: Float[Tensor, "b words d"], feature: Tensor | None = None
    ) -> Float[Tensor, "b c h w"]:
        """`feature` (b or 1, c, h, w) is required."""
        assert feature is not None, "checked by the network before its first block"
        joined = self.join(torch.cat([x, feature.expand(x.shape[0], -1, -1, -1)], dim=1))
        return super().forward(joined, context)


@register_head("concat")
class ConcatNet(ZNet):
    """ZNet whose transformers at the preset's taps first join the feature to their input."""

    kind: ClassVar[str] = "concat"

    @property
    def taps(self) -> tuple[str, ...]:
        """The diffusion features this head wants, by tap name."""
        return self.preset.taps

    def make_injected(self, tap: str, channels: int) -> SpatialTransformer:
        return ConcatTransformer(channels, self.config.context_dim, self.config.heads(channels))
