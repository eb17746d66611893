"""A diffusers folder as one CompVis .safetensors file, which a web UI loads, and such a file read back.

The written file carries the folder's configurations in its metadata, so that reading it back loses nothing; a file
without them (any SD 1.x checkpoint) gets its configurations from the shapes.
"""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ldznet_ext.convert.infer import SD_SCHEDULER, Config, infer_text, infer_unet, infer_vae
from ldznet_ext.convert.layouts import (
    State,
    text_from_compvis,
    text_to_compvis,
    unet_from_compvis,
    unet_to_compvis,
    vae_from_compvis,
    vae_to_compvis,
)
from ldznet_ext.errors import ModelError, OutputError


@dataclass(frozen=True, kw_only=True)
class Part:
    """How one model of the three is called here and there."""

    folder: str
    prefix: str
    to_compvis: Callable[[Mapping[str, Tensor]], State]
    from_compvis: Callable[[Mapping[str, Tensor]], State]
    infer: Callable[[Mapping[str, Tensor]], Config]


PARTS = (
    Part(
        folder="unet",
        prefix="model.diffusion_model.",
        to_compvis=unet_to_compvis,
        from_compvis=unet_from_compvis,
        infer=infer_unet,
    ),
    Part(
        folder="vae",
        prefix="first_stage_model.",
        to_compvis=vae_to_compvis,
        from_compvis=vae_from_compvis,
        infer=infer_vae,
    ),
    Part(
        folder="text_encoder",
        prefix="cond_stage_model.transformer.",
        to_compvis=text_to_compvis,
        from_compvis=text_from_compvis,
        infer=infer_text,
    ),
)
CONFIGS_KEY = "ldznet_configs"


@dataclass(frozen=True, kw_only=True)
class SingleFile:
    """What a CompVis file holds, in diffusers' names; `configs` has unet, vae, text_encoder and scheduler."""

    unet: State
    vae: State
    text_encoder: State
    configs: dict[str, Config]


def export_single_file(folder: Path, target: Path) -> None:
    """Write a diffusers folder as one CompVis .safetensors file; an existing one is replaced only when all is well."""
    state: State = {}
    for part in PARTS:
        own = part.to_compvis(_read_weights(folder / part.folder))
        state |= {part.prefix + key: tensor.contiguous() for key, tensor in own.items()}
    names = (*(part.folder for part in PARTS), "scheduler")
    configs = {name: _read_config(folder / name) for name in names}
    _write(state, target, {"format": "pt", CONFIGS_KEY: json.dumps(configs)})


def read_single_file(path: Path) -> SingleFile:
    """Read a CompVis .safetensors file (Stable Diffusion 1.x, or one we exported) back into diffusers' names."""
    state, metadata = _open(path)
    stored = json.loads(metadata.get(CONFIGS_KEY, "{}"))
    states, configs = {}, {"scheduler": stored.get("scheduler", SD_SCHEDULER)}
    for part in PARTS:
        own = {key[len(part.prefix) :]: tensor for key, tensor in state.items() if key.startswith(part.prefix)}
        if not own:
            raise ModelError(
                f"got {path.name} without '{part.prefix}' weights, expected a Stable Diffusion 1.x checkpoint with UNet, "
                "auto-encoder and text encoder: choose another file or a diffusers folder"
            )
        states[part.folder] = part.from_compvis(own)
        configs[part.folder] = stored.get(part.folder) or part.infer(states[part.folder])
    return SingleFile(**states, configs=configs)


def _open(path: Path) -> tuple[State, dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"got {path.name}, which is missing or not a whole .safetensors file, expected a checkpoint of that kind: "
            "download it again or convert it"
        ) from error


def _read_weights(folder: Path) -> State:
    """The .safetensors of a model's folder; the plain file, or else its fp16 variant."""
    files = sorted(folder.glob("*.safetensors"), key=lambda path: len(path.name))
    if not files:
        raise ModelError(f"got {folder} without weights, expected a .safetensors file in it: check the model folder")
    try:
        return load_file(files[0])
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"got {files[0]}, which is not a whole .safetensors file, expected weights: download the model again"
        ) from error


def _read_config(folder: Path) -> dict[str, Any]:
    for name in ("config.json", "scheduler_config.json"):
        if (folder / name).is_file():
            return json.loads((folder / name).read_text(encoding="utf-8"))
    raise ModelError(f"got {folder} without a configuration, expected config.json in it: check the model folder")


def _write(state: State, target: Path, metadata: dict[str, str]) -> None:
    """Write beside the target and move over it, so that a full disk leaves no half file."""
    with ExitStack() as stack:
        try:
            handle, name = tempfile.mkstemp(dir=target.parent, suffix=".partial")
            os.close(handle)
            stack.callback(lambda: Path(name).unlink(missing_ok=True))
            save_file(state, name, metadata=metadata)
            os.replace(name, target)
        except (OSError, SafetensorError) as error:
            raise OutputError(
                f"got '{error}' while writing {target}, expected a folder with room for it: free some space or choose "
                "another place"
            ) from error
