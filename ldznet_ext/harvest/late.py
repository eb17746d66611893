"""Features of the last half of a generation, when the picture has its shape: as many steps as fit into memory.

Maps of the second half of the steps are better than those of all of them (T2S, arXiv 2608.26624: 92.1 against 89.7).
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ldznet_ext.harvest.hooks import Index, Rows, pick, resolve_rows
from ldznet_ext.harvest.sampling import Kept, watch

LIMIT = 128_000_000
"""Bytes that the kept steps of one picture may take."""
HALF = torch.float16
HALF_BYTES = 2
"""What wider numbers are kept as."""


def late_steps(steps: int, bytes_each: int, limit: int = LIMIT) -> tuple[int, ...]:
    """The steps to keep of a run: its last half, thinned evenly until they fit, the last step always among them.

    >>> late_steps(20, 1), late_steps(20, 30, limit=128), late_steps(1, 999, limit=1)
    ((10, 11, 12, 13, 14, 15, 16, 17, 18, 19), (11, 14, 17, 19), (0,))
    """
    half = math.ceil(steps / 2)
    count = max(1, min(half, limit // max(1, bytes_each)))
    return tuple(steps - 1 - round(index * half / count) for index in reversed(range(count)))


class LateHarvest:
    """Watches the calls of a UNet. `kept` holds the chosen ones of the last half, conditional rows only."""

    def __init__(self, steps: int, limit: int, rows: Rows | None) -> None:
        self.steps, self.limit, self.rows = steps, limit, rows
        self.kept: list[Kept] = []
        self.calls = 0
        self._index: Index | None = None
        self._chosen: tuple[int, ...] = ()
        self._bytes = 0
        self._looking = self._wanted = False
        self._latent: Tensor | None = None
        self._timestep = 0.0
        self._features: dict[str, Tensor] = {}

    def begin(self, latent: Tensor, timestep: float) -> None:
        """A call starts: decide whether to read it. The first one only tells how large a step is."""
        if self._latent is not None and self._latent.shape[-2:] != latent.shape[-2:]:
            self.kept, self.calls, self._chosen = [], 0, ()  # a second loop at another size (hires)
        self._index = resolve_rows(self.rows, latent.shape[0])
        self._looking = self.rows is None or self._index is not None
        self._wanted = self._looking and (not self._chosen or self.calls in self._chosen)
        self._latent, self._timestep, self._features, self._bytes = pick(latent, self._index), timestep, {}, 0

    def end(self) -> None:
        """A call came through: keep what it left, if its turn has come. A call that failed counts for nothing."""
        if not self._looking:
            return
        if not self._chosen:
            self._chosen = late_steps(self.steps, self._bytes, self.limit)
        if self.calls in self._chosen and self._latent is not None:
            self.kept.append(Kept(timestep=self._timestep, features=self._features, latent=self._latent))
        self.calls += 1
        self._features, self._wanted = {}, False

    def make_reader(
        self, tap: str, dtype: torch.dtype | None, device: torch.device | str | None
    ) -> Callable[[Tensor], None]:
        """The function a tap's hook calls."""

        def read(tensor: Tensor) -> None:
            if not self._wanted:
                return
            kind = dtype or (tensor.dtype if tensor.element_size() <= HALF_BYTES else HALF)
            part = tensor if self._index is None else tensor[self._index]
            self._bytes += part.numel() * torch.finfo(kind).bits // 8  # `itemsize` of a type is newer than torch 2.0
            if self._chosen or self.steps == 1:
                self._features[tap] = pick(tensor, self._index, dtype=kind, device=device)

        return read


@contextmanager
def harvest_late(
    unet: nn.Module,
    taps: Iterable[str],
    *,
    steps: int,
    limit: int = LIMIT,
    rows: Rows | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Iterator[LateHarvest]:
    """Watch a sampling loop of `steps` calls run in the body; `.kept` holds those of its last half that fit into `limit` bytes.

    rows: the conditional rows, as for `harvest_nearest`. dtype: what to keep; by default 16 bits of whatever comes.
    """
    with watch(unet, taps, LateHarvest(steps, limit, rows), dtype=dtype, device=device) as watcher:
        yield watcher
