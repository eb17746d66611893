"""The scores of many pictures as one table (CSV, UTF-8), a row a picture and phrase."""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ldznet_ext.errors import OutputError

COLUMNS = ("picture", "phrase", "status", "score", "area", "left", "top", "right", "bottom", "seconds", "file", "error")
"""area in pixels; left, top, right, bottom: the box of the phrase's mask, right and bottom just outside, empty where there is
none. seconds: what the picture took. file: its mask, or the first file that was saved. error: why there is no answer. A picture
that could not be read has one row, with the status "error"."""
ERROR = "error"


def rows_of(picture: str, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of one picture's record, as `batch` writes it."""
    common = {"picture": picture, "seconds": f"{record['seconds']:.3f}", "file": record.get("file", "")}
    if record.get("error"):
        yield {**common, "status": ERROR, "error": record["error"]}
    for phrase in record.get("phrases", ()):
        box = dict(zip(("left", "top", "right", "bottom"), phrase["box"] or [""] * 4, strict=True))
        row = {"phrase": phrase["text"], "status": phrase["status"], "score": f"{phrase['score']:.4f}"}
        yield {**common, **row, "area": phrase["area"], **box}


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the table, whole or not at all, a row at a time. A name that is no text (on Linux any bytes are one) is escaped."""
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            table: csv.DictWriter[str] = csv.DictWriter(stream, COLUMNS, restval="")
            table.writeheader()
            table.writerows(rows)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(
            f"The table '{path}' could not be written ({reason}); expected a writable place with space, so free some, or close "
            "what has it open."
        ) from None


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
