"""From the UNet's last map to logits at 8x: the authors' one-channel decoder, and a wider one.

The official decoder (LD-ZNet, `final` in its checkpoint) squeezes the mask into one channel at 1/8 of the resolution.
The wide one keeps many channels while it climbs and looks at the network's input again, where the fine detail is.
"""

import torch
from torch import Tensor, nn

from ldznet_ext.nets.blocks import GroupNorm32
from ldznet_ext.shapes import Float


def official_out(channels: int) -> nn.Sequential:
    """Norm, SiLU, convolution to one channel, SiLU; the keys `out.0` and `out.2` are SD's."""
    return nn.Sequential(GroupNorm32(channels), nn.SiLU(), nn.Conv2d(channels, 1, 3, padding=1), nn.SiLU())


class OfficialDecoder(nn.Sequential):
    """The authors' upsampler: one channel all the way, 55 parameters."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [nn.Conv2d(1, 1, 3, padding=1), nn.SiLU(), nn.ConvTranspose2d(1, 1, 2, stride=2), nn.SiLU()]
        super().__init__(*layers, nn.Conv2d(1, 1, 3, padding=1))

    def forward(self, hidden: Float[Tensor, "b 1 lh lw"], guide: Tensor) -> Float[Tensor, "b 1 h w"]:
        """`guide` is not looked at."""
        return super().forward(hidden)


def wide_out(channels: int) -> nn.Sequential:
    """Norm and SiLU; `out.0` is SD's."""
    return nn.Sequential(GroupNorm32(channels), nn.SiLU())


class Climb(nn.Module):
    """Double both sides: a 1x1 convolution spreads channels over sub-cells, a 3x3 one joins the seams."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(channels, out_channels * 4, 1)
        self.shuffle = nn.PixelShuffle(2)
        self.conv = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.act = nn.SiLU()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        return self.act(self.conv(self.act(self.shuffle(self.spread(x)))))


class WideDecoder(nn.Module):
    """Three steps of x2 on many channels; the last one writes its four sub-cells at once, so most work is at 2x and 4x.

    `guide` is what the network read, on the latent grid: the latent, or the picture folded 8x8 into channels.
    """

    def __init__(self, channels: int, guide_channels: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.join = nn.Conv2d(channels + guide_channels, widths[0], 3, padding=1)
        self.act = nn.SiLU()
        self.climb = nn.Sequential(Climb(widths[0], widths[1]), Climb(widths[1], widths[2]))
        self.last = nn.Sequential(nn.Conv2d(widths[2], 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(
        self, hidden: Float[Tensor, "b c lh lw"], guide: Float[Tensor, "b g lh lw"]
    ) -> Float[Tensor, "b 1 h w"]:
        x = self.act(self.join(torch.cat([hidden, guide], dim=1)))
        return self.last(self.climb(x))
