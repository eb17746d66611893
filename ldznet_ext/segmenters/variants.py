"""DAAM, OVAM and iSeg as their authors compute them, from the same pieces as our own method: what it is measured against.

Not methods of their own: they hold the pieces to the authors' numbers (tests/golden) and to their ablations.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ldznet_ext.geometry import Size
from ldznet_ext.segmenters.crossattention import heat, of_sum_one
from ldznet_ext.segmenters.prototypes import Values, to_grid
from ldznet_ext.segmenters.selfattention import SelfAttention, walk
from ldznet_ext.shapes import Float

LayerMaps = Float[Tensor, "heads tokens h w"]


def summed_heat(
    q: Float[Tensor, "steps heads cells d"], k: Float[Tensor, "heads tokens d"], size: Size, values: Values = "softmax"
) -> LayerMaps:
    """One layer's maps, head by head: the sum over steps, as DAAM and OVAM have it."""
    return heat(q, k[None], values).sum(dim=0).unflatten(-1, tuple(size))


def daam(layers: Sequence[LayerMaps], size: Size, *, shares: bool = False) -> Float[Tensor, "tokens h w"]:
    """DAAM's global maps (arXiv 2210.04885): bicubic, not below zero, the mean over all heads of all layers.

    shares: divide by the sum over tokens, the first (start) and the last (end) left out.
    """
    grown = [F.interpolate(maps.float(), size=tuple(size), mode="bicubic").clamp(min=0) for maps in layers]
    mean = torch.cat(grown).mean(dim=0)
    return mean / (mean[1:-1].sum(dim=0) + 1e-6) if shares else mean


def daam_word(maps: Float[Tensor, "h w"], size: Size) -> Float[Tensor, "h2 w2"]:
    """A word's map at the picture's size: bicubic, then from 0 to 1."""
    grown = F.interpolate(maps[None, None].float(), size=tuple(size), mode="bicubic")[0, 0]
    return (grown - grown.min()) / (grown.max() - grown.min() + 1e-8)


def ovam(layers: Sequence[LayerMaps], size: Size, *, mean: bool = True) -> Float[Tensor, "tokens h w"]:
    """OVAM's maps (arXiv 2403.14291): heads summed, bilinear, then the mean or the sum over layers."""
    grown = torch.stack([to_grid(maps.float().sum(dim=0), size) for maps in layers])
    return grown.mean(dim=0) if mean else grown.sum(dim=0)


def iseg_cross(levels: Sequence[tuple[float, LayerMaps]], size: Size) -> Float[Tensor, "tokens h w"]:
    """iSeg's maps before refinement (arXiv 2409.03209): each level's mean over layers, of sum 1, bilinear, weighted."""
    return torch.stack([weight * to_grid(of_sum_one(maps.mean(dim=0)), size) for weight, maps in levels]).sum(dim=0)


def iseg_clustered(maps: Float[Tensor, "tokens h w"], *, every: int, rounds: int = 20) -> Float[Tensor, "tokens h w"]:
    """iSeg's calming of the maps: cells whose token vectors are alike all get their mean.

    k-means by the mean of both Kullback-Leibler divergences, seeded with every so many-th cell along both sides.
    """
    cells = maps.flatten(1).T  # (n, tokens)
    centres = maps[:, ::every, ::every].flatten(1).T
    for _ in range(rounds):
        labels = divergence(cells, centres).argmin(dim=1)
        centres = _means(cells, labels, centres)
    labels = divergence(cells, centres).argmin(dim=1)
    return _means(cells, labels, centres)[labels].T.reshape(maps.shape)


def divergence(x: Float[Tensor, "n c"], y: Float[Tensor, "k c"]) -> Float[Tensor, "n k"]:
    """The mean of the Kullback-Leibler divergences of x from y and of y from x."""
    log_x, log_y = (x + 1e-6).log(), (y + 1e-6).log()
    there = (x * log_x).sum(dim=-1)[:, None] - x @ log_y.T
    back = (y * log_y).sum(dim=-1)[None] - log_x @ y.T
    return (there + back) / 2


def _means(cells: Tensor, labels: Tensor, old: Tensor) -> Tensor:
    """The mean of each cluster's cells; an empty one stays where it was."""
    sums = torch.zeros_like(old).index_add(0, labels, cells)
    counts = torch.bincount(labels, minlength=len(old))[:, None]
    return torch.where(counts > 0, sums / counts.clamp(min=1), old)


def iseg_refined(
    maps: Float[Tensor, "k h w"], attention: SelfAttention, *, rounds: int, size: Size
) -> Float[Tensor, "k h2 w2"]:
    """iSeg's maps: the walk, then bilinear to the picture's size, each from 0 to 1."""
    walked = walk(maps.flatten(1), attention, rounds=rounds).unflatten(-1, maps.shape[-2:])
    grown = to_grid(walked, size)
    low, high = grown.amin(dim=(-2, -1), keepdim=True), grown.amax(dim=(-2, -1), keepdim=True)
    return (grown - low) / (high - low).clamp(min=torch.finfo(grown.dtype).tiny)
