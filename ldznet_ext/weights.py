"""Where weights come from: folders, safetensors files and their headers; and the format of a trained head.

Only safetensors is read: a pickle can run any code, so `.ckpt` and `.bin` are refused with a sentence.
"""

import contextlib
import hashlib
import json
import os
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldznet_ext.errors import HeadError, LdznetError, ModelError, OutputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ldznet_ext.nets.znet import ZNet
    from ldznet_ext.segmenters.familiarity import Familiarity
    from ldznet_ext.segmenters.presence import Calibration

HEAD_FORMAT = "ldznet-head-1"
FAMILIARITY = "familiarity."
MAX_HEADER = 100_000_000
"""Bytes; the limit of the safetensors library itself."""


@dataclass(frozen=True, kw_only=True)
class HeadInfo:
    """What a head's file says of itself, as string metadata of the safetensors file.

    kind: ldznet, znet, rgbnet or concat. family: of the diffusion model whose latents and features it reads. preset: name of
    its shape, with `overrides` replacing fields of it. taps: the features it reads, in order. native_grid: sides of its
    position embeddings. timestep: of the harvesting pass it was trained around. found_threshold: `score` at and above which a
    phrase is found. mask_threshold: cuts `prob` into `mask`. calibration: from the map's statistics to `score`; None: the
    score is not calibrated. recipe, commit: what made it.
    """

    kind: str
    family: str
    preset: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    taps: tuple[str, ...] = ()
    native_grid: tuple[int, ...] = ()
    timestep: int = 400
    found_threshold: float = 0.5
    mask_threshold: float = 0.5
    calibration: "Calibration | None" = None
    recipe: str = ""
    commit: str = ""

    def to_metadata(self) -> dict[str, str]:
        """All fields as strings; lists and numbers are JSON."""
        texts = {name: getattr(self, name) for name in ("kind", "family", "preset", "recipe", "commit")}
        values = {
            "overrides": dict(self.overrides),
            "taps": list(self.taps),
            "native_grid": list(self.native_grid),
            "timestep": self.timestep,
            "found_threshold": self.found_threshold,
            "mask_threshold": self.mask_threshold,
            "calibration": self.calibration.to_dict() if self.calibration else None,
        }
        return {"format": HEAD_FORMAT, **texts, **{name: json.dumps(value) for name, value in values.items()}}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: object = "the file") -> "HeadInfo":
        """Read what `to_metadata` wrote; HeadError where `source` is not a head."""
        from ldznet_ext.segmenters.presence import Calibration

        if metadata.get("format") != HEAD_FORMAT:
            raise HeadError(
                f"{source} is not a head (its format is '{metadata.get('format', 'not given')}'); expected '{HEAD_FORMAT}', "
                "so choose a file made by `ldznet train head`."
            )
        try:
            calibration = json.loads(metadata.get("calibration", "null"))
            return cls(
                kind=metadata["kind"],
                family=metadata["family"],
                preset=metadata["preset"],
                overrides=json.loads(metadata.get("overrides", "{}")),
                taps=tuple(json.loads(metadata["taps"])),
                native_grid=tuple(json.loads(metadata["native_grid"])),
                timestep=int(json.loads(metadata["timestep"])),
                found_threshold=float(json.loads(metadata["found_threshold"])),
                mask_threshold=float(json.loads(metadata["mask_threshold"])),
                calibration=Calibration.from_dict(calibration) if calibration else None,
                recipe=metadata.get("recipe", ""),
                commit=metadata.get("commit", ""),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise HeadError(
                f"{source} has damaged metadata ({error}); expected a head's, so fetch or train it again."
            ) from error


def build_from(info: HeadInfo) -> "ZNet":
    """The network a head's file describes, on the current default device, with fresh weights."""
    from ldznet_ext.nets.heads import build_head

    over = {name: tuple(value) if isinstance(value, list) else value for name, value in info.overrides.items()}
    return build_head(info.kind, info.preset, **over)


def save_head(
    path: str | os.PathLike[str],
    state: Mapping[str, "Tensor"],
    info: HeadInfo,
    familiarity: "Familiarity | None" = None,
    *,
    dtype: "torch.dtype | None" = None,
) -> Path:
    """Write a head as one safetensors file, whole or not at all: weights in half precision, statistics in float32."""
    import torch
    from safetensors.torch import save_file

    target = Path(path)
    tensors = {name: value.detach().to("cpu", dtype or torch.float16).contiguous() for name, value in state.items()}
    if familiarity is not None:
        for name, array in familiarity.to_arrays().items():
            tensors[FAMILIARITY + name] = torch.from_numpy(array).clone()
    partial = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, metadata=info.to_metadata())
        partial.chmod(0o644)  # safetensors makes its files for the owner alone
        os.replace(partial, target)
    except Exception as error:  # safetensors raises its own type for a full disk
        with contextlib.suppress(OSError):
            partial.unlink()
        raise OutputError(
            f"{target} could not be written ({error}); expected a writable place with space, so choose one."
        ) from error
    return target


