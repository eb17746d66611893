"""Marks that tell a picture, a model and a head from any other: what a recipe compares before it claims to repeat a mask."""

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ldznet_ext.backbone import Backbone
    from ldznet_ext.segmenters.base import Segmenter

PARTS = ("unet", "vae", "text_encoder")
SAMPLED = 32
"""Values of each tensor that are looked at, evenly spread: a finetune, a merge or a LoRA changes all of them."""
DIGITS = 16


def pixels_mark(picture: np.ndarray) -> str:
    """SHA-256 of a picture's pixels, uint8 (h w 3), and of its size, in hexadecimal: a copy in another format has the same."""
    summed = hashlib.sha256(f"{picture.shape[0]}x{picture.shape[1]} RGB\n".encode())
    summed.update(np.ascontiguousarray(picture).data)
    return summed.hexdigest()


def weights_mark(backbone: "Backbone") -> str:
    """Sixteen hexadecimal digits of a model's weights as they are loaded, in half precision and so the same in any.

    No hash of the files: inside a web UI there is nobody to ask which they were, and a LoRA may lie on them. Empty where the
    model has no networks of its own to look at, or where a host keeps them elsewhere.
    """
    summed, seen = hashlib.sha256(), False
    for part in PARTS:
        module: Any = getattr(backbone, part, None)
        if hasattr(module, "parameters"):
            try:
                summed.update(f"{part}\n".encode() + _sampled(module))
            except (NotImplementedError, RuntimeError):  # weights that are named but not there ("meta")
                return ""
            seen = True
    return summed.hexdigest()[:DIGITS] if seen else ""


def head_mark(name: str, backbone: "Backbone | None" = None) -> str:
    """The fingerprint of a head's file (`weights.fingerprint`), or nothing where it is neither in a model folder nor beside the
    model."""
    from ldznet_ext.weights import fingerprint, model_folders

    own = getattr(backbone, "folder", None)
    for folder in (*([own] if own else []), *model_folders()) if name else ():
        with contextlib.suppress(OSError):
            return fingerprint(Path(folder) / name)
    return ""


def place_mark(backbone: "Backbone") -> str:
    """Where and in which numbers a model computes, such as "cpu float32": others give other last bits."""
    device, dtype = getattr(backbone, "device", None), getattr(backbone, "dtype", None)
    if device is None or dtype is None:
        return ""
    return f"{getattr(device, 'type', device)} {str(dtype).removeprefix('torch.')}"


def facts_of(backbone: "Backbone", segmenter: "Segmenter") -> dict[str, str]:
    """All that decides a result besides the picture, the words and the settings."""
    head = str(getattr(segmenter, "source", ""))
    return {
        "method": segmenter.name,
        "model": backbone.name,
        "weights": weights_mark(backbone),
        "head": head,
        "head_weights": head_mark(head, backbone),
        "place": place_mark(backbone),
    }


def _sampled(module: "nn.Module") -> bytes:
    """A few values of every parameter as float16, fetched from where they are in one go."""
    import torch

    with torch.inference_mode():
        flat = [_spread(parameter) for parameter in module.parameters()]
        return torch.cat(flat).cpu().numpy().tobytes() if flat else b""


def _spread(parameter: "Tensor") -> "Tensor":
    import torch

    values = parameter.detach().reshape(-1)
    return values[:: max(1, values.numel() // SAMPLED)].to(torch.float32).clamp(-65504, 65504).to(torch.float16)
