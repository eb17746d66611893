"""Configurations of diffusers and transformers classes read off the shapes of a Stable Diffusion checkpoint.

A single file names no configuration; what shapes cannot tell (heads, activation, latent scale) is SD's own value.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from ldznet_ext.convert.openclip import PROJECTION
from ldznet_ext.errors import ModelError

Config = dict[str, Any]

SD_SCHEDULER: Config = {
    "_class_name": "DDIMScheduler",
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}


SIZES = 6
"""What SDXL is told of sizes: height and width of the original, of the crop's corner, and of the picture."""
SIZE_WIDTH = 256
"""Channels that each of these becomes."""


def infer_unet(state: Mapping[str, Tensor]) -> Config:
    """The configuration of a UNet (SD 1.x, 2.x, XL) from its state dict in diffusers' names."""
    if any(key.startswith("class_embedding.") for key in state):
        raise ModelError(
            "The UNet takes classes beside words (an upscaler or image variations); expected Stable Diffusion 1.x, 2.x or XL, so "
            "choose another checkpoint."
        )
    levels = range(_count(state, r"down_blocks\.(\d+)\."))
    stages = (*(f"down_blocks.{level}" for level in levels[:-1]), "mid_block")
    widths = tuple(state[f"down_blocks.{level}.resnets.0.conv1.weight"].shape[0] for level in levels)
    crossed = [any(key.startswith(f"down_blocks.{level}.attentions.") for key in state) for level in levels]
    first = next((key for key in state if key.endswith("attn2.to_k.weight")), None)
    if first is None:
        raise ModelError("The UNet attends to no text; expected Stable Diffusion, so load another checkpoint.")
    linear = state[first.split("transformer_blocks")[0] + "proj_in.weight"].ndim == 2
    return {
        "in_channels": state["conv_in.weight"].shape[1],
        "out_channels": state["conv_out.weight"].shape[0],
        "block_out_channels": widths,
        "layers_per_block": _count(state, r"down_blocks\.0\.resnets\.(\d+)\."),
        "cross_attention_dim": state[first].shape[1],
        "use_linear_projection": linear,
        # SD 1.x has 8 heads everywhere, SD 2.x and XL heads of 64 channels; diffusers means the number of heads by this name
        "attention_head_dim": tuple(max(1, width // 64) for width in widths) if linear else 8,
        "down_block_types": tuple("CrossAttnDownBlock2D" if cross else "DownBlock2D" for cross in crossed),
        "up_block_types": tuple("CrossAttnUpBlock2D" if cross else "UpBlock2D" for cross in reversed(crossed)),
        "transformer_layers_per_block": tuple(_depth(state, stage) for stage in stages),
        **_beside_the_text(state),
    }


def _depth(state: Mapping[str, Tensor], stage: str) -> int:
    """Blocks of a stage's transformers; 1, as diffusers says, where there is none."""
    return _count(state, rf"{re.escape(stage)}\.attentions\.\d+\.transformer_blocks\.(\d+)\.") or 1


def _beside_the_text(state: Mapping[str, Tensor]) -> Config:
    """SDXL adds a pooled text and six sizes to the time."""
    first = state.get("add_embedding.linear_1.weight")
    if first is None:
        return {}
    return {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": SIZE_WIDTH,
        "projection_class_embeddings_input_dim": first.shape[1],
    }


def infer_vae(state: Mapping[str, Tensor]) -> Config:
    """The configuration of an AutoencoderKL from its state dict in diffusers' names."""
    levels = range(_count(state, r"encoder\.down_blocks\.(\d+)\."))
    return {
        "in_channels": state["encoder.conv_in.weight"].shape[1],
        "out_channels": state["decoder.conv_out.weight"].shape[0],
        "latent_channels": state["post_quant_conv.weight"].shape[0],
        "block_out_channels": tuple(
            state[f"encoder.down_blocks.{level}.resnets.0.conv1.weight"].shape[0] for level in levels
        ),
        "layers_per_block": _count(state, r"encoder\.down_blocks\.0\.resnets\.(\d+)\."),
        "down_block_types": ("DownEncoderBlock2D",) * len(levels),
        "up_block_types": ("UpDecoderBlock2D",) * len(levels),
        "scaling_factor": 0.18215,
    }


def infer_text(state: Mapping[str, Tensor]) -> Config:
    """The configuration of a CLIPTextModel from its state dict (names starting with `text_model.`)."""
    tokens, hidden = state["text_model.embeddings.token_embedding.weight"].shape
    return {
        "vocab_size": tokens,
        "hidden_size": hidden,
        "intermediate_size": state["text_model.encoder.layers.0.mlp.fc1.weight"].shape[0],
        "num_hidden_layers": _count(state, r"text_model\.encoder\.layers\.(\d+)\."),
        "num_attention_heads": max(1, hidden // 64),  # CLIP's heads have 64 channels
        "max_position_embeddings": state["text_model.embeddings.position_embedding.weight"].shape[0],
        "hidden_act": "quick_gelu",
        "bos_token_id": tokens - 2,
        "eos_token_id": tokens - 1,
    }


def infer_openclip(state: Mapping[str, Tensor]) -> Config:
    """The same of a tower that came from OpenCLIP's layout: the exact GELU, and a projection where it has one."""
    projection = state.get(f"{PROJECTION}.weight")
    width = {} if projection is None else {"projection_dim": projection.shape[0]}
    return {**infer_text(state), "hidden_act": "gelu", **width}


def _count(keys: Iterable[str], pattern: str) -> int:
    matches = (re.match(pattern, key) for key in keys)
    return max((int(match[1]) + 1 for match in matches if match), default=0)
