"""What is being worked on, by name: how far it is, and how to stop it. No picture and no word of it is kept here.

A client names its request itself or is given a name nobody can guess; a name belongs to who called, so that nobody with a
password of their own sees or stops what another does.
"""

import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ldznet_ext.api.limits import MAX_AT_ONCE
from ldznet_ext.errors import BusyError, CancelledError, LdznetError, OptionError
from ldznet_ext.watch import Watch

NAME = r"^[A-Za-z0-9._-]{1,128}$"
WORKING, DONE, FAILED, CANCELLED = "working", "done", "failed", "cancelled"
STATES = (WORKING, DONE, FAILED, CANCELLED)
KEPT = 600.0
"""Seconds for which what is over can be asked for."""
MOST = 4096


class NoJobError(LdznetError):
    """A job of a name that there is not, or no longer: 404."""


class NameTakenError(LdznetError):
    """A second request under the name of one that is under way: 409."""


@dataclass(eq=False)
class Job:
    """One request that is worked on. ended: when it was over, on the monotonic clock; None while it is not."""

    name: str
    watch: Watch = field(default_factory=Watch)
    state: str = WORKING
    ended: float | None = None

    def to_mapping(self) -> dict[str, Any]:
        """What a client may know."""
        done, what = self.watch.progress
        return {"job": self.name, "state": self.state, "fraction": 1.0 if self.state == DONE else done, "what": what}


class Jobs:
    """The requests under way, `most` at once, and those that are just over."""

    def __init__(self, most: int = MAX_AT_ONCE) -> None:
        self.most = most
        self._jobs: OrderedDict[tuple[str, str], Job] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def job(self, owner: str, name: str | None = None) -> Iterator[Job]:
        """One request's life. BusyError where too many are under way, OptionError for a name that is none."""
        if name is not None and not re.fullmatch(NAME, name):
            raise OptionError(
                f"The request's name is {name!r:.60}; expected 1 to 128 letters, digits, dots, dashes and underscores, so choose "
                "one."
            )
        job = Job(name or secrets.token_urlsafe(16))
        self._begin(owner, job)
        try:
            yield job
            job.state = DONE
        except CancelledError:
            job.state = CANCELLED
            raise
        except BaseException:
            job.state = CANCELLED if job.watch.cancelled else FAILED
            raise
        finally:
            job.ended = time.monotonic()

    def get(self, owner: str, name: str) -> Job:
        """A job of one's own; NoJobError where there is none of that name."""
        with self._lock:
            self._forget()
            job = self._jobs.get((owner, name))
        if job is None:
            raise NoJobError(
                f"There is no job '{name:.60}'; expected one that is under way or just over, so name it by X-Request-Id."
            )
        return job

    def cancel(self, owner: str, name: str) -> Job:
        """Have a job stop at its next step; harmless when it is over already."""
        job = self.get(owner, name)
        job.watch.cancel()
        return job

    def cancel_all(self) -> None:
        """Stop whatever is under way: the server goes down."""
        with self._lock:
            under_way = [job for job in self._jobs.values() if job.ended is None]
        for job in under_way:
            job.watch.cancel()

    def _begin(self, owner: str, job: Job) -> None:
        with self._lock:
            self._forget()
            if sum(other.ended is None for other in self._jobs.values()) >= self.most:
                raise BusyError(f"There are {self.most} requests under way; expected fewer, so try again in a while.")
            other = self._jobs.pop((owner, job.name), None)
            if other is not None and other.ended is None:
                self._jobs[owner, job.name] = other
                raise NameTakenError(
                    f"A request named '{job.name:.60}' is under way; expected a name of its own for each, so choose another."
                )
            self._jobs[owner, job.name] = job

    def _forget(self) -> None:
        """What is over for long, and the oldest of what is over where there is too much of it."""
        now = time.monotonic()
        over = [(key, job.ended) for key, job in self._jobs.items() if job.ended is not None]
        for number, (key, ended) in enumerate(over):
            if len(over) - number > MOST or now - ended > KEPT:
                del self._jobs[key]
