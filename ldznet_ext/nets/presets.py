"""The shapes of heads as data: name -> frozen dataclass.

`sd1` is the paper's LD-ZNet; `sticker` fits the embedded model; `golden` is the reduced width of the tests' reference
vectors.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from ldznet_ext.errors import HeadError
from ldznet_ext.nets.attention import PositionMode
from ldznet_ext.nets.unet import UNetConfig

LDZNET_TAPS = ("in.8", "mid", "out.3", "out.4", "out.5")


@dataclass(frozen=True, kw_only=True)
class HeadPreset:
    """Everything that fixes the shapes of a head.

    `grid` and `mid_grid` are the sides of the position embeddings at a quarter and an eighth of the native latent;
    `position` says when they are resized: `geometry` when the grid differs, `parity` as the authors do, when the number
    of cells differs. `decoder_widths` matter only to the wide decoder.
    """

    name: str
    family: str
    model_channels: int
    channel_mult: tuple[int, ...]
    context_dim: int
    grid: int
    mid_grid: int
    num_heads: int = 8
    num_res_blocks: int = 2
    latent_channels: int = 4
    taps: tuple[str, ...] = LDZNET_TAPS
    position: PositionMode = "geometry"
    decoder: Literal["official", "wide"] = "official"
    decoder_widths: tuple[int, int, int] = (64, 48, 32)

    @property
    def native(self) -> int:
        """Side in pixels of the square pictures the embeddings were made for."""
        return self.grid * 4 * 8

    @property
    def unet(self) -> UNetConfig:
        """The UNet underneath; what it puts out is the decoder's business."""
        return UNetConfig(
            in_channels=self.latent_channels,
            out_channels=1,
            model_channels=self.model_channels,
            channel_mult=self.channel_mult,
            num_res_blocks=self.num_res_blocks,
            num_heads=self.num_heads,
            context_dim=self.context_dim,
        )

    def grid_at(self, tap: str) -> int:
        """Side of the position embedding at a tap."""
        return self.mid_grid if tap == "mid" else self.grid


PRESETS: dict[str, HeadPreset] = {
    preset.name: preset
    for preset in (
        HeadPreset(
            name="sd1",
            family="sd1",
            model_channels=320,
            channel_mult=(1, 2, 4, 4),
            context_dim=768,
            grid=12,
            mid_grid=6,
        ),
        HeadPreset(
            name="sticker",
            family="sticker",
            model_channels=64,
            channel_mult=(1, 2, 3, 3),
            context_dim=96,
            grid=8,
            mid_grid=4,
            decoder="wide",
        ),
        HeadPreset(
            name="golden",
            family="sd1",
            model_channels=32,
            channel_mult=(1, 2, 4, 4),
            context_dim=64,
            grid=12,
            mid_grid=6,
        ),
    )
}


def get_preset(preset: str | HeadPreset, **over: Any) -> HeadPreset:
    """A preset by name (or as it is), with some fields replaced."""
    if isinstance(preset, str):
        if preset not in PRESETS:
            raise HeadError(f"The preset is '{preset}'; expected one of {', '.join(PRESETS)}, so choose one of them.")
        preset = PRESETS[preset]
    try:
        return replace(preset, **over)
    except TypeError as error:
        fields = ", ".join(HeadPreset.__dataclass_fields__)
        raise HeadError(f"The settings are {', '.join(over)}; expected only {fields}, so remove the others.") from error
