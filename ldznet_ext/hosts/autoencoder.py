"""Stable Diffusion's KL auto-encoder, for inference: picture to latent mean, latent to picture.

Follows CompVis `ldm/modules/diffusionmodules/model.py`; parameter names are diffusers' `AutoencoderKL`, whose files it reads.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ldznet_ext.hosts.tiling import encode_in_tiles, is_large
from ldznet_ext.shapes import Float

QUERIES = 4096
"""Cells that look at all others at once: those of 512x512 pixels."""


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """The numbers of a VAE's `config.json` that shape it."""

    in_channels: int = 3
    out_channels: int = 3
    latent_channels: int = 4
    block_out_channels: tuple[int, ...] = (128, 256, 512, 512)
    layers_per_block: int = 2
    norm_num_groups: int = 32
    scaling_factor: float = 0.18215
    use_quant_conv: bool = True
    use_post_quant_conv: bool = True
    mid_block_add_attention: bool = True

    @property
    def factor(self) -> int:
        """Picture pixels per latent cell, one way."""
        return 2 ** (len(self.block_out_channels) - 1)


class Residual(nn.Module):
    """Two convolutions with a skip."""

    def __init__(self, channels: int, out: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, eps=1e-6)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, out, eps=1e-6)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        if channels != out:
            self.conv_shortcut = nn.Conv2d(channels, out, 1)
        self.changes = channels != out

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.conv_shortcut(x) if self.changes else x)


class CellAttention(nn.Module):
    """Single-head self-attention over the cells of the deepest level."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.to_q = nn.Linear(channels, channels)
        self.to_k = nn.Linear(channels, channels)
        self.to_v = nn.Linear(channels, channels)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        cells = rearrange(self.group_norm(x), "b c h w -> b 1 (h w) c")
        k, v = self.to_k(cells), self.to_v(cells)
        # a part at a time: where no fused kernel is at hand, all scores of a large picture at once would be gigabytes
        parts = self.to_q(cells).split(QUERIES, dim=2)
        out = torch.cat([F.scaled_dot_product_attention(q, k, v) for q in parts], dim=2)
        return x + rearrange(self.to_out[0](out), "b 1 (h w) c -> b c h w", h=x.shape[2])


class Downsample(nn.Module):
    """Halve with a strided convolution, padded at the bottom and the right only, as SD does."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Double: nearest, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """Residual blocks of one resolution, then a change of resolution."""

    def __init__(
        self, channels: int, out: int, layers: int, groups: int, *, down: bool = False, up: bool = False
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(Residual(channels if i == 0 else out, out, groups) for i in range(layers))
        if down:
            self.downsamplers = nn.ModuleList([Downsample(out)])
        if up:
            self.upsamplers = nn.ModuleList([Upsample(out)])
        self.samplers = "downsamplers" if down else "upsamplers" if up else None

    def forward(self, x: Tensor) -> Tensor:
        for block in self.resnets:
            x = block(x)
        return getattr(self, self.samplers)[0](x) if self.samplers else x


class Middle(nn.Module):
    """Residual, attention, residual."""

    def __init__(self, channels: int, groups: int, attention: bool) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(Residual(channels, channels, groups) for _ in range(2))
        self.attentions = nn.ModuleList([CellAttention(channels, groups)] if attention else [])

    def forward(self, x: Tensor) -> Tensor:
        x = self.resnets[0](x)
        for attention in self.attentions:
            x = attention(x)
        return self.resnets[1](x)


class Encoder(nn.Module):
    """Picture to the moments of the latent."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths, groups = config.block_out_channels, config.norm_num_groups
        self.conv_in = nn.Conv2d(config.in_channels, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            Level(widths[max(i - 1, 0)], out, config.layers_per_block, groups, down=i < len(widths) - 1)
            for i, out in enumerate(widths)
        )
        self.mid_block = Middle(widths[-1], groups, config.mid_block_add_attention)
        self.conv_norm_out = nn.GroupNorm(groups, widths[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[-1], 2 * config.latent_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down_blocks:
            x = level(x)
        return self.finish(x)

    def finish(self, x: Float[Tensor, "b c lh lw"]) -> Float[Tensor, "b m lh lw"]:
        """What follows the last level."""
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))


class Decoder(nn.Module):
    """Latent to picture."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths, groups = config.block_out_channels[::-1], config.norm_num_groups
        self.conv_in = nn.Conv2d(config.latent_channels, widths[0], 3, padding=1)
        self.mid_block = Middle(widths[0], groups, config.mid_block_add_attention)
        self.up_blocks = nn.ModuleList(
            Level(widths[max(i - 1, 0)], out, config.layers_per_block + 1, groups, up=i < len(widths) - 1)
            for i, out in enumerate(widths)
        )
        self.conv_norm_out = nn.GroupNorm(groups, widths[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[-1], config.out_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid_block(self.conv_in(z))
        for level in self.up_blocks:
            x = level(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class Autoencoder(nn.Module):
    """`encode` gives the scaled posterior mean (never a sample: the same picture has one latent), `decode` undoes it."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        z = config.latent_channels
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        if config.use_quant_conv:
            self.quant_conv = nn.Conv2d(2 * z, 2 * z, 1)
        if config.use_post_quant_conv:
            self.post_quant_conv = nn.Conv2d(z, z, 1)

    def encode(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c lh lw"]:
        """Pixels in [-1, 1] to the latent as the UNet sees it (times `scaling_factor`); large ones go through in tiles.

        Both sides are multiples of the factor; others leave the odd cells at the edge out.
        """
        return self.posterior(pixels)[0]

    def posterior(
        self, pixels: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b c lh lw"], Float[Tensor, "b c lh lw"]]:
        """Mean and deviation of the latents a picture may have, scaled as in `encode`."""
        even = not any(side % self.config.factor for side in pixels.shape[-2:])
        moments = encode_in_tiles(self.encoder, pixels) if even and is_large(pixels) else self.encoder(pixels)
        if self.config.use_quant_conv:
            moments = self.quant_conv(moments)
        mean, spread = moments.chunk(2, dim=1)
        deviation = (0.5 * spread.clamp(-30.0, 20.0)).exp()  # CompVis' bounds
        return mean * self.config.scaling_factor, deviation * self.config.scaling_factor

    def decode(self, latent: Float[Tensor, "b c lh lw"]) -> Float[Tensor, "b 3 h w"]:
        """A scaled latent to pixels, about [-1, 1]."""
        z = latent / self.config.scaling_factor
        if self.config.use_post_quant_conv:
            z = self.post_quant_conv(z)
        return self.decoder(z)


OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def autoencoder_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give old diffusers files today's names of the attention layers, and 1x1 convolutions the shape of linear layers."""
    renamed = {}
    for key, value in state.items():
        parts = key.split(".")
        if "attentions" in parts:
            parts[-2] = OLD_ATTENTION.get(parts[-2], parts[-2])
            value = value[:, :, 0, 0] if value.ndim == 4 else value
        renamed[".".join(parts)] = value
    return renamed
