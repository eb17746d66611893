"""Stable Diffusion state dicts between the diffusers / transformers layout and the CompVis one (A1111's single files).

Everything is read off the keys, no configuration is needed; round trips are exact. Follows the key names of CompVis
`ldm` and of diffusers' `convert_original_stable_diffusion_to_diffusers`.
"""

import re
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from ldznet_ext.errors import ModelError

State = dict[str, Tensor]
Prefixes = dict[str, str]

UNET_RES = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",  # SDXL's sizes and pooled text
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
VAE_MIDDLE = {"resnets.0": "block_1", "attentions.0": "attn_1", "resnets.1": "block_2"}
TEXT_PREFIX = "text_model."
POSITION_IDS = "embeddings.position_ids"  # a buffer that transformers up to 4.30 keep in the file


def unet_to_compvis(state: Mapping[str, Tensor]) -> State:
    """A diffusers UNet's state dict under CompVis' names (without `model.diffusion_model.`)."""
    prefixes = _unet_prefixes(_count_diffusers(state))
    return _rename(state, lambda key: _map_unet(key, prefixes, UNET_RES, "resnets"))


def unet_from_compvis(state: Mapping[str, Tensor]) -> State:
    """A CompVis UNet's state dict (without prefix) under diffusers' names."""
    prefixes = _invert(_unet_prefixes(_count_compvis(state)))
    return _rename(state, lambda key: _map_unet(key, prefixes, _invert(UNET_RES), "_layers|skip_connection"))


def vae_to_compvis(state: Mapping[str, Tensor]) -> State:
    """A diffusers AutoencoderKL's state dict under CompVis' names (without `first_stage_model.`)."""
    levels = _count(state, r"decoder\.up_blocks\.(\d+)\.")
    renamed = _rename(state, lambda key: _vae_key_to_compvis(key, levels))
    # CompVis' attention is made of 1x1 convolutions, diffusers' of linear layers
    return {key: t[:, :, None, None] if _is_vae_projection(key) and t.ndim == 2 else t for key, t in renamed.items()}


def vae_from_compvis(state: Mapping[str, Tensor]) -> State:
    """A CompVis auto-encoder's state dict (without prefix) under diffusers' names."""
    levels = _count(state, r"decoder\.up\.(\d+)\.")
    flat = {key: t[:, :, 0, 0] if _is_vae_projection(key) and t.ndim == 4 else t for key, t in state.items()}
    return _rename(flat, lambda key: _vae_key_from_compvis(key, levels))


def text_to_compvis(state: Mapping[str, Tensor]) -> State:
    """A transformers CLIPTextModel's state dict as it stands in a checkpoint (without `cond_stage_model.transformer.`).

    Both spellings are taken: with `text_model.` (up to transformers 4) and without (5). The position numbers that old
    hosts expect in the file are added.
    """
    renamed = _rename(state, lambda key: key if key.startswith(TEXT_PREFIX) else TEXT_PREFIX + key)
    positions = renamed.get(f"{TEXT_PREFIX}embeddings.position_embedding.weight")
    if positions is None:
        raise ModelError("The text encoder has no position embeddings; expected a CLIP text model, so choose another.")
    renamed[TEXT_PREFIX + POSITION_IDS] = torch.arange(positions.shape[0])[None]
    return renamed


def text_from_compvis(state: Mapping[str, Tensor], *, prefix: str = TEXT_PREFIX) -> State:
    """A checkpoint's text encoder (without `cond_stage_model.transformer.`) for `load_state_dict`.

    prefix: `text_model.` for transformers up to 4, empty for 5.
    """
    kept = {key.removeprefix(TEXT_PREFIX): tensor for key, tensor in state.items() if not key.endswith(POSITION_IDS)}
    return {prefix + key: tensor for key, tensor in kept.items()}


# --- UNet -----------------------------------------------------------------------------------------------------------


class _Level:
    """What the keys tell of one resolution: residual blocks, transformers among them, a resampler at its end."""

    def __init__(self, residuals: int, attentions: int, resampled: bool) -> None:
        self.residuals, self.attentions, self.resampled = residuals, attentions, resampled


def _count_diffusers(state: Iterable[str]) -> tuple[list[_Level], list[_Level]]:
    keys = list(state)

    def levels(stage: str, sampler: str) -> list[_Level]:
        return [
            _Level(
                _count(keys, rf"{stage}\.{level}\.resnets\.(\d+)\."),
                _count(keys, rf"{stage}\.{level}\.attentions\.(\d+)\."),
                any(key.startswith(f"{stage}.{level}.{sampler}.") for key in keys),
            )
            for level in range(_count(keys, rf"{stage}\.(\d+)\."))
        ]

    return levels("down_blocks", "downsamplers"), levels("up_blocks", "upsamplers")


def _count_compvis(state: Iterable[str]) -> tuple[list[_Level], list[_Level]]:
    keys = set(state)
    down, up = [_Level(0, 0, False)], [_Level(0, 0, False)]
    for index in range(1, _count(keys, r"input_blocks\.(\d+)\.")):
        if f"input_blocks.{index}.0.op.weight" in keys:
            down[-1].resampled = True
            down.append(_Level(0, 0, False))
        else:
            down[-1].residuals += 1
            down[-1].attentions += f"input_blocks.{index}.1.norm.weight" in keys
    for index in range(_count(keys, r"output_blocks\.(\d+)\.")):
        up[-1].residuals += 1
        up[-1].attentions += f"output_blocks.{index}.1.norm.weight" in keys
        if any(f"output_blocks.{index}.{place}.conv.weight" in keys for place in (1, 2)):
            up[-1].resampled = True
            up.append(_Level(0, 0, False))
    return down, up


