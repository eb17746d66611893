"""Reading feature maps out of a UNet's forward pass with plain hooks that leave no trace.

The UNet's output stays bit-identical, every hook is gone when the `with` is left, also after an exception. They nest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ldznet_ext.errors import OptionError
from ldznet_ext.harvest.locate import Port, locate
from ldznet_ext.harvest.taps import parse_tap

Index = slice | Sequence[int]
Rows = Index | Callable[[int], Index | None]
Result = TypeVar("Result")


class _Stop(Exception):
    """Ends a forward pass early. Only the harvest that raised it swallows it."""

    def __init__(self, owner: object) -> None:
        super().__init__("the harvest has what it wanted")
        self.owner = owner


class Store(Mapping[str, Tensor]):
    """Tap -> tensor of the latest forward pass, in the order of arrival; detached copies, nobody else's memory."""

    def __init__(self) -> None:
        self._tensors: dict[str, Tensor] = {}
        self.stopped = False
        """Whether a pass was cut short after the last wanted tap."""

    def __getitem__(self, tap: str) -> Tensor:
        return self._tensors[tap]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def put(self, tap: str, tensor: Tensor) -> None:
        """Keep a tensor, replacing the one of an earlier pass."""
        self._tensors[tap] = tensor

    def take(self) -> dict[str, Tensor]:
        """Give everything away and be empty."""
        taken, self._tensors = self._tensors, {}
        return taken

    def run(self, call: Callable[[], Result]) -> Result | None:
        """Call the UNet; None when the pass was cut short. What follows in the `with` body still happens."""
        try:
            return call()
        except _Stop as stop:
            if stop.owner is not self:
                raise
            return None


@contextmanager
def harvest(
    unet: nn.Module,
    taps: Iterable[str],
    *,
    stop_after: str | None = None,
    rows: Rows | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    clone: bool = True,
) -> Iterator[Store]:
    """Keep what passes the taps while the body calls the UNet.

    stop_after: end each pass right after this tap. The body then ends with the UNet's call; to go on in it, call
        through `store.run(lambda: unet(...))`.
    rows: which rows of the batch to keep: a slice, row numbers, or a function of the number of rows.
    dtype, device: what to turn the copies into.
    clone: copy even where nothing is converted. Without it a host that writes in place (FreeU) changes what was read.

    >>> with harvest(unet, ["in.8", "mid"], stop_after="mid") as store:  # doctest: +SKIP
    ...     unet(x, timesteps, context)
    >>> store["mid"].shape  # doctest: +SKIP
    torch.Size([1, 192, 4, 4])
    """
    taps = tuple(taps)
    _check_order(taps, stop_after)
    store = Store()
    with ExitStack() as stack:
        for tap, port in locate(unet, taps).items():
            attach(stack, port, _make_reader(store, tap, rows, dtype, device, clone))
        if stop_after is not None:
            attach(stack, locate(unet, [stop_after])[stop_after], _make_stopper(store))
        try:
            yield store
        except _Stop as stop:
            if stop.owner is not store:
                raise


def attach(stack: ExitStack, port: Port, read: Callable[[Tensor], None]) -> None:
    """Call `read` with the tensor at a port in every pass, until the stack is closed."""
    if port.side == "in":
        handle = port.module.register_forward_pre_hook(
            lambda module, args, kwargs: read(_first_tensor((*args, *kwargs.values()))), with_kwargs=True
        )
    else:
        handle = port.module.register_forward_hook(lambda module, args, output: read(_first_tensor(output)))
    stack.callback(handle.remove)


def pick(
    tensor: Tensor,
    rows: Index | None = None,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    clone: bool = True,
) -> Tensor:
    """Some rows of a tensor, detached; by default a copy that shares no memory and can be trained on."""
    # hosts sample in inference mode; a copy made outside it is an ordinary tensor
    with torch.inference_mode(False), torch.no_grad():
        part = tensor if rows is None else tensor[rows]
        part = part.detach().to(device=device, dtype=dtype)
        shared = part.untyped_storage().data_ptr() == tensor.untyped_storage().data_ptr()
        return part.clone() if clone and shared else part


def resolve_rows(rows: Rows | None, count: int) -> Index | None:
    """The rows wanted of a batch of `count`; None means all, or from a function: none."""
    return rows(count) if callable(rows) else rows


def _make_reader(
    store: Store,
    tap: str,
    rows: Rows | None,
    dtype: torch.dtype | None,
    device: torch.device | str | None,
    clone: bool,
) -> Callable[[Tensor], None]:
    def read(tensor: Tensor) -> None:
        index = resolve_rows(rows, tensor.shape[0])
        if index is not None or rows is None:
            store.put(tap, pick(tensor, index, dtype=dtype, device=device, clone=clone))

    return read


def _make_stopper(store: Store) -> Callable[[Tensor], None]:
    def stop(tensor: Tensor) -> None:
        store.stopped = True
        raise _Stop(store)

    return stop


def _check_order(taps: Sequence[str], stop_after: str | None) -> None:
    if stop_after is None:
        return
    late = [tap for tap in taps if parse_tap(tap).order > parse_tap(stop_after).order]
    if late:
        raise OptionError(
            f"The pass is to end after {stop_after}; expected a place not before {', '.join(late)}, so stop after the last tap."
        )


def _first_tensor(value: Any) -> Tensor:
    """The tensor in what a module takes or gives: itself, or the first one in a tuple or a dataclass output."""
    if isinstance(value, Tensor):
        return value
    return next(item for item in (value.values() if isinstance(value, Mapping) else value) if isinstance(item, Tensor))
