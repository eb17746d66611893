"""What became of the pictures of a run: counted from its journal, and written as a table of scores."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ldznet_ext.result import FOUND
from ldznet_ext.saving import scores
from ldznet_ext.saving.journal import Journal
from ldznet_ext.saving.output import OutputFolder


@dataclass(kw_only=True)
class Report:
    """What became of the pictures of a run, those included that were done before it was stopped.

    pictures: how many there are. found: in how many something was. not_found: in which nothing was. skipped: which could not be
    read, and why; defects: how many of these are ours to mend. before: how many had been done by an earlier call. files: how many
    were saved. messages: what a person should know of the results, each with the number of pictures it was said of. table: the
    file of scores in `out`. seconds: this call took. news: a sentence where another run was found in the folder, else empty.
    """

    pictures: int
    found: int = 0
    not_found: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    defects: int = 0
    before: int = 0
    files: int = 0
    messages: dict[str, int] = field(default_factory=dict)
    out: str = ""
    table: str = ""
    seconds: float = 0.0
    news: str = ""

    @property
    def left(self) -> int:
        """How many are still to do, after a run that was stopped."""
        return self.pictures - self.found - len(self.not_found) - len(self.skipped)

    def count(self, picture: str, record: Mapping[str, Any]) -> None:
        """Count one picture's record."""
        self.files += len(record.get("files", {}))
        if message := record.get("message"):
            self.messages[message] = self.messages.get(message, 0) + 1
        if record.get("error"):
            self.skipped.append((picture, record["error"]))
            self.defects += bool(record.get("defect"))
        elif any(phrase["status"] == FOUND for phrase in record["phrases"]):
            self.found += 1
        else:
            self.not_found.append(picture)


def summed(paths: Sequence[Path], journal: Journal, folder: Path) -> Report:
    """Write the table, and the data set where annotations were saved; the report of all pictures done so far."""
    report = Report(pictures=len(paths), out=str(folder), table=journal.facts["table"])

    def rows() -> Iterator[Mapping[str, Any]]:
        for path, record in _records(paths, journal):
            report.count(str(path), record)
            yield from scores.rows_of(str(path), record)

    scores.write(folder / report.table, rows())
    if "coco" in journal.facts:
        _join(paths, journal, folder)
    return report


def key_of(path: Path) -> str:
    """What a picture is called in the journal: the same from wherever the run is called."""
    return str(path.absolute())


def _records(paths: Sequence[Path], journal: Journal) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The pictures with what the journal says of them; those before which a run was stopped are left out."""
    for path in paths:
        record = journal.record(key_of(path))
        if record is not None:
            yield path, record


def _join(paths: Sequence[Path], journal: Journal, folder: Path) -> None:
    """All pictures' annotations as one data set."""
    from ldznet_ext.saving.coco import joined

    names = [record["files"]["coco"] for _, record in _records(paths, journal) if record.get("files")]
    with OutputFolder(folder) as out:
        out.write(journal.facts["coco"], joined(_annotations(folder, names)))


def _annotations(folder: Path, names: Sequence[str]) -> Iterator[Any]:
    """What the files of these names hold; one that a person took away or damaged is left out."""
    for name in names:
        with contextlib.suppress(OSError, ValueError):
            yield json.loads((folder / name).read_bytes())
