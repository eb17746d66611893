"""RGBNet: the baseline that sees pixels instead of latents (LD-ZNet paper, section 4): a small stem, then ZNet."""

from dataclasses import replace
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ldznet_ext.nets.presets import HeadPreset
from ldznet_ext.nets.registry import register_head
from ldznet_ext.nets.unet import UNetConfig
from ldznet_ext.nets.znet import ZNet

FACTOR = 8  # three stride-2 convolutions, as the VAE's factor


class Stem(nn.Sequential):
    """Three stride-2 convolutions from the picture to the latent grid, at the UNet's width: no bottleneck of 4."""

    def __init__(self, channels: int) -> None:
        quarter, half = channels // 4, channels // 2
        super().__init__(
            nn.Conv2d(3, quarter, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(quarter, half, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(half, channels, 3, stride=2, padding=1),
        )


@register_head("rgbnet")
class RGBNet(ZNet):
    """RGB pixels in [-1, 1] and text in, logits at the pixels' size out."""

    kind: ClassVar[str] = "rgbnet"
    reads: ClassVar[Literal["latent", "pixels"]] = "pixels"

    def __init__(self, preset: HeadPreset) -> None:
        super().__init__(preset)
        self.stem = Stem(preset.model_channels)

    @property
    def guide_channels(self) -> int:
        """The wide decoder sees each cell's 8x8 RGB pixels."""
        return 3 * FACTOR * FACTOR

    def unet_config(self, preset: HeadPreset) -> UNetConfig:
        return replace(preset.unet, in_channels=preset.model_channels)

    def enter(self, source: Tensor) -> tuple[Tensor, Tensor]:
        return self.stem(source), F.pixel_unshuffle(source, FACTOR)
