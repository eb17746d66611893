"""What a method wants of a sampling loop, of every picture of a batch, counted in steps of the sampler.

A step is one call of the denoiser, and that one or more calls of the UNet: hosts split batches, and a picture's row may be in
any of them. Nothing extra is computed; rows are copied as they pass, in the order of the pictures.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ldznet_ext.errors import ModelError
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.attention import grid_of
from ldznet_ext.harvest.hooks import Index, pick
from ldznet_ext.harvest.late import HALF, HALF_BYTES, late_steps
from ldznet_ext.harvest.locate import find_strides
from ldznet_ext.harvest.sampling import Kept
from ldznet_ext.harvest.taps import parse_tap
from ldznet_ext.harvest.wanted import Wanted

CELLS = ("attn1.q", "attn1.k", "attn1.v", "attn2.q")
"""Parts of a tap whose rows are the cells of the latent, which token merging makes fewer."""


@dataclass
class _Step:
    """One step while it runs: what its UNet calls have left of which pictures."""

    pictures: int
    grid: Size
    timestep: float | None = None
    found: list[tuple[int, ...]] = field(default_factory=list)
    parts: list[dict[str, Tensor]] = field(default_factory=list)
    latents: list[Tensor] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)


class StepHarvest:
    """Watches the steps of one sampling loop; `kept` holds those that `wanted` asks for, of each picture.

    A loop at another latent size starts anew. Where one call is wanted it is the nearest to `wanted.near` within `accept`;
    otherwise the last half of the steps, in at most `wanted.limit` bytes for all pictures together.
    """

    def __init__(self, unet: nn.Module, wanted: Wanted) -> None:
        self.wanted = wanted
        self.steps = 0
        """Steps that came through."""
        strides = find_strides(unet)
        taps = [(tap, parse_tap(tap)) for tap in wanted.taps]
        self._strides = {tap: strides[parsed.place] for tap, parsed in taps if parsed.part in CELLS}
        self._kept: list[Kept] = []
        self._grid: Size | None = None
        self._chosen: tuple[int, ...] = ()
        self._step: _Step | None = None
        self._index: Index | None = None
        self._part: dict[str, Tensor] | None = None

    @property
    def kept(self) -> tuple[tuple[Kept, ...], ...]:
        """For each picture what was kept of it; nothing at all where no step was."""
        if not self._kept:
            return ()
        return tuple(tuple(_row(kept, picture) for kept in self._kept) for picture in range(len(self._kept[0].latent)))

    def begin_step(self, pictures: int, grid: Size, total: int) -> None:
        """The denoiser is called for so many pictures with latents of this size; `total` such calls are expected."""
        if grid != self._grid or (self._kept and len(self._kept[0].latent) != pictures):
            self._kept, self._chosen, self.steps = [], (), 0
        self._grid, self._total, self._step = grid, total, _Step(pictures, grid)

    def begin_call(self, latent: Tensor, timestep: Callable[[], float], rows: Mapping[int, int]) -> None:
        """The UNet is called; `rows`: picture -> row. `timestep` is asked for only where it decides: it waits for the device."""
        step, self._part = self._step, None
        if step is None or not rows or Size(*latent.shape[-2:]) != step.grid or not self._looks(step, timestep):
            return
        pictures = tuple(sorted(rows))
        self._index, self._part = as_index([rows[picture] for picture in pictures]), {}
        self._pending = pictures, pick(latent, self._index)

    def read(self, tap: str, tensor: Tensor) -> None:
        """A tap's tensor passes; ModelError where cells of it were merged."""
        step, part = self._step, self._part
        if step is None or part is None:
            return
        if tap in self._strides:
            grid_of(step.grid, self._strides[tap], tensor.shape[1])
        kind = self._kind(tensor)
        step.sizes[tap] = step.pictures * math.prod(tensor.shape[1:]) * torch.finfo(kind).bits // 8
        if self._keeps():
            part[tap] = pick(tensor, self._index, dtype=kind)

    def end_call(self) -> None:
        """The UNet's call came through; one that failed counts for nothing."""
        step, part = self._step, self._part
        if step is None or part is None:
            return
        pictures, latent = self._pending
        step.found.append(pictures)
        step.parts.append(part)
        step.latents.append(latent)
        self._part = None

    def end_step(self) -> None:
        """The denoiser came through: keep the step if its turn has come and all pictures were in it."""
        step, self._step, self._part = self._step, None, None
        if step is None:
            return
        if not self._chosen and step.sizes and self.wanted.near is None:
            self._chosen = late_steps(self._total, sum(step.sizes.values()), self.wanted.limit)
        whole = _whole(step, self.wanted.taps) if self._is_due(step) else None
        if whole is not None:
            self._kept = [whole] if self.wanted.near is not None else [*self._kept, whole]
        self.steps += 1

    def _looks(self, step: _Step, timestep: Callable[[], float]) -> bool:
        """Whether this call is to be read, be it only to see how large a step is."""
        near = self.wanted.near
        if near is None and self._chosen and self.steps not in self._chosen:
            return False
        if step.timestep is None:
            step.timestep = timestep() if near is not None or self._keeps() else 0.0
        if near is None:
            return True
        low, high = self.wanted.accept
        best = self._kept[0].timestep if self._kept else math.inf
        return low <= step.timestep <= high and abs(step.timestep - near) < abs(best - near)

    def _keeps(self) -> bool:
        """Whether what passes is copied: the first step of a late harvest only shows how large it is."""
        return self.wanted.near is not None or bool(self._chosen) or self._total == 1

    def _is_due(self, step: _Step) -> bool:
        return bool(step.parts) and self._keeps() and (self.wanted.near is not None or self.steps in self._chosen)

    def _kind(self, tensor: Tensor) -> torch.dtype:
        """What to keep it as: as it came, but 16 bits where there are many steps."""
        narrow = self.wanted.near is not None or tensor.element_size() <= HALF_BYTES
        return tensor.dtype if narrow else HALF


