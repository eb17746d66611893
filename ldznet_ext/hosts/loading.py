"""Stand-alone weights into modules: a diffusers folder, or one CompVis .safetensors file, always from local files.

diffusers and transformers take seconds to import; their file formats are simple, so they are read directly.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ldznet_ext.convert.layouts import text_from_compvis, unet_to_compvis, vae_from_compvis
from ldznet_ext.errors import LdznetError, ModelError
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.autoencoder import Autoencoder, AutoencoderConfig, autoencoder_keys
from ldznet_ext.hosts.clip_text import ClipText, TextConfig, clip_keys
from ldznet_ext.hosts.schedule import Schedule, read_schedule
from ldznet_ext.hosts.tokens import Tokens, load_tokens
from ldznet_ext.nets.unet import UNet, UNetConfig
from ldznet_ext.weights import fill, read_header, read_tensors, uninitialised

Module = TypeVar("Module", bound=nn.Module)
Config = TypeVar("Config")
State = dict[str, Tensor]

PARTS = ("unet", "vae", "text_encoder", "tokenizer")
WEIGHTS = ("diffusion_pytorch_model.safetensors", "model.safetensors")
UNSUPPORTED = {
    "addition_embed_type": (None,),
    "class_embed_type": (None,),
    "transformer_layers_per_block": (None, 1),
    "resnet_time_scale_shift": (None, "default"),
    "dual_cross_attention": (None, False),
    "norm_num_groups": (None, 32),
}
"""Settings of a diffusers UNet whose other values make another network: SDXL, image variations, upscalers."""


@dataclass(kw_only=True)
class Parts:
    """Everything a stand-alone backbone is made of."""

    name: str
    family: str
    native: Size
    unet: UNet
    vae: Autoencoder
    text_encoder: ClipText
    tokens: Tokens
    schedule: Schedule


def read_folder(folder: Path, *, device: torch.device, dtype: torch.dtype) -> Parts:
    """Load a diffusers folder; ModelError says what is missing, misshaped or of another kind."""
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        raise ModelError(
            f"{folder} has no {', '.join(missing)} folder; expected a Stable Diffusion model in the diffusers layout "
            "(unet, vae, text_encoder, tokenizer, scheduler), so choose another folder."
        )
    settings = _read_json(folder / "unet" / "config.json")
    config = unet_config(settings)
    vae_settings = _read_json(folder / "vae" / "config.json")
    vae_config = pick_fields(AutoencoderConfig, vae_settings)
    text_config = pick_fields(TextConfig, _read_json(folder / "text_encoder" / "config.json"))
    what, make = folder.name, partial(build, device=device, dtype=dtype)
    return Parts(
        name=what,
        family=family_of(config),
        native=_native(settings, vae_config),
        unet=make(lambda: UNet(config), _layout(unet_to_compvis, _weights(folder / "unet"), what), f"{what}/unet"),
        vae=make(lambda: Autoencoder(vae_config), autoencoder_keys(_weights(folder / "vae")), f"{what}/vae"),
        text_encoder=make(
            lambda: ClipText(text_config), clip_keys(_weights(folder / "text_encoder")), f"{what}/text_encoder"
        ),
        tokens=load_tokens(folder / "tokenizer", folder / "tokens_seen.json"),
        schedule=read_schedule(folder / "scheduler"),
    )


def read_single_file(path: Path, companion: Path | None, *, device: torch.device, dtype: torch.dtype) -> Parts:
    """Load one CompVis checkpoint. `companion`: Sticker-SD's folder, for CLIP's vocabulary (and its own small parts' shapes)."""
    _, shapes = read_header(path)
    prefixes = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.")
    absent = [prefix for prefix in prefixes if not any(name.startswith(prefix) for name in shapes)]
    if absent:
        raise ModelError(
            f"{path.name} has no tensors named {absent[0]}*; expected a whole Stable Diffusion 1.x checkpoint in one file, "
            "so choose another."
        )
    if companion is None:
        raise ModelError(
            f"{path.name} brings no vocabulary; expected Sticker-SD in a model folder to lend CLIP's, so put it there."
        )
    state = read_tensors(path)
    unet, vae, text = (
        {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        for prefix in prefixes
    )
    config, make = unet_config_from_shapes(unet), partial(build, device=device, dtype=dtype)
    sticker = family_of(config) == "sticker"
    vae_config = (
        pick_fields(AutoencoderConfig, _read_json(companion / "vae" / "config.json"))
        if sticker
        else AutoencoderConfig()
    )
    text_config = (
        pick_fields(TextConfig, _read_json(companion / "text_encoder" / "config.json")) if sticker else TextConfig()
    )
    settings = _read_json(companion / "unet" / "config.json") if sticker else {"sample_size": 64}
    return Parts(
        name=path.stem,
        family=family_of(config),
        native=_native(settings, vae_config),
        unet=make(lambda: UNet(config), unet, f"{path.name} (UNet)"),
        vae=make(lambda: Autoencoder(vae_config), _layout(vae_from_compvis, vae, path.name), f"{path.name} (VAE)"),
        text_encoder=make(
            lambda: ClipText(text_config), clip_keys(text_from_compvis(text)), f"{path.name} (text encoder)"
        ),
        tokens=load_tokens(companion / "tokenizer", companion / "tokens_seen.json" if sticker else None),
        schedule=Schedule(),
    )


def unet_config(settings: Mapping[str, Any]) -> UNetConfig:
    """The shape a diffusers `unet/config.json` describes; ModelError for kinds of UNet we do not have."""
    for name, allowed in UNSUPPORTED.items():
        if settings.get(name) not in allowed:
            raise ModelError(
                f"The UNet has {name} = {settings[name]}; expected a Stable Diffusion 1.x or 2.x UNet, so choose another model."
            )
    try:
        widths = tuple(int(width) for width in settings["block_out_channels"])
        levels = tuple(i for i, kind in enumerate(settings["down_block_types"]) if kind.startswith("CrossAttn"))
        heads = settings.get("attention_head_dim", 8)
        return UNetConfig(
            in_channels=int(settings.get("in_channels", 4)),
            out_channels=int(settings.get("out_channels", 4)),
            model_channels=widths[0],
            channel_mult=_multiples(widths),
            num_res_blocks=int(settings.get("layers_per_block", 2)),
            attention_levels=levels,
            # diffusers' "attention_head_dim" is the number of heads; SD 2.x lists them by level, 64 channels each
            num_heads=heads if isinstance(heads, int) else heads[0],
            head_channels=None if isinstance(heads, int) else widths[0] // heads[0],
            context_dim=int(settings["cross_attention_dim"]),
            linear_projection=bool(settings.get("use_linear_projection", False)),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(
            f"The UNet's config.json lacks or garbles {error}; expected diffusers' settings, so fetch it again."
        ) from error


def unet_config_from_shapes(state: Mapping[str, Tensor]) -> UNetConfig:
    """The shape of a CompVis UNet, read off its tensors."""
    try:
        first = state["input_blocks.0.0.weight"]
        widths = tuple(
            state[f"input_blocks.{index}.0.out_layers.3.weight"].shape[0]
            for index in range(1, 64, 3)
            if f"input_blocks.{index}.0.out_layers.3.weight" in state
        )
        projection = state["input_blocks.1.1.proj_in.weight"]
        context = state["input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"].shape[1]
    except KeyError as error:
        raise ModelError(
            f"The checkpoint's UNet lacks {error}; expected a Stable Diffusion 1.x UNet, so choose another."
        ) from error
    if projection.ndim == 2 or len(widths) != 4:
        raise ModelError(
            "The checkpoint is not of Stable Diffusion 1.x; expected such a single file, so load others from a diffusers folder."
        )
    return UNetConfig(
        in_channels=first.shape[1], model_channels=widths[0], channel_mult=_multiples(widths), context_dim=context
    )


def family_of(config: UNetConfig) -> str:
    """The family a UNet belongs to, by the width of the text states it reads."""
    if config.context_dim < 512:
        return "sticker"
    return {768: "sd1", 1024: "sd2"}.get(config.context_dim, f"context-{config.context_dim}")


def build(make: Callable[[], Module], state: State, what: str, *, device: torch.device, dtype: torch.dtype) -> Module:
    """A module holding exactly these tensors, in evaluation mode; nothing is initialised in vain."""
    with uninitialised():
        module = make()
    fill(module, state, what, device=device, dtype=dtype)
    return module.eval().requires_grad_(False)


def pick_fields(kind: type[Config], settings: Mapping[str, Any]) -> Config:
    """A configuration from the entries of a JSON object that it has; lists become tuples."""
    names = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    chosen = {
        name: tuple(v) if isinstance(v, list) else v for name, v in settings.items() if name in names and v is not None
    }
    return kind(**chosen)


def _layout(rename: Callable[[State], State], state: State, what: str) -> State:
    """Rename keys; a key that no SD model has is the file's fault, and is said so."""
    try:
        return rename(state)
    except (LdznetError, AssertionError, KeyError, ValueError) as error:
        raise ModelError(f"{what} has tensors no Stable Diffusion model has ({error}); choose another file.") from error


def _weights(folder: Path) -> State:
    names = [*WEIGHTS, *(name.replace(".safetensors", ".fp16.safetensors") for name in WEIGHTS)]
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise ModelError(
            f"{folder} has no .safetensors file; expected {WEIGHTS[0]} or {WEIGHTS[1]}, so fetch or convert it."
        )
    return read_tensors(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read; expected a diffusers config.json, so fetch the model again."
        ) from error
    if not isinstance(settings, dict):
        raise ModelError(f"{path} is not a JSON object; expected a diffusers config.json, so fetch the model again.")
    return settings


def _multiples(widths: tuple[int, ...]) -> tuple[int, ...]:
    if any(width % widths[0] for width in widths):
        raise ModelError(f"The UNet's widths are {widths}; expected multiples of the first, so choose another model.")
    return tuple(width // widths[0] for width in widths)


def _native(settings: Mapping[str, Any], vae: AutoencoderConfig) -> Size:
    side = int(settings.get("sample_size") or 64) * vae.factor
    return Size(side, side)
