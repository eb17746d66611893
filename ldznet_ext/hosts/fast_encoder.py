"""The tiny encoder that stands in for the VAE's where speed matters more: TAESD (github.com/madebyollin/taesd).

A chain of convolutions, a ninth of the VAE encoder's operations. It gives the latent as the UNet sees it: nothing to scale.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ldznet_ext.shapes import Float


@dataclass(frozen=True, kw_only=True)
class FastEncoderConfig:
    """What shapes it; the defaults are TAESD's for SD 1.x and 2.x."""

    in_channels: int = 3
    latent_channels: int = 4
    channels: int = 64
    blocks: tuple[int, ...] = (1, 3, 3, 3)
    """Residual blocks at each resolution, the picture's own first."""

    @property
    def factor(self) -> int:
        """Picture pixels per latent cell, one way."""
        return 2 ** (len(self.blocks) - 1)


class Block(nn.Module):
    """Three convolutions with a skip, of one width throughout."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second, third = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))
        self.conv = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return torch.relu(self.conv(x) + x)


class FastEncoder(nn.Sequential):
    """Pixels to a latent; the places in the chain are the file's own names (`1.conv.0.weight`)."""

    def __init__(self, config: FastEncoderConfig) -> None:
        layers: list[nn.Module] = [nn.Conv2d(config.in_channels, config.channels, 3, padding=1)]
        for level, blocks in enumerate(config.blocks):
            if level:
                layers.append(nn.Conv2d(config.channels, config.channels, 3, stride=2, padding=1, bias=False))
            layers.extend(Block(config.channels) for _ in range(blocks))
        super().__init__(*layers, nn.Conv2d(config.channels, config.latent_channels, 3, padding=1))
        self.config = config

    def encode(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c lh lw"]:
        """Pixels in [-1, 1] to the scaled latent, as `Autoencoder.encode` gives it."""
        return self((pixels + 1) / 2)
