"""Safetensors files written one tensor after the other, whole or not at all: no network has to be held to be rewritten.

The format (https://github.com/huggingface/safetensors): the header's length as 8 bytes, the header as JSON, then raw numbers.
"""

import json
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ldznet_ext.errors import OutputError, explained

if TYPE_CHECKING:
    from torch import Tensor

NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64"}
"""torch's types as safetensors calls them; what weights and position numbers come in."""
WIDTHS = {"float32": 4, "float16": 2, "bfloat16": 2, "int64": 8}
ALIGNED = 8
REMEDY = {"place": "place", "remedy": "free some or choose another"}
"""Bytes; where the numbers begin is a multiple of it, as the safetensors library has it."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A tensor that is yet to be read. dtype: name in torch of the type in which it is to be written."""

    shape: tuple[int, ...]
    dtype: str
    read: "Callable[[], Tensor]"

    @property
    def nbytes(self) -> int:
        """What it takes in the file."""
        return prod(self.shape) * WIDTHS[self.dtype]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file that is to be: where, of which tensors, with what said in its header."""

    target: Path
    tensors: Mapping[str, Stored]
    metadata: Mapping[str, str]

    @cached_property
    def header(self) -> bytes:
        """Its first bytes; the tensors follow in the order of their names."""
        entries: dict[str, object] = {"__metadata__": dict(sorted(self.metadata.items()))}
        end = 0
        for name, one in sorted(self.tensors.items()):
            start, end = end, end + one.nbytes
            entries[name] = {"dtype": NAMES[one.dtype], "shape": list(one.shape), "data_offsets": [start, end]}
        text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % ALIGNED)
        return struct.pack("<Q", len(text)) + text

    @property
    def nbytes(self) -> int:
        """What it takes on the disk."""
        return len(self.header) + sum(one.nbytes for one in self.tensors.values())


def write_files(files: Sequence[Written], told: Callable[[int], None] | None = None) -> None:
    """Write all files or none; those that are there already are replaced only when all is well.

    told: the bytes of each tensor once it is written. At any time one tensor is in memory. OutputError where a place cannot be
    written or has too little room; what reading a tensor raises goes through, and leaves no file either.
    """
    _check_room(files)
    with ExitStack() as stack:
        streams = [stack.enter_context(_replacing(file.target)) for file in files]
        for file, stream in zip(files, streams, strict=True):
            with explained(file.target, **REMEDY):
                stream.write(file.header)
            for _, one in sorted(file.tensors.items()):
                raw = _raw(one)
                with explained(file.target, **REMEDY):
                    stream.write(raw)
                if told is not None:
                    told(one.nbytes)


def _raw(one: Stored) -> memoryview:
    import torch

    dtype: torch.dtype = getattr(torch, one.dtype)
    tensor = one.read()
    assert tuple(tensor.shape) == one.shape, "a tensor is of the shape it was announced with"
    return tensor.detach().to("cpu", dtype).contiguous().reshape(-1).view(torch.uint8).numpy().data


def _check_room(files: Sequence[Written]) -> None:
    """Refuse at once what would fill a disk after minutes."""
    needed: dict[int, int] = {}
    for file in files:
        with explained(file.target, **REMEDY):
            file.target.parent.mkdir(parents=True, exist_ok=True)
            device = os.stat(file.target.parent).st_dev
            free = shutil.disk_usage(file.target.parent).free
        needed[device] = needed.get(device, 0) + file.nbytes
        if free < needed[device]:
            raise OutputError(
                f"{file.target} takes {needed[device] / 1e9:,.2f} GB, and {free / 1e9:,.2f} GB are free there; expected room for "
                "it, so free some or choose another place."
            )


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """A file beside the target that takes its place when the body ends well, and is gone when it does not."""
    with explained(target, **REMEDY):
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.", suffix=".part")
    part = Path(name)
    stream = os.fdopen(handle, "wb")
    try:
        yield stream
        with explained(target, **REMEDY):
            stream.close()  # what is still to be written may not fit
            part.chmod(0o644)  # a temporary file is for its owner alone
            os.replace(part, target)
    finally:
        with suppress(OSError):
            stream.close()
        part.unlink(missing_ok=True)
