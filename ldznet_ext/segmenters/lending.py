"""A network that waits in main memory and is lent to the device for as long as it is used.

Only copies go to the device and they are dropped afterwards: nothing is carried back, so what waits is never changed, also where
the device had no room for all of it. Threads that use it at once share one copy.
"""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

Place = tuple[dict[str, Any], str, Any]
"""Where a module keeps a tensor: its table, the tensor's name there, and the tensor that waits."""


@dataclass
class _Loan:
    """What waits, and who uses what was lent."""

    places: list[Place] = field(default_factory=list)
    users: int = 0


_loans: "weakref.WeakKeyDictionary[nn.Module, _Loan]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def offloads(backbone: "Backbone") -> bool:
    """Whether trained heads wait in main memory between calls, as a stand-alone model is loaded; hosts have their own setting."""
    return getattr(backbone, "offload", False)


@contextmanager
def lent(network: nn.Module, device: torch.device | str) -> Iterator[None]:
    """In the body the network computes on the device; afterwards its own tensors, the very same objects, are back."""
    with _lock:
        loan = _loans.setdefault(network, _Loan())
        if not loan.users:
            _lend(network, loan, torch.device(device))
        loan.users += 1
    try:
        yield
    finally:
        with _lock:
            loan.users -= 1
            if not loan.users:
                _give_back(loan)


def _lend(network: nn.Module, loan: _Loan, device: torch.device) -> None:
    """Put copies in place of the tensors; where that fails half-way, everything is as it was."""
    copies: dict[int, Any] = {}  # a tensor with two places stays one
    try:
        for module in network.modules():
            for table in (module._parameters, module._buffers):
                for name, tensor in table.items():
                    if tensor is None or tensor.device == device:
                        continue
                    if id(tensor) not in copies:
                        copies[id(tensor)] = _copy(tensor, device)
                    loan.places.append((table, name, tensor))
                    table[name] = copies[id(tensor)]
    except BaseException:
        _give_back(loan)
        raise


def _give_back(loan: _Loan) -> None:
    while loan.places:
        table, name, tensor = loan.places.pop()
        table[name] = tensor


def _copy(tensor: Any, device: torch.device) -> Any:
    # a caller may be in inference mode; what a network holds are ordinary tensors
    with torch.inference_mode(False), torch.no_grad():
        moved = tensor.detach().to(device)
        return nn.Parameter(moved, requires_grad=False) if isinstance(tensor, nn.Parameter) else moved
