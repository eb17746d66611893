"""Where weights come from: the folders that are searched, and the format of a trained head."""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldznet_ext.errors import BAD_SETTINGS, HeadError, LdznetError, OutputError
from ldznet_ext.harvest.taps import parse_tap
from ldznet_ext.tensors import fill, read_header, read_tensors, uninitialised

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ldznet_ext.nets.znet import ZNet
    from ldznet_ext.segmenters.familiarity import Familiarity
    from ldznet_ext.segmenters.presence import Calibration

DEFAULT_MODEL = "sticker-sd"
HEAD_FORMAT = "ldznet-head-1"
FAMILIARITY = "familiarity."
CHECKPOINT_PREFIXES = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "conditioner.")
"""Of a whole diffusion model in one file (CompVis): it is no head, and not a damaged one either."""


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
            info = cls(
                kind=metadata["kind"],
                family=metadata["family"],
                preset=metadata["preset"],
                overrides=json.loads(metadata.get("overrides", "{}")),
                taps=tuple(json.loads(metadata["taps"])),
                native_grid=tuple(json.loads(metadata["native_grid"])),
                timestep=json.loads(metadata["timestep"]),
                found_threshold=json.loads(metadata["found_threshold"]),
                mask_threshold=json.loads(metadata["mask_threshold"]),
                calibration=Calibration.from_dict(calibration) if calibration else None,
                recipe=metadata.get("recipe", ""),
                commit=metadata.get("commit", ""),
            )
            _check_ranges(info)
            return info
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            said = f"no {error}" if isinstance(error, KeyError) else error
            raise HeadError(
                f"{source} has damaged metadata ({said}); expected a head's, so fetch or train it again."
            ) from error


