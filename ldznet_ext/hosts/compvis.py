"""A1111's loaded checkpoint as a backbone: LatentDiffusion (SD 1.x, 2.x) and sgm's DiffusionEngine (SDXL), CompVis layout.

The UNet is called through `apply_model`, the encoders through their own methods: the hooks of --medvram and --lowvram sit there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ldznet_ext.backbone import Conditioning
from ldznet_ext.hosts.webui.backbone import BorrowedBackbone
from ldznet_ext.hosts.webui.plain import settings
from ldznet_ext.hosts.webui.text import clip_of
from ldznet_ext.shapes import Float


class CompVisBackbone(BorrowedBackbone):
    """Over A1111's model object."""

    @property
    def unet(self) -> nn.Module:  # type: ignore[override]
        """The UNet module; what it holds may change, so it is looked up each time."""
        return self.model.model.diffusion_model

    @property
    def device(self) -> torch.device:
        """Where the host computes; under --medvram the weights may be elsewhere meanwhile."""
        from modules import devices

        return torch.device(devices.device)

    @property
    def dtype(self) -> torch.dtype:
        """What the UNet computes in."""
        from modules import devices

        return devices.dtype_unet

    @property
    def predicts_velocity(self) -> bool:
        """As the model object says."""
        return getattr(self.model, "parameterization", "eps") == "v"

    @property
    def clip(self) -> Any:
        """The host's text encoder, SDXL's first."""
        return clip_of(self.model)

    @property
    def embeddings(self) -> Any:
        """The host's table of textual inversions."""
        from modules import sd_hijack

        return sd_hijack.model_hijack.embedding_db

    def learned(self, text: str) -> Any:
        """Text states, or SDXL's with their vector."""
        from modules import prompt_parser

        asked = prompt_parser.SdConditioning([text], width=self.native.width, height=self.native.height)
        return self.model.get_learned_conditioning(asked)

    def last_layer(self) -> Any:
        """With the user's CLIP skip off. SD 2.x has always the last layer but one, on which it was trained."""
        return settings(CLIP_stop_at_last_layers=1)

    def settle(self) -> None:
        """Nothing: layers merge their LoRA when they are called, and come to where they are needed (`beside`)."""

    def encode(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c lh lw"]:
        """Pixels in [-1, 1] to the scaled latent mean: hosts draw a sample, which would differ each time."""
        from modules import devices

        model = self.model
        with self.grading(), mean_of(model.first_stage_model):
            found = model.encode_first_stage(pixels.to(device=self.device, dtype=devices.dtype_vae))
            latent = found.mode() * model.scale_factor if hasattr(found, "mode") else found
        return latent.to(device=self.device, dtype=self.dtype)

    def decode(self, latent: Float[Tensor, "b c lh lw"]) -> Float[Tensor, "b 3 h w"]:
        """A scaled latent to float32 pixels in [-1, 1]."""
        from modules import devices

        with self.grading(), devices.without_autocast():
            pixels = self.model.decode_first_stage(latent.to(device=self.device, dtype=devices.dtype_vae))
        return pixels.float().clamp(-1, 1)

    def add_noise(self, latent: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """The latent as it is at `timestep`, by the schedule that is set in the host."""
        alpha = float(self.model.alphas_cumprod[timestep])
        return alpha**0.5 * latent + (1 - alpha) ** 0.5 * noise

    def call_unet(self, noisy: Tensor, timestep: int, told: Conditioning, extra: Tensor | None) -> Tensor:
        """`apply_model`: what it returns is what the checkpoint was trained to predict."""
        place = {"device": self.device, "dtype": self.dtype}
        times = torch.full((noisy.shape[0],), timestep, device=self.device)
        beside = torch.zeros(noisy.shape[0], 5, 1, 1) if extra is None else extra  # the host's own filler
        given: dict[str, Any] = {"c_concat": [beside.to(**place)]}
        if told.vector is None:
            given["c_crossattn"] = [told.states.to(**place)]
        else:
            given.update(crossattn=told.states.to(**place), vector=told.vector.to(**place))
        return self.model.apply_model(noisy.to(**place), times, given)


@contextmanager
def mean_of(autoencoder: Any) -> Iterator[None]:
    """An autoencoder of the sgm library gives its mean in the body; others give the whole distribution anyway."""
    regularizer: Any = getattr(autoencoder, "regularization", None)
    if not getattr(regularizer, "sample", False):
        yield
        return
    regularizer.sample = False
    try:
        yield
    finally:
        regularizer.sample = True
