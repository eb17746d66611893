"""Checkpoints in the authors' layout: listed where they lie in a model folder, and each converted once into a head of ours.

A pickle can run any code, so such a file is never loaded: only its tensors are read (see `convert/pickles.py`), and what is used
afterwards is the .safetensors file that is written of them, one tensor after the other.
"""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ldznet_ext.errors import HeadError, LdznetError, OptionError, OutputError
from ldznet_ext.weights import sha256_of

if TYPE_CHECKING:
    from ldznet_ext.convert.official import OfficialHead
    from ldznet_ext.convert.pickles import TensorFile
    from ldznet_ext.convert.unpickling import TensorReference
    from ldznet_ext.weights import HeadInfo

FAMILY = "sd1"
DTYPES = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}
"""What weights may be written in, and torch's name for it."""
CHECKPOINT_PARTS = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.")
"""What a checkpoint of a diffusion model has in it, in CompVis' layout."""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A head that was written. parameters: how many numbers it has. averaged: whether they are the running average.

    unet: the diffusion model that was written beside it, if that was asked for; whole: whether an auto-encoder and a text encoder
    are in there too, so that it is a model by itself. sha256: of the checkpoint it was made from.
    """

    file: Path
    parameters: int
    averaged: bool
    steps: int | None
    sha256: str
    unet: Path | None = None
    whole: bool = False

    @property
    def message(self) -> str:
        """What a person should know of it, in sentences, or nothing."""
        said = []
        if not self.averaged:
            said.append("It has the raw weights only, not the running average the authors predict with.")
        if self.unet is not None and not self.whole:
            said.append(
                f"{self.unet.name} has the UNet alone: the checkpoint brings no auto-encoder and text encoder, so it is no model "
                "by itself."
            )
        return " ".join(said)


def convertible() -> tuple[str, ...]:
    """Names of files in the model folders that are heads in the authors' layout and have not been converted yet."""
    waiting = [path for path in _candidates() if not _target(path).exists()]
    if not waiting:  # nearly always: then torch need not be there
        return ()
    return tuple(dict.fromkeys(path.name for path in waiting if _looks_official(path)))


def convert(name: str) -> str:
    """Convert one of `convertible()` into a head beside it, in half precision; the answer says what was written.

    HeadError for a name that is not there, for a file that is no LD-ZNet, and for one that is damaged; then nothing is written.
    """
    path = next((path for path in _candidates() if path.name == name), None)
    if path is None:
        raise HeadError(f"There is no '{name}' in the model folders; expected one of {_listed()}, so put it there.")
    done = convert_file(path, _target(path), dtype="fp16")
    return (
        f"Wrote {done.file.name} ({done.file.stat().st_size / 1e6:,.0f} MB), a head for Stable Diffusion 1.x; it was trained on "
        f"SD 1.4, so expect the best masks there. {done.message}"
    ).rstrip()


def convert_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    dtype: str | None = None,
    unet: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Converted:
    """Write the head in the authors' checkpoint `source` as the .safetensors file `target`, replacing what is there.

    dtype: "fp16", "bf16" or "fp32"; None for what the checkpoint has. unet: a file for the frozen diffusion model that lies in
    the checkpoint, in CompVis' layout. progress: told the bytes done and to do. Memory: the largest tensor, never the network.
    HeadError names the keys that are missing, misshaped or strange; OutputError says where nothing could be written; then no
    file has come or changed.
    """
    from ldznet_ext.convert.official import find_diffusion, find_head, stored
    from ldznet_ext.convert.pickles import TensorFile
    from ldznet_ext.convert.streaming import Written, write_files

    wanted = None if dtype is None else _dtype(dtype)
    places = _places(Path(source), Path(target), None if unet is None else Path(unet))
    with TensorFile(source) as file:
        head = find_head(file)
        model = {} if unet is None else _there(find_diffusion(file), file)
        weights = [stored(file, found, wanted) for found in (head.found, model) if found]
        sizes = sum(one.nbytes for tensors in weights for one in tensors.values())
        told = _Told(progress, file.path.stat().st_size + sizes)
        sha256 = sha256_of(file.path, told)
        notes = (_info(head, file.path, sha256).to_metadata(), {"recipe": f"the model in {_source(file.path, sha256)}"})
        written = [
            Written(target=place, tensors=tensors, metadata=note)
            for place, tensors, note in zip(places, weights, notes, strict=False)
        ]
        write_files(written, told)
    return Converted(
        file=places[0],
        parameters=head.parameters,
        averaged=head.averaged,
        steps=head.steps,
        sha256=sha256,
        unet=places[1] if model else None,
        whole=all(any(name.startswith(part) for name in model) for part in CHECKPOINT_PARTS),
    )


