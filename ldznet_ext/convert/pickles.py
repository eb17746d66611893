"""The tensors of a torch checkpoint (.ckpt, .pth, .pt) and nothing else of it.

A pickle is a program. Here it is run by an unpickler for which every name it calls is an inert stand-in of ours: no module is
imported, no foreign class is made, and what is left over is a tree of dictionaries with references to tensors. These are
read from the file's stored bytes when they are asked for, so a file of many gigabytes costs only what is wanted of it.
The layout is that of `torch.save` since torch 1.6: a zip of `data.pkl` and one file of raw numbers for each storage.
"""

import math
import os
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldznet_ext.errors import HeadError, LdznetError

if TYPE_CHECKING:
    from torch import Tensor

ENDINGS = (".ckpt", ".pth", ".pt")
MAX_PROGRAM = 16 << 20
"""Bytes of `data.pkl`. The authors' full file has a few thousand tensors of about 200 bytes each."""
MAX_MEMO = 1 << 20
"""Highest number of the unpickler's memo: it sets memory aside for as many, before anything is read."""
STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}


@dataclass(frozen=True)
class Storage:
    """One file of raw numbers in the zip."""

    key: str
    dtype: str
    numel: int


@dataclass(frozen=True)
class TensorReference:
    """A tensor that has not been read yet. `offset` and `stride` count elements of its storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class TensorFile:
    """An open checkpoint: which tensors it names, and each of them on demand. Use it as a context manager.

    LdznetError (of the kind given) for a file that is no zip of torch's, is cut short, or says what cannot be.
    """

    def __init__(self, path: str | os.PathLike[str], error: type[LdznetError] = HeadError) -> None:
        self.path, self._error = Path(path), error
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
        self._zip.close()

    def references(self) -> dict[str, TensorReference]:
        """Name -> tensor, of the state dict if the file has one under `state_dict`, else of its top level."""
        try:
            _check_program(self.program)
            tree = _Tensors(BytesIO(self.program)).load()
        except Exception as cause:  # a hostile program may raise anything, RecursionError and MemoryError among them
            raise self._damaged("its list of tensors cannot be read") from cause
        state = tree.get("state_dict", tree) if isinstance(tree, Mapping) else tree
        if not isinstance(state, Mapping):
            raise self._damaged("it holds no dictionary of tensors")
        return {str(name): value for name, value in state.items() if isinstance(value, TensorReference)}

    def tensor(self, reference: TensorReference) -> "Tensor":
        """The tensor itself, on the CPU, in the file's type."""
        import torch

        dtype = getattr(torch, reference.storage.dtype)
        self._check_extent(reference)
        size = reference.storage.numel * torch.empty(0, dtype=dtype).element_size()
        raw = bytearray(self._read(f"{self._root}data/{reference.storage.key}", size))
        if len(raw) != size:
            raise self._damaged(f"a storage has {len(raw):,} bytes instead of {size:,}")
        flat = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        return flat.as_strided(reference.shape, reference.stride, reference.offset)

    def _check_extent(self, reference: TensorReference) -> None:
        """A tensor lies within its storage and repeats none of it: no few bytes become many gigabytes."""
        last = reference.offset + sum((n - 1) * s for n, s in zip(reference.shape, reference.stride, strict=True))
        count = math.prod(reference.shape)
        if count and (last >= reference.storage.numel or count > reference.storage.numel):
            raise self._damaged("a tensor reaches beyond its storage")

    def _read(self, name: str, at_most: int | None) -> bytes:
        try:
            entry = self._zip.getinfo(name)
            if entry.compress_type != zipfile.ZIP_STORED:  # torch stores; a packed entry could swell without end
                raise self._damaged(f"its entry {name!r:.60} is compressed")
            if at_most is not None and entry.file_size > at_most:
                raise self._damaged(f"its entry {name!r:.60} has {entry.file_size:,} bytes")
            return self._zip.read(entry)
        except LdznetError:  # a ValueError itself
            raise
        except (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile) as cause:
            raise self._damaged(f"its entry {name!r:.60} is missing or cut short") from cause

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


def _check_program(program: bytes) -> None:
    """Refuse what would cost memory before anything is read: the memo's places are set aside as they are numbered."""
    for opcode, argument, _ in pickletools.genops(program):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > MAX_MEMO:
            raise ValueError("a memo number is absurd")


class _Inert:
    """Stands for every class and function that is not ours: it can be called, filled and extended, and does nothing."""

    def __new__(cls, *_: object, **__: object) -> "_Inert":
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, *_: object, **__: object) -> "_Inert":
        return _Inert()

    def __setstate__(self, _: object) -> None: ...

    def __setitem__(self, _: object, __: object) -> None: ...

    def append(self, _: object) -> None: ...

    def extend(self, _: object) -> None: ...

    def add(self, _: object) -> None: ...

    def __hash__(self) -> int:
        return id(self)


class _StorageKind(_Inert):
    """`torch.FloatStorage` and its like, named only, so that the type is known."""

    dtype: str = ""


class _Tensors(pickle.Unpickler):
    """An unpickler that knows tensors and dictionaries."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "collections" and name == "OrderedDict":
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _rebuild_tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _rebuild_parameter
        if module == "torch" and name in STORAGES:
            return type("_StorageOf", (_StorageKind,), {"dtype": STORAGES[name]})
        return _Inert

    def persistent_load(self, pid: Any) -> Any:
        """("storage", type, key, device, count), as torch writes it."""
        kind, storage, key, _, numel = pid
        if kind != "storage" or not isinstance(key, str) or not _is_count(numel):
            raise ValueError("a storage is named in an unknown way")
        dtype = getattr(storage, "dtype", "")
        return Storage(key, dtype, numel) if isinstance(dtype, str) and dtype else _Inert()


def _rebuild_tensor(storage: object, offset: object, shape: object, stride: object, *_: object) -> object:
    if not isinstance(storage, Storage):
        return _Inert()
    sizes, steps = tuple(_counts(shape)), tuple(_counts(stride))
    if not _is_count(offset) or len(sizes) != len(steps):
        raise ValueError("a tensor is described wrongly")
    return TensorReference(storage, offset, sizes, steps)  # type: ignore[arg-type]


def _rebuild_parameter(data: object, *_: object) -> object:
    return data


def _counts(values: object) -> Iterator[int]:
    for value in values if isinstance(values, tuple) else (None,):
        if not _is_count(value):
            raise ValueError("a tensor is described wrongly")
        yield value  # type: ignore[misc]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 60
