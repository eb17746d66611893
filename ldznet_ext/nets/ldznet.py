"""LD-ZNet: ZNet that also attends to the features of a frozen diffusion UNet (arXiv 2303.12343, Fig. 5)."""

from typing import ClassVar

from ldznet_ext.nets.blocks import FeatureTransformer, SpatialTransformer
from ldznet_ext.nets.registry import register_head
from ldznet_ext.nets.znet import ZNet


@register_head("ldznet")
class LDZNet(ZNet):
    """At each tap of the preset the spatial transformer gets an attention pool and a third cross-attention."""

    kind: ClassVar[str] = "ldznet"

    @property
    def taps(self) -> tuple[str, ...]:
        """The diffusion features this head wants, by tap name."""
        return self.preset.taps

    def make_injected(self, tap: str, channels: int) -> SpatialTransformer:
        return FeatureTransformer(
            channels,
            self.config.context_dim,
            self.config.heads(channels),
            grid=self.preset.grid_at(tap),
            position=self.preset.position,
        )
