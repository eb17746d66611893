"""Masks from what words attend to: no head, no training, one pass over a picture, nothing extra in a generation.

The UNet's queries are kept, so words asked later cost a key projection a layer (OVAM, arXiv 2403.14291); levels are weighted,
background words compete, and a walk by the decoder's self-attention gives the maps their edges (iSeg, arXiv 2409.03209).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.geometry import Size
from ldznet_ext.harvest.attention import Layer, find_layers, finest_self_attention, grid_of, split_heads
from ldznet_ext.harvest.taps import sort_taps
from ldznet_ext.harvest.wanted import Wanted
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.base import Clock, Evidence, register
from ldznet_ext.segmenters.crossattention import Queries, against_background, blend, levels_of, of_sum_one, token_maps
from ldznet_ext.segmenters.familiarity import texture
from ldznet_ext.segmenters.headless import HeadlessSegmenter, say_unattended
from ldznet_ext.segmenters.prototypes import to_grid
from ldznet_ext.segmenters.scores import dimmed, to_logits
from ldznet_ext.segmenters.selfattention import SelfAttention, walk
from ldznet_ext.segmenters.settings import ATTENTION, AttentionSettings
from ldznet_ext.segmenters.tokens import Prompt, compose, mean_over, states_of
from ldznet_ext.segmenters.view import View, features_key, features_of
from ldznet_ext.shapes import Float

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

NOTHING = -20.0
"""The logit of a word that is not there at all."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read of one picture: queries of each text attention, the walk over the cells of `size`, and the latent."""

    layers: Sequence[Layer]
    queries: Sequence[Queries]
    walker: SelfAttention
    size: Size
    latent: Tensor

    def pooled(self) -> np.ndarray:
        """The mean query of every layer, then the latent's texture (d,): what familiarity looks at."""
        means = [queries.values.float().mean(dim=(0, 2)).flatten() for queries in self.queries]
        return np.concatenate([torch.cat(means).cpu().numpy(), texture(self.latent.float().cpu().numpy())])


@dataclass(frozen=True, eq=False)
class Seen:
    """What the words attend to.

    maps: (p h w) 0..1 where each phrase is if it is anywhere; zeros where nothing can be said. against: (p h w) logits of each
    phrase against the strongest of the background's words.
    """

    maps: Tensor
    against: Tensor


