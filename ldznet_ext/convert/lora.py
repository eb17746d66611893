"""LoRA files (arXiv 2106.09685) as changes of weights: the layouts of kohya's scripts, of diffusers old and new, and of peft.

A change is named by the layer's path with dots as underscores, as kohya writes it; the others are brought to that. What is no
plain LoRA (LoHa, LoKr, DoRA and the like) is refused, not half applied.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ldznet_ext.errors import ModelError
from ldznet_ext.tensors import read_header, read_tensors

Part = Literal["unet", "text", "second text"]

ROLES = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_mid.weight": "mid",
    ".alpha": "alpha",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora_B.default.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
}
"""How the tensors of one change end; longer ends come before the shorter ones they hold."""
PREFIXES: dict[str, Part] = {
    "lora_unet_": "unet",
    "lora_te1_": "text",
    "lora_te2_": "second text",
    "lora_te_": "text",
    "unet.": "unet",
    "text_encoder_2.": "second text",
    "text_encoder.": "text",
}
ADAPTER = "lora_adapter_metadata"
"""Under which newer diffusers write ranks and scales into the header."""


@dataclass(frozen=True, kw_only=True)
class Delta:
    """One layer's change: `scale * up @ down`, with a core between them in convolutions that have one."""

    down: Tensor
    up: Tensor
    mid: Tensor | None = None
    scale: float = 1.0

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it is a change of a weight of this shape; 1x1 convolutions and linear layers stand for each other."""
        kernel = self.down.shape[2:] if self.mid is None else self.mid.shape[2:]
        around = (self.up,) if self.mid is None else (self.up, self.down)
        if any(math.prod(half.shape[2:]) != 1 for half in around):
            return False
        if self.mid is not None and (self.mid.ndim, len(shape)) != (4, 4):
            return False
        own = (self.up.shape[0], self.down.shape[1], *kernel)
        joined = self.mid is None or tuple(self.mid.shape[:2]) == (self.up.shape[1], self.down.shape[0])
        ranks = self.up.shape[1] == self.down.shape[0] or self.mid is not None
        return joined and ranks and own[:2] == tuple(shape[:2]) and math.prod(own[2:]) == math.prod(shape[2:])

    def of_shape(self, shape: tuple[int, ...]) -> Tensor:
        """The change of a weight of a shape that it fits, float32."""
        up, down = self.up.float().flatten(1), self.down.float().flatten(1)
        if self.mid is None:
            return self.scale * (up @ down).reshape(shape)
        return self.scale * torch.einsum("n m k l, i n, m j -> i j k l", self.mid.float(), up, down).reshape(shape)


@dataclass(frozen=True, kw_only=True)
class Lora:
    """A file's changes: (part of the model, layer with underscores) -> change."""

    name: str
    deltas: Mapping[tuple[Part, str], Delta]


def read_lora(path: Path) -> Lora:
    """Read a LoRA; ModelError for a file that is none, of a kind that is not plain, or with a change that lacks a half."""
    metadata, _ = read_header(path)
    found: dict[tuple[Part, str], dict[str, Tensor]] = defaultdict(dict)
    for name, tensor in read_tensors(path).items():
        layer, role = _split(name)
        if not role:
            raise ModelError(
                f"{path.name} has the tensor '{name}', which is of no plain LoRA; expected pairs such as lora_down and lora_up, "
                "so choose another file or merge this one into its model."
            )
        found[_place(layer)][role] = tensor
    scales = _scales(metadata)
    deltas = {place: _delta(path, place, parts, scales) for place, parts in found.items()}
    if not deltas:
        raise ModelError(f"{path.name} is empty; expected a LoRA, so fetch it again.")
    return Lora(name=path.stem, deltas=deltas)


def layer_names(keys: Mapping[str, str]) -> dict[str, str]:
    """Layer with underscores -> our module, from what tensors are called elsewhere (`a.b.weight`) and by us.

    >>> layer_names({"down_blocks.0.attn.to_q.weight": "input_blocks.1.1.to_q.weight"})
    {'down_blocks_0_attn_to_q': 'input_blocks.1.1.to_q'}
    """
    weights = {key: own for key, own in keys.items() if key.endswith(".weight")}
    return {key.removesuffix(".weight").replace(".", "_"): own.removesuffix(".weight") for key, own in weights.items()}


def _split(name: str) -> tuple[str, str]:
    """A tensor's layer and what it is of the layer's change; nothing where it is unknown."""
    for end, role in ROLES.items():
        if name.endswith(end):
            return name[: -len(end)], role
    return name, ""


def _place(layer: str) -> tuple[Part, str]:
    """The part of the model and the layer, without what layouts put around it."""
    layer = layer.removeprefix("base_model.model.")
    part: Part = "unet"  # old files of diffusers hold the UNet's alone and say no more
    for prefix, named in PREFIXES.items():
        if layer.startswith(prefix):
            layer, part = layer.removeprefix(prefix), named
            break
    layer = re.sub(r"\.processor\.", ".", layer)
    layer = re.sub(r"\.to_out$", ".to_out.0", layer)
    return part, layer.replace(".", "_")


def _delta(path: Path, place: tuple[Part, str], parts: Mapping[str, Tensor], scales: Mapping[Part, float]) -> Delta:
    if not {"down", "up"} <= parts.keys():
        missing = "up" if "down" in parts else "down"
        raise ModelError(f"{path.name} lacks lora_{missing} of {place[1]}; expected both halves, so fetch it again.")
    down, up, alpha = parts["down"], parts["up"], parts.get("alpha")
    if min(down.ndim, up.ndim) < 2 or not down.numel() or (alpha is not None and alpha.numel() != 1):
        shapes = {role: list(tensor.shape) for role, tensor in parts.items()}
        raise ModelError(f"{path.name} changes {place[1]} by {shapes}; expected two matrices, so fetch it again.")
    scale = scales.get(place[0], 1.0) if alpha is None else float(alpha) / len(down)
    return Delta(down=down, up=up, mid=parts.get("mid"), scale=scale)


def _scales(metadata: Mapping[str, str]) -> dict[Part, float]:
    """What newer diffusers say of alpha and rank, by part; nothing where a file does not."""
    return dict(_read_scales(metadata.get(ADAPTER, "")))


def _read_scales(text: str) -> Iterator[tuple[Part, float]]:
    try:
        said = json.loads(text) if text else {}
        for prefix, part in (("unet", "unet"), ("text_encoder", "text"), ("text_encoder_2", "second text")):
            alpha, rank = said.get(f"{prefix}.lora_alpha"), said.get(f"{prefix}.r")
            if alpha and rank:
                yield part, alpha / (rank**0.5 if said.get(f"{prefix}.use_rslora") else rank)  # type: ignore[misc]
    except (ValueError, TypeError, AttributeError):
        return
