"""Tensors in files and in modules: safetensors headers, whole files, and modules made without initialising them.

Only safetensors is read: a pickle can run any code, so `.ckpt` and `.bin` are refused with a sentence.
"""

import json
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldznet_ext.errors import LdznetError, ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

MAX_HEADER = 100_000_000
"""Bytes; the limit of the safetensors library itself."""


def read_header(
    path: str | os.PathLike[str], error: type[LdznetError] = ModelError
) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """Metadata and tensor shapes of a safetensors file, read without torch and without its tensors."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise error(
            f"{path.name} is a '{path.suffix}' file; expected '.safetensors', so convert it: other formats can run code."
        )
    try:
        with path.open("rb") as stream:
            length = struct.unpack("<Q", stream.read(8))[0]
            if length > MAX_HEADER:
                raise ValueError("the header's length is absurd")
            header = json.loads(stream.read(length))
        metadata = dict(header.pop("__metadata__", {}))
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        _check_header(metadata, shapes, end)
    except FileNotFoundError as cause:
        raise error(f"{path} does not exist; expected a .safetensors file, so check its name.") from cause
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as cause:
        raise error(f"{path} cannot be read as safetensors; expected a whole file, so fetch it again.") from cause
    if path.stat().st_size < 8 + length + end:
        raise error(f"{path} is cut short; expected {8 + length + end:,} bytes, so fetch it again.")
    return metadata, shapes


def _check_header(metadata: Mapping[Any, Any], shapes: Mapping[str, tuple[Any, ...]], end: Any) -> None:
    """ValueError where a header that can be read says what none says: whoever asks for it relies on the types."""
    counts = [end, *(side for shape in shapes.values() for side in shape)]
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("a shape or an offset is no count")
    if not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("the metadata are no strings")


def read_tensors(path: str | os.PathLike[str], error: type[LdznetError] = ModelError) -> "dict[str, Tensor]":
    """All tensors of a safetensors file, on the CPU, in the file's own types."""
    from safetensors.torch import load_file

    read_header(path, error)
    try:
        return load_file(path)
    except Exception as cause:  # safetensors raises its own type
        raise error(f"{path} cannot be read as safetensors; expected a whole file, so fetch it again.") from cause


@contextmanager
def uninitialised() -> Iterator[None]:
    """Modules made inside keep whatever their fresh memory holds: `fill` replaces it, so no random numbers are drawn.

    The meta device would do the same, but torch imports its compiler for it, which takes a second.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class Skip(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if getattr(func, "__module__", None) == torch.nn.init.__name__:
                return args[0] if args else kwargs["tensor"]
            return func(*args, **kwargs)

    with Skip():
        yield


def fill(
    module: "nn.Module",
    state: Mapping[str, "Tensor"],
    what: str,
    error: type[LdznetError] = ModelError,
    *,
    device: "torch.device | str | None" = None,
    dtype: "torch.dtype | None" = None,
    copied: Callable[[int], None] | None = None,
) -> None:
    """Give a module (made `uninitialised`) exactly these tensors; missing and misshaped keys are named.

    The tensors are copied: those of a file are mapped from it, at addresses for which other kernels with other last bits
    may be chosen, and would change or crash with the file. copied: told the bytes of each as it is read.
    """
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    missing = [name for name in expected if name not in state]
    wrong = [name for name in expected if name in state and tuple(state[name].shape) != expected[name]]
    extra = [name for name in state if name not in expected]
    if missing:
        raise error(
            f"{what} lacks {_some(missing)}; expected all {len(expected)} tensors, so fetch or convert it again."
        )
    if wrong:
        got = f"{list(state[wrong[0]].shape)} instead of {list(expected[wrong[0]])}"
        raise error(
            f"{what} has {_some(wrong)} of another shape ({got}); expected a file for this network, so choose another."
        )
    if extra:
        raise error(
            f"{what} has {_some(extra)}, which this network does not; expected a file for it, so choose another."
        )
    copies = {}
    for name, value in state.items():
        copies[name] = value.to(device=device, dtype=dtype or value.dtype, copy=True)
        if copied is not None:
            copied(value.nbytes)
    module.load_state_dict(copies, assign=True)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