class _Told:
    """Adds up bytes and tells how far the work is."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, size: int) -> None:
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self._total)


def _dtype(name: str) -> str:
    if name not in DTYPES:
        raise OptionError(f"The type is '{name}'; expected one of {', '.join(DTYPES)}, so choose one of them.")
    return DTYPES[name]


def _places(source: Path, *targets: Path | None) -> list[Path]:
    """Where to write; OutputError for a name of another kind, and for one that is taken by what is read or written besides."""
    places = [target for target in targets if target is not None]
    for place in places:
        if place.suffix != ".safetensors":
            raise OutputError(f"The file is called '{place}'; expected a name that ends in .safetensors, so give one.")
    if len({place.resolve() for place in (source, *places)}) <= len(places):
        raise OutputError(
            f"{places[-1]} is named twice; expected a file of its own for each thing that is read or written, so give another."
        )
    return places


def _there(model: "dict[str, TensorReference]", file: "TensorFile") -> "dict[str, TensorReference]":
    if not model:
        raise HeadError(
            f"{file.path.name} has no diffusion model in it (no sd_features_stage_model.*), as the published file may not; "
            "expected one, so convert the head alone and use Stable Diffusion 1.4."
        )
    return model


def _candidates() -> list[Path]:
    """Pickled files in the model folders, first folder first."""
    from ldznet_ext.convert.pickles import ENDINGS
    from ldznet_ext.weights import model_folders

    folders = dict.fromkeys(folder for folder in model_folders() if folder.is_dir())
    return [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS]


def _looks_official(path: Path) -> bool:
    try:
        about = path.stat()
    except OSError:
        return False
    return _looked_into(path, about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=256)
def _looked_into(path: Path, changed: int, size: int) -> bool:
    """Each state of a file is opened once: a page is shown, and the API asked, many times."""
    from ldznet_ext.convert.official import looks_official

    return looks_official(path)


def _target(path: Path) -> Path:
    return path.with_suffix(".safetensors")


def _listed() -> str:
    try:
        return ", ".join(convertible()) or "the authors' LDZNet_txt2mask.ckpt"
    except LdznetError:
        return "the authors' LDZNet_txt2mask.ckpt"


def _info(head: "OfficialHead", source: Path, sha256: str) -> "HeadInfo":
    """What the new head says of itself: the authors' network, uncalibrated, read at the timestep they had in mind."""
    from ldznet_ext.convert.official import PRESET
    from ldznet_ext.nets.presets import get_preset
    from ldznet_ext.weights import HeadInfo

    preset = get_preset(PRESET, **head.overrides)
    kind = "averaged" if head.averaged else "raw"
    steps = f" of step {head.steps:,}" if head.steps is not None else ""
    return HeadInfo(
        kind="ldznet",
        family=FAMILY,
        preset=PRESET,
        overrides=head.overrides,
        taps=preset.taps,
        native_grid=(preset.grid, preset.mid_grid),
        recipe=f"converted from {_source(source, sha256)}, {kind} weights{steps}",
    )


def _source(path: Path, sha256: str) -> str:
    return f"{path.name} (SHA-256 {sha256})"
