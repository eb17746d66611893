"""The tiny encoder that stands in for the VAE's where a picture is only looked at: TAESD (github.com/madebyollin/taesd).

A chain of convolutions, a ninth of the VAE encoder's operations. It gives the latent as the UNet sees it: nothing to scale.
Its weights are optional and do not ship; those of one family of models (SD 1.x and 2.x, or XL) are of no use to another.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ldznet_ext.convert.folder import find_weights
from ldznet_ext.errors import ModelError
from ldznet_ext.shapes import Float
from ldznet_ext.tensors import fill, read_tensors, uninitialised
from ldznet_ext.weights import find_model, model_folders


@dataclass(frozen=True, kw_only=True)
class FastEncoderConfig:
    """What shapes it; the defaults are TAESD's for SD 1.x and 2.x."""

    in_channels: int = 3
    latent_channels: int = 4
    channels: int = 64
    blocks: tuple[int, ...] = (1, 3, 3, 3)
    """Residual blocks at each resolution, the picture's own first."""

    @property
    def factor(self) -> int:
        """Picture pixels per latent cell, one way."""
        return 2 ** (len(self.blocks) - 1)


class Block(nn.Module):
    """Three convolutions with a skip, of one width throughout."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second, third = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))
        self.conv = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return torch.relu(self.conv(x) + x)


class FastEncoder(nn.Sequential):
    """Pixels to a latent; the places in the chain are the file's own names (`1.conv.0.weight`)."""

    def __init__(self, config: FastEncoderConfig) -> None:
        layers: list[nn.Module] = [nn.Conv2d(config.in_channels, config.channels, 3, padding=1)]
        for level, blocks in enumerate(config.blocks):
            if level:
                layers.append(nn.Conv2d(config.channels, config.channels, 3, stride=2, padding=1, bias=False))
            layers.extend(Block(config.channels) for _ in range(blocks))
        super().__init__(*layers, nn.Conv2d(config.channels, config.latent_channels, 3, padding=1))
        self.config = config

    def encode(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c lh lw"]:
        """Pixels in [-1, 1] to the scaled latent, as `Autoencoder.encode` gives it."""
        return self((pixels + 1) / 2)


PREFIXES = ("encoder.layers.", "encoder.", "")
"""Of an encoder's keys: diffusers' AutoencoderTiny, both of TAESD's halves in one file, its `taesd_encoder.safetensors`."""


def read_fast_encoder(
    source: str | os.PathLike[str], *, latent_channels: int, factor: int, device: torch.device, dtype: torch.dtype
) -> FastEncoder:
    """Load TAESD's encoder: a .safetensors file, a diffusers folder of an AutoencoderTiny, or the name of either.

    latent_channels, factor: of the model it is to serve. ModelError says what does not fit.
    """
    path = _find(source)
    state = _encoder_keys(read_tensors(path), path.name)
    config = FastEncoderConfig(
        in_channels=state["0.weight"].shape[1],
        channels=state["0.weight"].shape[0],
        latent_channels=state[max(state, key=_place)].shape[0],
    )
    if (config.latent_channels, config.factor) != (latent_channels, factor):
        raise ModelError(
            f"{path.name} makes latents of {config.latent_channels} channels, {config.factor} pixels a cell; expected "
            f"{latent_channels} and {factor}, as the model has, so use the encoder made for it."
        )
    with uninitialised():
        encoder = FastEncoder(config)
    fill(encoder, state, path.name, device=device, dtype=dtype)
    # nothing but convolutions, as the VAE
    return encoder.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _find(source: str | os.PathLike[str]) -> Path:
    path = Path(source).expanduser()
    found = path if path.exists() else find_model(str(source))
    if found is None:
        places = ", ".join(str(folder) for folder in model_folders())
        raise ModelError(
            f"The fast encoder '{source}' does not exist; expected a .safetensors file of TAESD, a diffusers folder of one or a "
            f"name in {places}, so check it."
        )
    return find_weights(found) if found.is_dir() else found


def _encoder_keys(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The encoder's tensors of a file by their places in the chain; a decoder beside it is left out."""
    for prefix in PREFIXES:
        own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if "0.weight" in own and own["0.weight"].ndim == 4:
            return own
    raise ModelError(
        f"{name} has no 0.weight, with or without encoder. before it; expected TAESD's encoder, so choose "
        "taesd_encoder.safetensors."
    )


def _place(key: str) -> int:
    number, _, _ = key.partition(".")
    return int(number) if number.isdigit() and key.endswith("weight") else -1
