"""What a model with inpainting channels is told beside the latent: a mask, and the latent of the picture with grey under it."""

import torch
from torch import Tensor

from ldznet_ext.backbone import Conditioning
from ldznet_ext.hosts.base import BaseBackbone
from ldznet_ext.shapes import Float


def with_beside(
    backbone: BaseBackbone, noisy: Float[Tensor, "b c lh lw"], told: Conditioning
) -> Float[Tensor, "b 9 lh lw"]:
    """The UNet's input: what the conditioning says of the mask, or else that everything is to be painted."""
    beside = _everything(backbone, noisy) if told.beside is None else told.beside.to(noisy)
    return torch.cat([noisy, beside.expand(len(noisy), -1, -1, -1)], dim=1)


def _everything(backbone: BaseBackbone, noisy: Tensor) -> Float[Tensor, "1 5 lh lw"]:
    """Ones, and the latent of plain grey: what hosts tell such a model that is given no mask."""
    height, width = (side * backbone.factor for side in noisy.shape[-2:])
    key = (backbone.state_key("vae"), "grey", height, width, str(noisy.dtype))
    grey = backbone.caches.latents.get_or(key, lambda: backbone.encode(torch.zeros(1, 3, height, width))).to(noisy)
    return torch.cat([torch.ones_like(grey[:, :1]), grey], dim=1)
