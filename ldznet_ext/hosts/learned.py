"""Textual inversions (arXiv 2208.01618): words learned as vectors of a text encoder, as web UIs and diffusers write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ldznet_ext.convert.pickles import TensorFile
from ldznet_ext.errors import ModelError
from ldznet_ext.tensors import read_tensors

PICKLED = (".pt", ".bin", ".ckpt")
WEB_UI = "string_to_param"
SDXL = ("clip_l", "clip_g")
PLAIN = "emb_params"
MOST = 75
"""Vectors that fit between the start and the end of a text."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A learned word. vectors: (n c) of each text tower, SDXL's two with the same n."""

    name: str
    vectors: tuple[Tensor, ...]


def read_learned(path: Path) -> Learned:
    """Read a learned word; it is called as its file, or as diffusers wrote it: `<cat-toy>`. ModelError where it is none."""
    state = _read(path)
    if all(name in state for name in SDXL):
        return _checked(Learned(name=path.stem, vectors=tuple(_rows(state[name]) for name in SDXL)), path)
    if len(state) != 1:
        raise ModelError(
            f"{path.name} holds {len(state)} tensors; expected a learned word ({PLAIN}, or {' and '.join(SDXL)} for SDXL), so "
            "choose another file."
        )
    ((key, tensor),) = state.items()
    name = key if key.startswith("<") and key.endswith(">") else path.stem
    return _checked(Learned(name=name, vectors=(_rows(tensor),)), path)


def _read(path: Path) -> Mapping[str, Tensor]:
    if path.suffix.lower() not in PICKLED:
        return read_tensors(path)
    with TensorFile(path, ModelError) as file:
        return {name: file.tensor(reference) for name, reference in file.references(WEB_UI).items()}


def _rows(tensor: Tensor) -> Tensor:
    return tensor[None] if tensor.ndim == 1 else tensor


def _checked(word: Learned, path: Path) -> Learned:
    shapes = [tuple(vectors.shape) for vectors in word.vectors]
    if (
        any(len(shape) != 2 or not 1 <= shape[0] <= MOST for shape in shapes)
        or len({shape[0] for shape in shapes}) != 1
    ):
        raise ModelError(
            f"{path.name} holds vectors of the shapes {shapes}; expected 1 to {MOST} rows as wide as a text encoder, so choose "
            "another file."
        )
    return word
