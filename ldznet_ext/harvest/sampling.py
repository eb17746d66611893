"""Features from a generation in progress: of all UNet calls of a sampling loop keep the one nearest t = 400.

Nothing extra is computed: the conditional rows of the sampler's own batch are copied as they pass.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ldznet_ext.harvest.hooks import Index, Rows, attach, pick, resolve_rows
from ldznet_ext.harvest.locate import locate

WANTED_T = 400.0  # LD-ZNet reads at 300-499 (spec 1.1)
ACCEPT = (200.0, 600.0)
TIMESTEP_NAMES = ("timestep", "timesteps")  # diffusers, CompVis
AnyWatcher = TypeVar("AnyWatcher", bound="Watcher")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What one UNet call left: features by tap, and the noisy latent it was given, both of the wanted rows only."""

    timestep: float
    features: dict[str, Tensor]
    latent: Tensor


class SamplingHarvest:
    """Watches the calls of a UNet. After the loop `kept` is the best call, or None when none was within `accept`."""

    def __init__(self, wanted_t: float, accept: tuple[float, float], rows: Rows | None) -> None:
        self.wanted_t, self.accept, self.rows = wanted_t, accept, rows
        self.kept: Kept | None = None
        self.calls = 0
        """UNet calls seen, kept or not."""
        self._index: Index | None = None
        self._wanted = False
        self._latent: Tensor | None = None
        self._timestep = 0.0
        self._features: dict[str, Tensor] = {}

    def begin(self, latent: Tensor, timestep: float) -> None:
        """A call starts: decide whether to read it."""
        self.calls += 1
        self._features = {}
        if self.kept is not None and self.kept.latent.shape[-2:] != latent.shape[-2:]:
            self.kept = None  # a second loop at another size (hires): only its features fit the final picture
        self._index = resolve_rows(self.rows, latent.shape[0])
        skipped = self.rows is not None and self._index is None
        self._wanted = not skipped and self._is_better(timestep)
        if self._wanted:
            self._timestep, self._latent = timestep, pick(latent, self._index)

    def _is_better(self, timestep: float) -> bool:
        low, high = self.accept
        if not low <= timestep <= high:
            return False
        return self.kept is None or abs(timestep - self.wanted_t) < abs(self.kept.timestep - self.wanted_t)

    def end(self) -> None:
        """A call came through: what it left replaces the best so far. A call that failed replaces nothing."""
        if self._wanted and self._latent is not None:
            self.kept = Kept(timestep=self._timestep, features=self._features, latent=self._latent)
        self._wanted, self._latent, self._features = False, None, {}

    def make_reader(
        self, tap: str, dtype: torch.dtype | None, device: torch.device | str | None
    ) -> Callable[[Tensor], None]:
        """The function a tap's hook calls."""

        def read(tensor: Tensor) -> None:
            if self._wanted:
                self._features[tap] = pick(tensor, self._index, dtype=dtype, device=device)

        return read


@contextmanager
def harvest_nearest(
    unet: nn.Module,
    taps: Iterable[str],
    *,
    wanted_t: float = WANTED_T,
    accept: tuple[float, float] = ACCEPT,
    rows: Rows | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Iterator[SamplingHarvest]:
    """Watch a sampling loop run in the body; afterwards `.kept` holds the call whose timestep was nearest `wanted_t`.

    rows: the conditional rows, a slice or a function of the batch size that may return None to skip a call
        (`second_half` for a diffusers pipeline under guidance, None for all rows).
    """
    with watch(unet, taps, SamplingHarvest(wanted_t, accept, rows), dtype=dtype, device=device) as watcher:
        yield watcher


class Watcher(Protocol):
    """What looks at the calls of a UNet as they pass."""

    def begin(self, latent: Tensor, timestep: float) -> None:
        """A call starts."""
        ...

    def end(self) -> None:
        """It came through."""
        ...

    def make_reader(
        self, tap: str, dtype: torch.dtype | None, device: torch.device | str | None
    ) -> Callable[[Tensor], None]:
        """The function a tap's hook calls."""
        ...


@contextmanager
def watch(
    unet: nn.Module,
    taps: Iterable[str],
    watcher: AnyWatcher,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Iterator[AnyWatcher]:
    """Show a watcher every call of a UNet in the body."""

    def begin(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        latent, timestep = read_call(args, kwargs)
        watcher.begin(latent, timestep())

    with ExitStack() as stack:
        stack.callback(unet.register_forward_pre_hook(begin, with_kwargs=True).remove)
        for tap, port in locate(unet, taps).items():
            attach(stack, port, watcher.make_reader(tap, dtype, device))
        stack.callback(unet.register_forward_hook(lambda module, args, output: watcher.end()).remove)
        yield watcher


def second_half(count: int) -> slice:
    """The conditional rows of a diffusers batch under guidance: unconditional first.

    >>> second_half(4)
    slice(2, None, None)
    """
    return slice(count // 2, None)


def read_call(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Tensor, Callable[[], float]]:
    """Latent and timestep of a UNet call, diffusers' (sample, timestep, ...) or CompVis' (x, timesteps, ...).

    The timestep is a function, for the number may have to be waited for: it lies on the device.
    """
    given = list(args)
    latent: Any = given[0] if given else kwargs.get("sample", kwargs.get("x"))
    timestep = given[1] if len(given) > 1 else next(kwargs[name] for name in TIMESTEP_NAMES if name in kwargs)
    return latent, lambda: float(timestep.flatten()[0] if isinstance(timestep, Tensor) else timestep)