def _check_ranges(info: HeadInfo) -> None:
    """ValueError with what is out of its range: a file may say anything."""

    def whole(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    thresholds = {name: getattr(info, name) for name in ("found_threshold", "mask_threshold")}
    rules = {
        **{name: (value, isinstance(value, (int, float)) and 0 < value < 1) for name, value in thresholds.items()},
        "timestep": (info.timestep, whole(info.timestep) and 0 <= info.timestep <= 999),
        "overrides": (info.overrides, isinstance(info.overrides, dict)),
        "native_grid": (info.native_grid, all(whole(side) and side > 0 for side in info.native_grid)),
        "taps": (info.taps, all(isinstance(tap, str) for tap in info.taps)),
    }
    for name, (value, right) in rules.items():
        if not right:
            raise ValueError(f"{name} is {value}")
    for tap in info.taps:
        try:
            parse_tap(tap)
        except LdznetError:
            raise ValueError(f"the tap '{tap}' is none") from None


def build_from(info: HeadInfo) -> "ZNet":
    """The network a head's file describes, on the current default device, with fresh weights; HeadError where it makes none."""
    from ldznet_ext.nets.heads import build_head

    over = {name: tuple(value) if isinstance(value, list) else value for name, value in info.overrides.items()}
    try:
        return build_head(info.kind, info.preset, **over)
    except LdznetError:
        raise
    except BAD_SETTINGS as error:
        raise HeadError(
            f"The head's settings {json.dumps(dict(info.overrides))} make no network ({error}); expected those of a preset, so "
            "fetch or train it again."
        ) from error


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

    from ldznet_ext.nets.blocks import let_zeros_rest
    from ldznet_ext.segmenters.familiarity import Familiarity

    info = read_info(path)
    if family is not None and info.family != family:
        from ldznet_ext.segmenters.methods import without_head

        raise HeadError(
            f"{Path(path).name} is a head for the model family '{info.family}'; expected one for '{family}', so choose another "
            f"head or another model, or a method that needs no head ({', '.join(without_head())})."
        )
    tensors = read_tensors(path, HeadError)
    statistics = {
        k.removeprefix(FAMILIARITY): tensors.pop(k).numpy() for k in list(tensors) if k.startswith(FAMILIARITY)
    }
    with uninitialised():
        head = build_from(info)
    fill(head, tensors, Path(path).name, HeadError, device=device, dtype=dtype or torch.float32)
    let_zeros_rest(head)
    return head.eval().requires_grad_(False), info, Familiarity.from_arrays(statistics) if statistics else None


def read_info(path: str | os.PathLike[str]) -> HeadInfo:
    """What a head's file says of itself, from its header alone."""
    metadata, _ = read_header(path, HeadError)
    return HeadInfo.from_metadata(metadata, Path(path).name)


@dataclass(frozen=True, kw_only=True)
class HeadFile:
    """A file that is or was meant to be a head. `problem` says what is wrong with it; `info` is None then."""

    path: Path
    info: HeadInfo | None = None
    problem: str = ""

    def fits(self, family: str | None = None, kind: str | None = None) -> bool:
        """Whether it can be read and is of this family and kind."""
        return self.info is not None and family in (None, self.info.family) and kind in (None, self.info.kind)

    def __str__(self) -> str:
        if self.info is None:
            return self.problem
        return f"{self.path.name} is a head of kind '{self.info.kind}' for the family '{self.info.family}'"


def head_files(folder: Path) -> list[HeadFile]:
    """The heads in a folder, damaged ones too, by name; whole diffusion models in one file are passed over."""
    found = []
    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
        try:
            metadata, shapes = read_header(path, HeadError)
            if metadata.get("format") != HEAD_FORMAT and any(name.startswith(CHECKPOINT_PREFIXES) for name in shapes):
                continue
            found.append(HeadFile(path=path, info=HeadInfo.from_metadata(metadata, path.name)))
        except LdznetError as error:
            found.append(HeadFile(path=path, problem=str(error).partition(";")[0]))
    return found


def find_heads(family: str | None = None, kind: str | None = None) -> list[tuple[Path, HeadInfo]]:
    """Heads in the model folders, first folder first; files that are not heads are passed over."""
    every = (head for folder in model_folders() for head in head_files(folder))
    return [(head.path, head.info) for head in every if head.info is not None and head.fits(family, kind)]


def model_folders() -> tuple[Path, ...]:
    """Where models are looked for: `LDZNET_MODELS` (several, as in PATH), a host's folders, what ships, the user's cache."""
    given = [Path(part).expanduser() for part in os.environ.get("LDZNET_MODELS", "").split(os.pathsep) if part]
    return (*given, *_of_the_host, shipped_folder(), cache_folder() / "models")


def shipped_folder() -> Path:
    """The models that come with this program: in an installed package inside it, else beside it in the checkout."""
    package = Path(__file__).resolve().parent
    return package / "models" if (package / "models").is_dir() else package.parent / "models"


def look_also_in(folders: Sequence[Path]) -> None:
    """Make these the folders of the host, in place of those named before; they need not exist."""
    global _of_the_host
    _of_the_host = tuple(folders)


_of_the_host: tuple[Path, ...] = ()


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


def fingerprint(path: str | os.PathLike[str], pieces: int = 64, length: int = 4096) -> str:
    """Ten hexadecimal digits that tell a file from others at once: of its size and of evenly spread pieces of it.

    No hash of the whole: a head has gigabytes, and a user waits. Files of up to `pieces * length` bytes are read whole.
    """
    size = Path(path).stat().st_size
    summed = hashlib.sha256(str(size).encode())
    with Path(path).open("rb") as stream:
        for number in range(pieces):
            stream.seek(max(0, size - length) * number // (pieces - 1) if size > pieces * length else number * length)
            summed.update(stream.read(length))
    return summed.hexdigest()[:10]


def sha256_of(path: str | os.PathLike[str], told: Callable[[int], None] | None = None) -> str:
    """SHA-256 of a file, in hexadecimal. told: the bytes of each piece once it is summed."""
    summed = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            summed.update(block)
            if told is not None:
                told(len(block))
    return summed.hexdigest()
