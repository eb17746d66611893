"""What is known of a file before it is fetched: where it is, how large, and by which sum it is recognised."""

import hashlib
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file that is to be fetched, and what is known of it. git: the SHA-1 by which git calls its content."""

    url: str
    size: int | None = None
    sha256: str | None = None
    git: str | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """What it is called where it lies."""
        return urllib.parse.unquote(urllib.parse.urlsplit(self.url).path).rpartition("/")[2]

    @property
    def sum(self) -> str | None:
        """By what its content is known before it is here."""
        return self.sha256.lower() if self.sha256 else self.git

    def objection(self, path: Path) -> str:
        """What a file has that this one should not have, as the end of "it ..."; empty where nothing is known against it."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return f"has {size:,} bytes instead of {self.size:,}"
        if self.sha256 and (found := _digest(path, hashlib.sha256())) != self.sum:
            return f"has the SHA-256 {found} instead of {self.sum}"
        if self.git and not self.sha256 and _digest(path, _git(size)) != self.git:
            return "is not the content that the hub lists"
        return ""


def _git(size: int) -> Any:
    return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)


def _digest(path: Path, summed: Any) -> str:
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            summed.update(block)
    return summed.hexdigest()
