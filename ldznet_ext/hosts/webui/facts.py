"""What is known of a web UI's loaded checkpoint without running it: its name, its family, and keys of what is in it now."""

import itertools
import os
import threading
import weakref
from collections.abc import Hashable
from typing import Any

from torch import nn

from ldznet_ext.errors import ModelError
from ldznet_ext.geometry import Size

FAMILIES = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
"""By the width of the text states that the UNet reads; narrower ones are our own small model."""
NATIVE = {"sticker": 256, "sd2": 512, "sdxl": 1024}
"""Side of the pictures a family was trained on; 512 for the others, and 768 for SD 2.x that predicts velocities."""
INPAINTING = 9
"""Input channels of an inpainting checkpoint: latent, mask, masked picture."""


def checkpoint_name(model: Any) -> str:
    """What the host calls the loaded checkpoint."""
    info = getattr(model, "sd_checkpoint_info", None)
    return getattr(info, "name_for_extra", None) or getattr(info, "model_name", None) or "the loaded checkpoint"


def refuse_diverted(name: str) -> None:
    """ModelError where the UNet runs elsewhere than in torch."""
    from modules import sd_unet

    diverted = getattr(sd_unet, "current_unet", None)
    if diverted is not None:
        label = getattr(getattr(diverted, "option", None), "label", type(diverted).__name__)
        raise ModelError(
            f"The UNet of {name} runs in {label}, which lets nobody look into it; expected the checkpoint's own, so set SD Unet "
            "to None in the settings and paint once."
        )


def checkpoint_key(model: Any) -> tuple[str, int, int]:
    """Which weights a model object holds: hosts load other checkpoints into the same object, and save over files."""
    path = str(getattr(getattr(model, "sd_checkpoint_info", None), "filename", ""))
    try:
        saved = os.stat(path).st_mtime_ns
    except OSError:
        saved = 0
    return path, saved, _serial(model)


_numbers = itertools.count(1)
_serials: "weakref.WeakKeyDictionary[Any, int]" = weakref.WeakKeyDictionary()
_naming = threading.Lock()


def _serial(model: Any) -> int:
    """A number for an object, never given to another one."""
    with _naming:
        return _serials.get(model) or _serials.setdefault(model, next(_numbers))


def vae_key(model: Any) -> Hashable:
    """Which autoencoder belongs to the checkpoint now: its own, or a file."""
    from modules import sd_models, sd_vae

    return str(getattr(sd_vae, "loaded_vae_file", "")), str(getattr(sd_models.model_data, "forge_hash", ""))


def text_settings() -> Hashable:
    """The user's settings that change what a text becomes."""
    from modules import shared

    names = ("CLIP_stop_at_last_layers", "emphasis", "use_old_emphasis_implementation", "sdxl_clip_l_skip")
    crop = ("sdxl_crop_top", "sdxl_crop_left")
    return tuple(str(getattr(shared.opts, name, None)) for name in (*names, *crop))


def family_of(width: int) -> str:
    """The family of a UNet by the width of the text states it reads.

    >>> family_of(768), family_of(256), family_of(1280)
    ('sd1', 'sticker', 'context-1280')
    """
    return FAMILIES.get(width, f"context-{width}" if width >= 512 else "sticker")


def native_size(family: str, *, velocity: bool) -> Size:
    """The size a family was trained at; SD 2.x that predicts velocities saw larger pictures."""
    side = 768 if family == "sd2" and velocity else NATIVE.get(family, 512)
    return Size(side, side)


def text_width(unet: nn.Module, name: str) -> int:
    """The width of the text states a UNet reads, never from a weight: those may be packed."""
    if not all(hasattr(unet, part) for part in ("input_blocks", "middle_block", "output_blocks")):
        raise ModelError(
            f"The checkpoint {name} is a {type(unet).__name__}, which has no UNet blocks to read; expected Stable Diffusion 1.x, "
            "2.x or XL, so choose such a checkpoint."
        )
    for module_name, module in unet.named_modules():
        if module_name.endswith("attn2.to_k"):
            width = getattr(module, "in_features", 0) or getattr(getattr(unet, "config", None), "context_dim", 0)
            return int(width or module.weight.shape[1])  # type: ignore[index,union-attr]
    raise ModelError(
        f"The checkpoint {name} has no attention to text; expected Stable Diffusion 1.x, 2.x or XL, so choose such a checkpoint."
    )


def in_channels(unet: nn.Module, name: str) -> int:
    channels = int(unet.input_blocks[0][0].in_channels)  # type: ignore[index,union-attr,arg-type]
    if channels not in (4, INPAINTING):
        raise ModelError(
            f"The checkpoint {name} reads {channels} channels; expected 4, or 9 of an inpainting model, so choose such a "
            "checkpoint."
        )
    return channels
