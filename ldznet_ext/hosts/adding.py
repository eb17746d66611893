"""Bringing a model, a head, a LoRA or a text embedding into a model folder, from a file, an address or a hub; or nothing of it.

What is on its way lies in a hidden folder of the same disk and is moved in one step, once its size, its sums and what it is have
been looked at. A .ckpt leaves as .safetensors: its tensors are read one by one, and nothing of it is run.
"""

import errno
import os
import shutil
import urllib.parse
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ldznet_ext.convert.pickles import ENDINGS
from ldznet_ext.errors import HeadError, ModelError, OptionError, OutputError, explained
from ldznet_ext.hosts import hub as hubs
from ldznet_ext.hosts.download import download
from ldznet_ext.hosts.kinds import MODEL, SUBFOLDERS, about
from ldznet_ext.hosts.library import stored
from ldznet_ext.hosts.net import TIMEOUT
from ldznet_ext.hosts.remote import Remote
from ldznet_ext.weights import cache_folder, model_folders, sha256_of

UNFINISHED = ".unfinished"
"""Where things lie that are on their way; in the model folder, so that a move within it is one step."""
SAFETENSORS = ".safetensors"
REMEDY = "free some space or choose another with --into"
Told = Callable[[str, int, int], None]
"""Called with the name of a file, the bytes that are there and the bytes there will be (0 where nobody knows)."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """What has come. kind, family: as `kinds` tells them. sums: SHA-256 of its weights, by their path in the model folder."""

    path: Path
    kind: str
    family: str | None
    sums: Mapping[str, str]


def add(
    source: str,
    *,
    name: str | None = None,
    folder: Path | None = None,
    sha256: str | None = None,
    variant: str | None = None,
    told: Told | None = None,
    timeout: float = TIMEOUT,
) -> Added:
    """Bring `source` into a model folder and say what it is.

    source: a file, an http(s) address of one, or a hub id ("owner/name", "owner/name@revision", "owner/name/FILE").
    name: what it is to be called there. folder: by default the first of LDZNET_MODELS, else the user's own.
    sha256: what a file must have. variant: of a hub's weights, such as fp16. told: how far it is. timeout: seconds of silence.
    NetworkError, ModelError and OutputError in a sentence; then nothing has come, and what is unfinished is continued next time.
    """
    _check_options(name, sha256)
    wish = _Wish(
        place=folder or default_folder(),
        name=name,
        sha256=sha256 and sha256.lower(),
        told=told or (lambda what, done, total: None),
        timeout=timeout,
    )
    path, hub = Path(source).expanduser(), hubs.parse_hub_id(source)
    try:
        if path.exists():
            return wish.settle(path, ours=False)
        if hub is not None:
            return wish.of_hub(hub, variant)
        if "://" in source:
            return wish.of_address(source)
    finally:
        with suppress(OSError):  # something else is on its way
            (wish.place / UNFINISHED).rmdir()
    raise ModelError(
        f"There is no file '{source}'; expected a file, an address that begins with https:// or a hub id such as owner/name, so "
        "check it."
    )


def default_folder() -> Path:
    """Where things come to: the first of LDZNET_MODELS, else the folder in the user's cache."""
    return model_folders()[0] if os.environ.get("LDZNET_MODELS", "").strip(os.pathsep) else cache_folder() / "models"


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """One thing that is to come. place: the model folder. name: what it is to be called; None for what it is called already."""

    place: Path
    name: str | None
    sha256: str | None
    told: Told
    timeout: float

    def of_hub(self, hub: hubs.HubId, variant: str | None) -> Added:
        """A model's folder, or its one file."""
        files = hubs.files_of(hub, variant)
        if len(files) == 1:
            named = replace(self, name=self.name or f"{hub.name}{SAFETENSORS}")
            return named.of_file(files[0].path, hubs.pinned(files[0], self.sha256).remote)
        if self.sha256 is not None:
            raise OptionError(
                f"{hub.id} consists of {len(files)} files, each with a sum of its own from the hub; expected a SHA-256 for one "
                "file alone, so leave it out."
            )
        target = self.place / (self.name or hub.name)
        _check_free(target)
        waiting = self.place / UNFINISHED / target.name
        for file in files:
            self._download(file.remote, waiting / file.path, file.path)
        return self._move_folder(waiting, target)

    def of_address(self, address: str) -> Added:
        """One file of the web."""
        remote = Remote(url=address, sha256=self.sha256, token=_token_for(address))
        own = next((name for name in (remote.name, self.name or "") if _is_ours(name)), None)
        if own is None:
            raise OptionError(
                f"The address {address} ends in no file name; expected one that ends in {SAFETENSORS}, so give it with --name."
            )
        return self.of_file(own, remote)

    def of_file(self, own: str, remote: Remote) -> Added:
        """One file, which waits under its own name."""
        _check_free(self.place / self._called(own))
        waiting = self.place / UNFINISHED / own
        self._download(remote, waiting, own)
        return self.settle(waiting, ours=True)

    def settle(self, path: Path, *, ours: bool) -> Added:
        """Look what a file is, convert it where that is needed, and put it where it is found. ours: whether it may be moved."""
        if path.is_dir():
            raise ModelError(
                f"{path} is a folder; expected a file: a folder in diffusers' layout is used where it lies (--model FOLDER), or "
                "put into a model folder by hand."
            )
        try:
            if not ours:
                self._check_sum(path)
            if path.suffix.lower() in ENDINGS:
                return self._converted(path)
            kind, _, problem = about(path)
            if problem:
                raise ModelError(problem)
            target = self.place / SUBFOLDERS.get(kind, "") / self._called(path.name)
            _check_free(target)
            _move(path, target) if ours else _copy(path, target, self.told)
        except (ModelError, HeadError):
            if ours:  # it came whole and is no use: to continue it would bring it again
                path.unlink(missing_ok=True)
            raise
        return self._added(target)

    def _download(self, remote: Remote, at: Path, called: str) -> None:
        """A file to where it waits."""
        download(remote, at, tick=lambda done, total: self.told(called, done, total), timeout=self.timeout)

    def _check_sum(self, path: Path) -> None:
        if self.sha256 is not None and (found := sha256_of(path)) != self.sha256:
            raise ModelError(f"{path.name} has the SHA-256 {found}; expected {self.sha256}, so fetch it again.")

    def _converted(self, path: Path) -> Added:
        """A torch file's tensors as .safetensors: a whole model's, or those of the authors' LD-ZNet."""
        from ldznet_ext.convert.ckpt import convert_checkpoint
        from ldznet_ext.convert.official import looks_official
        from ldznet_ext.convertible import convert_file

        target = self.place / self._called(path.name)
        _check_free(target)

        def tick(done: int, total: int) -> None:
            self.told(f"converting {path.name}", done, total)

        if looks_official(path):
            convert_file(path, target, dtype="fp16", progress=tick)
        else:
            convert_checkpoint(path, target, tick)
        if self.place / UNFINISHED == path.parent:
            path.unlink(missing_ok=True)
        return self._added(target)

    def _move_folder(self, waiting: Path, target: Path) -> Added:
        """A folder of a hub's model into place, once its UNet is one that can be loaded."""
        found = next((one for one in stored(waiting.parent) if one.path == waiting), None)
        if found is None or found.family is None:
            raise ModelError(
                f"{target.name} is no model that can be loaded; expected Stable Diffusion 1.x, 2.x or XL, so choose another and "
                f"delete {waiting}."
            )
        _move(waiting, target)
        sums = {str(path.relative_to(self.place)): sha256_of(path) for path in sorted(target.rglob(f"*{SAFETENSORS}"))}
        return Added(path=target, kind=MODEL, family=found.family, sums=sums)

    def _added(self, path: Path) -> Added:
        """What one file is, now that it is in its place."""
        kind, family, _ = about(path)
        return Added(path=path, kind=kind, family=family, sums={str(path.relative_to(self.place)): sha256_of(path)})

    def _called(self, own: str) -> str:
        """What a file is called in the model folder."""
        name = self.name or own
        return str(Path(name).with_suffix(SAFETENSORS)) if _is_ours(name) else f"{name}{SAFETENSORS}"


