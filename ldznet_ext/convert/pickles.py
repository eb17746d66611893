"""The tensors of a torch checkpoint (.ckpt, .pth, .pt) and nothing else of it.

A pickle is a program; `unpickling` runs it where it can do nothing, and a tree of dictionaries with references to tensors is
left over. These are read from the file's stored bytes when they are asked for, so a file of many gigabytes costs only what is
wanted of it. The layout is that of `torch.save` since torch 1.6: a zip of `data.pkl` and a file of raw numbers for each storage.
"""

import math
import os
import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ldznet_ext.convert.unpickling import Storage, TensorReference, read_program
from ldznet_ext.errors import HeadError, LdznetError

if TYPE_CHECKING:
    from torch import Tensor

ENDINGS = (".ckpt", ".pth", ".pt")
MAX_PROGRAM = 16 << 20
"""Bytes of `data.pkl`. The authors' full file has a few thousand tensors of about 200 bytes each."""
BLOCK = 16 << 20
"""Bytes that are read at once."""


class TensorFile:
    """An open checkpoint: which tensors it names, and each of them on demand. Use it as a context manager.

    LdznetError (of the kind given) for a file that is no zip of torch's, is cut short, or says what cannot be.
    """

    def __init__(self, path: str | os.PathLike[str], error: type[LdznetError] = HeadError) -> None:
        self.path, self._error = Path(path), error
        self._last: tuple[Storage, Tensor] | None = None
        try:
            self._zip = zipfile.ZipFile(self.path)
        except FileNotFoundError as cause:
            raise error(f"{self.path} does not exist; expected a checkpoint, so check its name.") from cause
        except (OSError, ValueError, zipfile.BadZipFile) as cause:
            raise self._damaged("it is no whole checkpoint of torch 1.6 or newer") from cause
        try:
            self._root = self._find_root()
            self._check_byte_order()
            self.program = self._read(f"{self._root}data.pkl", MAX_PROGRAM)
        except LdznetError:
            self._zip.close()
            raise

    def __enter__(self) -> "TensorFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._last = None
        self._zip.close()

    def references(self, under: str = "state_dict") -> dict[str, TensorReference]:
        """Name -> tensor, of what the file has under this name, else of its top level."""
        state = self._tree.get(under, self._tree) if isinstance(self._tree, Mapping) else self._tree
        if not isinstance(state, Mapping):
            raise self._damaged("it holds no dictionary of tensors")
        return {str(name): value for name, value in state.items() if isinstance(value, TensorReference)}

    def number(self, name: str) -> int | None:
        """A whole number at the file's top level, such as `global_step`; None where there is none."""
        value = self._tree.get(name) if isinstance(self._tree, Mapping) else None
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def tensor(self, reference: TensorReference) -> "Tensor":
        """The tensor itself, on the CPU, in the file's type; it may share its memory with others of its storage, so only read it.

        The storage that was read last is kept for its other tensors: memory is bounded by that one and by what is asked for.
        """
        self._check_extent(reference)
        return self._numbers(reference.storage).as_strided(reference.shape, reference.stride, reference.offset)

    @cached_property
    def _tree(self) -> object:
        try:
            return read_program(self.program)
        except Exception as cause:  # a hostile program may raise anything, RecursionError and MemoryError among them
            raise self._damaged("its list of tensors cannot be read") from cause

    def _numbers(self, storage: Storage) -> "Tensor":
        import torch

        if self._last is not None and self._last[0] == storage:
            return self._last[1]
        self._last = None  # before the next one takes its place, not after
        dtype = getattr(torch, storage.dtype)
        size = storage.numel * torch.empty(0, dtype=dtype).element_size()
        raw = self._read_exactly(f"{self._root}data/{storage.key}", size)
        numbers = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        self._last = storage, numbers
        return numbers

    def _check_extent(self, reference: TensorReference) -> None:
        """A tensor lies within its storage and repeats none of it: no few bytes become many gigabytes."""
        last = reference.offset + sum((n - 1) * s for n, s in zip(reference.shape, reference.stride, strict=True))
        count = math.prod(reference.shape)
        if count and (last >= reference.storage.numel or count > reference.storage.numel):
            raise self._damaged("a tensor reaches beyond its storage")

    def _read(self, name: str, at_most: int) -> bytes:
        """A small entry."""
        entry = self._entry(name)
        if entry.file_size > at_most:
            raise self._damaged(f"its entry {name!r:.60} has {entry.file_size:,} bytes")
        return bytes(self._read_exactly(name, entry.file_size))

    def _read_exactly(self, name: str, size: int) -> bytearray:
        """An entry of so many bytes, into memory that is set aside once; the zip's checksum is compared at its end."""
        entry = self._entry(name)
        if entry.file_size != size:
            raise self._damaged(f"its entry {name!r:.60} has {entry.file_size:,} bytes instead of {size:,}")
        try:
            if size > self.path.stat().st_size:  # a lie in the zip's list; nothing is set aside for it
                raise EOFError
            raw, done = bytearray(size), 0
            with self._zip.open(entry) as stream:
                while block := stream.read(BLOCK):
                    raw[done : done + len(block)] = block
                    done += len(block)
        except (
            OSError,
            ValueError,
            LookupError,
            EOFError,
            NotImplementedError,
            RuntimeError,
            zipfile.BadZipFile,
        ) as cause:
            raise self._damaged(f"its entry {name!r:.60} is missing or cut short") from cause
        if done != size:
            raise self._damaged(f"its entry {name!r:.60} is missing or cut short")
        return raw

    def _entry(self, name: str) -> zipfile.ZipInfo:
        try:
            entry = self._zip.getinfo(name)
        except KeyError as cause:
            raise self._damaged(f"its entry {name!r:.60} is missing or cut short") from cause
        if entry.compress_type != zipfile.ZIP_STORED:  # torch stores; a packed entry could swell without end
            raise self._damaged(f"its entry {name!r:.60} is compressed")
        return entry

    def _find_root(self) -> str:
        """The folder in the zip that holds `data.pkl`; it bears the file's first name, or `archive`."""
        found = [name for name in self._zip.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(found) != 1:
            raise self._damaged("it is no whole checkpoint of torch 1.6 or newer")
        return found[0].removesuffix("data.pkl")

    def _check_byte_order(self) -> None:
        name = f"{self._root}byteorder"
        if name in self._zip.namelist() and self._read(name, 16) != b"little":
            raise self._damaged("its numbers are in the byte order of another machine")

    def _damaged(self, reason: str) -> LdznetError:
        return self._error(
            f"{self.path.name} cannot be converted: {reason}; expected torch's own format, so fetch it again."
        )