def load_head(
    path: str | os.PathLike[str],
    *,
    family: str | None = None,
    device: "torch.device | str | None" = None,
    dtype: "torch.dtype | None" = None,
) -> "tuple[ZNet, HeadInfo, Familiarity | None]":
    """Read a head: the network in evaluation mode, what it says of itself, and its statistics of familiar pictures.

    `family`: refuse a head made for another. `dtype`: float32 by default, whatever the file holds.
    """
    import torch

    from ldznet_ext.segmenters.familiarity import Familiarity

    info = read_info(path)
    if family is not None and info.family != family:
        raise HeadError(
            f"{Path(path).name} is a head for the model family '{info.family}'; expected one for '{family}', "
            "so choose another head or another model."
        )
    tensors = read_tensors(path, HeadError)
    statistics = {
        k.removeprefix(FAMILIARITY): tensors.pop(k).numpy() for k in list(tensors) if k.startswith(FAMILIARITY)
    }
    with uninitialised():
        head = build_from(info)
    fill(head, tensors, Path(path).name, HeadError, device=device, dtype=dtype or torch.float32)
    return head.eval().requires_grad_(False), info, Familiarity.from_arrays(statistics) if statistics else None


def read_info(path: str | os.PathLike[str]) -> HeadInfo:
    """What a head's file says of itself, from its header alone."""
    metadata, _ = read_header(path, HeadError)
    return HeadInfo.from_metadata(metadata, Path(path).name)


def find_heads(family: str | None = None, kind: str | None = None) -> list[tuple[Path, HeadInfo]]:
    """Heads in the model folders, first folder first; files that are not heads are passed over."""
    found = []
    for folder in model_folders():
        for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
            try:
                info = read_info(path)
            except LdznetError:
                continue
            if family in (None, info.family) and kind in (None, info.kind):
                found.append((path, info))
    return found


def model_folders() -> tuple[Path, ...]:
    """Where models are looked for: `LDZNET_MODELS` (several may be given, as in PATH), the checkout, the user's cache."""
    given = [Path(part).expanduser() for part in os.environ.get("LDZNET_MODELS", "").split(os.pathsep) if part]
    return (*given, Path(__file__).resolve().parent.parent / "models", cache_folder() / "models")


def cache_folder() -> Path:
    """The user's cache of this program (`LDZNET_CACHE` moves it); it is not made here."""
    if os.environ.get("LDZNET_CACHE"):
        return Path(os.environ["LDZNET_CACHE"]).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "ldznet"


def find_model(name: str) -> Path | None:
    """A model folder or file called `name` in the model folders; the first folder that has it wins."""
    for folder in model_folders():
        for path in (folder / name, folder / f"{name}.safetensors"):
            if path.exists():
                return path
    return None


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
        metadata = header.pop("__metadata__", {})
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except FileNotFoundError as cause:
        raise error(f"{path} does not exist; expected a .safetensors file, so check its name.") from cause
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as cause:
        raise error(f"{path} cannot be read as safetensors; expected a whole file, so fetch it again.") from cause
    if path.stat().st_size < 8 + length + end:
        raise error(f"{path} is cut short; expected {8 + length + end:,} bytes, so fetch it again.")
    return metadata, shapes


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
) -> None:
    """Give a module (made `uninitialised`) exactly these tensors; missing and misshaped keys are named.

    The tensors are copied: those of a file are mapped from it, at addresses for which other kernels with other last bits
    may be chosen, and would change or crash with the file.
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
    copies = {name: value.to(device=device, dtype=dtype or value.dtype, copy=True) for name, value in state.items()}
    module.load_state_dict(copies, assign=True)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, in hexadecimal."""
    summed = hashlib.sha256()
    with Path(path).open("rb") as stream:
        for block in _blocks(stream):
            summed.update(block)
    return summed.hexdigest()


def with_thresholds(info: HeadInfo, **changes: Any) -> HeadInfo:
    """The same head's information with some fields replaced: what calibration after training does."""
    return replace(info, **changes)


def _blocks(stream: Any) -> Iterator[bytes]:
    while block := stream.read(1 << 20):
        yield block


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
