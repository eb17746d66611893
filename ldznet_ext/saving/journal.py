"""What was done in a run over many pictures, written down as it is done, so that a run that was killed goes on where it was.

One file a run in the hidden folder `.ldznet` beside the results, a JSON object a line: first what was asked; then for each
picture which files are about to appear, and, once they are there, the whole of its answer. A line counts only if it is whole. A
run is known again by what was asked: with other words or settings it is another run.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ldznet_ext.errors import OutputError

FORMAT = "ldznet-run-1"
FOLDER, LOCK = ".ldznet", "lock"
Record = dict[str, Any]


class Journal:
    """The journal of one run in a folder, as a context manager, which keeps every other run out of the folder meanwhile.

    asked: all that decides what comes out, as JSON takes it. `mark` of a picture: what changes when the picture does.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any]) -> None:
        self.folder, self.asked = folder, dict(asked)
        self.path = folder / FOLDER / f"{name_of(asked)}.jsonl"
        self.facts: Record = {}
        """What was settled when the run began, such as the name of its table."""
        self._places: dict[str, tuple[Any, int]] = {}
        self._begins: dict[str, int] = {}
        self._names: set[str] = set()

    def __enter__(self) -> "Journal":
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock()
            self._stream: IO[bytes] = self.path.open("a+b")
            self._read()
        except OSError as error:
            raise self._failed(error) from None
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()
        self._held.close()

    @property
    def fresh(self) -> bool:
        """Whether nothing of this run was ever done here."""
        return not self.facts

    def start(self, facts: Mapping[str, Any]) -> None:
        """Begin a fresh journal; `facts` are read back when it goes on."""
        self.facts = {"format": FORMAT, "asked": self.asked, **facts}
        self._append(self.facts)

    def has(self, picture: str, mark: Any) -> bool:
        """Whether this very picture was done."""
        return picture in self._places and self._places[picture][0] == mark

    def mine(self, name: str) -> bool:
        """Whether this run has made a file of this name, in capitals or not: not every file system tells them apart."""
        return name.casefold() in self._names

    def names(self, picture: str) -> dict[str, str]:
        """The files by kind that this run has made, or was in the middle of making, of a picture; they may be written anew."""
        return self._line(self._begins[picture])["files"] if picture in self._begins else {}

    def begin(self, picture: str, files: Mapping[str, str]) -> None:
        """Say which files (by kind, relative to the folder) are about to appear for a picture."""
        self._begins[picture] = self._append({"begin": picture, "files": dict(files), "process": os.getpid()})
        self._names.update(name.casefold() for name in files.values())

    def finish(self, picture: str, mark: Any, record: Mapping[str, Any]) -> None:
        """Say that a picture is done; on the disk before this returns."""
        place = self._append({"picture": picture, "mark": mark, **record})
        with contextlib.suppress(OSError):  # not every file system can
            os.fsync(self._stream.fileno())
        self._places[picture] = (mark, place)

    def record(self, picture: str) -> Record | None:
        """What was written of a picture, the last time that it was done."""
        return self._line(self._places[picture][1]) if picture in self._places else None

    def _line(self, place: int) -> Record:
        self._stream.seek(place)
        return json.loads(self._stream.readline())

    def _append(self, record: Mapping[str, Any]) -> int:
        line = json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            place = self._stream.seek(0, os.SEEK_END)
            self._stream.write(line)
            self._stream.flush()
        except OSError as error:
            raise self._failed(error) from None
        return place

    def _read(self) -> None:
        """All whole lines; what a kill left of the last one goes, and so do the files it was in the middle of."""
        place = 0
        begun: dict[str, Record] = {}
        self._stream.seek(0)
        for line in self._stream:
            record = _parsed(line)
            if record is None:
                break
            self._take(record, place, begun)
            place += len(line)
        self._stream.truncate(place)
        for unfinished in begun.values():
            _sweep(self.folder, unfinished)

    def _take(self, record: Record, place: int, begun: dict[str, Record]) -> None:
        """A line's part in what is known. begun: by their pictures the lines of those that were begun and not finished."""
        if "asked" in record:
            self.facts = record
        elif "begin" in record:
            self._names.update(name.casefold() for name in record["files"].values())
            self._begins[record["begin"]], begun[record["begin"]] = place, record
        elif "picture" in record:
            self._places[record["picture"]] = (record["mark"], place)
            begun.pop(record["picture"], None)

    def _lock(self) -> None:
        """One run at a time: two would take the same names. Let go by the system itself, also where the process is killed."""
        self._held = (self.path.parent / LOCK).open("a+b")
        try:
            _exclusively(self._held)
        except OSError:
            self._held.close()
            raise OutputError(
                f"Another process is at work in '{self.folder}'; expected one at a time, so wait for it or name another folder."
            ) from None

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(
            f"The journal '{self.path}' cannot be written ({error.strerror or error}); expected a writable place with space, so "
            "free some or name another folder."
        )


def name_of(asked: Mapping[str, Any]) -> str:
    """Ten hexadecimal digits that stand for what was asked."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode("ascii")).hexdigest()[:10]


def runs_in(folder: Path) -> Iterator[Record]:
    """What was asked and settled in every run of a folder, the latest first; damaged journals are passed over."""
    with contextlib.suppress(OSError):
        for path in sorted((folder / FOLDER).glob("*.jsonl"), key=lambda one: -one.stat().st_mtime):
            with contextlib.suppress(OSError), path.open("rb") as stream:
                record = _parsed(stream.readline())
                if record is not None and isinstance(record.get("asked"), dict):
                    yield record


def files_in(folder: Path) -> set[str]:
    """The names of all files that runs have made in a folder."""
    names: set[str] = set()
    with contextlib.suppress(OSError):
        for path in (folder / FOLDER).glob("*.jsonl"):
            with contextlib.suppress(OSError), path.open("rb") as stream:
                for record in map(_parsed, stream):
                    names.update(record["files"].values() if record and "begin" in record else ())
    return names


def _parsed(line: bytes) -> Record | None:
    """A line's object, or None where it is not whole."""
    if not line.endswith(b"\n"):
        return None
    with contextlib.suppress(ValueError):
        record = json.loads(line)
        return record if isinstance(record, dict) else None
    return None


def _sweep(folder: Path, begun: Record) -> None:
    """Take away what the killed process had put aside; files that are in place already are written anew."""
    for name in begun["files"].values():
        for part in (folder / name).parent.glob(f".ldznet-{begun['process']}-*.part"):
            with contextlib.suppress(OSError):
                part.unlink()


def _exclusively(stream: IO[bytes]) -> None:
    """OSError where another process has the file."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        return
    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
