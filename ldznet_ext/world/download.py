"""Fetch one archive: from a local folder or the network, resumable, and never believed before its SHA-256 matches."""

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from ldznet_ext.errors import NetworkError
from ldznet_ext.world.packages import Package

Progress = Callable[[str, int, int], None]  # what is happening, how much is done, of how much
CHUNK = 1 << 18
TIMEOUT = 30  # seconds without a byte


def obtain(package: Package, folder: Path, source: Path | None, progress: Progress) -> Path:
    """A verified archive of this package.

    Args:
        package: what to get.
        folder: where downloads are kept; an unfinished one continues from its `.part` file.
        source: a local folder that is searched before the network; nothing is copied from it.
        progress: called with (name, bytes done, bytes in all).

    Raises:
        NetworkError: nowhere to be had, stopped on the way, or not the file that was pinned.
    """
    for place in (folder,) if source is None else (source, folder):
        for name in package.files:
            if (place / name).is_file() and _matches(place / name, package):
                return place / name
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / package.files[0]
    part = target.with_name(target.name + ".part")
    _download(package, part, progress)
    if not _matches(part, package):
        part.unlink()
        raise NetworkError(
            f"{package.name} {package.version} came with a wrong SHA-256 or size and was deleted; "
            "a mirror or proxy may have changed it, so try again or set LDZNET_ART_SOURCE to a folder that has it."
        )
    os.replace(part, target)
    return target


def _matches(file: Path, package: Package) -> bool:
    if file.stat().st_size != package.size:
        return False
    with file.open("rb") as stream:
        digest = hashlib.sha256()
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == package.sha256


def _download(package: Package, part: Path, progress: Progress) -> None:
    reason = ""
    for url in package.urls:
        try:
            return _continue(url, package, part, progress)
        except (OSError, urllib.error.URLError) as error:  # a timeout is an OSError
            if isinstance(error, OSError) and error.errno == 28:  # ENOSPC: no other address helps
                raise
            reason = reason or str(error)
    done = part.stat().st_size if part.exists() else 0
    raise NetworkError(
        f"The download of {package.name} {package.version} stopped after {done >> 20} of {package.size >> 20} MB "
        f"({reason}); run the same command again to continue, or set LDZNET_ART_SOURCE to a folder that has it."
    )


def _continue(url: str, package: Package, part: Path, progress: Progress) -> None:
    done = part.stat().st_size if part.exists() else 0
    if done >= package.size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        resumed = done > 0 and answer.status == 206
        with part.open("ab" if resumed else "wb") as out:
            done = done if resumed else 0
            # One byte past the pinned size is enough to know that this is not the file.
            while done <= package.size and (chunk := answer.read(CHUNK)):
                out.write(chunk)
                done += len(chunk)
                progress(package.name, done, package.size)
    if done < package.size:
        raise ConnectionError("the connection closed early")
