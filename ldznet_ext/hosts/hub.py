"""Models of a hub by their id ("owner/name"): which files of one are needed, and where they lie.

Follows the hub's HTTP API (https://huggingface.co/docs/hub/api) with the standard library; HF_ENDPOINT, HF_TOKEN, HF_HOME and
HF_HUB_OFFLINE mean what they mean there.
"""

import os
import re
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ldznet_ext.convert.folder import WEIGHTS
from ldznet_ext.errors import ModelError, NetworkError
from ldznet_ext.hosts.net import get_json
from ldznet_ext.hosts.remote import Remote
from ldznet_ext.weights import find_model

PUBLIC = "https://huggingface.co"
ID = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+?))?(?:/(?P<file>[\w./-]+\.safetensors))?")
PAGE = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)/(?:resolve|blob)/(?P<revision>[\w.-]+)/(?P<file>.+)")
SAFE = re.compile(r"[^./\\:\0][^/\\:\0]*(?:/[^./\\:\0][^/\\:\0]*)*")
"""A path that stays where it is put, on any system: no empty part, none that begins with a dot, no drive and no backslash."""
NETWORKS = ("unet", "vae", "text_encoder", "text_encoder_2")
SETTINGS = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    *(f"{part}/config.json" for part in NETWORKS),
    *(
        f"{part}/{name}"
        for part in ("tokenizer", "tokenizer_2")
        for name in ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
    ),
)
NEEDED = ("unet", "vae", "text_encoder")
LISTED = 6
"""Names that a sentence lists."""


@dataclass(frozen=True, kw_only=True)
class HubId:
    """A model of the hub, in one state of it; with `file`, one file of it alone."""

    id: str
    revision: str = "main"
    file: str | None = None

    @property
    def name(self) -> str:
        """What it is called in a model folder; a file without its ending, another state than the newest by its name."""
        state = [] if self.revision == HubId.revision else [self.revision.replace("/", "-")]
        return "--".join([*self.id.split("/"), *([Path(self.file).stem] if self.file else []), *state])


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file of a hub's model. path: as it is to lie in our folder."""

    path: str
    remote: Remote


def parse_hub_id(source: str) -> HubId | None:
    """ "owner/name", "owner/name@revision", "owner/name/file.safetensors" or the hub's address of a file; None for anything else.

    >>> parse_hub_id("owner/name@fp16")
    HubId(id='owner/name', revision='fp16', file=None)
    >>> parse_hub_id("owner/name/sub/one.safetensors").file
    'sub/one.safetensors'
    >>> parse_hub_id("./a/folder") is parse_hub_id("model.ckpt") is None
    True
    """
    if source.startswith(f"{endpoint()}/"):
        found = PAGE.fullmatch(urllib.parse.unquote(source[len(endpoint()) + 1 :].partition("?")[0]))
    else:
        found = None if source.startswith((".", "/", "~")) else ID.fullmatch(source)
    if found is None or found["id"].endswith((".safetensors", ".ckpt", ".pt", ".bin")):
        return None
    return HubId(id=found["id"], revision=found["revision"] or "main", file=found["file"])


def endpoint() -> str:
    """The hub's address."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or PUBLIC


def token() -> str | None:
    """The user's key to the hub: HF_TOKEN, or what its own tool has written down."""
    given = os.environ.get("HF_TOKEN", "").strip()
    if given:
        return given
    try:
        return (_home() / "token").read_text("utf-8").strip() or None
    except (OSError, UnicodeError):
        return None


