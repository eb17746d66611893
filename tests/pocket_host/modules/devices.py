"""One device, one type: a CPU in float32, or an accelerator if torch sees one."""

import contextlib
import gc
from typing import Any

import torch

cpu = torch.device("cpu")
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
dtype = dtype_unet = dtype_vae = dtype_inference = torch.float32
unet_needs_upcast = False
fp8 = force_fp16 = False


def get_optimal_device() -> torch.device:
    """Where the checkpoint goes."""
    return device


def autocast(disable: bool = False) -> Any:
    """Nothing is cast here, as with --no-half."""
    return contextlib.nullcontext()


def without_autocast(disable: bool = False) -> Any:
    """Nothing to switch off."""
    return contextlib.nullcontext()


def torch_gc() -> None:
    """Give memory back."""
    gc.collect(0)
    if device.type == "cuda":
        torch.cuda.empty_cache()


def test_for_nans(x: torch.Tensor, where: str) -> None:
    """Refuse a picture of nothing."""
    if torch.all(torch.isnan(x)):
        raise NansException(f"A tensor with NaNs was produced in {where}.")


class NansException(Exception):
    """A network produced nothing but NaN."""
