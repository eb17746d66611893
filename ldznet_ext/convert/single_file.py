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

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ldznet_ext.convert.folder import read_config, read_weights
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
from ldznet_ext.errors import LdznetError, ModelError, OutputError
from ldznet_ext.tensors import read_header, read_tensors


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
    """What a CompVis file holds, in diffusers' names.

    `configs` has unet, vae, text_encoder and scheduler; `inferred` says that they were read off the shapes.
    """

    unet: State
    vae: State
    text_encoder: State
    configs: dict[str, Config]
    inferred: bool


def export_single_file(folder: Path, target: Path) -> None:
    """Write a diffusers folder as one CompVis .safetensors file; an existing one is replaced only when all is well."""
    state: State = {}
    configs = {part.folder: read_config(folder / part.folder) for part in PARTS}
    configs["scheduler"] = read_config(folder / "scheduler", "scheduler_config.json")
    for part in PARTS:
        own = renamed(part.to_compvis, read_weights(folder / part.folder), folder.name)
        state |= {part.prefix + key: tensor.contiguous() for key, tensor in own.items()}
    # one entry and no more: their order in the file is random, and the same model is to give the same bytes
    _write(state, target, {CONFIGS_KEY: json.dumps(configs)})


def read_single_file(path: Path) -> SingleFile:
    """Read a CompVis .safetensors file (Stable Diffusion 1.x, or one we exported) back into diffusers' names."""
    metadata, shapes = read_header(path)
    absent = [part.prefix for part in PARTS if not any(name.startswith(part.prefix) for name in shapes)]
    if absent:
        raise ModelError(
            f"{path.name} has no tensors named {absent[0]}*; expected a whole Stable Diffusion 1.x checkpoint in one file, "
            "so choose another, or a folder in the diffusers layout."
        )
    stored, state, states = _stored_configs(metadata, path), read_tensors(path), {}
    for part in PARTS:
        own = {key[len(part.prefix) :]: tensor for key, tensor in state.items() if key.startswith(part.prefix)}
        states[part.folder] = renamed(part.from_compvis, own, path.name)
    configs = stored or {
        **{part.folder: renamed(part.infer, states[part.folder], path.name) for part in PARTS},
        "scheduler": SD_SCHEDULER,
    }
    return SingleFile(**states, configs=configs, inferred=not stored)


def _stored_configs(metadata: Mapping[str, str], path: Path) -> dict[str, Config]:
    """The configurations our own export wrote; none in other files."""
    if CONFIGS_KEY not in metadata:
        return {}
    try:
        stored = json.loads(metadata[CONFIGS_KEY])
        return {name: dict(stored[name]) for name in ("unet", "vae", "text_encoder", "scheduler")}
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path.name} has damaged settings in its header; expected those of `ldznet export-checkpoint`, so export it again."
        ) from error


def renamed(convert: Callable[[State], dict], state: State, what: str) -> dict:
    """Rename keys, or read settings off them; a key that no SD model has is the file's fault, and is said so."""
    try:
        return convert(state)
    except LdznetError as error:
        raise ModelError(f"{what}: {error}") from error
    except (AssertionError, LookupError, ValueError, TypeError) as error:
        raise ModelError(
            f"{what} lacks or garbles {error}; expected a Stable Diffusion model, so choose another file."
        ) from error


def _write(state: State, target: Path, metadata: dict[str, str]) -> None:
    """Write beside the target and move over it, so that a full disk leaves no half file."""
    with ExitStack() as stack:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, suffix=".partial")
            os.close(handle)
            stack.callback(lambda: Path(name).unlink(missing_ok=True))
            save_file(state, name, metadata=metadata)
            os.chmod(name, 0o644)  # a temporary file is for its owner alone
            os.replace(name, target)
        except (OSError, SafetensorError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(
                f"{target} could not be written ({reason}); expected a folder with room for it, so free some space or choose "
                "another place."
            ) from error
