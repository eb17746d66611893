"""The Stable Diffusion UNet in a few dozen lines, with the official (CompVis) parameter names.

Follows CompVis `openaimodel.UNetModel` for SD 1.x, 2.x and XL: conv resampling, no scale-shift norm.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ldznet_ext.errors import ModelError
from ldznet_ext.nets.blocks import Downsample, GroupNorm32, ResBlock, SpatialTransformer, UNetBlock, Upsample, one_row
from ldznet_ext.shapes import Float


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Shape of an SD UNet; the defaults are SD 1.x.

    `attention_levels` are the levels (0 = the latent's own grid) that carry transformers; `head_channels` replaces the
    fixed number of heads (SD 2.x, XL: 64); `linear_projection` makes proj_in and proj_out linear layers (SD 2.x, XL).
    `depths` are the blocks of a level's transformers, one everywhere where it is empty (SDXL: 0, 2, 10); the middle has the
    last level's. `vector_dim` is the width of what SDXL adds to the time, 0 for the others.
    """

    in_channels: int = 4
    out_channels: int = 4
    model_channels: int = 320
    channel_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    attention_levels: tuple[int, ...] = (0, 1, 2)
    num_heads: int = 8
    head_channels: int | None = None
    context_dim: int = 768
    linear_projection: bool = False
    depths: tuple[int, ...] = ()
    vector_dim: int = 0

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of every level."""
        return tuple(self.model_channels * mult for mult in self.channel_mult)

    @property
    def multiple(self) -> int:
        """Both latent sides must be multiples of this, or the skips do not meet."""
        return 2 ** (len(self.channel_mult) - 1)

    def heads(self, channels: int) -> int:
        """Number of attention heads at this width."""
        return channels // self.head_channels if self.head_channels else self.num_heads

    def depth(self, tap: str) -> int:
        """Number of blocks of the transformer at a tap (`in.8`, `mid`, `out.3`)."""
        stage, _, number = tap.partition(".")
        last = len(self.channel_mult) - 1
        place = int(number or 0) // (self.num_res_blocks + 1)
        level = {"in": place, "mid": last, "out": last - place}[stage]
        return self.depths[level] if self.depths else 1


def timestep_embedding(timesteps: Float[Tensor, " b"], dim: int) -> Float[Tensor, "b dim"]:
    """Sinusoids of the timesteps in float32, cosines first (SD's order)."""
    half = dim // 2
    steps = torch.arange(half, dtype=torch.float32, device=timesteps.device)
    angles = timesteps.float()[:, None] * torch.exp(-math.log(10000) * steps / half)[None]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class UNet(nn.Module):
    """SD's noise predictor. Subclasses change the transformers (`make_transformer`), the entry and the exit."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        emb_dim = config.model_channels * 4
        self.time_embed = nn.Sequential(
            nn.Linear(config.model_channels, emb_dim), nn.SiLU(), nn.Linear(emb_dim, emb_dim)
        )
        if config.vector_dim:
            layers = nn.Linear(config.vector_dim, emb_dim), nn.SiLU(), nn.Linear(emb_dim, emb_dim)
            self.label_emb = nn.Sequential(nn.Sequential(*layers))
        skips = self._build_input(emb_dim)
        deepest = config.widths[-1]
        self.middle_block = UNetBlock(
            ResBlock(deepest, emb_dim, deepest),
            self.make_transformer("mid", deepest),
            ResBlock(deepest, emb_dim, deepest),
        )
        self._build_output(emb_dim, skips)
        self.out = nn.Sequential(
            GroupNorm32(config.widths[0]), nn.SiLU(), nn.Conv2d(config.widths[0], config.out_channels, 3, padding=1)
        )

    def make_transformer(self, tap: str, channels: int) -> SpatialTransformer:
        """The spatial transformer at a tap (`in.8`, `mid`, `out.3`)."""
        config = self.config
        return SpatialTransformer(
            channels,
            config.context_dim,
            config.heads(channels),
            linear=config.linear_projection,
            depth=config.depth(tap),
        )

    def _build_input(self, emb_dim: int) -> list[int]:
        """Fill `input_blocks`; return the widths its blocks leave for the skips."""
        config, width = self.config, self.config.widths[0]
        self.input_blocks = nn.ModuleList([UNetBlock(nn.Conv2d(config.in_channels, width, 3, padding=1))])
        skips = [width]
        for level, out in enumerate(config.widths):
            for _ in range(config.num_res_blocks):
                layers: list[nn.Module] = [ResBlock(width, emb_dim, out)]
                if level in config.attention_levels:
                    layers.append(self.make_transformer(f"in.{len(self.input_blocks)}", out))
                self.input_blocks.append(UNetBlock(*layers))
                width = out
                skips.append(width)
            if level < len(config.widths) - 1:
                self.input_blocks.append(UNetBlock(Downsample(width)))
                skips.append(width)
        return skips

    def _build_output(self, emb_dim: int, skips: list[int]) -> None:
        config, width = self.config, self.config.widths[-1]
        self.output_blocks = nn.ModuleList()
        for level, out in reversed(list(enumerate(config.widths))):
            for index in range(config.num_res_blocks + 1):
                layers: list[nn.Module] = [ResBlock(width + skips.pop(), emb_dim, out)]
                if level in config.attention_levels:
                    layers.append(self.make_transformer(f"out.{len(self.output_blocks)}", out))
                if level > 0 and index == config.num_res_blocks:
                    layers.append(Upsample(out))
                self.output_blocks.append(UNetBlock(*layers))
                width = out

    @property
    def dtype(self) -> torch.dtype:
        """The type the network runs in."""
        return next(self.time_embed.parameters()).dtype

    def embed(self, timesteps: Float[Tensor, " b"], vector: Float[Tensor, "b v"] | None = None) -> Float[Tensor, "b d"]:
        """The time embedding that every residual block adds, with SDXL's vector in it."""
        if (vector is None) == bool(self.config.vector_dim):
            raise ModelError(
                f"The UNet got {'no' if vector is None else 'a'} vector beside its text; expected "
                f"{'one' if vector is None else 'none'}, so encode the words with the model's own text encoder."
            )
        embedded = self.time_embed(timestep_embedding(timesteps, self.config.model_channels).to(self.dtype))
        return embedded if vector is None else embedded + self.label_emb(vector.to(self.dtype))

    def hidden(
        self,
        x: Float[Tensor, "b c lh lw"],
        emb: Float[Tensor, "e d"],
        context: Float[Tensor, "b words d"],
        features: Mapping[str, Tensor] | None = None,
    ) -> Float[Tensor, "b c lh lw"]:
        """Everything between the input and `out`; `features` (tap -> map) are only read.

        A latent that is one row expanded goes through as one until it meets the texts; hooks before that see one row.
        """
        self._check_grid(x)
        features = {} if features is None else features
        rows, skips = max(x.shape[0], context.shape[0]), []
        x = one_row(x)
        for index, block in enumerate(self.input_blocks):
            x = block(x, emb, context, features.get(f"in.{index}"))
            skips.append(x)
        x = self.middle_block(x, emb, context, features.get("mid"))
        for index, block in enumerate(self.output_blocks):
            # joined in one go: a name for the skip would keep it alive during the block
            x = torch.cat([x, skips.pop().expand(x.shape[0], -1, -1, -1)], dim=1)
            x = block(x, emb, context, features.get(f"out.{index}"))
        return x.expand(rows, -1, -1, -1)

    def _check_grid(self, x: Tensor) -> None:
        height, width = x.shape[-2:]
        step = self.config.multiple
        if height % step or width % step or not height or not width:
            raise ModelError(
                f"The latent grid has {height}x{width} cells; expected both sides to be multiples of {step}, so "
                f"stretch the picture to multiples of {step * 8} pixels first."
            )

    def forward(
        self,
        x: Float[Tensor, "b c lh lw"],
        timesteps: Float[Tensor, " b"],
        context: Float[Tensor, "b words d"],
        vector: Float[Tensor, "b v"] | None = None,
    ) -> Float[Tensor, "b out lh lw"]:
        """Predict the noise (or velocity) in the scaled latent `x` at these timesteps (0..999). vector: SDXL's, else None."""
        return self.out(self.hidden(x, self.embed(one_row(timesteps), vector), context))
