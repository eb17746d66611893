"""Which files of a folder are pictures to work on, and what tells that one has changed."""

import os
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from ldznet_ext.errors import DataError
from ldznet_ext.saving.journal import files_in
from ldznet_ext.saving.kinds import KINDS
from ldznet_ext.saving.output import stem_of

ENDINGS = frozenset([".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"])
"""Of the files that are taken for pictures; one that is named by itself may have any."""
Sources = str | PathLike[str] | Iterable[str | PathLike[str]]
"""A folder or a file, or several of them."""


def pictures_in(sources: Sources) -> list[Path]:
    """The pictures of a folder by name, or of several and of files, each once; DataError where there are none.

    Of a folder: files with the ending of a picture, neither hidden nor made there by this program.
    """
    given = [sources] if isinstance(sources, (str, PathLike)) else list(sources)
    found = {Path(path).absolute(): path for one in given for path in _spread(Path(one))}
    if not found:
        named = ", ".join(f"'{one}'" for one in given[:3]) or "an empty list"
        raise DataError(
            f"There is no picture in {named}; expected files such as fox.png or fox.jpg, so name another folder."
        )
    return list(found.values())


def looks_like_a_picture(path: Path) -> bool:
    """Whether it is a file with the ending of a picture."""
    try:
        return path.suffix.lower() in ENDINGS and path.is_file()
    except (OSError, ValueError):  # a name too long, or with a zero in it
        return False


def mark_of(path: Path) -> list[int] | None:
    """What changes when a file does: its size and time; None where it is gone."""
    try:
        state = path.stat()
    except (OSError, ValueError):
        return None
    return [state.st_size, state.st_mtime_ns]


def made_of(files: Iterable[Path]) -> set[str]:
    """The names of what is saved of such pictures beside them, unless a pattern says otherwise."""
    return {f"{stem_of(path)}{kind.suffix}" for path in files for kind in KINDS.values()}


def _spread(given: Path) -> list[Path]:
    """A file as it is; the pictures of a folder."""
    if not os.path.isdir(given):
        return [given]
    try:
        files = sorted(one for one in given.iterdir() if not one.name.startswith(".") and looks_like_a_picture(one))
    except OSError as error:
        raise DataError(
            f"The folder '{given}' cannot be read ({error.strerror or error}); expected one with pictures, so check it."
        ) from None
    ours = made_of(files) | files_in(given)
    return [path for path in files if path.name not in ours]
