"""What we need of a diffusion model, and nothing more: the Backbone protocol, and how one is come by.

A web UI's loaded checkpoint and the stand-alone weights look the same from here on.
"""

import functools
import os
import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ldznet_ext.errors import OptionError
from ldznet_ext.geometry import Size
from ldznet_ext.sampling import Progress, Sampling, Start
from ldznet_ext.weights import DEFAULT_MODEL

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ldznet_ext.caches import Caches, TextKey

__all__ = ["DEFAULT_MODEL", "Backbone", "Conditioning", "default_backbone", "load_backbone"]


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What a UNet is told beside the latent, a row a text.

    states (b tokens c): what its text attention reads. vector (b d): what SDXL adds to the time; None for other families.
    beside (1 5 lh lw): what an inpainting model is told of what to paint, the mask and the latent of the picture without it;
    None where everything is to be painted.
    """

    states: "Tensor"
    vector: "Tensor | None" = None
    beside: "Tensor | None" = None

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, rows: "slice | list[int]") -> "Conditioning":
        return replace(self, states=self.states[rows], vector=None if self.vector is None else self.vector[rows])

    def expand(self, rows: int) -> "Conditioning":
        """The same for so many rows, where there is one; no memory is taken."""
        vector = None if self.vector is None else self.vector.expand(rows, -1)
        return replace(self, states=self.states.expand(rows, -1, -1), vector=vector)

    @classmethod
    def of(cls, given: "Conditioning | Tensor") -> "Conditioning":
        """Plain text states are a conditioning, too."""
        return given if isinstance(given, cls) else cls(given)  # type: ignore[arg-type]

    @classmethod
    def join(cls, parts: "Sequence[Conditioning]") -> "Conditioning":
        """The rows of all parts, one after the other."""
        import torch

        vectors = [part.vector for part in parts if part.vector is not None]
        return cls(torch.cat([part.states for part in parts]), torch.cat(vectors) if vectors else None)


class Backbone(Protocol):
    """A latent diffusion model that is already loaded.

    name: for people. family: sd1, sd2, sticker ...: heads are trained for one. native: the picture size it was trained at.
    elsewhere: what to do with pictures unlike those of training, the end of a sentence.
    unet_calls: how often the UNet has been called, early exits included. lock: held over each call of the UNet, and by who
    reads its features over the whole of it, so that two threads never mix their answers.
    """

    name: str
    family: str
    native: Size
    elsewhere: str
    caches: "Caches"
    unet_calls: int
    lock: "threading.RLock"

    @property
    def unet(self) -> "nn.Module":
        """The noise predictor, whose features are harvested."""
        ...

    @property
    def device(self) -> "torch.device":
        """Where the UNet lives."""
        ...

    @property
    def dtype(self) -> "torch.dtype":
        """What the UNet computes in."""
        ...

    def state_key(self, part: str) -> Hashable:
        """A key of the present weights of "vae", "text" or "unet", LoRA included; it changes when they do."""
        ...

    def text_keys(self, phrases: Sequence[str]) -> "tuple[TextKey, ...]":
        """The keys of the phrases' text states."""
        ...

    def encode(self, pixels: "Tensor") -> "Tensor":
        """Pixels (b 3 h w) in [-1, 1] to the scaled latent mean (b c h/8 w/8)."""
        ...

    def decode(self, latent: "Tensor") -> "Tensor":
        """A scaled latent (b c lh lw) to float32 pixels (b 3 h w) in [-1, 1]."""
        ...

    def text(self, phrases: Sequence[str]) -> "Tensor":
        """Text states (p 77 c), a row a phrase: of the encoder's last layer, unweighted. A trained head reads these."""
        ...

    def conditioning(self, texts: Sequence[str]) -> Conditioning:
        """What the UNet is told by these texts, a row each: in a web UI with the user's CLIP skip and text embeddings."""
        ...

    def conditioning_keys(self, texts: Sequence[str]) -> "tuple[TextKey, ...]":
        """The keys of the texts' conditioning."""
        ...

    def unknown_words(self, phrase: str) -> tuple[str, ...]:
        """The words of a phrase that the model never saw in training; none where it brings no list."""
        ...

    def token_ids(self, text: str) -> Sequence[int]:
        """The tokens of a text, however many, without start, end and padding."""
        ...

    def overflow(self, phrase: str) -> int:
        """How many tokens of a phrase are beyond what the text encoder reads."""
        ...

    def add_noise(self, latent: "Tensor", noise: "Tensor", timestep: int) -> "Tensor":
        """The latent as it is at `timestep` (0..999)."""
        ...

    def predict(self, noisy: "Tensor", timestep: int, context: "Conditioning | Tensor") -> "Tensor":
        """One call of the UNet: the noise it sees in (b c lh lw), or the velocity where it was trained on that."""
        ...

    def generate(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling | None = None,
        *,
        start: Start | None = None,
        progress: Progress | None = None,
    ) -> "Tensor":
        """Scaled latents (b c lh lw) painted from words, conditional rows in the second half of each UNet batch.

        sampling: None for the defaults. start: paint on from a picture, inside a mask.
        """
        ...


def load_backbone(source: Any = None, device: Any = None, dtype: Any = None, **settings: Any) -> Backbone:
    """Load a model for stand-alone use: see `hosts.standalone.load_backbone`. A pipeline of diffusers is borrowed as it is."""
    from ldznet_ext.hosts.pipeline import PipelineBackbone, is_pipeline
    from ldznet_ext.hosts.standalone import load_backbone as load

    if is_pipeline(source):
        if device is not None or dtype is not None or any(value is not None for value in settings.values()):
            raise OptionError(
                "A pipeline came with a device, a type or a LoRA beside it; expected it alone, for it is used as it is, so set "
                "these in the pipeline."
            )
        return PipelineBackbone(source)
    return load(source, device, dtype, **settings)


def default_backbone() -> Backbone:
    """Sticker-SD, loaded once a process (and once more where LDZNET_MODELS has changed)."""
    with _loading:  # two threads that ask at once get the same one
        return _default_backbone(os.environ.get("LDZNET_MODELS", ""))


_loading = threading.Lock()


@functools.lru_cache(maxsize=1)
def _default_backbone(models: str) -> Backbone:
    return load_backbone()
