"""A diffusers folder as the files with which a web UI loads it: the weights in CompVis' layout, and what it must know of them.

A web UI takes a checkpoint for a full-size Stable Diffusion unless a .yaml of the same stem beside it says otherwise
(the layout of CompVis' `configs/stable-diffusion/v1-inference.yaml`). The text encoder named in it would be fetched from
a hub; ours is a folder beside the checkpoint, with the tokenizer and the settings that transformers reads.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ldznet_ext.convert.folder import read_config
from ldznet_ext.convert.single_file import export_single_file
from ldznet_ext.errors import ModelError, OutputError
from ldznet_ext.hosts.autoencoder import AutoencoderConfig
from ldznet_ext.hosts.loading import pick_fields
from ldznet_ext.hosts.schedule import Schedule, read_schedule
from ldznet_ext.hosts.unet_settings import INPAINTING, unet_config
from ldznet_ext.nets.unet import UNetConfig

TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json")


def export_checkpoint(folder: Path, target: Path) -> tuple[Path, ...]:
    """Write `target` (.safetensors), its .yaml and its text folder; returns them in this order.

    The .yaml names the text folder by its full path, since a web UI would look from its own folder.
    Raises ModelError for a folder that is no SD 1.x or 2.x model, OutputError where nothing can be written.
    """
    beside = target.with_suffix(".yaml"), target.with_name(f"{target.stem}-text")
    tokenizer = _tokenizer(folder)
    settings = describe(folder, beside[1].resolve())
    export_single_file(folder, target)
    try:
        beside[1].mkdir(exist_ok=True)
        for source in tokenizer:
            shutil.copyfile(source, beside[1] / source.name)
        shutil.copyfile(folder / "text_encoder" / "config.json", beside[1] / "config.json")
        beside[0].write_text("\n".join(yaml_lines(settings)) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{error.filename or target} could not be written ({error.strerror or error}); expected a folder with room for "
            "the checkpoint's settings, so free some space or choose another place."
        ) from error
    return target, *beside


def describe(folder: Path, text_folder: Path) -> dict[str, Any]:
    """The settings of a diffusers folder as CompVis' `LatentDiffusion` takes them."""
    unet = unet_config(read_config(folder / "unet"))
    if unet.vector_dim or unet.depths:
        raise ModelError(
            f"{folder.name} is an SDXL model; expected one of SD 1.x's or 2.x's form to export, and web UIs load SDXL's own "
            "checkpoint as it is, so take that."
        )
    vae = pick_fields(AutoencoderConfig, read_config(folder / "vae"), f"{folder.name}/vae")
    schedule = read_schedule(read_config(folder / "scheduler", "scheduler_config.json"))
    inpaints = unet.in_channels == INPAINTING
    return {
        "model": {
            "target": f"ldm.models.diffusion.ddpm.Latent{'Inpaint' if inpaints else ''}Diffusion",
            "params": {
                **_schedule_settings(schedule),
                "num_timesteps_cond": 1,
                "first_stage_key": "jpg",
                "cond_stage_key": "txt",
                "image_size": 64,
                "channels": vae.latent_channels,
                "cond_stage_trainable": False,
                "conditioning_key": "hybrid" if inpaints else "crossattn",
                "scale_factor": vae.scaling_factor,
                "use_ema": False,
                **({"finetune_keys": None} if inpaints else {}),
                "unet_config": _unet_settings(unet),
                "first_stage_config": _vae_settings(vae),
                "cond_stage_config": {
                    "target": "ldm.modules.encoders.modules.FrozenCLIPEmbedder",
                    "params": {"version": text_folder.as_posix()},
                },
            },
        }
    }


def yaml_lines(settings: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Nested settings as YAML; a value is written as JSON, which YAML understands."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from yaml_lines(value, indent + "  ")
        else:
            yield f"{indent}{name}: {json.dumps(value)}"


def _schedule_settings(schedule: Schedule) -> dict[str, Any]:
    return {
        "linear_start": schedule.beta_start,
        "linear_end": schedule.beta_end,
        # CompVis' "linear" is linear in the root of beta, which diffusers calls scaled
        "beta_schedule": "linear" if schedule.beta_schedule == "scaled_linear" else "sqrt_linear",
        "timesteps": schedule.steps,
        "parameterization": "v" if schedule.prediction == "v_prediction" else "eps",
    }


def _unet_settings(unet: UNetConfig) -> dict[str, Any]:
    heads = {"num_heads": unet.num_heads} if unet.head_channels is None else {"num_head_channels": unet.head_channels}
    return {
        "target": "ldm.modules.diffusionmodules.openaimodel.UNetModel",
        "params": {
            "image_size": 32,
            "in_channels": unet.in_channels,
            "out_channels": unet.out_channels,
            "model_channels": unet.model_channels,
            "attention_resolutions": [2**level for level in reversed(unet.attention_levels)],
            "num_res_blocks": unet.num_res_blocks,
            "channel_mult": list(unet.channel_mult),
            **heads,
            "use_spatial_transformer": True,
            "use_linear_in_transformer": unet.linear_projection,
            "transformer_depth": 1,
            "context_dim": unet.context_dim,
            "use_checkpoint": False,
            "legacy": False,
        },
    }


def _vae_settings(vae: AutoencoderConfig) -> dict[str, Any]:
    widths = vae.block_out_channels
    if not vae.use_quant_conv or not vae.mid_block_add_attention or any(width % widths[0] for width in widths):
        raise ModelError(
            f"The auto-encoder has widths {widths} or lacks a layer; expected one of Stable Diffusion 1.x or 2.x, so choose "
            "another model."
        )
    return {
        "target": "ldm.models.autoencoder.AutoencoderKL",
        "params": {
            "embed_dim": vae.latent_channels,
            "ddconfig": {
                "double_z": True,
                "z_channels": vae.latent_channels,
                "resolution": 256,
                "in_channels": vae.in_channels,
                "out_ch": vae.out_channels,
                "ch": widths[0],
                "ch_mult": [width // widths[0] for width in widths],
                "num_res_blocks": vae.layers_per_block,
                "attn_resolutions": [],
                "dropout": 0.0,
            },
            "lossconfig": {"target": "torch.nn.Identity"},
        },
    }


def _tokenizer(folder: Path) -> list[Path]:
    files = [folder / "tokenizer" / name for name in TOKENIZER_FILES]
    missing = [path.name for path in files[:2] if not path.is_file()]
    if missing:
        raise ModelError(
            f"{folder / 'tokenizer'} has no {' and no '.join(missing)}; expected CLIP's tokenizer, so fetch the model again."
        )
    return [path for path in files if path.is_file()]
