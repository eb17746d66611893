"""Files that appear together or not at all: written under hidden names, moved to their own when everything is done."""

import contextlib
import os
from collections.abc import Container
from pathlib import Path
from types import TracebackType

from ldznet_ext.errors import OutputError

LONGEST_STEM = 200
"""Bytes; with the longest ending and a margin a name stays below the 255 that file systems take."""


PART = ".ldznet-{process}-{number}.part"
"""What a file is called while it waits."""


class OutputFolder:
    """A folder to write a set of files to, as a context manager.

    `write` puts a file aside under a hidden name. Leaving the block moves all of them into place, over older ones;
    leaving it by an exception removes them, and the folder too if it was made here. Raises OutputError in a sentence.
    lasting: what is in place then is on the disk, also where the power fails right after.
    """

    def __init__(self, folder: str | os.PathLike, *, lasting: bool = False) -> None:
        if not str(folder).strip():
            raise OutputError("The output folder's name is empty; expected a folder, so give one with -o.")
        self.folder, self.lasting = Path(folder), lasting
        self._made: list[Path] = []
        self._waiting: dict[str, Path] = {}
        self._unwanted: list[str] = []

    def __enter__(self) -> "OutputFolder":
        self._make(self.folder)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._move()
                self._made.clear()
        finally:
            self._tidy()

    def write(self, name: str, content: bytes) -> str:
        """Put a file aside; `name` is relative to the folder (subfolders are made). A second one replaces the first."""
        target = self.folder / name
        self._make(target.parent)
        part = self._waiting.get(name) or target.parent / PART.format(process=os.getpid(), number=len(self._waiting))
        self._waiting[name] = part
        try:
            part.write_bytes(content)
            if self.lasting:
                with part.open("rb+") as stream:
                    os.fsync(stream.fileno())
        except OSError as error:
            raise self._failed(name, error) from None
        return name

    def remove(self, name: str) -> None:
        """Take away an older file of this name when the others are moved into place: it would no longer fit them."""
        self._unwanted.append(name)

    def _make(self, folder: Path) -> None:
        missing = []
        try:
            while not folder.exists():
                missing.append(folder)
                folder = folder.parent
            if not folder.is_dir():
                raise OutputError(
                    f"The output folder '{folder}' is a file; expected a folder, so name another with -o."
                )
            for path in reversed(missing):
                path.mkdir(exist_ok=True)
                self._made.append(path)
        except (OSError, ValueError) as error:
            if isinstance(error, OutputError):
                raise
            reason = getattr(error, "strerror", None) or error
            raise OutputError(
                f"The output folder '{self.folder}' cannot be made ({reason}); expected a writable place, so name another "
                "with -o."
            ) from None

    def _move(self) -> None:
        for name in self._waiting:  # all that can be known before the first is moved
            if (self.folder / name).is_dir():
                raise OutputError(
                    f"'{self.folder / name}' is a folder; expected to write a file there, so move it away."
                )
        for name, part in self._waiting.items():
            try:
                os.replace(part, self.folder / name)
            except OSError as error:
                raise self._failed(name, error) from None
        for name in self._unwanted:
            (self.folder / name).unlink(missing_ok=True)
        if self.lasting:
            for folder in {(self.folder / name).parent for name in self._waiting}:
                _settle(folder)

    def _tidy(self) -> None:
        for part in self._waiting.values():
            try:
                part.unlink(missing_ok=True)
            except OSError:
                continue
        for path in reversed(self._made):  # nothing was kept: leave no folder either, unless someone else uses it
            try:
                path.rmdir()
            except OSError:
                break

    def _failed(self, name: str, error: OSError) -> OutputError:
        return OutputError(
            f"'{self.folder / name}' could not be written ({error.strerror or error}); expected a writable place with enough "
            "space, so free some or name another folder with -o."
        )


def _settle(folder: Path) -> None:
    """Have a folder's own list of names on the disk; Windows cannot, and need not, be asked."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def free(folder: Path, name: str, promised: Container[str] = ()) -> str:
    """A name that no file in the folder has and that is promised to none: masks.csv, masks-2.csv, ..."""
    stem, dot, ending = name.rpartition(".")
    count, wanted = 1, name
    while wanted in promised or (folder / wanted).exists():
        count += 1
        wanted = f"{stem}-{count}{dot}{ending}"
    return wanted


def stem_of(path: str | os.PathLike) -> str:
    """What a picture's outputs are called: its name without the ending, cut where a file system would refuse it."""
    return Path(path).stem.encode("utf-8", "surrogateescape")[:LONGEST_STEM].decode("utf-8", "ignore") or "picture"
