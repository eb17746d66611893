"""Building a head by kind and preset, and starting it from a diffusion UNet's weights as the paper does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ldznet_ext.errors import HeadError

# imported for their registration
from ldznet_ext.nets import concat, ldznet, rgbnet  # noqa: F401
from ldznet_ext.nets.presets import HeadPreset, get_preset
from ldznet_ext.nets.registry import HEADS, get_head
from ldznet_ext.nets.znet import ZNet

__all__ = ["HEADS", "Started", "build_head", "start_from_unet"]


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

    Same key and shape: copied. The last convolution keeps its first output channel, as the authors' does.
    Whatever else the head has (pools, third attentions, decoders, stem) keeps its own initialisation. A state dict of
    which hardly anything fits is an error, not a silent start from nothing.
    """
    copied, cut, fresh = [], [], []
    for key, own in head.state_dict().items():
        source = unet.get(key)
        if source is not None and source.shape == own.shape:
            own.copy_(source)
            copied.append(key)
        elif source is not None and key.startswith("out.2.") and source.shape[1:] == own.shape[1:]:
            own.copy_(source[: own.shape[0]])
            cut.append(key)
        else:
            fresh.append(key)
    if len(copied) < len(unet) * 0.9:
        raise HeadError(
            f"got a UNet of which {len(copied)} of {len(unet)} tensors fit the head '{head.preset.name}', "
            "expected nearly all: use a UNet of the same widths, in the CompVis layout"
        )
    return Started(copied=tuple(copied), cut=tuple(cut), fresh=tuple(fresh))
