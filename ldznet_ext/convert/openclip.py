"""OpenCLIP's text towers, which SD 2.x and SDXL checkpoints hold in its own layout, under the names of transformers.

Follows mlfoundations/open_clip `transformer.py`: one matrix for queries, keys and values, positions without a module, and a
projection that is multiplied from the right.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from ldznet_ext.convert.layouts import TEXT_PREFIX, State

PROJECTION = "text_projection"
SD2_LAYERS = 23
"""Of the 24 layers of OpenCLIP H, SD 2.x reads the last but one; files made from diffusers' model leave the last one out."""

ENDS = {
    "positional_embedding": "embeddings.position_embedding.weight",
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
LAYERS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)")


def text_from_openclip(state: Mapping[str, Tensor]) -> State:
    """A whole tower (without `conditioner.embedders.1.model.`), and its projection, as transformers name them."""
    renamed: State = {}
    for key, tensor in state.items():
        if key in ENDS:
            renamed[TEXT_PREFIX + ENDS[key]] = tensor
        elif key in (PROJECTION, f"{PROJECTION}.weight"):
            # OpenCLIP keeps a bare matrix for x @ m; newer files may hold a linear layer
            renamed[f"{PROJECTION}.weight"] = tensor.T if key == PROJECTION else tensor
        elif found := LAYER.fullmatch(key):
            renamed |= _layer(f"{TEXT_PREFIX}encoder.layers.{found[1]}.", found[2], tensor)
        elif key not in ("logit_scale", "attn_mask"):
            raise ValueError(f"the tensor '{key}'")
    return renamed


def sd2_text(state: Mapping[str, Tensor]) -> State:
    """What SD 2.x reads of its tower: all layers but the last, and no projection."""
    numbers = [int(found[1]) for key in state if (found := LAYER.fullmatch(key))]
    count = max(numbers, default=-1) + 1
    last = count - 1 if count != SD2_LAYERS else count
    kept = {
        key: tensor for key, tensor in state.items() if (found := LAYER.fullmatch(key)) is None or int(found[1]) < last
    }
    return text_from_openclip({key: tensor for key, tensor in kept.items() if not key.startswith(PROJECTION)})


def _layer(place: str, rest: str, tensor: Tensor) -> State:
    """One tensor of a layer: three where queries, keys and values are stacked in it."""
    if rest.startswith("attn.in_proj_"):
        kind = rest.removeprefix("attn.in_proj_")
        parts = tensor.chunk(3)
        return {f"{place}self_attn.{name}_proj.{kind}": part for name, part in zip("qkv", parts, strict=True)}
    layer, _, kind = rest.rpartition(".")
    if layer not in LAYERS:
        raise ValueError(f"the tensor '{rest}'")
    return {f"{place}{LAYERS[layer]}.{kind}": tensor}
