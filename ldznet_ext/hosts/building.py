"""Settings and tensors into modules, checked: what a file says may be anything, and each complaint is one sentence."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import torch
from torch import nn

from ldznet_ext.convert.layouts import State
from ldznet_ext.errors import BAD_SETTINGS, LdznetError, ModelError
from ldznet_ext.tensors import fill, uninitialised
from ldznet_ext.watch import Watch

Module = TypeVar("Module", bound=nn.Module)
Config = TypeVar("Config")


class Told:
    """Tells a watch how much of the weights has been read: bytes as they are in the files."""

    def __init__(self, name: str, states: Iterable[State], watch: Watch) -> None:
        self.name, self.watch, self.done, self.said = name, watch, 0, ""
        self.size = sum(tensor.nbytes for state in states for tensor in state.values())

    def __call__(self, read: int) -> None:
        self.done += read
        said = f"loading {self.name}, {self.done / 1e6:,.0f} of {self.size / 1e6:,.0f} MB"
        self.watch.check()
        if said != self.said or self.done == self.size:  # not for each of some thousand tensors
            self.said = said
            self.watch.tell(self.done / max(self.size, 1), said)


def build(
    make: Callable[[], Module],
    state: State,
    what: str,
    *,
    device: torch.device,
    dtype: torch.dtype,
    copied: Callable[[int], None] | None = None,
) -> Module:
    """A module holding exactly these tensors, in evaluation mode; nothing is initialised in vain."""
    try:
        with uninitialised():
            module = make()
    except LdznetError:
        raise
    except BAD_SETTINGS as error:
        raise ModelError(
            f"The settings of {what} make no network ({str(error).splitlines()[0]}); expected those of a Stable Diffusion "
            "model, so fetch it again."
        ) from error
    fill(module, state, what, device=device, dtype=dtype, copied=copied)
    return module.eval().requires_grad_(False)


def pick_fields(kind: type[Config], settings: Mapping[str, Any], what: str = "the model") -> Config:
    """A configuration from the entries of a JSON object that it has, checked; lists become tuples."""
    chosen = {}
    for item in fields(kind):  # type: ignore[arg-type]
        value = settings.get(item.name)
        if value is not None:
            chosen[item.name] = tuple(value) if isinstance(value, list) else value
            if not like(chosen[item.name], item.default):
                raise ModelError(
                    f"The setting {item.name} of {what} is {value!r}; expected one such as {item.default}, so restore its "
                    "config.json."
                )
    return kind(**chosen)


def like(value: object, default: object) -> bool:
    """Whether a setting is of the type of its default; whole numbers are counts, and 0 layers a level are legal."""
    if isinstance(default, tuple):
        return isinstance(value, tuple) and bool(value) and all(like(item, default[0]) for item in value)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int) and value >= 0
    if isinstance(default, float):
        return isinstance(value, (int, float)) and 0 < value < float("inf")
    return isinstance(value, type(default))
