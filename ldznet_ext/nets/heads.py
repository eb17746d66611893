"""Building a head by kind and preset, and starting it from a diffusion UNet's weights as the paper does."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ldznet_ext.errors import HeadError

# imported for their registration
from ldznet_ext.nets import concat, ldznet, rgbnet  # noqa: F401
from ldznet_ext.nets.attention import AttentionPool2d, PositionMode
from ldznet_ext.nets.blocks import SpatialTransformer
from ldznet_ext.nets.presets import HeadPreset, get_preset
from ldznet_ext.nets.registry import HEADS, get_head
from ldznet_ext.nets.znet import ZNet

__all__ = ["HEADS", "Started", "build_head", "put_to_rest", "start_from_unet", "with_positions"]

ENTRY, EXIT = "input_blocks.0.0.", "out.2."


def build_head(kind: str, preset: str | HeadPreset, **over: Any) -> ZNet:
    """A fresh head of `kind` (ldznet, znet, rgbnet, concat); `over` replaces fields of the preset.

    >>> build_head("ldznet", "golden", position="parity").taps
    ('in.8', 'mid', 'out.3', 'out.4', 'out.5')
    """
    return get_head(kind)(get_preset(preset, **over))


@dataclass(frozen=True, kw_only=True)
class Started:
    """What `start_from_unet` did: keys copied, cut to the first channel, and left at their own initialisation."""

    copied: tuple[str, ...]
    cut: tuple[str, ...]
    fresh: tuple[str, ...]


@torch.no_grad()
def start_from_unet(head: ZNet, unet: Mapping[str, Tensor]) -> Started:
    """Give a head the weights of a diffusion UNet (official key names), in place.

    Same key and shape: copied. The last convolution keeps its first output channel, as the authors' does. Whatever else
    the head has (pools, third attentions, decoders, stem) keeps its own initialisation. A UNet that does not fit is an
    error, not a silent start from nothing.
    """
    own = head.state_dict()
    _check_fit(head, own, unet)
    copied, cut, fresh = [], [], []
    for key, tensor in own.items():
        source = unet.get(key)
        if source is not None and source.shape == tensor.shape:
            tensor.copy_(source)
            copied.append(key)
        elif source is not None and key.startswith(EXIT):
            tensor.copy_(source[: tensor.shape[0]])
            cut.append(key)
        else:
            fresh.append(key)
    return Started(copied=tuple(copied), cut=tuple(cut), fresh=tuple(fresh))


def _check_fit(head: ZNet, own: Mapping[str, Tensor], unet: Mapping[str, Tensor]) -> None:
    """Only the entry and the exit of a UNet may differ from the head's."""
    inner = [key for key in own if key in unet and not key.startswith((ENTRY, EXIT))]
    wrong = next((key for key in inner if own[key].shape != unet[key].shape), None)
    if wrong is not None:
        raise HeadError(
            f"The UNet has {wrong} of shape {tuple(unet[wrong].shape)}; expected {tuple(own[wrong].shape)}, that of the head "
            f"'{head.preset.name}', so use a UNet of the same widths and text width."
        )
    strange = [key for key in unet if key not in own and not key.startswith(EXIT)]
    if strange or not inner:
        raise HeadError(
            f"Of the UNet's {len(unet)} names {len(inner)} fit the head '{head.preset.name}'; expected all, so "
            "use a UNet of the same shape in the CompVis layout."
        )


def with_positions(head: ZNet, position: PositionMode) -> ZNet:
    """The same network with another rule for its position embeddings; both hold the very same weights, wherever they move."""
    shared = {id(tensor): tensor for tensor in (*head.parameters(), *head.buffers())}
    other = copy.deepcopy(head, shared)
    other.preset = replace(head.preset, position=position)
    for module in other.modules():
        if isinstance(module, AttentionPool2d):
            module.position = position
    return other


@torch.no_grad()
def put_to_rest(head: ZNet, places: Sequence[str]) -> None:
    """Make the transformers at places such as "in.1" or "out.9" add nothing and learn nothing; wake all others."""
    for module in head.modules():
        if isinstance(module, SpatialTransformer):
            module.resting = False
    for place in places:
        for layer in _block(head, place).children():
            if isinstance(layer, SpatialTransformer):
                for parameter in layer.proj_out.parameters():
                    parameter.zero_()
                layer.requires_grad_(False).resting = True


def _block(head: ZNet, place: str) -> torch.nn.Module:
    side, _, number = place.partition(".")
    blocks = {"in": head.input_blocks, "out": head.output_blocks}.get(side)
    if blocks is None or not number.isdigit() or int(number) >= len(blocks):
        raise HeadError(
            f"A transformer at '{place}' was to rest; expected a place such as in.1 or out.9, so correct it."
        )
    return blocks[int(number)]
