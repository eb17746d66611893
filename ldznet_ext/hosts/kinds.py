"""What a .safetensors file is, told by the names and shapes of its tensors, from its header alone."""

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ldznet_ext.convert.infer import infer_unet
from ldznet_ext.convert.layouts import unet_from_compvis
from ldznet_ext.convert.lora import ROLES
from ldznet_ext.convert.single_file import UNET
from ldznet_ext.errors import LdznetError
from ldznet_ext.tensors import read_header
from ldznet_ext.weights import CHECKPOINT_PREFIXES, HEAD_FORMAT, HeadInfo

MODEL, CHECKPOINT, HEAD, LORA, EMBEDDING = "model", "checkpoint", "head", "lora", "embedding"
OTHER, DAMAGED = "other", "damaged"
SUBFOLDERS = {LORA: "loras", EMBEDDING: "embeddings"}
"""Where in a model folder those lie that are no models and no heads."""

LORA_ENDS = tuple(end for end, role in ROLES.items() if role == "down")
EMBEDDING_NAMES = ("emb_params", "clip_l", "clip_g")
TEXT_READERS = ("attn2_to_k", "attn2.to_k", "attn2.processor.to_k")


def about(path: Path) -> tuple[str, str | None, str | None]:
    """Kind, family and problem of one .safetensors file. family: None where it cannot be told; problem: a sentence, or None."""
    try:
        stat = os.stat(path)
    except OSError:
        return DAMAGED, None, f"{path} does not exist; expected a .safetensors file, so check its name."
    return _about(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=256)
def _about(path: Path, changed: int, size: int) -> tuple[str, str | None, str | None]:
    """Each state of a file is read once: lists of models are shown many times."""
    try:
        metadata, shapes = read_header(path)
        if metadata.get("format") == HEAD_FORMAT:
            info = HeadInfo.from_metadata(metadata, path.name)
            return f"{HEAD} {info.kind}", info.family, None
    except LdznetError as error:
        return DAMAGED, None, error.line
    if any(name.startswith(UNET.prefix) for name in shapes):
        own = {name[len(UNET.prefix) :]: shape for name, shape in shapes.items() if name.startswith(UNET.prefix)}
        return CHECKPOINT, unet_family(own, compvis=True), None
    if any(name.startswith(CHECKPOINT_PREFIXES) for name in shapes):
        return (
            OTHER,
            None,
            f"{path.name} has no UNet (no {UNET.prefix}*); expected a whole checkpoint, so fetch it again.",
        )
    if any(name.endswith(LORA_ENDS) for name in shapes):
        return LORA, _lora_family(shapes), None
    if _is_embedding(shapes):
        width = max(shape[-1] for shape in shapes.values())
        return EMBEDDING, "sdxl" if "clip_g" in shapes else {768: "sd1", 1024: "sd2"}.get(width), None
    return (
        OTHER,
        None,
        f"{path.name} is no model, head, LoRA or text embedding; expected one of them, so choose another.",
    )


def unet_family(shapes: Mapping[str, tuple[int, ...]], *, compvis: bool) -> str | None:
    """The family of a UNet from the shapes of its tensors, as loading it tells it; None where it would be refused."""
    from ldznet_ext.hosts.unet_settings import family_of, unet_config

    state: Any = {name: SimpleNamespace(shape=shape, ndim=len(shape)) for name, shape in shapes.items()}
    try:
        return family_of(unet_config(infer_unet(unet_from_compvis(state) if compvis else state)))
    except (LdznetError, AssertionError, LookupError, TypeError, ValueError):
        return None


def _lora_family(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """By the width of the text states that the keys of text attention read."""
    for name, shape in shapes.items():
        if any(reader in name for reader in TEXT_READERS) and name.endswith(LORA_ENDS):
            return {768: "sd1", 1024: "sd2", 2048: "sdxl"}.get(shape[1] if len(shape) > 1 else 0)
    return None


def _is_embedding(shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """A handful of rows as wide as a text tower, and nothing else."""
    named = all(name in EMBEDDING_NAMES or name.startswith("<") for name in shapes)
    return bool(shapes) and (named or len(shapes) == 1) and all(len(shape) in (1, 2) for shape in shapes.values())
