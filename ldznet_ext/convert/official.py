"""The authors' own LD-ZNet checkpoint as the weights of our head.

The published file is a training checkpoint: raw weights, their running average under names without dots, and perhaps the whole
Stable Diffusion around. The authors predict with the average, so that is taken, and the raw weights only where there is none.
Key names follow koutilya-pnvr/LD-ZNet at 3d28f76; our head bears them already, behind these prefixes.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldznet_ext.convert.layouts import State
from ldznet_ext.convert.pickles import ENDINGS, TensorFile, TensorReference
from ldznet_ext.errors import BAD_SETTINGS, HeadError, LdznetError
from ldznet_ext.nets.presets import get_preset

if TYPE_CHECKING:
    import torch

RAW = "model.diffusion_model."
AVERAGED = "model_ema."
PRESET = "sd1"
SIGN = b"attentionpool2D"
"""Stands in the names of an LD-ZNet, and of no Stable Diffusion checkpoint."""
ENTRY = "input_blocks.0.0.weight"
TEXT_KEYS = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
GRID = "input_blocks.8.1.attentionpool2D.positional_embedding"
MID_GRID = "middle_block.1.attentionpool2D.positional_embedding"


@dataclass(frozen=True, kw_only=True)
class OfficialHead:
    """What was in the file. `state`: our names, half precision. `overrides`: fields of the preset `sd1` to replace.

    `averaged`: whether these are the weights the authors predict with, or only the raw ones of training.
    """

    state: State
    averaged: bool
    overrides: dict[str, Any]


def looks_official(path: str | os.PathLike[str]) -> bool:
    """Whether a file is torch's and names the parts of an LD-ZNet; cheap, and nothing of it is run."""
    if Path(path).suffix.lower() not in ENDINGS:
        return False
    try:
        with TensorFile(path) as file:
            return SIGN in file.program
    except LdznetError:
        return False


def read_official(path: str | os.PathLike[str]) -> OfficialHead:
    """Read the head out of the authors' checkpoint; HeadError names what is missing or misshaped.

    Only the head's tensors are read, one after the other, and halved; the diffusion model in the file, and what the training
    left there, are passed over.
    """
    import torch

    with TensorFile(path) as file:
        found = file.references()
        averaged = any(name.startswith(AVERAGED) for name in found)
        overrides = _overrides(found, averaged, file.path.name)
        shapes = _shapes(overrides, file.path.name)
        picked = _pick(shapes, found, averaged, file.path.name)
        state = {name: file.tensor(reference).to(torch.float16, copy=True) for name, reference in picked.items()}
    return OfficialHead(state=state, averaged=averaged, overrides=overrides)


def stored_name(name: str, averaged: bool) -> str:
    """What one of our names is called in the file.

    >>> stored_name("out.2.bias", averaged=False), stored_name("out.2.bias", averaged=True)
    ('model.diffusion_model.out.2.bias', 'model_ema.diffusion_modelout2bias')
    """
    return AVERAGED + f"diffusion_model.{name}".replace(".", "") if averaged else RAW + name


def _overrides(found: Mapping[str, TensorReference], averaged: bool, what: str) -> dict[str, Any]:
    """The widths and grids in the file where they differ from the preset's, and the authors' way with positions."""
    told = {
        name: found[stored].shape
        for name in (ENTRY, TEXT_KEYS, GRID, MID_GRID)
        if (stored := stored_name(name, averaged)) in found
    }
    if any(len(shape) < 2 for shape in told.values()) or len(told) < 4:
        raise HeadError(
            f"{what} has no LD-ZNet in it (no {stored_name(GRID, averaged)}); expected the authors' LDZNet_txt2mask.ckpt, so "
            "choose that file."
        )
    read = {
        "model_channels": told[ENTRY][0],
        "context_dim": told[TEXT_KEYS][1],
        "grid": isqrt(max(0, told[GRID][1] - 1)),
        "mid_grid": isqrt(max(0, told[MID_GRID][1] - 1)),
    }
    preset = get_preset(PRESET)
    return {"position": "parity", **{name: value for name, value in read.items() if value != getattr(preset, name)}}


def _shapes(overrides: dict[str, Any], what: str) -> "dict[str, torch.Size]":
    """The names and shapes of the head these settings make; nothing is set aside for its weights."""
    import torch

    from ldznet_ext.nets.heads import build_head

    if overrides.get("model_channels", 0) > 1280 or overrides.get("context_dim", 0) > 4096:
        raise HeadError(f"{what} has widths of no LD-ZNet; expected the authors' checkpoint, so choose that file.")
    try:
        with torch.device("meta"):
            head = build_head("ldznet", PRESET, **overrides)
    except LdznetError:
        raise
    except BAD_SETTINGS as error:
        raise HeadError(
            f"{what} has widths of no LD-ZNet ({error}); expected the authors' checkpoint, so choose that file."
        ) from error
    return {name: tensor.shape for name, tensor in head.state_dict().items()}


def _pick(
    shapes: "Mapping[str, torch.Size]", found: Mapping[str, TensorReference], averaged: bool, what: str
) -> dict[str, TensorReference]:
    """Every tensor of the head under our name; HeadError where one is missing or of another shape."""
    missing = [name for name in shapes if stored_name(name, averaged) not in found]
    if missing:
        raise HeadError(
            f"{what} lacks {stored_name(missing[0], averaged)} and {len(missing) - 1} more; expected all {len(shapes)} tensors "
            "of an LD-ZNet, so fetch it again."
        )
    picked = {name: found[stored_name(name, averaged)] for name in shapes}
    wrong = [name for name, reference in picked.items() if reference.shape != tuple(shapes[name])]
    if wrong:
        got, expected = list(picked[wrong[0]].shape), list(shapes[wrong[0]])
        raise HeadError(
            f"{what} has {wrong[0]} of shape {got}; expected {expected}, so choose the authors' own checkpoint."
        )
    return picked
