"""What words attend to, from kept queries: softmax over the words, means over heads and steps, levels on one grid.

Formulas of DAAM (arXiv 2210.04885), OVAM (arXiv 2403.14291) and iSeg (arXiv 2409.03209), written from the mathematics. All
in float32, on grids of any shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ldznet_ext.geometry import Size
from ldznet_ext.segmenters.prototypes import Values, attention_values, to_grid
from ldznet_ext.shapes import Float


@dataclass(frozen=True, eq=False)
class Queries:
    """Queries of one layer, over steps: values (steps heads cells d) on a grid; `stride` of a cell on the latent."""

    values: Tensor
    size: Size
    stride: int


def heat(
    q: Float[Tensor, "*rows heads cells d"], k: Float[Tensor, "*rows heads tokens d"], values: Values = "softmax"
) -> Float[Tensor, "*rows heads tokens cells"]:
    """Each token's share of the attention of every cell (softmax over tokens), or another quantity of the scaled scores."""
    scores = (q.float() * q.shape[-1] ** -0.5) @ k.float().transpose(-1, -2)
    return attention_values(scores, values).transpose(-1, -2)


def token_maps(
    queries: Queries, keys: Float[Tensor, "rows heads tokens d"], values: Values = "softmax"
) -> Float[Tensor, "rows tokens h w"]:
    """Maps of every token of every text at one layer: mean over heads and steps, a step at a time."""
    total = torch.zeros(())
    for step in queries.values:
        total = total.to(step.device) + heat(step[None], keys, values).mean(dim=1)
    return (total / len(queries.values)).unflatten(-1, tuple(queries.size))


def levels_of(layers: Sequence[tuple[int, Float[Tensor, "k h w"]]]) -> dict[int, Float[Tensor, "k h w"]]:
    """Maps of layers with their strides: the mean of each level."""
    strides = dict.fromkeys(stride for stride, _ in layers)
    return {stride: torch.stack([maps for own, maps in layers if own == stride]).mean(dim=0) for stride in strides}


def blend(levels: Mapping[int, Float[Tensor, "k h w"]], weights: Mapping[int, float], size: Size) -> Tensor:
    """Levels on one grid, bilinear, summed by their weights (k h w); a level that is missing has none."""
    whole = sum(weights[stride] for stride in levels)
    return torch.stack([weights[stride] / whole * to_grid(maps, size) for stride, maps in levels.items()]).sum(dim=0)


def of_sum_one(maps: Float[Tensor, "k h w"]) -> Float[Tensor, "k h w"]:
    """Each map divided by its sum over space, so that words and levels count alike; zeros stay zeros."""
    sums = maps.sum(dim=(-2, -1), keepdim=True)
    return torch.where(sums > 0, maps / sums.clamp(min=torch.finfo(maps.dtype).tiny), maps)


def against_background(maps: Float[Tensor, "k h w"]) -> Float[Tensor, "h w"]:
    """How much a place is nobody's: (1 - the largest of the maps, which are in 0..1) squared (iSeg)."""
    return (1 - maps.amax(dim=0)) ** 2
