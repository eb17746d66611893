"""What lies in the model folders: whole models, checkpoints, heads, and what is damaged; told without loading any of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ldznet_ext.errors import LdznetError
from ldznet_ext.hosts.kinds import CHECKPOINT, DAMAGED, MODEL, SUBFOLDERS, about, unet_family
from ldznet_ext.weights import find_model, model_folders

__all__ = ["CHECKPOINT", "DAMAGED", "MODEL", "Loadable", "Stored", "loadable", "stored"]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One thing in a model folder. kind: as `kinds` tells it; MODEL for a folder in diffusers' layout. family: of the diffusion
    model, None where it cannot be told. files: its weights. problem: what is wrong with it, in a sentence, or None.
    """

    path: Path
    kind: str
    family: str | None
    files: tuple[Path, ...] = field(repr=False)
    problem: str | None = None

    @cached_property
    def bytes(self) -> int:
        """Of its weights."""
        return sum(file.stat().st_size for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Loadable:
    """A model that can be loaded by its name. family: empty where only loading tells. bytes: of its weights' files."""

    name: str
    family: str
    bytes: int
    loaded: bool = False


def loadable(loaded: str = "") -> tuple[Loadable, ...]:
    """Every diffusion model in the model folders, by the name it is found by; the first folder that has it wins."""
    every = [each for folder in dict.fromkeys(model_folders()) for each in stored(folder)]
    models = {_name(each): each for each in reversed(every) if each.kind in (MODEL, CHECKPOINT)}
    return tuple(
        Loadable(name=name, family=each.family or "", bytes=each.bytes, loaded=name == loaded)
        for name, each in sorted(models.items())
        if find_model(name) == each.path
    )


def stored(folder: Path) -> Iterator[Stored]:
    """What a folder holds, by name, and after it what its folders of LoRA and embeddings hold; nothing where it is not there."""
    if not folder.is_dir():
        return
    inside = [
        each for name in SUBFOLDERS.values() if (folder / name).is_dir() for each in sorted((folder / name).iterdir())
    ]
    for path in (*sorted(folder.iterdir()), *inside):
        if (path / "unet").is_dir():
            files = tuple(sorted(path.rglob("*.safetensors")))
            yield Stored(path=path, kind=MODEL, family=_family(path), files=files)
        elif path.suffix == ".safetensors" and path.is_file():
            kind, family, problem = about(path)
            yield Stored(path=path, kind=kind, family=family, files=(path,), problem=problem)


def _name(stored: Stored) -> str:
    """What a model calls itself once it is loaded."""
    return stored.path.stem if stored.kind == CHECKPOINT else stored.path.name


def _family(folder: Path) -> str | None:
    """The family of a diffusers folder, by the tensors of its UNet."""
    from ldznet_ext.convert.folder import find_weights
    from ldznet_ext.tensors import read_header

    try:
        return unet_family(read_header(find_weights(folder / "unet"))[1], compvis=False)
    except LdznetError:
        return None
