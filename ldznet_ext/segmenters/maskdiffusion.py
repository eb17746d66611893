"""MaskDiffusion (arXiv 2403.11194) without any training: text attention gives prototypes, features find what is like them.

One pass of the UNet over a picture serves any number of names: its features and its queries are kept, and names asked later
cost a key projection each. The authors' features went through projections trained on COCO; ours are the UNet's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.harvest.attention import Layer, find_layers
from ldznet_ext.harvest.wanted import Wanted
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.background import background_prototypes, unclaimed
from ldznet_ext.segmenters.base import Clock, Evidence, register
from ldznet_ext.segmenters.headless import HeadlessSegmenter
from ldznet_ext.segmenters.maskdiffusion_settings import MASKDIFFUSION, MaskDiffusionSettings
from ldznet_ext.segmenters.prototypes import TINY, likeness, peaked, prototypes, to_grid
from ldznet_ext.segmenters.scenery import Scenery, scenery_of
from ldznet_ext.segmenters.scores import Scoring, scoring_for
from ldznet_ext.segmenters.settings import for_family
from ldznet_ext.segmenters.tokens import compose, states_of
from ldznet_ext.segmenters.view import View
from ldznet_ext.segmenters.word_maps import word_maps
from ldznet_ext.shapes import Float

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

NOTHING = -40.0
"""The logit of a map that says nothing: its probability is 0 exactly, in float32."""


@dataclass(frozen=True)
class Likeness:
    """What the cells of a picture are like.

    names: (p h w) like each name, in [-1, 1]. background: (h w) like the likeliest of what is none of them. against: (p h w)
    logits of each name's share of the attention against the strongest of its rivals'.
    """

    names: Float[Tensor, "p h w"]
    background: Float[Tensor, "h w"]
    against: Float[Tensor, "p h w"]

    def logits(self, sharpness: float, exclusive: bool) -> Float[Tensor, "p h w"]:
        """Each name against the background, or where names exclude one another against the likeliest of all others."""
        rivals = self.background.expand_as(self.names)
        if exclusive and len(self.names) > 1:
            rivals = torch.maximum(rivals, largest_other(self.names))
        return sharpness * (self.names - rivals)

    def nothing(self, sharpness: float) -> Float[Tensor, "h w"]:
        """The background against the likeliest name."""
        return sharpness * (self.background - self.names.amax(dim=0))


@register("maskdiffusion")
class MaskDiffusionSegmenter(HeadlessSegmenter):
    """MaskDiffusion as a method."""

    needs = frozenset({"text", "latent", "features"})
    rank: ClassVar[int] = 4

    def __init__(self, settings: MaskDiffusionSettings, scoring: Scoring | None = None) -> None:
        self.settings = settings
        self.scoring = scoring or Scoring()

    @classmethod
    def for_model(cls, backbone: "Backbone") -> "MaskDiffusionSegmenter":
        """With the settings of the model's family, and the scores measured for it."""
        return cls(for_family(MASKDIFFUSION, backbone.family), scoring_for(cls.name, backbone.family))

    def wanted(self, backbone: "Backbone") -> Wanted:
        """Features and queries of the step with the least noise: the paper's t = 1 is the end of a generation."""
        taps = (*self.settings.features, *(layer.q for layer in self._layers(backbone)))
        return Wanted(taps=taps, near=float(self.settings.timestep), accept=(0.0, 300.0))

    @torch.inference_mode()
    def evidence(
        self, backbone: "Backbone", view: View, phrases: Sequence[str], request: SegmentRequest, clock: Clock
    ) -> Evidence:
        """Maps and scores of the phrases, each against the background or, where they exclude one another, also the rest."""
        layers = self._layers(backbone)
        with clock("encode"):
            view.latent(backbone)
        with clock("unet"):
            scenery = self._scenery(backbone, view, layers, request)
        if scenery.fault:
            return _nothing(scenery, view, len(phrases), request)
        together = [tuple(phrases)] if request.exclusive else [(phrase,) for phrase in phrases]
        return self._judge(
            [self._likeness(backbone, scenery, layers, names, clock) for names in together], scenery, view, request
        )

    def _judge(self, likes: Sequence[Likeness], scenery: Scenery, view: View, request: SegmentRequest) -> Evidence:
        """Maps at the network's size; scores from the attention alone, which every feature is like something of."""
        sharpness, size = self.settings.sharpness, view.fit.network
        logits = torch.cat([like.logits(sharpness, request.exclusive) for like in likes])
        against = torch.cat([like.against for like in likes])
        return Evidence(
            logits=to_grid(logits, size).cpu().numpy(),
            scores=self.scoring.scores(against.cpu().numpy()),
            found_threshold=self.scoring.found_threshold,
            mask_threshold=self.scoring.mask_threshold,
            calibrated=self.scoring.calibration is not None,
            unet_calls=scenery.calls,
            background=to_grid(likes[0].nothing(sharpness)[None], size)[0].cpu().numpy() if request.exclusive else None,
            provenance={
                "timestep": scenery.timestep,
                "features": "of the generation" if view.given_features and not scenery.calls else "of the picture",
                "windows": scenery.windows,
                "values": self.settings.values,
                "measure": self.settings.measure,
            },
        )

    def _layers(self, backbone: "Backbone") -> list[Layer]:
        return find_layers(backbone.unet, "attn2", self.settings.places, every=False)

    def _scenery(self, backbone: "Backbone", view: View, layers: list[Layer], request: SegmentRequest) -> Scenery:
        timestep = self.settings.timestep if request.timestep is None else request.timestep
        return scenery_of(
            backbone,
            view,
            self.settings.features,
            layers,
            timestep=timestep,
            seed=request.seed,
            largest=self.settings.largest,
        )

    def _likeness(
        self, backbone: "Backbone", scenery: Scenery, layers: list[Layer], names: tuple[str, ...], clock: Clock
    ) -> Likeness:
        """Eqs. 3-6 for names that compete with each other and with the background's words."""
        settings = self.settings
        with clock("text"):
            prompt = compose(backbone.token_ids, names, settings.template.without(names))
            states = states_of(backbone, prompt)
        with clock("head"):
            groups = [*prompt.phrases, *([span] for span in prompt.rivals if span.row == 0)]
            shares, values = (
                word_maps(layers, scenery.queries, states, groups, scenery.size, kind)
                for kind in ("softmax", settings.values)
            )
            maps = peaked(values[: len(names)])
            kinds = prototypes(scenery.features, maps)
            others = background_prototypes(scenery.features, unclaimed(maps), settings.backgrounds)
            return Likeness(
                names=likeness(scenery.features, kinds, settings.measure),
                background=likeness(scenery.features, others, settings.measure).amax(dim=0),
                against=against(shares)[: len(names)],
            )


def against(shares: Float[Tensor, "k h w"]) -> Float[Tensor, "k h w"]:
    """Logits of each share of the attention against the largest other one."""
    logs = shares.clamp(min=TINY).log()
    return logs - (largest_other(logs) if len(logs) > 1 else 0)


def largest_other(likes: Float[Tensor, "p h w"]) -> Float[Tensor, "p h w"]:
    """At each place of each map the largest value that the other maps have there."""
    first, second = likes.topk(2, dim=0).values
    return torch.where(likes == first, second, first)


def _nothing(scenery: Scenery, view: View, count: int, request: SegmentRequest) -> Evidence:
    """Maps of zeros, scores of zero, and why."""
    return Evidence(
        logits=np.full((count, *view.fit.network), NOTHING, np.float32),
        scores=np.zeros(count, np.float32),
        unet_calls=scenery.calls,
        background=np.full(view.fit.network, -NOTHING, np.float32) if request.exclusive else None,
        message=f"The diffusion model's features of this picture {scenery.fault}, so nothing can be told apart in it; try "
        "another picture, another timestep, or float32.",
        provenance={"timestep": scenery.timestep, "windows": scenery.windows},
    )
