"""What a method wants read of a generation, and reading it: one call near a timestep, or the last half of the steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

from ldznet_ext.harvest.hooks import Rows
from ldznet_ext.harvest.late import LIMIT, harvest_late
from ldznet_ext.harvest.sampling import ACCEPT, WANTED_T, Kept, harvest_nearest
from ldznet_ext.harvest.taps import LDZNET_TAPS


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to keep of a generation.

    taps: none, and nothing is kept. near: the timestep of the one call that is kept, if one lies within `accept`; None: the
    last half of all calls, in at most `limit` bytes.
    """

    taps: tuple[str, ...] = LDZNET_TAPS
    near: float | None = WANTED_T
    accept: tuple[float, float] = ACCEPT
    limit: int = LIMIT


class Given:
    """What a generation left; `kept` may be asked once it is over."""

    kept: tuple[Kept, ...] = ()


@contextmanager
def harvest_wanted(unet: nn.Module, wanted: Wanted, *, steps: int, rows: Rows | None = None) -> Iterator[Given]:
    """Watch a generation of `steps` calls run in the body; nothing extra is computed."""
    given = Given()
    if not wanted.taps:
        yield given
    elif wanted.near is None:
        with harvest_late(unet, wanted.taps, steps=steps, limit=wanted.limit, rows=rows) as late:
            yield given
        given.kept = tuple(late.kept)
    else:
        with harvest_nearest(unet, wanted.taps, wanted_t=wanted.near, accept=wanted.accept, rows=rows) as nearest:
            yield given
        given.kept = () if nearest.kept is None else (nearest.kept,)
