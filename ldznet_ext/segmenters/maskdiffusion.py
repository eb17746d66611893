"""MaskDiffusion (arXiv 2403.11194) without any training: text attention gives prototypes, features find what is like them.

One pass of the UNet over a picture serves any number of names: its features and its queries are kept, and names asked later
cost a key projection each. The authors' features went through projections trained on COCO; ours are the UNet's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.harvest.attention import Layer, find_layers
from ldznet_ext.harvest.wanted import Wanted
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.background import background_prototypes, unclaimed
from ldznet_ext.segmenters.base import Clock, Evidence, register
from ldznet_ext.segmenters.familiarity import texture
from ldznet_ext.segmenters.headless import HeadlessSegmenter, say_fault, say_unattended
from ldznet_ext.segmenters.maskdiffusion_settings import MASKDIFFUSION, MaskDiffusionSettings
from ldznet_ext.segmenters.prototypes import TINY, Values, focused, likeness, peaked, prototypes, to_grid
from ldznet_ext.segmenters.scenery import Scenery, scenery_of
from ldznet_ext.segmenters.tokens import Prompt, compose, states_of
from ldznet_ext.segmenters.view import View
from ldznet_ext.segmenters.word_maps import word_maps
from ldznet_ext.shapes import Bool, Float

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

NOTHING = -40.0
"""The logit of a map that says nothing: its probability is 0 exactly, in float32."""
FLAT = 1e-5
"""Logits of a share that differ by less are those of one that is the same everywhere, but for rounding."""


@dataclass(frozen=True)
class Likeness:
    """How much cells are like each name (p h w), and like the likeliest of what is none of them (h w), in [-1, 1]."""

    names: Float[Tensor, "p h w"]
    background: Float[Tensor, "h w"]

    def logits(self, sharpness: float) -> Float[Tensor, "p h w"]:
        """Each name against the likeliest of all others, the background among them."""
        rivals = self.background.expand_as(self.names)
        if len(self.names) > 1:
            rivals = torch.maximum(rivals, largest_other(self.names))
        return sharpness * (self.names - rivals)

    def nothing(self, sharpness: float) -> Float[Tensor, "h w"]:
        """The background against the likeliest name."""
        return sharpness * (self.background - self.names.amax(dim=0))


@dataclass(frozen=True)
class Reading:
    """What was read of one picture, ready for names."""

    backbone: "Backbone"
    scenery: Scenery
    layers: Sequence[Layer]
    settings: MaskDiffusionSettings
    latent: Tensor

    def pooled(self) -> np.ndarray:
        """The mean query of every layer, then the latent's texture (d,): what familiarity looks at."""
        means = [self.scenery.queries[layer.q].float().mean(dim=(1, 2)) for layer in self.layers]
        return np.concatenate([torch.cat(means).cpu().numpy(), texture(self.latent.float().cpu().numpy())])

    def prompt(self, names: Sequence[str]) -> Prompt:
        """The names among the background's words, in one text or each in its own."""
        template = self.settings.template.without(names)
        if self.settings.together:
            return compose(self.backbone.token_ids, names, template)
        words = (*names, *template.rivals)
        return compose(self.backbone.token_ids, words, replace(template, rivals=()), together=False)

    def maps(self, names: Sequence[str], values: Values) -> Float[Tensor, "k h w"]:
        """Attention to each name, then to each of the background's words that compete with them."""
        prompt = self.prompt(names)
        groups = [*prompt.phrases, *([span] for span in prompt.rivals if span.row == 0)]
        states = states_of(self.backbone, prompt)
        return word_maps(self.layers, self.scenery.queries, states, groups, self.scenery.size, values)

    def likeness(self, names: Sequence[str]) -> Likeness:
        """Eqs. 3-6 for names that compete; a single one has the picture's other things to compete with."""
        features, settings = self.scenery.features, self.settings
        weigh = focused if settings.focused else peaked
        maps = weigh(self.maps(names, settings.values))[: len(names)]
        kinds = prototypes(features, maps)
        others = background_prototypes(features, unclaimed(maps), settings.backgrounds if len(names) == 1 else 1)
        return Likeness(
            names=likeness(features, kinds, settings.measure),
            background=likeness(features, others, settings.measure).amax(dim=0),
        )

    def against(self, name: str) -> Float[Tensor, "h w"]:
        """Logits of a name's share of the attention against the largest of the background's words': is it there at all?"""
        logs = self.maps([name], "softmax").clamp(min=TINY).log()
        return logs[0] - (logs[1:].amax(dim=0) if len(logs) > 1 else 0)


