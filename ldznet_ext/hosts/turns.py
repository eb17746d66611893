"""Taking turns at one model: one piece of work at a time, the others in the order in which they came.

Waiting can be cancelled, tells how many come first, and is refused where too many wait already.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from ldznet_ext.errors import BusyError
from ldznet_ext.watch import UNWATCHED, Watch

MOST = 32
"""Who may wait. At a second each the last one waits half a minute, which is as long as most clients do."""
LOOK = 0.05
"""Seconds between two looks at whether somebody who waits was cancelled."""


class Turns:
    """A queue for threads; `most` may wait beside the one at work."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._queue: deque[object] = deque()
        self._moved = threading.Condition()

    def __len__(self) -> int:
        """Who is at work or waits."""
        return len(self._queue)

    @contextmanager
    def turn(self, watch: Watch = UNWATCHED) -> Iterator[None]:
        """Work in the body once it is one's turn. BusyError where too many wait, CancelledError where the wait is cancelled."""
        mine = object()
        with self._moved:
            if len(self._queue) > self.most:
                raise BusyError(
                    f"There are {len(self._queue) - 1} others waiting for the model; expected at most {self.most}, so try "
                    "again in a while."
                )
            self._queue.append(mine)
        try:
            self._wait(mine, watch)
            yield
        finally:
            with self._moved:
                self._queue.remove(mine)
                self._moved.notify_all()

    def _wait(self, mine: object, watch: Watch) -> None:
        said = 0
        with self._moved:
            while self._queue[0] is not mine:
                before = self._queue.index(mine)
                if before != said:
                    watch.tell(0.0, f"waiting for {before} other{'s' * (before > 1)}")
                    said = before
                watch.check()
                self._moved.wait(LOOK)
        watch.check()