@register("attention")
class AttentionSegmenter(HeadlessSegmenter):
    """Text attention, refined by self-attention, as a method."""

    needs: frozenset[str] = frozenset({"latent", "text", "features"})
    rank: ClassVar[int] = 5
    table = ATTENTION
    settings: AttentionSettings

    def wanted(self, backbone: "Backbone") -> Wanted:
        """Queries of the text attentions and one self-attention, of the last half of the steps."""
        return Wanted(taps=self._taps(backbone), near=None)

    @torch.inference_mode()
    def evidence(
        self, backbone: "Backbone", view: View, phrases: Sequence[str], request: SegmentRequest, clock: Clock
    ) -> Evidence:
        """Maps of the phrases, which compete with `request.exclusive`, and scores, as measured: of each phrase asked alone."""
        with clock("encode"):
            view.latent(backbone)
        with clock("unet"):
            reading, calls = self.read(backbone, view, request)
        alone = [self._seen(backbone, reading, (phrase,), clock) for phrase in phrases]
        competing = request.exclusive and len(phrases) > 1
        seen = [self._seen(backbone, reading, tuple(phrases), clock)] if competing else alone
        with clock("head"):
            return replace(
                self._judge(seen, alone, view, phrases),
                familiar=self._knows(reading, view, request),
                unet_calls=calls,
                provenance=self._provenance(view, request),
            )

    def _seen(self, backbone: "Backbone", reading: Reading, group: tuple[str, ...], clock: Clock) -> Seen:
        """What the phrases of one prompt attend to."""
        with clock("text"):
            prompt, states = self._words(backbone, group)
        with clock("head"):
            return self.look(reading, prompt, states)

    def read(self, backbone: "Backbone", view: View, request: SegmentRequest) -> tuple[Reading, int]:
        """What the method keeps of a picture, and how many passes of the UNet that took."""
        steps, calls = self._steps(backbone, view, request)
        latent = view.latent(backbone)
        cells = Size(*latent.shape[-2:])
        layers, own = self._layers(backbone), finest_self_attention(backbone.unet)
        queries = []
        for layer in layers:
            values = _stacked(steps, layer.q, layer.heads)
            queries.append(Queries(values, grid_of(cells, layer.stride, values.shape[-2]), layer.stride))
        walker = self._walker(backbone, view, request, own, steps)
        return Reading(layers, queries, walker, grid_of(cells, own.stride, walker.cells), latent), calls

    def _walker(
        self,
        backbone: "Backbone",
        view: View,
        request: SegmentRequest,
        own: Layer,
        steps: Sequence[Mapping[str, Tensor]],
    ) -> SelfAttention:
        """The walk over a picture's cells, kept among its features: it is the same for all words."""

        def make() -> SelfAttention:
            q, k = (_stacked(steps, tap, own.heads) for tap in (own.q, own.k))
            return SelfAttention(q, k, sharpen=self.settings.sharpen)

        if view.given_features is not None:
            return make()
        taps = (own.q, own.k, f"a walk sharpened by {self.settings.sharpen}")
        timestep, texts = self._timestep(request), (self.settings.context,)
        key = features_key(backbone, view, texts, taps, timestep=timestep, seed=request.seed)
        return backbone.caches.features.get_or(key, make)

    def look(self, reading: Reading, prompt: Prompt, states: Float[Tensor, "rows tokens d"]) -> Seen:
        """Where the phrases of a prompt are, by its text states."""
        tokens = [
            (queries.stride, token_maps(queries, layer.keys(states)))
            for layer, queries in zip(reading.layers, reading.queries, strict=True)
        ]
        levels = levels_of(tokens)  # stride -> (rows, tokens, h, w)
        pairs = [self._one(reading, levels, group) for group in _groups(prompt)]
        maps, against = zip(*pairs, strict=True)
        return Seen(torch.stack(maps), torch.stack(against))

    def _one(self, reading: Reading, levels: Mapping[int, Tensor], group: Sequence[Sequence]) -> tuple[Tensor, Tensor]:
        """The map (h w) of a phrase, the first of the group, and its logits against the others, its rivals."""
        words = {
            stride: mean_over(maps.flatten(2), group).unflatten(-1, maps.shape[-2:]) for stride, maps in levels.items()
        }
        weights, settings = self.settings.levels, self.settings
        alone = {stride: of_sum_one(maps[:1]) for stride, maps in words.items()}
        start = blend(alone, weights, reading.size).flatten(1)
        walked = walk(start, reading.walker, rounds=settings.rounds, restart=settings.restart)
        shares = reading.walker.spread(blend(words, weights, reading.size).flatten(1)).clamp(min=1e-12).log()
        against = shares[0] - (shares[1:].amax(dim=0) if len(shares) > 1 else 0)
        top = walked.amax().clamp(min=torch.finfo(walked.dtype).tiny)
        return (walked[0] / top).unflatten(-1, reading.size), against.unflatten(-1, reading.size)

    def _judge(self, seen: Sequence[Seen], alone: Sequence[Seen], view: View, phrases: Sequence[str]) -> Evidence:
        """Maps as `seen` against the background, at the network's size, and scores as `alone`; what is not found is dimmed."""
        scoring, maps = self.scoring, to_grid(torch.cat([each.maps for each in seen]), view.fit.network)
        against = torch.cat([each.against for each in alone]).nan_to_num(nan=NOTHING, posinf=NOTHING, neginf=NOTHING)
        says = maps.flatten(1).any(dim=1).cpu().numpy()
        scores = np.where(says, scoring.scores(against.cpu().numpy()), 0).astype(np.float32)
        background = torch.stack([against_background(each[None]) for each in maps])
        prob = (maps / (maps + background)).cpu().numpy()
        return Evidence(
            logits=to_logits(dimmed(prob, scores, scoring.found_threshold)),
            scores=scores,
            found_threshold=scoring.found_threshold,
            mask_threshold=scoring.mask_threshold,
            calibrated=scoring.calibration is not None,
            message=say_unattended([phrase for phrase, some in zip(phrases, says, strict=True) if not some]),
        )

    def _knows(self, reading: Reading, view: View, request: SegmentRequest) -> bool | None:
        """Whether the picture is of the model's kind: one it has just painted is."""
        if self.scoring.familiarity is None or self._timestep(request) != self.settings.timestep:
            return None
        return True if view.given_features is not None else self.scoring.knows(reading.pooled())

    def _provenance(self, view: View, request: SegmentRequest) -> dict[str, object]:
        given = view.given_features is not None
        return {
            "timestep": [round(kept.timestep) for kept in view.given] if given else self._timestep(request),
            "features": "of the generation" if given else "of the picture",
            "rounds": self.settings.rounds,
            "sharpen": self.settings.sharpen,
        }

    def _words(self, backbone: "Backbone", phrases: Sequence[str]) -> tuple[Prompt, Tensor]:
        """The phrases among their rivals, and the text states of that."""
        prompt = compose(backbone.token_ids, phrases, self.settings.template.without(phrases))
        return prompt, states_of(backbone, prompt, self.settings.boost)

    def _steps(
        self, backbone: "Backbone", view: View, request: SegmentRequest
    ) -> tuple[Sequence[Mapping[str, Tensor]], int]:
        """Queries by tap, of each step that a generation left, or of one pass under a neutral text."""
        if view.given_features is not None:
            return [kept.features for kept in view.given], 0
        context, taps = (self.settings.context,), self._taps(backbone)
        features, calls = features_of(
            backbone, view, context, taps, timestep=self._timestep(request), seed=request.seed
        )
        return [features], calls

    def _timestep(self, request: SegmentRequest) -> int:
        return self.settings.timestep if request.timestep is None else request.timestep

    def _layers(self, backbone: "Backbone") -> list[Layer]:
        layers = find_layers(backbone.unet, "attn2", self.settings.places, every=False)
        return [layer for layer in layers if layer.stride in self.settings.levels]

    def _taps(self, backbone: "Backbone") -> tuple[str, ...]:
        own = finest_self_attention(backbone.unet)
        return sort_taps([own.q, own.k, *(layer.q for layer in self._layers(backbone))])


def _stacked(steps: Sequence[Mapping[str, Tensor]], tap: str, heads: int) -> Float[Tensor, "steps heads n d"]:
    return split_heads(torch.cat([features[tap] for features in steps]), heads)


def _groups(prompt: Prompt) -> list[list[list]]:
    """For each phrase its spans, then the spans of each rival in the phrase's own rows."""
    count = len(prompt.rivals) // len(prompt.texts)
    groups = []
    for spans in prompt.phrases:
        rows = dict.fromkeys(span.row for span in spans)
        rivals = [[prompt.rivals[row * count + index] for row in rows] for index in range(count)]
        groups.append([list(spans), *rivals])
    return groups
