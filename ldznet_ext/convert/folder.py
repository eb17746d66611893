"""A model in the diffusers layout: the settings and the weights of its parts, read without diffusers."""

import json
from pathlib import Path
from typing import Any

from ldznet_ext.convert.layouts import State
from ldznet_ext.errors import ModelError
from ldznet_ext.tensors import read_tensors

WEIGHTS = ("diffusion_pytorch_model.safetensors", "model.safetensors")


def find_weights(folder: Path) -> Path:
    """The .safetensors of a part's folder: the plain file, or else its fp16 variant; ModelError where there is none."""
    names = [*WEIGHTS, *(name.replace(".safetensors", ".fp16.safetensors") for name in WEIGHTS)]
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise ModelError(
            f"{folder} has no .safetensors file; expected {WEIGHTS[0]} or {WEIGHTS[1]}, so fetch or convert it."
        )
    return path


def read_weights(folder: Path) -> State:
    """All tensors of a part's folder."""
    return read_tensors(find_weights(folder))


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """The settings of a part."""
    path = folder / name
    try:
        settings = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read; expected diffusers' settings, so fetch the model again.") from error
    if not isinstance(settings, dict):
        raise ModelError(f"{path} is not a JSON object; expected diffusers' settings, so fetch the model again.")
    return settings
