"""Where the words change the noise a model predicts: LD-ZNet's Figure 1, averaged over noises as DiffEdit does.

|eps(z_t, phrase) - eps(z_t, reference)|, its mean over noises and channels, outliers clipped (arXiv 2210.11427, section
3.2). No attention and no features are read, so it works with any diffusion model; it costs the most calls of all methods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.caches import FeaturesKey
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.wanted import Wanted
from ldznet_ext.request import SegmentRequest
from ldznet_ext.sampling import seeded_noise
from ldznet_ext.segmenters.base import Clock, Evidence, register
from ldznet_ext.segmenters.headless import HeadlessSegmenter
from ldznet_ext.segmenters.prototypes import to_grid
from ldznet_ext.segmenters.view import View
from ldznet_ext.shapes import Float

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

ROWS = 8
"""Noises in one call of the UNet at the model's native size; larger pictures take fewer."""
CLIP = 3.0
"""Differences beyond so many times their mean count as that much: single cells would decide the scale (DiffEdit)."""
CERTAIN = 1e-4
"""A map's values stay this far from 0 and 1, where logits have no end."""
NOTHING = -40.0
"""The logit of a map that says nothing: its probability is 0 exactly, in float32."""


@dataclass(frozen=True, kw_only=True)
class NoiseSettings:
    """timestep: how much noise, 0..999. noises: how many are averaged. reference: what the words are compared with."""

    timestep: int = 500  # DiffEdit encodes half of the way
    noises: int = 10  # DiffEdit
    reference: str = ""  # LD-ZNet's Figure 1; DiffEdit has the picture's caption here where there is one


SETTINGS: dict[str, NoiseSettings] = {"sd1": NoiseSettings(), "sticker": NoiseSettings(noises=4)}
"""By family; one that is not named has those of sd1, the papers'. Sticker-SD, 12 val scenes, 21 objects, four noises: mIoU 0.36
at t = 500 and 0.35 at 300, which is no difference, so the papers' timestep stays, at less than half of the calls' work."""


@register("noise_difference")
class NoiseDifferenceSegmenter(HeadlessSegmenter):
    """The difference of noise predictions as a method."""

    needs: frozenset[str] = frozenset({"latent", "text"})
    rank: ClassVar[int] = 1
    table = SETTINGS
    any_length: ClassVar[bool] = False
    settings: NoiseSettings

    def wanted(self, backbone: "Backbone") -> Wanted:
        """Nothing: no step of a generation is asked the same twice, once with the phrase and once without."""
        return Wanted(taps=())

    @torch.inference_mode()
    def evidence(
        self, backbone: "Backbone", view: View, phrases: Sequence[str], request: SegmentRequest, clock: Clock
    ) -> Evidence:
        """Maps of the phrases; where no scores were measured for the family, how far each rises above its own mean."""
        settings = self.settings
        timestep = settings.timestep if request.timestep is None else request.timestep
        given = {"timestep": timestep, "seed": request.seed, "count": settings.noises}
        with clock("encode"):
            view.latent(backbone)
        with clock("text"):
            backbone.conditioning((settings.reference, *phrases))
        maps, calls = [], 0
        for phrase in phrases:
            with clock("unet"):
                plain, first = predicted_noise(backbone, view, settings.reference, **given)
                worded, second = predicted_noise(backbone, view, phrase, **given)
            with clock("head"):
                maps.append(difference(worded, plain))
            calls += first + second
        logits = np.stack([to_logits(normalised(each), view.fit.network) for each in maps])
        silent = [phrase for phrase, each in zip(phrases, maps, strict=True) if not normalised(each).any()]
        return Evidence(
            logits=logits,
            scores=self._scores(maps, logits),
            found_threshold=self.scoring.found_threshold,
            mask_threshold=self.scoring.mask_threshold,
            calibrated=self.scoring.calibration is not None,
            unet_calls=calls,
            message=_say_empty(silent),
            provenance={"timestep": timestep, "noises": settings.noises, "reference": settings.reference},
        )

    def _scores(self, maps: Sequence[Tensor], logits: np.ndarray) -> np.ndarray:
        """Scores (p,): a map stretched over 0..1 says little of presence, so the default looks at what it was before."""
        rises = np.array([rise(each) for each in maps], np.float32)
        return np.where(rises > 0, self.scoring.scores(logits), 0) if self.scoring.measured else rises


