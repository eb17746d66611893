"""A Stable Diffusion checkpoint in one file, in CompVis' layout, as a web UI loads it: written from a diffusers folder, and read.

The written file carries the folder's configurations in its metadata, so that reading it back loses nothing; of any other the
family and the configurations are read off its tensors: names and shapes, never the file's name.
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
from ldznet_ext.convert.infer import SD_SCHEDULER, Config, infer_openclip, infer_text, infer_unet, infer_vae
from ldznet_ext.convert.layouts import (
    State,
    text_from_compvis,
    text_to_compvis,
    unet_from_compvis,
    unet_to_compvis,
    vae_from_compvis,
    vae_to_compvis,
)
from ldznet_ext.convert.openclip import sd2_text, text_from_openclip
from ldznet_ext.convert.sources import Source, open_tensors
from ldznet_ext.errors import LdznetError, ModelError, OutputError


@dataclass(frozen=True, kw_only=True)
class Part:
    """How one network of a model is called in a diffusers folder and in a file. to_compvis: None where we only read it."""

    folder: str
    prefix: str
    from_compvis: Callable[[Mapping[str, Tensor]], State]
    infer: Callable[[Mapping[str, Tensor]], Config]
    to_compvis: Callable[[Mapping[str, Tensor]], State] | None = None


UNET = Part(
    folder="unet",
    prefix="model.diffusion_model.",
    to_compvis=unet_to_compvis,
    from_compvis=unet_from_compvis,
    infer=infer_unet,
)
VAE = Part(
    folder="vae",
    prefix="first_stage_model.",
    to_compvis=vae_to_compvis,
    from_compvis=vae_from_compvis,
    infer=infer_vae,
)
TEXT = Part(
    folder="text_encoder",
    prefix="cond_stage_model.transformer.",
    to_compvis=text_to_compvis,
    from_compvis=text_from_compvis,
    infer=infer_text,
)
SD2_TEXT = Part(folder="text_encoder", prefix="cond_stage_model.model.", from_compvis=sd2_text, infer=infer_openclip)
SDXL_TEXT = Part(
    folder="text_encoder",
    prefix="conditioner.embedders.0.transformer.",
    from_compvis=text_from_compvis,
    infer=infer_text,
)
SDXL_TEXT_2 = Part(
    folder="text_encoder_2",
    prefix="conditioner.embedders.1.model.",
    from_compvis=text_from_openclip,
    infer=infer_openclip,
)
REFINER_TEXT = "conditioner.embedders.0.model."
TEXTS = ((TEXT,), (SD2_TEXT,), (SDXL_TEXT, SDXL_TEXT_2))
"""The text encoders a file may hold: SD 1.x's, SD 2.x's, SDXL's two."""
SDXL_SCALE = 0.13025
"""Of SDXL's latents; its auto-encoder has the shapes of the others'."""
CONFIGS_KEY = "ldznet_configs"


@dataclass(frozen=True, kw_only=True)
class SingleFile:
    """What a CompVis file holds, in diffusers' names: a state dict and a configuration for each of its networks, by folder.

    `configs` has the scheduler's, too; `inferred` says that they were read off the shapes. metadata: as in the file's header.
    markers: names of tensors that belong to no network; finetunes say by some of them how they were trained.
    """

    states: dict[str, State]
    configs: dict[str, Config]
    inferred: bool
    metadata: Mapping[str, str]
    markers: frozenset[str]


def export_single_file(folder: Path, target: Path) -> None:
    """Write a diffusers folder as one CompVis .safetensors file; an existing one is replaced only when all is well."""
    state: State = {}
    parts = (UNET, VAE, TEXT)
    configs = {part.folder: read_config(folder / part.folder) for part in parts}
    configs["scheduler"] = read_config(folder / "scheduler", "scheduler_config.json")
    for part in parts:
        assert part.to_compvis is not None
        own = renamed(part.to_compvis, read_weights(folder / part.folder), folder.name)
        state |= {part.prefix + key: tensor.contiguous() for key, tensor in own.items()}
    # one entry and no more: their order in the file is random, and the same model is to give the same bytes
    _write(state, target, {CONFIGS_KEY: json.dumps(configs)})


def read_single_file(path: Path) -> SingleFile:
    """Read a checkpoint of SD 1.x, 2.x or XL in one file (.safetensors, or the tensors alone of a .ckpt), in diffusers' names.

    ModelError names what is missing, cut short or of another kind of model.
    """
    with open_tensors(path) as source:
        parts = _parts(source, path)
        stored = _stored_configs(source.metadata, path)
        states = {part.folder: _state(source, part, path) for part in parts}
        configs = stored or _inferred(parts, states, path)
        return SingleFile(
            states=states,
            configs=configs,
            inferred=not stored,
            metadata=dict(source.metadata),
            markers=frozenset(name for name in source.shapes if "." not in name),
        )


def _parts(source: Source, path: Path) -> tuple[Part, ...]:
    """The networks of a file, by the names of its tensors."""

    def has(prefix: str) -> bool:
        return any(name.startswith(prefix) for name in source.shapes)

    absent = [part.prefix for part in (UNET, VAE) if not has(part.prefix)]
    texts = next((texts for texts in TEXTS if all(has(part.prefix) for part in texts)), None)
    if has(REFINER_TEXT) and not absent:
        raise ModelError(
            f"{path.name} is SDXL's refiner; expected a model that paints from words alone, so choose SDXL's base model."
        )
    if absent or texts is None:
        lacking = absent[0] if absent else TEXT.prefix
        raise ModelError(
            f"{path.name} has no tensors named {lacking}*; expected a whole checkpoint of Stable Diffusion 1.x, 2.x or XL in one "
            "file, so choose another, or a folder in the diffusers layout."
        )
    return UNET, VAE, *texts


def _state(source: Source, part: Part, path: Path) -> State:
    own = {name[len(part.prefix) :]: source.tensor(name) for name in source.shapes if name.startswith(part.prefix)}
    return renamed(part.from_compvis, own, path.name)


def _inferred(parts: tuple[Part, ...], states: Mapping[str, State], path: Path) -> dict[str, Config]:
    """Configurations by shapes; what these do not tell is what the family has."""
    configs = {part.folder: renamed(part.infer, states[part.folder], path.name) for part in parts}
    if SDXL_TEXT_2 in parts:
        configs["vae"]["scaling_factor"] = SDXL_SCALE
        configs["unet"]["sample_size"] = 128
    return {**configs, "scheduler": SD_SCHEDULER}


def _stored_configs(metadata: Mapping[str, str], path: Path) -> dict[str, Config]:
    """The configurations our own export wrote; none in other files."""
    if CONFIGS_KEY not in metadata:
        return {}
    try:
        stored = json.loads(metadata[CONFIGS_KEY])
        return {name: dict(stored[name]) for name in (UNET.folder, VAE.folder, TEXT.folder, "scheduler")}
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
