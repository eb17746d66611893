"""What the panel answered lately, so that sliders, undo and clicks need no model and wait for no queue.

Each answer has an unguessable name, the handle, which is all that the browser holds of it.
"""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from ldznet_ext.caches import MEBIBYTE
from ldznet_ext.errors import OptionError
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import Segmentation

if TYPE_CHECKING:
    from ldznet_ext.masks.edits import Edits

LIMIT = 512 * MEBIBYTE


class Sized(Protocol):
    """What is kept tells its size."""

    @property
    def bytes(self) -> int:
        """Its size in memory."""
        ...


Kept = TypeVar("Kept", bound=Sized)


@dataclass(frozen=True, kw_only=True, eq=False)
class Session:
    """One answer. picture: uint8 (h w 3). result: every phrase's map. settings: asked for and, after a slider, cut by.

    edits: what was done to its mask by hand, None for nothing.
    """

    picture: np.ndarray
    result: Segmentation
    settings: MaskSettings
    edits: "Edits | None" = None

    @property
    def bytes(self) -> int:
        """Its size in memory."""
        maps = [
            self.result.prob,
            self.result.mask,
            *(one.prob for one in self.result.phrases),
            self.picture,
        ]
        terms = [term.prob for one in self.result.phrases for term in one.terms]
        distinct = {id(array): array.nbytes for array in (*maps, *terms)}
        return sum(distinct.values()) + (self.edits.bytes if self.edits else 0)


class Sessions(Generic[Kept]):
    """The latest answers by handle; the least recently used are forgotten beyond a limit in bytes."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, session: Kept, handle: str = "") -> str:
        """Keep an answer, under its handle or a new one; the newest is kept however large it is."""
        handle = handle or secrets.token_urlsafe(16)
        with self._lock:
            self._kept[handle] = session
            self._kept.move_to_end(handle)
            while len(self._kept) > 1 and sum(kept.bytes for kept in self._kept.values()) > self.limit:
                self._kept.popitem(last=False)
        return handle

    def get(self, handle: str) -> Kept:
        """The answer; OptionError where it is no longer, or never was, kept."""
        if not handle:
            raise OptionError("There is no mask of words yet; expected one, so type words and ask for it first.")
        if (found := self.find(handle)) is None:
            raise OptionError("This answer is no longer kept; expected a recent one, so ask for the mask again.")
        return found

    def find(self, handle: str) -> Kept | None:
        """The answer, or None."""
        with self._lock:
            if handle in self._kept:
                self._kept.move_to_end(handle)
            return self._kept.get(handle)

    def __len__(self) -> int:
        return len(self._kept)
