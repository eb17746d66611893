"""The kinds of heads by name: a dictionary filled by a decorator."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ldznet_ext.errors import HeadError

if TYPE_CHECKING:
    from ldznet_ext.nets.znet import ZNet

HEADS: "dict[str, type[ZNet]]" = {}
Head = TypeVar("Head", bound="type[ZNet]")


def register_head(kind: str) -> Callable[[Head], Head]:
    """Class decorator: make the network known under `kind`."""

    def add(head: Head) -> Head:
        if kind in HEADS:
            raise HeadError(f"A second head is of the kind '{kind}'; expected one, so choose another name.")
        HEADS[kind] = head
        return head

    return add


def get_head(kind: str) -> "type[ZNet]":
    """The class of a kind."""
    if kind not in HEADS:
        raise HeadError(f"The head is of the kind '{kind}'; expected one of {', '.join(HEADS)}, so choose one of them.")
    return HEADS[kind]
