"""Runs the program of a torch checkpoint so that nothing but a tree of dictionaries and references to tensors comes out of it.

A pickle is a program that calls what it names, fills it and sets its fields. Here every name but those of tensors and
dictionaries stands for an inert object of ours, so that no module is imported and no foreign class is made; fields are never set,
and dictionaries take names alone.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, ClassVar

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

    @property
    def dtype(self) -> str:
        """The name of its type in torch."""
        return self.storage.dtype


def read_program(program: bytes) -> object:
    """What a checkpoint's `data.pkl` says: dictionaries, lists, plain values and TensorReferences.

    A hostile program may raise anything, RecursionError and MemoryError among them; none of it does anything.
    """
    return _Tensors(BytesIO(program)).load()


class _Inert:
    """Stands for every class and function that is not ours: it can be called and filled, and does nothing."""

    __slots__ = ()

    def __new__(cls, *_: object, **__: object) -> "_Inert":
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, *_: object, **__: object) -> Any:
        return _Inert()

    def append(self, _: object) -> None: ...

    def extend(self, _: object) -> None: ...

    def add(self, _: object) -> None: ...


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


class _MakeDictionary(_Inert):
    """`collections.OrderedDict`: an empty one, which is then filled."""

    __slots__ = ()

    def __call__(self, *_: object, **__: object) -> Any:
        return {}


class _Tensors(pickle._Unpickler):  # the one that is written in Python, of which single steps can be replaced
    """An unpickler that knows tensors and dictionaries."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]
    stack: list[Any]

    def find_class(self, module: str, name: str) -> Any:
        if module == "collections" and name == "OrderedDict":
            return _MakeDictionary()
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

    def get_extension(self, _: int) -> None:
        """A class that somebody registered under a number: none of ours."""
        self.stack.append(_Inert())

    def set_nothing(self) -> None:
        """In place of setting an object's fields."""
        self.stack.pop()

    def put(self) -> None:
        """A value under a key."""
        value, key = self.stack.pop(), self.stack.pop()
        _fill(self.stack[-1], [key, value])

    def put_many(self) -> None:
        """Values under keys, one after the other."""
        items = self.pop_mark()  # type: ignore[attr-defined]
        _fill(self.stack[-1], items)

    def make_dictionary(self) -> None:
        """One with values in it."""
        made: dict[str, object] = {}
        _fill(made, self.pop_mark())  # type: ignore[attr-defined]
        self.stack.append(made)

    def make_empty_set(self) -> None:
        """No set: what would be in one is nothing to us."""
        self.stack.append(_Inert())

    def make_set(self) -> None:
        """The same for one that comes whole."""
        self.pop_mark()  # type: ignore[attr-defined]
        self.stack.append(_Inert())

    def refuse(self) -> None:
        """A bytearray is made as long as the program says, before it is filled; no checkpoint has one."""
        raise ValueError("a bytearray in a list of tensors")

    for _opcode, _step in (
        (pickle.BUILD, set_nothing),
        (pickle.SETITEM, put),
        (pickle.SETITEMS, put_many),
        (pickle.DICT, make_dictionary),
        (pickle.EMPTY_SET, make_empty_set),
        (pickle.FROZENSET, make_set),
        (pickle.BYTEARRAY8, refuse),
    ):
        dispatch[_opcode[0]] = _step


def _fill(target: object, items: list[Any]) -> None:
    """Keep what has a name. Other keys are none of a tensor, and to hash them can take for ever: a tuple of tuples of tuples."""
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, str):
                target[key] = value


def _counts(values: object) -> Iterator[int]:
    for value in values if isinstance(values, tuple) else (None,):
        if not _is_count(value):
            raise ValueError("a tensor is described wrongly")
        yield value  # type: ignore[misc]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 60