def _move(source: Path, target: Path) -> None:
    """Into place in one step."""
    with explained(target, remedy=REMEDY):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)


def _copy(source: Path, target: Path, told: Told) -> None:
    """A copy that is there whole or not at all."""
    with explained(target, remedy=REMEDY):
        target.parent.mkdir(parents=True, exist_ok=True)
        size = source.stat().st_size
        if shutil.disk_usage(target.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = target.with_name(f"{target.name}.part")
        try:
            with source.open("rb") as stream, part.open("wb") as out:
                while block := stream.read(1 << 22):
                    out.write(block)
                    told(target.name, out.tell(), size)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)


def _check_free(target: Path) -> None:
    if target.exists():
        raise OutputError(
            f"{target} is there already; expected a new name, so give one with --name, or delete it first."
        )


def _check_options(name: str | None, sha256: str | None) -> None:
    if name is not None and ("/" in name or not hubs.SAFE.fullmatch(name)):
        raise OptionError(f"The name is '{name}'; expected a plain name such as photo{SAFETENSORS}, so give one.")
    if sha256 is not None and (len(sha256) != 64 or set(sha256.lower()) - set("0123456789abcdef")):
        raise OptionError(f"The SHA-256 is '{sha256}'; expected 64 hexadecimal digits, so check it.")


def _is_ours(name: str) -> bool:
    return Path(name).suffix.lower() in (SAFETENSORS, *ENDINGS) and hubs.SAFE.fullmatch(name) is not None


def _token_for(url: str) -> str | None:
    """The hub's key for the hub's addresses, and for no others."""
    hub, other = urllib.parse.urlsplit(hubs.endpoint()), urllib.parse.urlsplit(url)
    return hubs.token() if (hub.scheme, hub.netloc) == (other.scheme, other.netloc) else None
