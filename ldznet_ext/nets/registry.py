"""The kinds of heads by name: a dictionary filled by a decorator."""

from collections.abc import Callable
from typing import TypeVar

from torch import nn

from ldznet_ext.errors import HeadError

HEADS: dict[str, type[nn.Module]] = {}
Head = TypeVar("Head", bound=type[nn.Module])


def register_head(kind: str) -> Callable[[Head], Head]:
    """Class decorator: make the network known under `kind`."""

    def add(head: Head) -> Head:
        if kind in HEADS:
            raise HeadError(f"A second head is of the kind '{kind}'; expected one, so choose another name.")
        HEADS[kind] = head
        return head

    return add


def get_head(kind: str) -> type[nn.Module]:
    """The class of a kind."""
    if kind not in HEADS:
        raise HeadError(f"The head is of the kind '{kind}'; expected one of {', '.join(HEADS)}, so choose one of them.")
    return HEADS[kind]