def as_index(rows: Sequence[int]) -> Index:
    """Rows as a slice where they follow one another: an index by list is a tensor that has to be sent to the device.

    >>> as_index([2, 3, 4]), as_index([1, 3])
    (slice(2, 5, None), [1, 3])
    """
    first = rows[0]
    return slice(first, first + len(rows)) if list(rows) == list(range(first, first + len(rows))) else list(rows)


def check_read(features: Mapping[str, Tensor], taps: Sequence[str]) -> None:
    """ModelError where not all taps were passed: something has taken the UNet's place."""
    missing = [tap for tap in taps if tap not in features]
    if missing:
        raise ModelError(
            f"The UNet was called but {missing[0]} was never computed; expected a UNet that runs its own layers, so switch off "
            "what replaces it (an accelerated engine, for example)."
        )


def _whole(step: _Step, taps: Sequence[str]) -> Kept | None:
    """The calls of a step together, a row a picture in their order; None where a picture is missing."""
    order = [picture for found in step.found for picture in found]
    if sorted(order) != list(range(step.pictures)):
        return None
    for part in step.parts:
        check_read(part, taps)
    features = {tap: _in_order([part[tap] for part in step.parts], order) for tap in taps}
    return Kept(timestep=step.timestep or 0.0, features=features, latent=_in_order(step.latents, order))


def _in_order(parts: Sequence[Tensor], order: Sequence[int]) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    with torch.inference_mode(False), torch.no_grad():  # as `pick`: what is kept is an ordinary tensor
        return torch.cat(list(parts))[[order.index(picture) for picture in range(len(order))]]


def _row(kept: Kept, picture: int) -> Kept:
    """One picture's share; a view of the batch's memory."""
    part = slice(picture, picture + 1)
    features = {tap: tensor[part] for tap, tensor in kept.features.items()}
    return Kept(timestep=kept.timestep, features=features, latent=kept.latent[part])
