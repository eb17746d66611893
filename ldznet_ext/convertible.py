"""Heads in the authors' layout that lie in a model folder: listed, and each converted once into a file of ours.

A pickle can run any code, so such a file is never loaded: only its tensors are read (see `convert/pickles.py`), and what is used
afterwards is the .safetensors file beside it.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from ldznet_ext.errors import HeadError, LdznetError

if TYPE_CHECKING:
    from ldznet_ext.weights import HeadInfo

FAMILY = "sd1"


def convertible() -> tuple[str, ...]:
    """Names of files in the model folders that are heads in the authors' layout and have not been converted yet."""
    waiting = [path for path in _candidates() if not _target(path).exists()]
    if not waiting:  # nearly always: then torch need not be there
        return ()
    return tuple(dict.fromkeys(path.name for path in waiting if _looks_official(path)))


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


def convert(name: str) -> str:
    """Convert one of `convertible()` into a head beside it; the answer is a sentence that says what was written.

    HeadError for a name that is not there, for a file that is no LD-ZNet, and for one that is damaged; then nothing is written.
    """
    from ldznet_ext.convert.official import read_official
    from ldznet_ext.weights import save_head

    path = next((path for path in _candidates() if path.name == name), None)
    if path is None:
        raise HeadError(f"There is no '{name}' in the model folders; expected one of {_listed()}, so put it there.")
    official = read_official(path)
    target = save_head(_target(path), official.state, _info(official.overrides, path.name, official.averaged))
    weights = (
        "" if official.averaged else " It has the raw weights only, not the running average the authors predict with."
    )
    return (
        f"Wrote {target.name} ({target.stat().st_size / 1e6:,.0f} MB), a head for Stable Diffusion 1.x; it was trained on "
        f"SD 1.4, so expect the best masks there.{weights}"
    )


def _candidates() -> list[Path]:
    """Pickled files in the model folders, first folder first."""
    from ldznet_ext.convert.pickles import ENDINGS
    from ldznet_ext.weights import model_folders

    folders = dict.fromkeys(folder for folder in model_folders() if folder.is_dir())
    return [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS]


def _target(path: Path) -> Path:
    return path.with_suffix(".safetensors")


def _listed() -> str:
    try:
        return ", ".join(convertible()) or "the authors' LDZNet_txt2mask.ckpt"
    except LdznetError:
        return "the authors' LDZNet_txt2mask.ckpt"


def _info(overrides: dict[str, object], source: str, averaged: bool) -> "HeadInfo":
    """What the new head says of itself: the authors' network, uncalibrated, read at the timestep they had in mind."""
    from ldznet_ext.convert.official import PRESET
    from ldznet_ext.nets.presets import get_preset
    from ldznet_ext.weights import HeadInfo

    preset = get_preset(PRESET, **overrides)
    return HeadInfo(
        kind="ldznet",
        family=FAMILY,
        preset=PRESET,
        overrides=overrides,
        taps=preset.taps,
        native_grid=(preset.grid, preset.mid_grid),
        recipe=f"converted from {source}, {'averaged' if averaged else 'raw'} weights",
    )
