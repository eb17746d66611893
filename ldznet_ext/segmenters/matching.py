"""Whether an example is in a picture at all: how well each part of it is found again, wherever that may be.

The best cosine of each of its cells among all cells of the picture, in the manner of a Chamfer distance. On validation scenes
it tells pictures with another such object (15) from those without (24) with an AUROC of 0.93. With earlier weights it did so
better (0.80) than the discriminant's highest logits (0.70): one colour that returns does not make a fox.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ldznet_ext.shapes import Float

MOST = 512
"""Cells that an example is matched by, at the most: evenly spread ones of a large one."""
INSIDE = 0.6
"""Cells with this part of the largest coverage belong to the example."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Cells of an example, (n d) at length one, without `middle` (d,), the mean of its picture."""

    cells: Tensor
    middle: Tensor

    def matched(self, features: Float[Tensor, "d h w"]) -> float:
        """0..1: the mean squared cosine with each part's best match; what points away from a part is none of it."""
        cells = _without(self.middle, features.float())
        best = (self.cells @ cells.T).amax(dim=1).nan_to_num(nan=0.0).clamp(0, 1)
        return float(best.square().mean())


def parts_of(features: Float[Tensor, "d h w"], coverage: Float[Tensor, "h w"]) -> Parts:
    """The parts of an example; coverage 0..1 is how much of each cell it covers."""
    features = features.float()
    middle = features.flatten(1).mean(dim=1)
    inside = torch.nonzero((coverage >= INSIDE * coverage.max()).flatten())[:, 0]
    every = -(-len(inside) // MOST)
    return Parts(_without(middle, features)[inside[::every]], middle)


def _without(middle: Tensor, features: Tensor) -> Float[Tensor, "n d"]:
    return F.normalize(features.flatten(1).T - middle, dim=1)