@register("maskdiffusion")
class MaskDiffusionSegmenter(HeadlessSegmenter):
    """MaskDiffusion as a method."""

    needs = frozenset({"text", "latent", "features"})
    rank: ClassVar[int] = 4
    table = MASKDIFFUSION
    settings: MaskDiffusionSettings

    def wanted(self, backbone: "Backbone") -> Wanted:
        """Features and queries of the step with the least noise: the paper's t = 1 is the end of a generation."""
        taps = (*self.settings.features, *(layer.q for layer in self._layers(backbone)))
        return Wanted(taps=taps, near=float(self.settings.timestep), accept=(0.0, 300.0))

    @torch.inference_mode()
    def evidence(
        self, backbone: "Backbone", view: View, phrases: Sequence[str], request: SegmentRequest, clock: Clock
    ) -> Evidence:
        """Maps and scores of the phrases, each against the background or, where they exclude one another, also the rest."""
        with clock("encode"):
            view.latent(backbone)
        with clock("unet"):
            reading, calls = self.read(backbone, view, request)
        with clock("text"):
            for group in (*([phrases] if request.exclusive else ()), *([phrase] for phrase in phrases)):
                backbone.conditioning(reading.prompt(group).texts)
        with clock("head"):
            seen = self._judge(reading, view, tuple(phrases), request.exclusive)
        return replace(seen, familiar=self._knows(reading), unet_calls=calls, provenance=self._provenance(reading))

    def read(self, backbone: "Backbone", view: View, request: SegmentRequest) -> tuple[Reading, int]:
        """What the method keeps of a picture, and how many passes of the UNet that took."""
        settings, layers = self.settings, self._layers(backbone)
        timestep = settings.timestep if request.timestep is None else request.timestep
        asked = {"timestep": timestep, "seed": request.seed, "largest": settings.largest}
        scenery = scenery_of(backbone, view, settings.features, layers, **asked)
        return Reading(backbone, scenery, layers, settings, view.latent(backbone)), scenery.calls

    def _judge(self, reading: Reading, view: View, names: tuple[str, ...], exclusive: bool) -> Evidence:
        """Maps at the network's size; scores from the attention to each name alone, so that no other name changes them."""
        if reading.scenery.fault:
            return _nothing(reading.scenery.fault, view, len(names), exclusive)
        sharpness, size, scoring = self.settings.sharpness, view.fit.network, self.scoring
        likes = [reading.likeness(group) for group in ([names] if exclusive else [(name,) for name in names])]
        logits = torch.cat([like.logits(sharpness) for like in likes])
        against = torch.stack([reading.against(name) for name in names])
        says = tells(against)
        logits = torch.where(says[:, None, None], logits, NOTHING)
        odds = against.nan_to_num(nan=NOTHING, posinf=NOTHING, neginf=NOTHING).cpu().numpy()
        return Evidence(
            logits=to_grid(logits, size).cpu().numpy(),
            scores=np.where(says.cpu().numpy(), scoring.scores(odds), 0).astype(np.float32),
            found_threshold=scoring.found_threshold,
            mask_threshold=scoring.mask_threshold,
            calibrated=scoring.calibration is not None,
            background=to_grid(likes[0].nothing(sharpness)[None], size)[0].cpu().numpy() if exclusive else None,
            message=say_unattended([name for name, some in zip(names, says.tolist(), strict=True) if not some]),
        )

    def _knows(self, reading: Reading) -> bool | None:
        """Whether the picture is of the model's kind: one it has just painted is."""
        if self.scoring.familiarity is None:
            return None
        if reading.scenery.given:
            return True
        return self.scoring.knows(reading.pooled()) if reading.scenery.timestep == self.settings.timestep else None

    def _provenance(self, reading: Reading) -> dict[str, object]:
        return {
            "timestep": reading.scenery.timestep,
            "features": "of the generation" if reading.scenery.given else "of the picture",
            "windows": reading.scenery.windows,
            "values": self.settings.values,
            "measure": self.settings.measure,
        }

    def _layers(self, backbone: "Backbone") -> list[Layer]:
        return find_layers(backbone.unet, "attn2", self.settings.places, every=False)


def largest_other(likes: Float[Tensor, "p h w"]) -> Float[Tensor, "p h w"]:
    """At each place of each map the largest value that the other maps have there."""
    first, second = likes.topk(2, dim=0).values
    return torch.where(likes == first, second, first)


def tells(against: Float[Tensor, "p h w"]) -> Bool[Tensor, " p"]:
    """Which of these logits say something: finite ones that are not the same everywhere."""
    cells = against.flatten(1)
    return torch.isfinite(cells).all(dim=1) & (cells.amax(dim=1) - cells.amin(dim=1) > FLAT)


def _nothing(fault: str, view: View, count: int, exclusive: bool) -> Evidence:
    """Maps of zeros, scores of zero, and why."""
    size = view.fit.network
    return Evidence(
        logits=np.full((count, *size), NOTHING, np.float32),
        scores=np.zeros(count, np.float32),
        background=np.full(size, -NOTHING, np.float32) if exclusive else None,
        message=say_fault(fault),
    )
