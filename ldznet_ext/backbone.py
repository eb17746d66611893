"""What we need of a diffusion model, and nothing more: the Backbone protocol, and how one is come by.

A web UI's loaded checkpoint and the stand-alone weights look the same from here on.
"""

import functools
import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ldznet_ext.errors import OptionError
from ldznet_ext.geometry import Size

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ldznet_ext.caches import Caches, TextKey

DEFAULT_MODEL = "sticker-sd"
DEFAULT_STEPS = 20
DEFAULT_GUIDANCE = 5.0
Progress = Callable[[int, int], None]
"""Called after each sampling step with the steps done and the steps to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """Where a run of sampling begins and what stays as it is.

    latent: (1 c lh lw), scaled. repaint: (1 1 lh lw), 1 where it may change, 0 where it is held. strength above 0 up to 1:
    the part of the run that is done; 1 starts from pure noise where it may change.
    """

    latent: "Tensor"
    repaint: "Tensor"
    strength: float = 1.0


class Backbone(Protocol):
    """A latent diffusion model that is already loaded.

    name: for people. family: sd1, sd2, sticker ...: heads are trained for one. native: the picture size it was trained at.
    unet_calls: how often the UNet has been called, early exits included.
    """

    name: str
    family: str
    native: Size
    caches: "Caches"
    unet_calls: int

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
        """Text states (p 77 c), a row a phrase."""
        ...

    def unknown_words(self, phrase: str) -> tuple[str, ...]:
        """The words of a phrase that the model never saw in training; none where it brings no list."""
        ...

    def overflow(self, phrase: str) -> int:
        """How many tokens of a phrase are beyond what the text encoder reads."""
        ...

    def add_noise(self, latent: "Tensor", noise: "Tensor", timestep: int) -> "Tensor":
        """The latent as it is at `timestep` (0..999)."""
        ...

    def predict(self, noisy: "Tensor", timestep: int, context: "Tensor") -> "Tensor":
        """One call of the UNet."""
        ...

    def generate(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        size: Size | None = None,
        steps: int = DEFAULT_STEPS,
        guidance: float = DEFAULT_GUIDANCE,
        negative: str = "",
        start: Start | None = None,
        progress: Progress | None = None,
    ) -> "Tensor":
        """Scaled latents (b c lh lw) painted from words, conditional rows in the second half of each UNet batch."""
        ...


def load_backbone(source: Any = None, device: Any = None, dtype: Any = None) -> Backbone:
    """Load a model for stand-alone use: see `hosts.standalone.load_backbone`."""
    from ldznet_ext.hosts.standalone import load_backbone as load

    return load(source, device, dtype)


def default_backbone() -> Backbone:
    """Sticker-SD, loaded once a process (and once more where LDZNET_MODELS has changed)."""
    return _default_backbone(os.environ.get("LDZNET_MODELS", ""))


@functools.lru_cache(maxsize=1)
def _default_backbone(models: str) -> Backbone:
    return load_backbone()


def seeded_noise(seed: int, shape: tuple[int, ...], device: "torch.device", dtype: "torch.dtype") -> "Tensor":
    """Standard normal noise from (seed, shape), drawn on the CPU in float32: the same on every machine."""
    import torch

    generator = torch.Generator("cpu").manual_seed(check_seed(seed))
    return torch.randn(shape, generator=generator, dtype=torch.float32).to(device=device, dtype=dtype)


def check_seed(seed: int) -> int:
    """The seed, refused unless it is a whole number torch takes."""
    try:
        number = seed.__index__()
    except AttributeError:
        number = -1
    if isinstance(seed, bool) or not 0 <= number < 2**63:
        raise OptionError(f"The seed is {seed}; expected a whole number from 0 to 2**63 - 1.")
    return number


def check_sampling(steps: int, guidance: float, strength: float = 1.0) -> None:
    """Refuse settings of a generation that are out of their range; NaN is."""
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= 1000:
        raise OptionError(f"The number of steps is {steps}; expected a whole number from 1 to 1000, for example 20.")
    if not isinstance(guidance, (int, float)) or not 0 <= guidance <= 100:
        raise OptionError(f"The guidance is {guidance}; expected a number from 0 to 100, for example 5.")
    if not isinstance(strength, (int, float)) or not 0 < strength <= 1:
        raise OptionError(f"The strength is {strength}; expected a number above 0 and up to 1, for example 1.")
