"""One piece of work under watch: how far it is, in what words, and whether somebody wants it stopped.

Whoever works tells and checks; whoever waits reads, listens or cancels, from any thread. A cancel takes effect at the next
`check`, `tell` or sampling step, never in the middle of one.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple

from ldznet_ext.errors import CancelledError

Listener = Callable[[float, str], None]


class Progress(NamedTuple):
    """How far a piece of work is: done 0..1, and what is being done, for people ("painting, step 3 of 20")."""

    done: float = 0.0
    what: str = ""


class Watch:
    """Progress and cancel of one piece of work. listener: called with (done, what) whenever something is told.

    >>> watch = Watch()
    >>> watch.steps("painting")(3, 20)
    >>> watch.progress
    Progress(done=0.15, what='painting, step 3 of 20')
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._progress = Progress()
        self._cancelled = threading.Event()

    @property
    def progress(self) -> Progress:
        """What was told last."""
        return self._progress

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants it stopped."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Have the work stop at its next step; harmless when it is over already."""
        self._cancelled.set()

    def check(self) -> None:
        """CancelledError once somebody wants it stopped."""
        if self.cancelled:
            raise CancelledError("The work was cancelled before it was done, so start it again if it is wanted.")

    def tell(self, done: float, what: str) -> None:
        """Say how far the work is (0..1) and what it does now; CancelledError where it is to stop."""
        self.check()
        self._progress = Progress(min(max(float(done), 0.0), 1.0), what)
        if self._listener is not None:
            self._listener(*self._progress)

    def steps(self, what: str) -> Callable[[int, int], None]:
        """What `backbone.generate(progress=...)` calls after each step: tells, and stops the run within one step."""

        def stepped(done: int, steps: int) -> None:
            self.tell(done / max(steps, 1), f"{what}, step {done} of {steps}")

        return stepped

    def part(self, low: float, high: float) -> "Watch":
        """A watch of a part of this work, whose 0..1 is low..high of the whole; cancelling either way stops it."""
        return _Part(self, low, high)


class _Part(Watch):
    def __init__(self, whole: Watch, low: float, high: float) -> None:
        super().__init__(lambda done, what: whole.tell(low + done * (high - low), what))
        self._cancelled = whole._cancelled


class _Unwatched(Watch):
    """Nobody looks, nobody can stop it: one for all work, so it keeps nothing."""

    def cancel(self) -> None:
        """Nothing is cancelled by it: it is shared."""

    def tell(self, done: float, what: str) -> None:
        """Nobody listens."""

    def part(self, low: float, high: float) -> Watch:
        """The same."""
        return self


UNWATCHED = _Unwatched()
