"""Runs the program of a torch checkpoint so that nothing but a tree of dictionaries and references to tensors comes out of it.

A pickle is a program that calls what it names. Here every name but five stands for an inert object of ours: no module is
imported, no foreign class is made, nothing that stays has a field a program could write into.
"""

import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

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


class _Sealed:
    """What a program may have made, and may not write into afterwards."""

    def __setstate__(self, _: object) -> None:
        raise ValueError("a tensor is rewritten")


@dataclass(frozen=True)
class Storage(_Sealed):
    """One file of raw numbers in the zip."""

    key: str
    dtype: str
    numel: int


@dataclass(frozen=True)
class TensorReference(_Sealed):
    """A tensor that has not been read yet. `offset` and `stride` count elements of its storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def dtype(self) -> str:
        """The name of its type in torch."""
        return self.storage.dtype


def read_program(program: bytes) -> object:
    """What a checkpoint's `data.pkl` says: dictionaries, lists, plain values and TensorReferences.

    A hostile program may raise anything, RecursionError and MemoryError among them; none of it does anything.
    """
    _check_program(program)
    return _Tensors(BytesIO(program)).load()


def _check_program(program: bytes) -> None:
    """Refuse what would cost memory before anything is read: the memo's places are set aside as they are numbered."""
    for opcode, argument, _ in pickletools.genops(program):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > MAX_MEMO:
            raise ValueError("a memo number is absurd")


class _Inert:
    """Stands for every class and function that is not ours: it can be called, filled and extended, and does nothing."""

    __slots__ = ()

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

    __slots__ = ("dtype",)
    dtype: str

    def __new__(cls, dtype: str) -> "_StorageKind":
        kind = object.__new__(cls)
        kind.dtype = dtype
        return kind


class _RebuildTensor(_Inert):
    """`torch._utils._rebuild_tensor_v2`. An object, not a function: a program could write into a function's fields."""

    __slots__ = ()

    def __call__(self, storage: object, offset: object, shape: object, stride: object, *_: object) -> Any:
        if not isinstance(storage, Storage):
            return _Inert()
        sizes, steps = tuple(_counts(shape)), tuple(_counts(stride))
        if not _is_count(offset) or len(sizes) != len(steps):
            raise ValueError("a tensor is described wrongly")
        return TensorReference(storage, offset, sizes, steps)  # type: ignore[arg-type]


class _RebuildParameter(_Inert):
    """`torch._utils._rebuild_parameter`: the tensor itself."""

    __slots__ = ()

    def __call__(self, data: object, *_: object) -> Any:
        return data


class _Tensors(pickle.Unpickler):
    """An unpickler that knows tensors and dictionaries."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "collections" and name == "OrderedDict":
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _RebuildTensor()
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _RebuildParameter()
        if module == "torch" and name in STORAGES:
            return _StorageKind(STORAGES[name])
        return _Inert

    def persistent_load(self, pid: Any) -> Any:
        """("storage", type, key, device, count), as torch writes it."""
        kind, storage, key, _, numel = pid
        if kind != "storage" or not isinstance(key, str) or not _is_count(numel):
            raise ValueError("a storage is named in an unknown way")
        return Storage(key, storage.dtype, numel) if isinstance(storage, _StorageKind) else _Inert()


def _counts(values: object) -> Iterator[int]:
    for value in values if isinstance(values, tuple) else (None,):
        if not _is_count(value):
            raise ValueError("a tensor is described wrongly")
        yield value  # type: ignore[misc]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 60
