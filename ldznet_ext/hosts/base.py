"""What every host's backbone shares: cached texts and latents, counted UNet calls, state keys, seeded noise."""

import threading
from collections.abc import Hashable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ldznet_ext.backbone import Conditioning
from ldznet_ext.caches import Caches, TextKey, state_key
from ldznet_ext.errors import ModelError
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.schedule import Schedule
from ldznet_ext.shapes import Float


class BaseBackbone:
    """Caching, counting and the schedule over three modules a host supplies.

    Subclasses set `name, family, native, unet, vae, text_encoder, schedule` and give `encode_text`, `encode`, `decode`,
    `predict` and `unknown_words`.
    """

    name: str
    family: str
    native: Size
    unet: nn.Module
    vae: nn.Module
    text_encoder: nn.Module
    schedule: Schedule
    factor: int = 8
    latent_channels: int = 4
    elsewhere: str = (
        "a real Stable Diffusion checkpoint with its head can be loaded with --model PATH (load_backbone(PATH))"
    )
    """What to do with pictures unlike those of training."""
    folder: Path | None = None
    """The folder that holds the model's own folder or file; its heads lie there. None for a host's model."""
    offload: bool = False
    """Whether a trained head waits in main memory between calls."""
    fast_encoder: nn.Module | None = None
    """What turns a picture that is only looked at into a latent, in place of the VAE (`hosts.fast_encoder`)."""

    def __init__(self) -> None:
        self.caches = Caches()
        self.unet_calls = 0
        self.lock = threading.RLock()

    @property
    def device(self) -> torch.device:
        """Where the UNet lives."""
        return next(self.unet.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """What the UNet computes in."""
        return next(self.unet.parameters()).dtype

    def state_key(self, part: str) -> Hashable:
        """A key of the present weights of "vae", "text" or "unet"; it changes when they do."""
        return state_key({"vae": self.vae, "text": self.text_encoder, "unet": self.unet}[part])

    def text_keys(self, phrases: Sequence[str]) -> tuple[TextKey, ...]:
        """The keys of the phrases' text states."""
        encoder = self.state_key("text")
        return tuple(TextKey(encoder=encoder, phrase=phrase) for phrase in phrases)

    @torch.inference_mode()
    def text(self, phrases: Sequence[str]) -> Float[Tensor, "p tokens c"]:
        """Text states of the phrases, one row each, cached.

        Each phrase is encoded alone, so that its numbers do not depend on what it is asked with.
        """
        keys = self.text_keys(phrases)
        return torch.cat([self.caches.texts.get_or(key, lambda key=key: self.encode_text(key.phrase)) for key in keys])

    def encode_text(self, phrase: str) -> Float[Tensor, "1 tokens c"]:
        """Last hidden state of the text encoder for one phrase."""
        raise NotImplementedError

    def conditioning(self, texts: Sequence[str]) -> Conditioning:
        """What the UNet is told by the texts: what its own text encoder says, and nothing else."""
        return Conditioning(self.text(texts))

    def conditioning_keys(self, texts: Sequence[str]) -> tuple[TextKey, ...]:
        """The keys of the texts' conditioning."""
        return self.text_keys(texts)

    def encode(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c lh lw"]:
        """Pixels in [-1, 1] to the scaled latent mean."""
        raise NotImplementedError

    def predict(
        self, noisy: Float[Tensor, "b c lh lw"], timestep: int, context: Conditioning | Tensor
    ) -> Float[Tensor, "b c lh lw"]:
        """One call of the UNet, counted."""
        raise NotImplementedError

    def add_noise(self, latent: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """The latent as it is at `timestep` (0..999)."""
        return self.schedule.add_noise(latent, noise, timestep)

    def latent_size(self, size: Size) -> Size:
        """The latent grid of a picture size, which must be a multiple of the VAE's factor."""
        if size.height % self.factor or size.width % self.factor:
            raise ModelError(
                f"The size is {size.height}x{size.width}; expected multiples of {self.factor}, so choose them, for "
                f"example {self.native.height}x{self.native.width}."
            )
        return Size(size.height // self.factor, size.width // self.factor)
