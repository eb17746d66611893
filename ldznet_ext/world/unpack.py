"""Read members of a .tgz or a Debian .deb (an `ar` archive around data.tar.xz) without writing anything to disk.

Members are looked up by their exact name and handed over as bytes, so no path inside an archive can lead anywhere.
"""

import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from ldznet_ext.errors import DataError

AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60
LARGEST_MEMBER = 64 << 20  # bytes; the largest wanted file has 32 MB


def members(archive: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The wanted regular files of an archive, in archive order.

    Args:
        archive: a .tgz or .deb.
        wanted: member names without a leading "./".

    Raises:
        DataError: not such an archive, damaged, or a wanted member is missing or absurdly large.
    """
    missing = set(wanted)
    try:
        with archive.open("rb") as raw:
            if archive.suffix == ".deb":
                _seek_data(raw, archive)
            with tarfile.open(fileobj=raw, mode="r|*") as tar:
                for entry in tar:
                    name = entry.name.removeprefix("./")
                    if name in missing and entry.isreg():
                        missing.remove(name)
                        yield name, _read(tar, entry, archive)
                        if not missing:
                            return
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{archive.name} cannot be unpacked ({error}); delete it and fetch again.") from error
    raise DataError(f"{archive.name} has no {min(missing)}; it is not the version expected, so fetch it again.")


def _read(tar: tarfile.TarFile, entry: tarfile.TarInfo, archive: Path) -> bytes:
    if entry.size > LARGEST_MEMBER:
        raise DataError(
            f"{entry.name} in {archive.name} has {entry.size >> 20} MB; at most 64 are expected, so fetch it again."
        )
    stream = tar.extractfile(entry)
    assert stream is not None  # a regular file always has one
    return stream.read()


def _seek_data(raw: IO[bytes], archive: Path) -> None:
    """Move to the first byte of data.tar.* inside an `ar` archive (60-byte text headers, even offsets)."""
    if raw.read(len(AR_MAGIC)) != AR_MAGIC:
        raise DataError(f"{archive.name} is no Debian package; delete it and fetch again.")
    while len(header := raw.read(AR_HEADER)) == AR_HEADER:
        if header.startswith(b"data.tar"):
            return
        size = header[48:58].strip()
        if header[58:60] != b"`\n" or not size.isdigit():
            break
        raw.seek(int(size) + int(size) % 2, 1)
    raise DataError(f"{archive.name} is a damaged Debian package; delete it and fetch again.")