def _unet_prefixes(levels: tuple[list[_Level], list[_Level]]) -> Prefixes:
    """diffusers module prefix -> CompVis module prefix, for every module of a UNet with these levels."""
    down, up = levels
    if not any(level.residuals for level in down) or not any(level.residuals for level in up):
        raise ModelError("The UNet has no blocks; expected a Stable Diffusion UNet, so choose another file.")
    prefixes = dict(UNET_ENDS)
    number = 1
    for index, level in enumerate(down):
        for block in range(level.residuals):
            prefixes[f"down_blocks.{index}.resnets.{block}"] = f"input_blocks.{number}.0"
            if level.attentions:
                prefixes[f"down_blocks.{index}.attentions.{block}"] = f"input_blocks.{number}.1"
            number += 1
        if level.resampled:
            prefixes[f"down_blocks.{index}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
            number += 1
    prefixes |= {"mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1"}
    prefixes["mid_block.resnets.1"] = "middle_block.2"
    number = 0
    for index, level in enumerate(up):
        for block in range(level.residuals):
            prefixes[f"up_blocks.{index}.resnets.{block}"] = f"output_blocks.{number}.0"
            if level.attentions:
                prefixes[f"up_blocks.{index}.attentions.{block}"] = f"output_blocks.{number}.1"
            number += 1
        if level.resampled:
            place = 2 if level.attentions else 1
            prefixes[f"up_blocks.{index}.upsamplers.0.conv"] = f"output_blocks.{number - 1}.{place}.conv"
    return prefixes


def _map_unet(key: str, prefixes: Prefixes, residual: Prefixes, residual_mark: str) -> str:
    """Replace the module prefix, and inside residual blocks the layer's name too."""
    prefix = _longest_prefix(key, prefixes)
    rest = key[len(prefix) + 1 :]
    is_residual = re.search(residual_mark, key) is not None
    if is_residual:
        layer = _longest_prefix(rest, residual)
        rest = residual[layer] + rest[len(layer) :]
    return f"{prefixes[prefix]}.{rest}"


# --- auto-encoder ---------------------------------------------------------------------------------------------------


def _vae_key_to_compvis(key: str, levels: int) -> str:
    key = re.sub(r"mid_block\.((?:resnets|attentions)\.\d+)", lambda m: f"mid.{VAE_MIDDLE[m[1]]}", key)
    if ".attn_1." in key:
        return _swap_layer(key, ".attn_1.", VAE_ATTENTION)
    key = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    key = re.sub(r"down_blocks\.(\d+)\.", r"down.\1.", key)
    key = re.sub(r"up_blocks\.(\d+)\.", lambda m: f"up.{levels - 1 - int(m[1])}.", key)
    key = re.sub(r"\.resnets\.(\d+)\.", r".block.\1.", key)
    return key.replace("downsamplers.0", "downsample").replace("upsamplers.0", "upsample")


def _vae_key_from_compvis(key: str, levels: int) -> str:
    if ".attn_1." in key:
        key = _swap_layer(key, ".attn_1.", _invert(VAE_ATTENTION))
    key = re.sub(r"mid\.((?:block|attn)_\d)", lambda m: f"mid_block.{_invert(VAE_MIDDLE)[m[1]]}", key)
    key = re.sub(r"\.norm_out\.", ".conv_norm_out.", key).replace("nin_shortcut", "conv_shortcut")
    key = re.sub(r"\.block\.(\d+)\.", r".resnets.\1.", key)
    key = re.sub(r"\.(down|up)sample\.", r".\1samplers.0.", key)
    key = re.sub(r"\.down\.(\d+)\.", r".down_blocks.\1.", key)
    return re.sub(r"\.up\.(\d+)\.", lambda m: f".up_blocks.{levels - 1 - int(m[1])}.", key)


def _swap_layer(key: str, mark: str, names: Prefixes) -> str:
    head, rest = key.split(mark)
    layer = _longest_prefix(rest, names)
    return f"{head}{mark}{names[layer]}{rest[len(layer) :]}"


def _is_vae_projection(key: str) -> bool:
    return re.search(r"\.attn_1\.(q|k|v|proj_out)\.weight$", key) is not None


# --- shared ---------------------------------------------------------------------------------------------------------


def _rename(state: Mapping[str, Tensor], name: Callable[[str], str]) -> State:
    renamed = {name(key): tensor for key, tensor in state.items()}
    assert len(renamed) == len(state), "two keys got one name"
    return renamed


def _longest_prefix(key: str, prefixes: Prefixes) -> str:
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in prefixes:
            return prefix
    raise ModelError(
        f"The tensor '{key}' is of no Stable Diffusion 1.x, 2.x or XL model; expected only theirs, so choose another file."
    )


def _invert(names: Prefixes) -> Prefixes:
    return {value: key for key, value in names.items()}


def _count(keys: Iterable[str], pattern: str) -> int:
    """One more than the largest number the pattern finds at the start of a key; 0 when it finds none."""
    matches = (re.match(pattern, key) for key in keys)
    return max((int(match[1]) + 1 for match in matches if match), default=0)