def predicted_noise(
    backbone: "Backbone", view: View, text: str, *, timestep: int, seed: int, count: int
) -> tuple[Float[Tensor, "n c lh lw"], int]:
    """What the model predicts of `count` noised latents under a text, and how many calls of the UNet that took.

    The noises depend on (seed, size) alone, so all texts share them; each text has calls of its own, so that its numbers
    do not depend on what it is asked with. Kept among the features.
    """
    key = FeaturesKey(
        latent=view.latent_key(backbone),
        texts=backbone.conditioning_keys((text,)),
        unet=backbone.state_key("unet"),
        timestep=timestep,
        seed=seed,
        taps=(f"the prediction for {count} noises",),
        dtype=str(backbone.dtype),
    )
    kept = backbone.caches.features.get(key)
    if kept is not None:
        return kept, 0
    latent = view.latent(backbone)
    noise = seeded_noise(seed, (count, *latent.shape[1:]), latent.device, latent.dtype)
    parts = backbone.add_noise(latent, noise, timestep).chunk(-(-count // _rows(view, backbone)))
    context = backbone.conditioning((text,))
    predictions = torch.cat([backbone.predict(part, timestep, context.expand(len(part))) for part in parts])
    backbone.caches.features.put(key, predictions)
    return predictions, len(parts)


def difference(worded: Float[Tensor, "n c lh lw"], plain: Float[Tensor, "n c lh lw"]) -> Float[Tensor, "lh lw"]:
    """Mean absolute difference over noises and channels, in float32."""
    return (worded.float() - plain.float()).abs().mean(dim=(0, 1))


def normalised(difference: Float[Tensor, "lh lw"]) -> Float[Tensor, "lh lw"]:
    """The map in 0..1: clipped at three times its mean, divided by its largest value.

    One that is the same everywhere, or holds a number that is none, says nothing and becomes zeros.
    """
    low, high = difference.min(), difference.max()
    if not torch.isfinite(difference).all() or high - low <= 1e-6 * high:
        return torch.zeros_like(difference)
    clipped = difference.clamp(max=CLIP * float(difference.mean()))
    return clipped / clipped.max()


def rise(difference: Float[Tensor, "lh lw"]) -> float:
    """How far the strongest hundredth rises above the mean, 0..1: one half where it is twice the mean."""
    if not normalised(difference).any():
        return 0.0
    high = torch.quantile(difference.flatten(), 0.99)
    return max(0.0, 1.0 - float(difference.mean() / high))


def to_logits(prob: Float[Tensor, "lh lw"], size: Size) -> np.ndarray:
    """A map (0..1) as float32 logits (h w) at the network's size, bilinear; zeros become logits of nothing."""
    if not prob.any():
        return np.full(size, NOTHING, np.float32)
    return to_grid(prob[None], size)[0].clamp(CERTAIN, 1 - CERTAIN).logit().cpu().numpy()


def _rows(view: View, backbone: "Backbone") -> int:
    """Noises a call, so that its memory stays that of `ROWS` at the native size."""
    return max(1, ROWS * backbone.native.area // max(view.fit.network.area, backbone.native.area))


def _say_empty(phrases: Sequence[str]) -> str:
    if not phrases:
        return ""
    quoted = ", ".join(f'"{phrase[:40]}"' for phrase in phrases[:5])
    return (
        f"The words {quoted} change the predicted noise nowhere, or it is not a number, so their maps are empty; try another "
        "timestep, or float32."
    )
