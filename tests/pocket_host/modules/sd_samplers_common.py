"""Between latents and pictures, and the exception that ends a run early."""

from typing import Any

from torch import Tensor

from modules import devices, shared

approximation_indexes = {"Full": 0}


class InterruptedException(BaseException):
    """The user pressed Interrupt; extensions let it pass."""


def images_tensor_to_samples(image: Tensor, approximation: int | None = None, model: Any = None) -> Tensor:
    """Pixels (b 3 h w) in 0..1 to scaled latents, a random draw as in the hosts."""
    model = model or shared.sd_model
    pixels = image.to(devices.device, dtype=devices.dtype_vae) * 2 - 1
    return model.get_first_stage_encoding(model.encode_first_stage(pixels))


def decode_first_stage(model: Any, x: Tensor) -> Tensor:
    """Scaled latents to pixels in [-1, 1]."""
    return model.decode_first_stage(x.to(devices.dtype_vae))


def store_latent(decoded: Tensor) -> None:
    """For previews."""
    shared.state.current_latent = decoded
