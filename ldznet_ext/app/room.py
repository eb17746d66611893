"""What stands behind every page: the desk, the works of all pages, and what is being done for each of them now."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ldznet_ext.app.work import Work, Works
from ldznet_ext.watch import Watch

if TYPE_CHECKING:
    from ldznet_ext.hosts.desk import StandaloneDesk


class Running:
    """The piece of work that each page waits for: a page has one at a time, a new one ends the one before."""

    def __init__(self) -> None:
        self._watches: dict[str, Watch] = {}
        self._lock = threading.Lock()

    @contextmanager
    def watch(self, handle: str) -> Iterator[Watch]:
        """A watch under a page's handle while something is done for it."""
        watch = Watch()
        with self._lock:
            before = self._watches.get(handle)
            self._watches[handle] = watch
        if before is not None:
            before.cancel()
        try:
            yield watch
        finally:
            with self._lock:
                if self._watches.get(handle) is watch:
                    del self._watches[handle]

    def find(self, handle: str) -> Watch | None:
        """What a page waits for; None where it waits for nothing."""
        return self._watches.get(handle)


class Order:
    """What one page does follows in order, whatever another does meanwhile."""

    def __init__(self, locks: int = 64) -> None:
        self._locks = [threading.Lock() for _ in range(locks)]

    def of(self, handle: str) -> threading.Lock:
        """The lock of a page; some other page may share it, which costs either a few milliseconds."""
        return self._locks[hash(handle) % len(self._locks)]


@dataclass(frozen=True, eq=False)
class Room:
    """One app: its desk, the works of all pages, and what is under way for them."""

    desk: "StandaloneDesk"
    works: Works = field(default_factory=Works)
    running: Running = field(default_factory=Running)
    order: Order = field(default_factory=Order)

    def open(self, work: Work) -> str:
        """A page's own handle for a work that it begins with."""
        return self.works.put(work, secrets.token_urlsafe(24))
