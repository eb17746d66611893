"""The shape and the family of a UNet, from diffusers' settings of it: those of its folder, or those read off its tensors."""

from collections.abc import Mapping
from typing import Any

from ldznet_ext.errors import ModelError
from ldznet_ext.nets.unet import UNetConfig

UNSUPPORTED = {
    "addition_embed_type": (None, "text_time"),
    "class_embed_type": (None,),
    "resnet_time_scale_shift": (None, "default"),
    "reverse_transformer_layers_per_block": (None,),
    "mid_block_type": (None, "UNetMidBlock2DCrossAttn"),
    "dual_cross_attention": (None, False),
    "norm_num_groups": (None, 32),
}
"""Settings of a diffusers UNet whose other values make another network: image variations, upscalers, pruned SDXL."""
SD1_TEXT, SD1_MULTIPLES = 768, (1, 2, 4, 4)
"""Width of SD 1.x's text states, and of its levels as multiples of the first; Sticker-SD differs in both, a reduced SD in one."""
LATENT, INPAINTING = 4, 9
"""Input channels: the latent alone, or with a mask and the latent of the masked picture."""


def unet_config(settings: Mapping[str, Any]) -> UNetConfig:
    """The shape a diffusers `unet/config.json` describes; ModelError for kinds of UNet we do not have."""
    for name, allowed in UNSUPPORTED.items():
        if settings.get(name) not in allowed:
            raise ModelError(
                f"The UNet has {name} = {settings[name]}; expected that of Stable Diffusion 1.x, 2.x or XL, so choose another "
                "model."
            )
    try:
        config = _config(settings)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"The UNet's config.json lacks or garbles {error}; expected diffusers' settings, so fetch it again."
        ) from error
    if config.in_channels not in (LATENT, INPAINTING):
        raise ModelError(
            f"The UNet has {config.in_channels} input channels (it is told a depth map, a picture to edit or the like); expected "
            f"{LATENT}, or {INPAINTING} for inpainting, so choose a plain or an inpainting model."
        )
    return config


def _config(settings: Mapping[str, Any]) -> UNetConfig:
    widths = tuple(int(width) for width in settings["block_out_channels"])
    levels = tuple(i for i, kind in enumerate(settings["down_block_types"]) if kind.startswith("CrossAttn"))
    heads = settings.get("attention_head_dim", 8)
    depths = settings.get("transformer_layers_per_block") or 1
    told = settings.get("addition_embed_type") is not None
    return UNetConfig(
        in_channels=int(settings.get("in_channels", LATENT)),
        out_channels=int(settings.get("out_channels", LATENT)),
        model_channels=widths[0],
        channel_mult=_multiples(widths),
        num_res_blocks=int(settings.get("layers_per_block", 2)),
        attention_levels=levels,
        # diffusers' "attention_head_dim" is the number of heads; SD 2.x and XL list them by level, 64 channels each
        num_heads=heads if isinstance(heads, int) else heads[0],
        head_channels=None if isinstance(heads, int) else widths[0] // heads[0],
        context_dim=int(settings["cross_attention_dim"]),
        linear_projection=bool(settings.get("use_linear_projection", False)),
        depths=_depths(depths, len(widths)),
        vector_dim=int(settings["projection_class_embeddings_input_dim"]) if told else 0,
    )


def family_of(config: UNetConfig) -> str:
    """The family a UNet belongs to, by what it is told beside words, the kind of its layers and the width of its texts."""
    if config.vector_dim:
        return "sdxl"
    if config.linear_projection:
        return "sd2"
    if config.context_dim == SD1_TEXT or (config.context_dim < SD1_TEXT and config.channel_mult == SD1_MULTIPLES):
        return "sd1"
    return "sticker" if config.context_dim < SD1_TEXT else f"context-{config.context_dim}"


def _depths(given: Any, levels: int) -> tuple[int, ...]:
    """Blocks of the transformers by level; empty where it is one everywhere."""
    depths = (given,) * levels if isinstance(given, int) else tuple(given)
    if len(depths) != levels or not all(isinstance(depth, int) and depth > 0 for depth in depths):
        raise ModelError(
            f"The UNet's transformer_layers_per_block is {given}; expected one whole number for each of its {levels} levels, so "
            "choose another model."
        )
    return () if set(depths) == {1} else depths


def _multiples(widths: tuple[int, ...]) -> tuple[int, ...]:
    if any(width % widths[0] for width in widths):
        raise ModelError(f"The UNet's widths are {widths}; expected multiples of the first, so choose another model.")
    return tuple(width // widths[0] for width in widths)
