"""The diffusion schedule of Stable Diffusion and DDIM's step (arXiv 2010.02502, eta 0), in float32 on any device."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from torch import Tensor

from ldznet_ext.errors import ModelError, OptionError


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """alpha-bar of every timestep and how a run of steps is spaced; the defaults are SD's.

    `prediction` is what the UNet puts out: "epsilon" or "v_prediction". `zero_snr`: nothing of the picture is left at the last
    timestep (arXiv 2305.08891), as some models that predict velocity were trained.
    """

    steps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012
    beta_schedule: str = "scaled_linear"
    prediction: str = "epsilon"
    offset: int = 1
    spacing: str = "leading"
    last_is_clean: bool = False
    zero_snr: bool = False
    alpha_bar: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.beta_schedule not in ("scaled_linear", "linear") or self.prediction not in ("epsilon", "v_prediction"):
            raise ModelError(
                f"The scheduler is {self.beta_schedule} with {self.prediction}; expected scaled_linear or linear with epsilon "
                "or v_prediction, so use a Stable Diffusion 1.x or 2.x checkpoint."
            )
        power = 2 if self.beta_schedule == "scaled_linear" else 1
        ends = self.beta_start ** (1 / power), self.beta_end ** (1 / power)
        betas = np.linspace(*ends, self.steps, dtype=np.float64) ** power
        kept = np.cumprod(1 - betas)
        object.__setattr__(self, "alpha_bar", _to_zero(kept) if self.zero_snr else kept)

    def timesteps(self, count: int) -> list[int]:
        """The timesteps of a run of `count` steps, noisiest first.

        >>> Schedule().timesteps(4)
        [751, 501, 251, 1]
        """
        if isinstance(count, bool) or not isinstance(count, Integral) or not 1 <= count <= self.steps:
            raise OptionError(
                f"The number of steps is {count}; expected a whole number from 1 to {self.steps}, so choose one, for example 20."
            )
        if self.spacing == "trailing":
            times = np.round(np.arange(self.steps, 0, -self.steps / count)).astype(int) - 1
        elif self.spacing == "linspace":
            times = np.linspace(0, self.steps - 1, count).round()[::-1].astype(int)
        else:
            times = (np.arange(count) * (self.steps // count))[::-1] + self.offset
        return [int(min(t, self.steps - 1)) for t in times]

    def previous(self, timestep: int, count: int) -> int:
        """Where a step of a run of `count` lands; negative: at the clean end."""
        return timestep - self.steps // count

    def add_noise(self, latent: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """The latent as it is at `timestep` (0..999): sqrt(abar) z + sqrt(1 - abar) noise."""
        signal, spread = self._scales(timestep)
        return signal * latent + spread * noise

    def step(self, prediction: Tensor, noisy: Tensor, timestep: int, previous: int) -> Tensor:
        """One DDIM step from `timestep` to `previous`."""
        clean, noise = self.split(prediction, noisy, timestep)
        signal, spread = self._scales(previous)
        return signal * clean + spread * noise

    def split(self, prediction: Tensor, noisy: Tensor, timestep: int) -> tuple[Tensor, Tensor]:
        """The clean latent and the noise that a prediction means."""
        signal, spread = self._scales(timestep)
        if self.prediction == "v_prediction":
            return signal * noisy - spread * prediction, signal * prediction + spread * noisy
        return (noisy - spread * prediction) / signal, prediction

    def _scales(self, timestep: int) -> tuple[float, float]:
        if timestep < 0 and self.last_is_clean:
            return 1.0, 0.0
        alpha = float(self.alpha_bar[max(timestep, 0)])
        return alpha**0.5, (1 - alpha) ** 0.5


def _to_zero(alpha_bar: np.ndarray) -> np.ndarray:
    """The same schedule, stretched so that its root ends at 0 and begins where it did."""
    root = np.sqrt(alpha_bar)
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2


def read_schedule(config: Mapping[str, Any]) -> Schedule:
    """The schedule that a diffusers scheduler's settings describe; what they leave out is SD's own."""
    try:
        return Schedule(
            steps=int(config.get("num_train_timesteps", 1000)),
            beta_start=float(config.get("beta_start", 0.00085)),
            beta_end=float(config.get("beta_end", 0.012)),
            beta_schedule=config.get("beta_schedule", "scaled_linear"),
            prediction=config.get("prediction_type", "epsilon"),
            offset=int(config.get("steps_offset", 1)),
            spacing=config.get("timestep_spacing", "leading"),
            last_is_clean=bool(config.get("set_alpha_to_one", False)),
            zero_snr=bool(config.get("rescale_betas_zero_snr", False)),
        )
    except (ValueError, TypeError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"The scheduler's settings are garbled ({error}); expected those of a diffusers scheduler, so restore them."
        ) from error
