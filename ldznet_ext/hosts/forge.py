"""Forge's and reForge's loaded checkpoint as a backbone: patchers over modules that the host's memory management moves.

Their UNets see noise of any size beside an unscaled latent (VE); here it is turned into the scaled mixture (VP) that the rest of
the program knows, and back. What a call returns is turned into the noise it means, for models that predict velocities, too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ldznet_ext.backbone import Conditioning
from ldznet_ext.hosts.compvis import mean_of
from ldznet_ext.hosts.webui.backbone import BorrowedBackbone
from ldznet_ext.hosts.webui.plain import settings
from ldznet_ext.hosts.webui.text import clip_of
from ldznet_ext.shapes import Float


class ForgeBackbone(BorrowedBackbone):
    """Over the `forge_objects` of either host."""

    @property
    def patcher(self) -> Any:
        """The UNet with the networks that are active now; the module inside stays the same."""
        return self.model.forge_objects.unet

    @property
    def unet(self) -> nn.Module:  # type: ignore[override]
        """The UNet module."""
        return self.patcher.model.diffusion_model

    @property
    def schedule(self) -> Any:  # type: ignore[override]
        """The host's own: noise levels by timestep."""
        inner = self.patcher.model
        return inner.predictor if hasattr(inner, "predictor") else inner.model_sampling

    @property
    def device(self) -> torch.device:
        """Where the host computes."""
        return torch.device(memory_management().get_torch_device())

    @property
    def dtype(self) -> torch.dtype:
        """What the UNet computes in; its weights may be stored in another type, packed."""
        inner = self.patcher.model
        if hasattr(inner, "computation_dtype"):
            return inner.computation_dtype
        return getattr(inner, "manual_cast_dtype", None) or inner.get_dtype()

    def grading(self) -> Any:
        """Inference mode, in which these hosts load and sample."""
        return torch.inference_mode()

    @property
    def predicts_velocity(self) -> bool:
        """As the schedule says, or the configuration the checkpoint was recognised by."""
        kind = getattr(self.schedule, "prediction_type", None) or getattr(self.patcher.model, "model_type", "")
        return "v_prediction" in str(getattr(kind, "name", kind)).lower()

    @property
    def clip(self) -> Any:
        """The host's text engine, SDXL's first."""
        return clip_of(self.model)

    @property
    def embeddings(self) -> Any:
        """The host's table of textual inversions."""
        own = getattr(self.clip, "embeddings", None)
        return own if own is not None else self.clip.hijack.embedding_db

    def learned(self, text: str) -> Any:
        """Text states, or SDXL's with their vector."""
        from modules import prompt_parser, shared

        asked = prompt_parser.SdConditioning([text], width=self.native.width, height=self.native.height)
        with _clip_skip(self.model, self.clip, int(shared.opts.CLIP_stop_at_last_layers)):
            return self.model.get_learned_conditioning(asked)

    def last_layer(self) -> Any:
        """With the user's CLIP skip off; each model has a least one, on which it was trained."""
        return settings(CLIP_stop_at_last_layers=1)

    def settle(self) -> None:
        """The UNet into memory, its networks merged: the text encoder may have driven it out."""
        with self.grading():
            memory_management().load_models_gpu([self.patcher])

    def encode(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c lh lw"]:
        """Pixels in [-1, 1] to the scaled latent mean: the host draws a sample, which would differ each time."""
        objects = self.model.forge_objects
        own, objects.vae = objects.vae, _of_means(objects.vae)
        try:
            with self.grading(), mean_of(own.first_stage_model):
                latent = self.model.encode_first_stage(pixels.float().to(self.device))
        finally:
            objects.vae = own
        return latent.to(device=self.device, dtype=self.dtype)

    def decode(self, latent: Float[Tensor, "b c lh lw"]) -> Float[Tensor, "b 3 h w"]:
        """A scaled latent to float32 pixels in [-1, 1]."""
        with self.grading():
            return self.model.decode_first_stage(latent.float().to(self.device)).clamp(-1, 1)

    def add_noise(self, latent: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """The scaled latent at `timestep`, as everywhere else: the host's noise level turned into its share."""
        sigma = self._sigma(timestep)
        return (latent + sigma * noise) / (1 + sigma**2) ** 0.5

    def call_unet(self, noisy: Tensor, timestep: int, told: Conditioning, extra: Tensor | None) -> Tensor:
        """`apply_model` takes the latent plus noise and returns the clean latent; the noise is their difference."""
        sigma = self._sigma(timestep)
        mixed = noisy.float().to(self.device) * (1 + sigma**2) ** 0.5
        told_too = {"c_concat": None if extra is None else extra.to(mixed), "y": told.vector}
        levels = torch.full((len(mixed),), sigma, device=mixed.device)
        with _sampling(self.patcher, mixed):
            clean = self.patcher.model.apply_model(
                mixed,
                levels,
                c_crossattn=told.states.to(device=mixed.device, dtype=self.dtype),
                transformer_options={},
                **{name: value for name, value in told_too.items() if value is not None},
            )
        return ((mixed - clean) / sigma).to(noisy.dtype)

    def _sigma(self, timestep: int) -> float:
        return float(self.schedule.sigma(torch.tensor([timestep], dtype=torch.float32))[0])


def memory_management() -> Any:
    """The host's module that moves models: Forge's, or reForge's."""
    try:
        from backend import memory_management as found
    except ImportError:
        from ldm_patched.modules import model_management as found
    return found


@contextmanager
def _sampling(patcher: Any, noisy: Tensor) -> Iterator[None]:
    """The host's own preparation of a sampling run, and what it does afterwards."""
    try:
        from backend.sampling import sampling_function as host
    except ImportError:
        from modules_forge import forge_sampler as host
    host.sampling_prepare(patcher, noisy)
    try:
        yield
    finally:
        host.sampling_cleanup(patcher)


@contextmanager
def _clip_skip(model: Any, engine: Any, layers: int) -> Iterator[None]:
    """Forge's text engine takes its CLIP skip before each prompt; reForge's reads the setting."""
    if not hasattr(model, "set_clip_skip"):
        yield
        return
    before = getattr(engine, "clip_skip", layers)
    model.set_clip_skip(layers)
    try:
        yield
    finally:
        model.set_clip_skip(before)


def _of_means(autoencoder: Any) -> Any:
    """Forge's autoencoder told to give its mean; reForge's has a switch for it instead (`mean_of`)."""
    if hasattr(autoencoder.first_stage_model, "regularization"):
        return autoencoder
    twin = autoencoder.clone()
    twin.patcher.set_model_vae_regulation(lambda posterior: posterior.mode())
    return twin
