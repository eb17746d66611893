"""What tells one example from its surroundings, and where the line is: a linear discriminant over features.

The example's prototype (the mean of its features, as the upper bound of arXiv 2403.11194, Table 7, takes it from a mask)
minus that of its surroundings, each direction weighed down by how much it varies within either (Fisher, 1936). With few
cells that spread is known badly, so it is shrunk far towards the same in all directions. Everything in float32.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ldznet_ext.shapes import Float

SHRINKAGE = 10.0
"""Added to the spread of every direction, in units of the mean spread; without end it is the plain difference of prototypes."""
INSIDE, OUTSIDE = 0.6, 0.1
"""Cells with this part of the largest coverage count as the example, those with less than that as its surroundings."""
ROUNDS = 2
"""In the second, cells outside that look like the example are left out of the surroundings: they may be what is sought."""
CERTAIN = 4.0
"""The logit of the example's own middle cell, and its negative that of the surroundings'."""
FLAT = 1e-6
"""A difference of less than this part of the features' length is none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Discriminant:
    """direction (d,), and the logit of a cell: ((features - their picture's mean) . direction - cut) / scale.

    Each picture's own mean: what all of it shares, its light or its style, is not what is sought (IoU 0.40 against 0.37 on
    other validation scenes, with earlier weights).
    """

    direction: Tensor
    cut: float
    scale: float

    def logits(self, features: Float[Tensor, "d h w"]) -> Float[Tensor, "h w"]:
        """How much each cell is like the example: 0 halfway between it and its surroundings; NaN counts as unlike."""
        values = torch.einsum("d,dhw->hw", self.direction, features.float())
        values = (values - values.nanmean() - self.cut) / self.scale
        return values.nan_to_num(nan=-CERTAIN, posinf=CERTAIN, neginf=-CERTAIN)


def learn(
    features: Float[Tensor, "d h w"], coverage: Float[Tensor, "h w"], *, shrinkage: float = SHRINKAGE
) -> Discriminant | None:
    """The discriminant of an example; coverage 0..1 is how much of each cell it covers.

    None where the features say nothing: constant, not finite, or the same inside and outside.
    """
    cells = features.float().flatten(1).T  # (n, d)
    if not torch.isfinite(cells).all():
        return None
    inside, outside = _sides(coverage.to(cells).flatten())
    least = FLAT * float(cells.norm(dim=1).mean())
    cells = cells - cells.mean(dim=0)  # differences are small beside what all cells share
    found, near = _fit(cells, inside, outside, shrinkage, least), outside
    for _ in range(ROUNDS - 1):
        if found is not None:
            near = _unlike(found, cells, outside)
            found = _fit(cells, inside, near, shrinkage, least)
    return found


def _sides(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Which cells (n,) are the example and which its surroundings; at least one of either."""
    inside = weights >= INSIDE * weights.max()
    outside = weights <= max(OUTSIDE * float(weights.max()), float(weights.min()))
    return inside, outside & ~inside


def _fit(cells: Tensor, inside: Tensor, outside: Tensor, shrinkage: float, least: float) -> Discriminant | None:
    """The discriminant of cells (n, d); None where it keeps the two no farther apart than `least`."""
    direction = _direction(cells, inside, outside, shrinkage)
    values = cells @ (direction / direction.norm())
    top, bottom = float(values[inside].median()), float(values[outside].median())
    if not top - bottom > least:  # also where it is no number
        return None
    return Discriminant(
        direction=direction / direction.norm(), cut=(top + bottom) / 2, scale=(top - bottom) / (2 * CERTAIN)
    )


def _unlike(found: Discriminant, cells: Tensor, outside: Tensor) -> Tensor:
    """The cells outside that do not look like the example, or all where every one does."""
    unlike = outside & (cells @ found.direction < found.cut)
    return unlike if unlike.any() else outside


def _direction(cells: Tensor, inside: Tensor, outside: Tensor, shrinkage: float) -> Tensor:
    """(d,): (spread + shrinkage * mean spread)^-1 (prototype inside - prototype outside)."""
    one, other = cells[inside].mean(dim=0), cells[outside].mean(dim=0)
    spread = torch.cat([cells[inside] - one, cells[outside] - other])
    n, d = spread.shape
    floor = shrinkage * spread.square().sum() / (n * d)
    return _solve(spread / n**0.5, floor.clamp(min=torch.finfo(torch.float32).tiny), one - other)


def _solve(rows: Tensor, floor: Tensor, target: Tensor) -> Tensor:
    """(rows^T rows + floor I)^-1 target, through the smaller of the two Gram matrices."""
    n, d = rows.shape
    if d <= n:
        return torch.linalg.solve(rows.T @ rows + floor * torch.eye(d, device=rows.device), target)
    inner = torch.linalg.solve(rows @ rows.T + floor * torch.eye(n, device=rows.device), rows @ target)
    return (target - rows.T @ inner) / floor
