"""MaskDiffusion's mathematics: text attention says roughly where a class is, features say what its pixels have in common.

Attention-weighted means of features are prototypes, a pixel is like the one its own feature points along (arXiv 2403.11194,
Eqs. 3-6). What the authors' code does differently (exp of the attention, the dot with an un-normalised prototype) is an
option. Written from the formulas; all in float32, on grids of any shape.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ldznet_ext.geometry import Size
from ldznet_ext.shapes import Float

Values = Literal["softmax", "exp", "raw"]
"""What of the attention is a map: each token's share, the authors' exp of the scaled logits, the paper's plain logits."""
Measure = Literal["cosine", "dot"]
"""How a pixel is compared: with the prototype's direction (the paper's Eq. 6), or also its length (the authors' code)."""

TINY = 1e-8
FLAT = 1e-4
"""Unit vectors that differ by less say nothing of their places."""


def attention_values(logits: Float[Tensor, "heads cells tokens"], values: Values = "softmax") -> Tensor:
    """Scaled logits QK^T / sqrt(d) (Eq. 3) of the tokens that compete, as the quantity that is averaged into maps.

    `exp` grows without bound, as the authors' does; half precision could not hold it, hence float32 in any case.
    """
    logits = logits.float()
    if values == "softmax":
        return logits.softmax(dim=-1)
    return logits.exp() if values == "exp" else logits


def mean_map(layers: Sequence[Float[Tensor, "heads h w tokens"]], size: Size) -> Float[Tensor, "tokens h w"]:
    """Maps of several layers on one grid (Eq. 4): bilinear each, then the plain mean over all heads of all layers."""
    heads = sum(layer.shape[0] for layer in layers)
    total = torch.zeros(())
    for layer in layers:
        # resizing is linear: the heads may be summed before
        total = total.to(layer.device) + to_grid(layer.float().sum(dim=0).movedim(-1, 0), size)
    return total / heads


def peaked(maps: Float[Tensor, "k h w"]) -> Float[Tensor, "k h w"]:
    """Each map divided by its own largest value; one that is nowhere above zero becomes zeros."""
    top = maps.flatten(1).amax(dim=1)[:, None, None]
    return torch.where(top > TINY, maps / top.clamp(min=TINY), torch.zeros_like(maps))


def focused(maps: Float[Tensor, "k h w"]) -> Float[Tensor, "k h w"]:
    """Each map only where it is the highest, in its own standard deviations above its mean; its largest value is one.

    Where attention is weak, its differences over a picture say more than its size. A map that wins nowhere becomes zeros.
    """
    spread = maps.float() - maps.float().mean(dim=(1, 2), keepdim=True)
    standard = spread / spread.square().mean(dim=(1, 2), keepdim=True).sqrt().clamp(min=TINY)
    return peaked(standard.clamp(min=0) * (standard == standard.amax(dim=0)))


def joined(levels: Sequence[Float[Tensor, "c h w"]], size: Size) -> Float[Tensor, "d h w"]:
    """Features of several levels on one grid: each of unit length first, so that none outweighs another by its scale."""
    return torch.cat([to_grid(unit(level), size) for level in levels])


def unit(features: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    """Every pixel's vector at length one, computed in float32; zeros stay zeros."""
    return F.normalize(features.float(), dim=0, eps=TINY)


def fault_of(features: Float[Tensor, "c h w"]) -> str:
    """Why nothing can be told from features, in words; empty where something can."""
    if not bool(torch.isfinite(features).all()):
        return "hold values that are not numbers"
    spread = unit(features)
    flat = float((spread - spread.mean(dim=(1, 2), keepdim=True)).abs().max()) < FLAT
    return "are the same everywhere" if flat else ""


def prototypes(features: Float[Tensor, "c h w"], maps: Float[Tensor, "k h w"]) -> Float[Tensor, "k c"]:
    """Attention-weighted means of the pixels' unit vectors (Eq. 5), not normalised; a map of zeros gives zeros."""
    weights = maps.float().flatten(1)
    total = weights.sum(dim=1, keepdim=True)
    mean = (weights @ unit(features).flatten(1).T) / torch.where(total.abs() > TINY, total, torch.ones_like(total))
    return torch.where(total.abs() > TINY, mean, torch.zeros_like(mean))


def likeness(
    features: Float[Tensor, "c h w"], kinds: Float[Tensor, "k c"], measure: Measure = "cosine"
) -> Float[Tensor, "k h w"]:
    """How much each pixel is like each prototype (Eq. 6), in [-1, 1]."""
    kinds = F.normalize(kinds, dim=1, eps=TINY) if measure == "cosine" else kinds
    return torch.einsum("kc,chw->khw", kinds, unit(features))


def to_grid(maps: Float[Tensor, "k h w"], size: Size) -> Float[Tensor, "k h2 w2"]:
    """Bilinear between pixel centres."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps[None], size=tuple(size), mode="bilinear", align_corners=False)[0]
