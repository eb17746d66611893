"""What the panel answered lately, so that sliders, undo and clicks need no model and wait for no queue.

Each answer has an unguessable name, the handle, which is all that the browser holds of it.
"""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np

from ldznet_ext.caches import MEBIBYTE
from ldznet_ext.errors import OptionError
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import Segmentation

LIMIT = 512 * MEBIBYTE
UNDOS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Session:
    """One answer and what was done with it.

    picture: uint8 (h w 3). result: every phrase's map. settings: asked for and, after a slider, cut by. base: uint8 (h w), the
    mask that was on the canvas before, None where there is no canvas; past: those before it, the latest last. how: replace,
    add or subtract.
    """

    picture: np.ndarray
    result: Segmentation
    settings: MaskSettings
    base: np.ndarray | None = None
    past: tuple[np.ndarray, ...] = ()
    how: str = "replace"

    @property
    def bytes(self) -> int:
        """Its size in memory."""
        maps = [
            self.result.prob,
            self.result.mask,
            *(one.prob for one in self.result.phrases),
            self.picture,
            *self.past,
        ]
        terms = [term.prob for one in self.result.phrases for term in one.terms]
        distinct = {id(array): array.nbytes for array in (*maps, *terms)}
        return sum(distinct.values()) + (0 if self.base is None else self.base.nbytes)


class Sessions:
    """The latest answers by handle; the least recently used are forgotten beyond a limit in bytes."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._kept: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, session: Session, handle: str = "") -> str:
        """Keep an answer, under its handle or a new one; the newest is kept however large it is."""
        handle = handle or secrets.token_urlsafe(16)
        with self._lock:
            self._kept[handle] = session
            self._kept.move_to_end(handle)
            while len(self._kept) > 1 and sum(kept.bytes for kept in self._kept.values()) > self.limit:
                self._kept.popitem(last=False)
        return handle

    def get(self, handle: str) -> Session:
        """The answer; OptionError where it is no longer, or never was, kept."""
        with self._lock:
            if not handle or handle not in self._kept:
                raise OptionError("This answer is no longer kept; expected a recent one, so ask for the mask again.")
            self._kept.move_to_end(handle)
            return self._kept[handle]

    def change(self, handle: str, **fields: object) -> Session:
        """The answer with some fields replaced."""
        session = replace(self.get(handle), **fields)  # type: ignore[arg-type]
        self.put(session, handle)
        return session

    def __len__(self) -> int:
        return len(self._kept)
