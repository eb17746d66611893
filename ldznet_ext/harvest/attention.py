"""The attentions of a UNet that is not ours: where their queries and keys are read, and what they make of other words.

Queries are kept, not maps: words that are asked later cost one key projection a layer (OVAM, arXiv 2403.14291). The UNet
itself goes on with whatever fused attention it has.
"""

import copy
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from ldznet_ext.errors import ModelError
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.locate import find_attention, find_blocks, find_strides
from ldznet_ext.harvest.taps import Tap, parse_tap
from ldznet_ext.shapes import Float

Kind = Literal["attn1", "attn2"]
"""attn1: of the cells among themselves; attn2: of the cells to the words."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One attention: `place` of its transformer, number of its block there, `stride` of its cells on the latent."""

    place: str
    block: int
    kind: Kind
    stride: int
    module: nn.Module

    @property
    def heads(self) -> int:
        """Number of heads, under the name both layouts have."""
        return int(self.module.heads)  # type: ignore[arg-type]

    @property
    def q(self) -> str:
        """The tap of its queries."""
        return self._tap("q")

    @property
    def k(self) -> str:
        """The tap of its keys."""
        return self._tap("k")

    def _tap(self, port: str) -> str:
        place = parse_tap(self.place)
        return str(Tap(place.stage, place.number, f"{self.kind}.{port}", self.block))

    def keys(self, states: Float[Tensor, "rows tokens d"]) -> Float[Tensor, "rows heads tokens c"]:
        """Keys of other text states than those of the pass."""
        # no inference mode: a host that merges a LoRA in this call would keep tensors nothing may be written into later
        with torch.inference_mode(False), torch.no_grad():
            return split_heads(beside(self.module.to_k, states.device)(states), self.heads)  # type: ignore[arg-type]


def find_layers(
    unet: nn.Module, kind: Kind, places: Collection[str] | None = None, *, every: bool = True
) -> list[Layer]:
    """The attentions of a kind at these places (None: at all), in the order of a pass.

    every: all blocks of a transformer; otherwise the last one of each, which is the only one in SD 1.x and 2.x.
    """
    strides = find_strides(unet)
    found = []
    for place, block in find_blocks(unet).items():
        if block.transformer is None or (places is not None and place not in places):
            continue
        count = len(block.transformer.transformer_blocks)  # type: ignore[arg-type]
        for number in range(count) if every else (count - 1,):
            tap = Tap(*parse_tap(place)[:2], f"{kind}.q", number)
            found.append(Layer(place, number, kind, strides[place], find_attention(block.transformer, tap)))
    return found


def finest_self_attention(unet: nn.Module) -> Layer:
    """The decoder's self-attention at its finest level that has one, in the middle transformer's last block.

    SD 1.x and 2.x: `out.10` at stride 1, as iSeg has it (arXiv 2409.03209). SDXL, without attention there: `out.4` at 2.
    """
    ascent = [layer for layer in find_layers(unet, "attn1", every=False) if layer.place.startswith("out.")]
    if not ascent:
        raise ModelError(
            "The UNet has no self-attention on its way up; expected that of a Stable Diffusion model, so load one."
        )
    stride = min(layer.stride for layer in ascent)
    finest = [layer for layer in ascent if layer.stride == stride]
    return finest[len(finest) // 2]


def beside(layer: nn.Module, device: torch.device) -> nn.Module:
    """The layer where it is on this device, else a copy of it there: a host short of memory has moved it away since the pass.

    The original is not touched, whatever a host's own forward does to the copy's weights.
    """
    if layer.weight.device == device:  # type: ignore[union-attr]
        return layer
    twin = copy.copy(layer)
    twin._parameters = {
        name: value if value is None else _moved(value, device) for name, value in layer._parameters.items()
    }
    return twin


def _moved(value: nn.Parameter, device: torch.device) -> nn.Parameter:
    return nn.Parameter(value.detach().to(device), requires_grad=False)


def split_heads(x: Float[Tensor, "b n c"], heads: int) -> Float[Tensor, "b heads n d"]:
    """Queries or keys, head by head."""
    return rearrange(x, "b n (heads d) -> b heads n d", heads=heads)


def grid_of(latent: Size, stride: int, cells: int) -> Size:
    """Rows and columns of a layer's cells; ModelError where something has merged or dropped cells.

    >>> grid_of(Size(8, 24), 4, 12)
    Size(height=2, width=6)
    """
    size = Size(-(-latent.height // stride), -(-latent.width // stride))
    if size.area != cells:
        raise ModelError(
            f"An attention at stride {stride} has {cells} cells for a latent of {latent.height}x{latent.width}; expected "
            f"{size.area}, so switch token merging off."
        )
    return size
