"""Get one archive: from a local folder or the network, and never believed before its size and SHA-256 match."""

from collections.abc import Callable
from pathlib import Path

from ldznet_ext.errors import NetworkError
from ldznet_ext.hosts.download import download
from ldznet_ext.hosts.remote import Remote
from ldznet_ext.world.packages import Package

Progress = Callable[[str, int, int], None]  # what is happening, how much is done, of how much


def obtain(package: Package, folder: Path, source: Path | None, progress: Progress) -> Path:
    """A verified archive of this package.

    Args:
        package: what to get.
        folder: where downloads are kept; an unfinished one is continued.
        source: a local folder that is searched before the network; nothing is copied from it.
        progress: called with (name, bytes done, bytes in all).

    Raises:
        NetworkError: nowhere to be had, stopped on the way, or not the file that was pinned.
        OutputError: there is no room for it.
    """
    remotes = [Remote(url=url, size=package.size, sha256=package.sha256) for url in package.urls]
    for place in (folder,) if source is None else (source, folder):
        for name in package.files:
            if (place / name).is_file() and not remotes[0].objection(place / name):
                return place / name
    target, first = folder / package.files[0], None
    for remote in remotes:  # one address may continue what another began: the content is the same
        try:
            download(remote, target, tick=lambda done, total: progress(package.name, done, total))
            return target
        except NetworkError as error:
            first = first or error
    raise NetworkError(
        f"{package.name} {package.version} could not be had; a folder that has it can be named in LDZNET_ART_SOURCE. {first}"
    ) from first