def files_of(hub: HubId, variant: str | None = None) -> list[HubFile]:
    """What is needed of a model: settings, vocabulary and .safetensors in diffusers' layout, or its one file.

    variant: "fp16", "non_ema" or whatever the hub's file has before its ending; a network without it comes as it is.
    NetworkError where the hub cannot be asked, ModelError where it has nothing that can be loaded.
    """
    listed = {path: remote for path, remote in _listing(hub) if SAFE.fullmatch(path)}
    if hub.file is not None:
        if hub.file not in listed:
            raise ModelError(f"{hub.id} has no {hub.file}; expected one of {_some(listed)}, so check the name.")
        return [HubFile(path=Path(hub.file).name, remote=listed[hub.file])]
    if "unet/config.json" not in listed:
        return [_only_file(hub, listed)]
    weights = [file for part in NETWORKS if (file := _weights(part, listed, variant))]
    missing = [part for part in NEEDED if not any(file.path.startswith(f"{part}/") for file in weights)]
    if missing:
        raise ModelError(
            f"{hub.id} has no .safetensors in {', '.join(missing)}; expected one in each of {', '.join(NEEDED)}, since other "
            "formats can run code, so choose a model (or with @ a revision) that has them."
        )
    if variant and not any(f".{variant}." in file.remote.name for file in weights):
        raise ModelError(
            f"{hub.id} has no variant '{variant}'; expected one of its own ({_some(listed)}), so leave the variant out."
        )
    return [HubFile(path=path, remote=listed[path]) for path in SETTINGS if path in listed] + weights


def cached(hub: HubId) -> Path | None:
    """A model that is on this machine: one that was added, or else the whole snapshot in the hub's own cache."""
    added = find_model(hub.name)
    if added is not None:
        return added
    home = Path(os.environ.get("HF_HUB_CACHE") or _home() / "hub") / f"models--{hub.id.replace('/', '--')}"
    try:
        commit = (home / "refs" / hub.revision).read_text("utf-8").strip()
    except (OSError, UnicodeError):
        commit = hub.revision
    folder = home / "snapshots" / commit
    if hub.file is not None:
        return folder / hub.file if (folder / hub.file).is_file() else None
    names = [*WEIGHTS, *(_with(name, "fp16") for name in WEIGHTS)]
    whole = all(any((folder / part / name).is_file() for name in names) for part in NEEDED)
    return folder if whole else None


def _listing(hub: HubId) -> Iterator[tuple[str, Remote]]:
    """Path and whereabouts of every file, pinned to the commit that the hub names now."""
    key = token()
    revision = urllib.parse.quote(hub.revision, safe="")
    told = get_json(f"{endpoint()}/api/models/{hub.id}/revision/{revision}?blobs=true", key)
    try:
        commit = str(told["sha"])
        for one in told["siblings"]:
            path, large = str(one["rfilename"]), one.get("lfs") or {}
            yield (
                path,
                Remote(
                    url=f"{endpoint()}/{hub.id}/resolve/{commit}/{urllib.parse.quote(path)}",
                    size=large.get("size", one.get("size")),
                    sha256=large.get("sha256"),
                    git=None if large else one.get("blobId"),
                    token=key,
                ),
            )
    except (KeyError, TypeError, AttributeError) as error:
        raise NetworkError(
            f"{endpoint()} answered for {hub.id} with something that is no list of files; expected the hub's API there, so check "
            "HF_ENDPOINT."
        ) from error


def _weights(part: str, listed: dict[str, Remote], variant: str | None) -> HubFile | None:
    """The weights of a network: the variant, else the plain file, else half precision; called by the plain name here."""
    for name in WEIGHTS:
        for chosen in ([_with(name, variant)] if variant else []) + [name, _with(name, "fp16")]:
            if f"{part}/{chosen}" in listed:
                return HubFile(path=f"{part}/{name}", remote=listed[f"{part}/{chosen}"])
    return None


def _only_file(hub: HubId, listed: dict[str, Remote]) -> HubFile:
    found = [path for path in listed if path.endswith(".safetensors") and "/" not in path]
    if len(found) != 1:
        raise ModelError(
            f"{hub.id} is no model in diffusers' layout and has {len(found)} .safetensors ({_some(found)}); expected one, so "
            f"name it: {hub.id}/FILE."
        )
    return HubFile(path=found[0], remote=listed[found[0]])


def pinned(file: HubFile, sha256: str | None) -> HubFile:
    """The same, with the sum that a person gives in place of the hub's."""
    return file if sha256 is None else replace(file, remote=replace(file.remote, sha256=sha256, git=None))


def _with(name: str, variant: str) -> str:
    return name.replace(".safetensors", f".{variant}.safetensors")


def _some(names: Sequence[str] | dict[str, Remote]) -> str:
    listed = [name for name in names if name.endswith(".safetensors")]
    more = f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
    return (", ".join(listed[:LISTED]) + more) or "no .safetensors at all"


def _home() -> Path:
    return Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface").expanduser()
