"""ZNet: the SD UNet turned into a segmenter of latents, without diffusion features (LD-ZNet paper, section 3.2)."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ldznet_ext.errors import HeadError
from ldznet_ext.nets.blocks import SpatialTransformer
from ldznet_ext.nets.decoders import OfficialDecoder, WideDecoder, official_out, wide_out
from ldznet_ext.nets.presets import HeadPreset
from ldznet_ext.nets.registry import register_head
from ldznet_ext.nets.unet import UNet, UNetConfig
from ldznet_ext.shapes import Float


@register_head("znet")
class ZNet(UNet):
    """Clean latent and text in, logits at 8x the latent grid out. The base of every other head."""

    kind: ClassVar[str] = "znet"
    reads: ClassVar[Literal["latent", "pixels"]] = "latent"

    def __init__(self, preset: HeadPreset) -> None:
        self.preset = preset
        self.tap_channels: dict[str, int] = {}  # filled while the UNet is built
        super().__init__(self.unet_config(preset))
        width = self.config.widths[0]
        if preset.decoder == "wide":
            self.out = wide_out(width)
            self.final = WideDecoder(width, self.guide_channels, preset.decoder_widths)
        else:
            self.out = official_out(width)
            self.final = OfficialDecoder()

    @property
    def taps(self) -> tuple[str, ...]:
        """The diffusion features this head wants: none."""
        return ()

    @property
    def guide_channels(self) -> int:
        """Channels of what the decoder sees of the input."""
        return self.preset.latent_channels

    def make_transformer(self, tap: str, channels: int) -> SpatialTransformer:
        if tap not in self.taps:
            return super().make_transformer(tap, channels)
        self.tap_channels[tap] = channels
        return self.make_injected(tap, channels)

    def make_injected(self, tap: str, channels: int) -> SpatialTransformer:
        """The transformer at a tap of this head, which takes the feature in."""
        raise NotImplementedError

    def unet_config(self, preset: HeadPreset) -> UNetConfig:
        """The UNet under this head."""
        return preset.unet

    def enter(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """What the UNet reads and what guides the decoder, both on the latent grid."""
        return source, source

    def forward(
        self,
        source: Float[Tensor, "s c h w"],
        context: Float[Tensor, "b words d"],
        features: Mapping[str, Tensor] | None = None,
    ) -> Float[Tensor, "b 1 h w"]:
        """Float32 logits at 8x the latent grid, one map per row of `context`.

        source: the clean latent as SD scales it (heads that read pixels: RGB in [-1, 1]); one row serves all texts.
        context: last hidden state of the text encoder.
        features: tap -> map, for heads with taps; one row serves all texts; read, never changed.
        """
        self._check_widths(source, context)
        features = self._checked(features, rows=context.shape[0])
        entry, guide = self.enter(self._rows(source.to(self.dtype), context.shape[0]))
        # the timestep is always 0, so one row of embedding serves the batch
        emb = self.embed(torch.zeros(1, device=entry.device))
        hidden = self.hidden(entry, emb, context.to(self.dtype), features)
        return self.final(self.out(hidden), guide).float()

    @property
    def source_channels(self) -> int:
        """Channels of the latent or of the pixels this head reads."""
        return 3 if self.reads == "pixels" else self.preset.latent_channels

    def _check_widths(self, source: Tensor, context: Tensor) -> None:
        """A model of the same family may still have other widths; say so before a matrix product does."""
        if context.shape[-1] != self.config.context_dim:
            raise HeadError(
                f"The text states are {context.shape[-1]} wide; expected {self.config.context_dim}, which this head was trained "
                "on, so use its diffusion model or a head trained for this one."
            )
        if source.shape[1] != self.source_channels:
            raise HeadError(
                f"The {'picture' if self.reads == 'pixels' else 'latent'} has {source.shape[1]} channels; expected "
                f"{self.source_channels}, which this head was trained on, so use its diffusion model or a head trained for "
                "this one."
            )

    def _rows(self, source: Tensor, rows: int) -> Tensor:
        if source.shape[0] not in (1, rows):
            raise HeadError(
                f"There are {source.shape[0]} pictures for {rows} phrases; expected 1 or {rows}, so repeat the picture."
            )
        return source.expand(rows, -1, -1, -1)

    def _checked(self, features: Mapping[str, Tensor] | None, rows: int) -> dict[str, Tensor]:
        """The wanted features in our dtype, in a dictionary of our own."""
        features = {} if features is None else features
        missing = [tap for tap in self.taps if tap not in features]
        if missing:
            raise HeadError(
                f"There are features at {', '.join(features) or 'no tap'}; expected also {', '.join(missing)}, so "
                f"harvest {', '.join(self.taps)}."
            )
        for tap in self.taps:
            self._check_feature(tap, features[tap], rows)
        return {tap: features[tap].to(self.dtype) for tap in self.taps}

    def _check_feature(self, tap: str, feature: Tensor, rows: int) -> None:
        if feature.shape[1] != self.tap_channels[tap]:
            raise HeadError(
                f"The feature at {tap} has {feature.shape[1]} channels; expected {self.tap_channels[tap]}, so use a diffusion "
                f"model of the family '{self.preset.family}'."
            )
        if feature.shape[0] not in (1, rows):
            raise HeadError(
                f"The feature at {tap} has {feature.shape[0]} rows for {rows} phrases; expected 1 or {rows}, so harvest one row "
                "per phrase."
            )
