"""Maps made to follow the picture: a walk over its cells by self-attention, sharpened, iterated, with restart.

The matrix A is applied to maps (A c), never raised to a power, and its heads are averaged in chunks of queries, so that
[heads, n, n] never exists. Sharpening is iSeg's (arXiv 2409.03209), restart NERVE's (arXiv 2511.08248).
"""

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from ldznet_ext.shapes import Float

CHUNK = 256
"""Queries at a time: with 8 heads over 4096 cells 34 MB."""
KEPT_CELLS = 4096
"""Up to so many cells A is kept (67 MB); beyond, its rows are computed again at every application."""


class SelfAttention:
    """A, the mean over steps and heads of softmax(q k^T), its rows sharpened and summing to 1.

    q, k: (steps heads n d), of one picture. sharpen: iSeg's "ent"; 0 leaves A as it is. scale: of the dot products, by default
    1 / sqrt(d).
    """

    def __init__(
        self,
        q: Float[Tensor, "steps heads n d"],
        k: Float[Tensor, "steps heads n d"],
        *,
        sharpen: float = 0.0,
        scale: float | None = None,
    ) -> None:
        self.q, self.k, self.sharpen = q, k, sharpen
        self.scale = q.shape[-1] ** -0.5 if scale is None else scale
        self.cells = q.shape[-2]
        plain = list(self._means()) if self.cells <= KEPT_CELLS else None
        self._peaks = self._column_peaks(plain) if sharpen else None
        self._kept = None if plain is None else [self._sharpened(rows) for rows in plain]

    @property
    def nbytes(self) -> int:
        """Memory that it holds, for a cache."""
        return sum(tensor.nbytes for tensor in (self.q, self.k, *(self._kept or ())))

    def spread(self, maps: Float[Tensor, "p n"]) -> Float[Tensor, "p n"]:
        """A c for every map: each cell takes what it attends to."""
        return torch.cat([rows @ maps.T for rows in self._rows()]).T  # (p, n)

    def _rows(self) -> Iterator[Float[Tensor, "rows n"]]:
        """Rows of the sharpened A, chunk by chunk."""
        if self._kept is not None:
            yield from self._kept
        else:
            yield from (self._sharpened(rows) for rows in self._means())

    def _means(self) -> Iterator[Float[Tensor, "rows n"]]:
        """Rows of the plain A, chunk by chunk."""
        for start in range(0, self.cells, CHUNK):
            rows = torch.zeros(())
            for q, k in zip(self.q, self.k, strict=True):  # a step at a time, (heads, n, d)
                part = q[:, start : start + CHUNK].float() * self.scale
                rows = rows.to(q.device) + (part @ k.float().transpose(-1, -2)).softmax(dim=-1).mean(dim=0)
            yield rows / len(self.q)

    def _column_peaks(self, plain: Iterable[Tensor] | None) -> Float[Tensor, " n"]:
        """The most that any cell attends to each: every column's largest value in the plain A."""
        peaks = [rows.amax(dim=0) for rows in (self._means() if plain is None else plain)]
        return torch.stack(peaks).amax(dim=0)

    def _sharpened(self, rows: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
        """Entries below a cut-off vanish, or the long tail of weak ones would level out every map in a few steps."""
        if self._peaks is None:
            return rows
        scaled = rows / self._peaks.clamp(min=torch.finfo(rows.dtype).tiny)
        pushed = scaled + self.sharpen * torch.log10(math.e * scaled.clamp(min=torch.finfo(rows.dtype).tiny))
        pushed = torch.where(scaled > 0, pushed, scaled).clamp(min=0)
        sums = pushed.sum(dim=-1, keepdim=True)
        return torch.where(sums > 0, pushed / sums.clamp(min=torch.finfo(rows.dtype).tiny), rows)


def walk(
    maps: Float[Tensor, "p n"], attention: SelfAttention, *, rounds: int, restart: float = 0.0
) -> Float[Tensor, "p n"]:
    """Apply A `rounds` times; after each, the least value is taken off and the sum brought to 1 (iSeg).

    restart: 0..1, the share of the first map that is mixed in again at each round; 0 is iSeg. What is the same everywhere, or
    holds a number that is none, becomes zeros.
    """
    first = current = settle(maps)
    for _ in range(rounds):
        current = settle((1 - restart) * attention.spread(current) + restart * first)
    return current


def settle(maps: Float[Tensor, "p n"]) -> Float[Tensor, "p n"]:
    """Each map from 0 on and with the sum 1; a flat one, or one with NaN or infinity, becomes zeros."""
    maps = maps.float()
    low, high = maps.amin(dim=-1, keepdim=True), maps.amax(dim=-1, keepdim=True)
    # rounding is no relief: softmax over equal scores differs in its last bits
    says = torch.isfinite(maps).all(dim=-1, keepdim=True) & (high - low > FLAT * high.abs())
    raised = torch.where(says, maps - low, torch.zeros_like(maps))
    return raised / raised.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(maps.dtype).tiny)


FLAT = 1e-5
"""A map whose values differ by less than this part of the largest is flat."""
