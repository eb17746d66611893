"""What a picture shows besides the names: prototypes of the cells that no name's attention claims.

A single phrase needs a rival, or the whole picture would be like it. The complement of the attention is weighted as iSeg does
(arXiv 2409.03209: (1 - max)^2); it holds several things, so it gets several prototypes, by k-means on the sphere.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ldznet_ext.segmenters.prototypes import TINY, unit
from ldznet_ext.shapes import Float

ROUNDS = 8


def unclaimed(maps: Float[Tensor, "k h w"]) -> Float[Tensor, "h w"]:
    """How little the names' maps (0..1) claim each cell, 0..1."""
    return (1 - maps.amax(dim=0).clamp(0, 1)) ** 2


def background_prototypes(
    features: Float[Tensor, "c h w"], weights: Float[Tensor, "h w"], kinds: int = 1
) -> Float[Tensor, "k c"]:
    """Means of the unit vectors of what is unclaimed, one for each of at most `kinds` clusters, not normalised.

    Weighted k-means by cosine; it starts at the mean and then, each time, at the cell that is least like any start, so there
    is no chance in it.
    """
    cells, weight = unit(features).flatten(1).T, weights.flatten()
    centres = _mean(cells, weight)[None]
    for _ in range(kinds - 1):
        apart = 1 - (cells @ F.normalize(centres, dim=1, eps=TINY).T).amax(dim=1)
        centres = torch.cat([centres, cells[(weight * apart).argmax()][None]])
    for _ in range(ROUNDS if kinds > 1 else 0):
        nearest = (cells @ F.normalize(centres, dim=1, eps=TINY).T).argmax(dim=1)
        centres = torch.stack(
            [_mean(cells, weight * (nearest == number), centre) for number, centre in enumerate(centres)]
        )
    return centres


def _mean(cells: Float[Tensor, "n c"], weight: Float[Tensor, " n"], otherwise: Tensor | None = None) -> Tensor:
    total = weight.sum()
    if total > TINY:
        return (weight[:, None] * cells).sum(dim=0) / total
    return torch.zeros_like(cells[0]) if otherwise is None else otherwise
