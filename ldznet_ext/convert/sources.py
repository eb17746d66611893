"""A checkpoint's tensors one by one, from .safetensors or from the tensors alone of a torch file (.ckpt), under one face.

Nothing is held but what is asked for: a file with its training state in it costs no more than the weights that are wanted.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from ldznet_ext.convert.pickles import ENDINGS, TensorFile
from ldznet_ext.errors import ModelError
from ldznet_ext.tensors import read_header


class Source(Protocol):
    """An open file: its metadata, the shapes of its tensors, and each of them when asked for."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says of itself; a torch file says nothing."""
        ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name -> shape of every tensor."""
        ...

    def tensor(self, name: str) -> Tensor:
        """One tensor, on the CPU, in the file's type."""
        ...


@dataclass(frozen=True)
class _Safetensors:
    path: Path
    file: Any
    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]

    def tensor(self, name: str) -> Tensor:
        try:
            return self.file.get_tensor(name)
        except Exception as cause:  # safetensors raises its own type
            raise _unreadable(self.path) from cause


@dataclass(frozen=True)
class _Torch:
    file: TensorFile
    shapes: Mapping[str, tuple[int, ...]]
    references: Mapping[str, Any]
    metadata: Mapping[str, str] = field(default_factory=dict)

    def tensor(self, name: str) -> Tensor:
        return self.file.tensor(self.references[name])


@contextmanager
def open_tensors(path: str | os.PathLike[str]) -> Iterator[Source]:
    """Open a .safetensors file, or a torch checkpoint of which nothing but tensors is read; ModelError in a sentence."""
    path = Path(path)
    if path.suffix.lower() in ENDINGS:
        with TensorFile(path, ModelError) as file:
            references = file.references()
            yield _Torch(file, {name: each.shape for name, each in references.items()}, references)
        return
    metadata, shapes = read_header(path)
    from safetensors import safe_open

    try:
        opened = safe_open(path, framework="pt", device="cpu")
    except Exception as cause:
        raise _unreadable(path) from cause
    with opened as file:
        yield _Safetensors(path, file, metadata, shapes)


def _unreadable(path: Path) -> ModelError:
    return ModelError(f"{path} cannot be read as safetensors; expected a whole file, so fetch it again.")
