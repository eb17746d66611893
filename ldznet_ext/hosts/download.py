"""One file over HTTP with the standard library: continued where it stopped, and believed only when its size and sums agree.

What is unfinished lies under the name it is asked for, with a note beside it of what it is a part of, so that two states of a
file are never mixed. Nothing is deleted that the same call could continue from, but what proved to be wrong.
"""

import http.client
import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ldznet_ext.errors import NetworkError, OutputError, explained
from ldznet_ext.hosts.net import TIMEOUT, check_address, check_online, open_url, reason_of
from ldznet_ext.hosts.remote import Remote

Tick = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes there will be (0 where nobody knows)."""

CHUNK = 1 << 18
LEAST = 1 << 10
"""Bytes that have to come within the time after which a server is left and asked anew."""
FRUITLESS = 5
"""Attempts in a row that bring nothing before it is given up."""
ATTEMPTS = 100
"""Attempts in all: a server may cut every answer short."""
LONGEST_PAUSE = 8.0


def download(
    remote: Remote,
    target: Path,
    *,
    tick: Tick | None = None,
    timeout: float = TIMEOUT,
    pause: float = 0.5,
) -> None:
    """Bring a file to `target`, from where an earlier call stopped; on return it is whole and its sums agree.

    What lies there already counts as this file where its sum says so; else it is fetched anew, unless the note says that it is
    a part of it. tick: told the bytes. timeout: seconds of silence after which the server is asked anew. pause: seconds before
    the second attempt, doubled for each further one that brings nothing. NetworkError: it cannot be had, or is not what it
    should be, and then it is deleted; OutputError: there is no room for it.
    """
    check_online()
    check_address(remote.url)
    with explained(target, remedy="free some space or choose another place"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            _Download(remote, target, tick or (lambda done, total: None), timeout, pause).run()


def note_of(target: Path) -> Path:
    """Where it is written what an unfinished file is a part of; it is there as long as that is unfinished."""
    return target.with_name(f"{target.name}.json")


class _Refused(Exception):
    """What no further attempt would mend."""


class _Download:
    def __init__(self, remote: Remote, target: Path, tick: Tick, timeout: float, pause: float) -> None:
        self.remote, self.target, self.tick, self.timeout, self.pause = remote, target, tick, timeout, pause
        self.note = note_of(target)
        self.known = _read_note(self.note, remote)

    @property
    def done(self) -> int:
        """Bytes that are there."""
        return self.target.stat().st_size if self.target.exists() else 0

    @property
    def total(self) -> int | None:
        """Bytes it should have, as the caller or else the server says."""
        return self.remote.size if self.remote.size is not None else self.known.get("size")

    def run(self) -> None:
        """Try until it is whole, then compare the sums."""
        if self.done and not self.known:
            if self.remote.sum and not self.remote.objection(self.target):
                return
            self._forget()
        reason, fruitless = "", 0
        for _ in range(ATTEMPTS):
            before = self.done
            if self.total is not None and before >= self.total:
                break
            try:
                if self._continue():
                    break
            except _Refused as error:
                raise NetworkError(self._stopped(str(error))) from None
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code not in (408, 429):
                    raise NetworkError(self._stopped(reason_of(error))) from error
                reason = reason_of(error)
            except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
                reason = reason_of(error)
            fruitless = 0 if self.done > before else fruitless + 1
            if fruitless >= FRUITLESS:
                raise NetworkError(self._stopped(reason))
            time.sleep(min(self.pause * 2**fruitless, LONGEST_PAUSE) if self.pause else 0)
        else:
            raise NetworkError(self._stopped(reason))
        self._check()
        self.note.unlink(missing_ok=True)

    def _continue(self) -> bool:
        """One request; whether the file is whole as far as anybody can tell."""
        headers = {"Accept-Encoding": "identity"}
        state = self.known.get("state")
        if self.done and (state or self.remote.sum):
            headers["Range"] = f"bytes={self.done}-"
            if state:
                headers["If-Range"] = state
        try:
            answer = open_url(self.remote.url, headers, self.remote.token, self.timeout)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
            self._forget()  # there is no such rest: what is here is not a part of what is there
            return False
        with answer:
            done = self._starts_at(answer)
            self._learn(answer, done)
            with self.target.open("ab" if done else "wb") as out:
                for chunk in self._chunks(answer):
                    out.write(chunk)
                    done += len(chunk)
                    if self.total is not None and done > self.total:
                        break
                    self.tick(done, self.total or 0)
        if self.total is not None and done > self.total:
            self._forget()
            raise _Refused(f"the server sent more than the {self.total:,} bytes it should have")
        if self.total is not None and done < self.total:
            raise ConnectionError("the connection closed early")
        return True

    def _starts_at(self, answer: Any) -> int:
        """At which byte the answer begins; the file is begun anew where the server does not continue it."""
        if answer.status != 206:
            return 0
        found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != self.done:
            self._forget()
            raise ConnectionError("the server continued in another place than it was asked to")
        return self.done

    def _learn(self, answer: Any, start: int) -> None:
        """Keep what the server says of the file, refuse what contradicts it, and see that there is room."""
        length = answer.headers.get("Content-Length", "")
        size = start + int(length) if length.isdigit() else None
        if self.remote.size is not None and size is not None and size != self.remote.size:
            raise _Refused(f"the server has {size:,} bytes instead of {self.remote.size:,}")
        if answer.headers.get_content_type() == "text/html" and not self.target.suffix == ".html":
            raise _Refused("the server answered with a web page, as where one has to log in or to accept a licence")
        etag = answer.headers.get("ETag", "")
        state = answer.headers.get("Last-Modified", "") if not etag or etag.startswith("W/") else etag
        self.known = {"url": self.remote.url, "state": state, "size": size, "sum": self.remote.sum}
        needed = (self.total or 0) - start
        if shutil.disk_usage(self.target.parent).free < needed:
            raise OutputError(
                f"{self.target.name} needs {needed / 1e9:,.2f} GB more, which are not free in {self.target.parent}; expected "
                "room for it, so free some or choose another place."
            )
        self.note.write_text(json.dumps(self.known), "utf-8")

    def _chunks(self, answer: Any) -> Iterator[bytes]:
        """What comes; TimeoutError where next to nothing does, though the connection stands."""
        since, got = time.monotonic(), 0
        while chunk := _read(answer):
            yield chunk
            got += len(chunk)
            if time.monotonic() - since > self.timeout:
                if got < LEAST:
                    raise TimeoutError("the server stalled")
                since, got = time.monotonic(), 0

    def _check(self) -> None:
        """Compare size and sums; what disagrees is deleted."""
        if wrong := self.remote.objection(self.target):
            self._forget()
            raise NetworkError(
                f"{self.remote.name} {wrong} and was deleted; expected the file that was asked for, so look whether the source "
                "has changed, and try again."
            )

    def _forget(self) -> None:
        self.target.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.known = {}

    def _stopped(self, reason: str) -> str:
        so_far = f" after {self.done / 1e6:,.1f} of {self.total / 1e6:,.1f} MB" if self.total and self.done else ""
        again = (
            "run the same command again to continue" if self.done else "check the address and the network and try again"
        )
        return f"The download of {self.remote.name} stopped{so_far} ({reason}); expected the whole file, so {again}."


def _read_note(note: Path, remote: Remote) -> dict[str, Any]:
    """What an earlier call learned of the same file, from the same address or from another that has the same content."""
    try:
        known = json.loads(note.read_text("utf-8"))
        sums = {known.get("sum"), remote.sum}
        if known.get("url") == remote.url and (None in sums or len(sums) == 1):
            return known
        return {**known, "state": ""} if sums == {remote.sum} != {None} else {}
    except (OSError, ValueError, AttributeError):
        return {}


def _read(answer: Any) -> bytes:
    """The next piece; ConnectionError for whatever the network says, so that it is not taken for a fault of the disk."""
    try:
        return answer.read1(CHUNK)
    except TimeoutError:
        raise
    except OSError as error:
        raise ConnectionError(str(error)) from error


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keep a second download from writing into the same file; where the system has no such locks there is none."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    lock = target.with_name(f"{target.name}.lock")
    with lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NetworkError(
                f"{target.name} is being downloaded already; expected one download of it at a time, so wait for that one."
            ) from None
        try:
            yield
        finally:
            with suppress(OSError):
                lock.unlink()
