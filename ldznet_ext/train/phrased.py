"""Scenes with a few of their phrases and exact masks: what the heads learn from."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ldznet_ext.geometry import Box
from ldznet_ext.train.contrast import areas
from ldznet_ext.train.latents import CELL, pixels_of
from ldznet_ext.train.windows import any_window
from ldznet_ext.world.captions import caption
from ldznet_ext.world.phrases import (
    ABSENT,
    ABSENT_SAME_GROUP,
    GROUP,
    OBJECT,
    REFERRING,
    STUFF,
    SYNONYM,
    Phrase,
    phrases,
)
from ldznet_ext.world.scenes import Scene, cut_out, scene

WEIGHTS = {OBJECT: 6.0, SYNONYM: 1.5, GROUP: 1.0, REFERRING: 2.0, STUFF: 1.2, ABSENT: 1.2, ABSENT_SAME_GROUP: 1.8}
"""How often a kind is asked for, relative to the others that a scene has."""
SLIVER = 0.02
"""Less of a thing or region than this is not asked for, nor is it part of a window's caption."""


class PhrasedScenes(Dataset):
    """{"pixels": float32 3 s s, "masks": float32 k s s, "phrases": k words, "caption": words}; absent masks are empty.

    `window` > 0 shows the `window` pixels around one object in place of the whole scene of `size`. `kinds`: other weights than
    `WEIGHTS` for some kinds of phrases. `labels` adds "areas": float32 names s/8 s/8, what every latent cell shows.

    `latents` (scenes 4 h w), the encoded scenes of this seed from the first on with the `known` objects in them, takes the
    place of "pixels" by "latent": float32 4 s/8 s/8, and the index wraps around. What shows an object that is held out from
    the heads is passed over.
    """

    def __init__(
        self,
        *,
        seed: int,
        size: int,
        styles: tuple[str, ...] | None,
        each: int,
        split: str = "train",
        window: int = 0,
        kinds: Mapping[str, float] | None = None,
        labels: bool = False,
        latents: Tensor | None = None,
    ) -> None:
        self.seed, self.size, self.styles, self.each, self.split = seed, size, styles, each, split
        self.window, self.weights = window, {**WEIGHTS, **(kinds or {})}
        self.labels, self.latents = labels, latents

    def __getitem__(self, index: int) -> dict[str, Any]:
        place, painted, box = self._view(index)
        chosen = choose(phrases(painted), self.each, np.random.default_rng([self.seed, index, 7]), self.weights)
        item = {
            "masks": torch.stack([mask_of(phrase, self.window or self.size) for phrase in chosen]),
            "phrases": [phrase.text for phrase in chosen],
            "caption": caption(painted),
        }
        if self.labels:
            item["areas"] = areas(painted)
        if self.latents is None:
            return {"pixels": pixels_of(painted.picture), **item}
        cells = (slice(box.y0 // CELL, box.y1 // CELL), slice(box.x0 // CELL, box.x1 // CELL))
        return {"latent": self.latents[place][(slice(None), *cells)].float(), **item}

    def _view(self, index: int) -> tuple[int, Scene, Box]:
        """The number of a scene, what is shown of it, and where that lies."""
        if self.latents is None:
            return index, *self._part(index, index, "named")
        for place in count(index):
            place %= len(self.latents)
            painted, box = self._part(place, index, "known")
            if all(thing.concept.set == "named" for thing in painted.objects):
                return place, painted, box
        raise AssertionError("count() has no end")

    def _part(self, place: int, index: int, concepts: str) -> tuple[Scene, Box]:
        painted = scene(self.seed, place, split=self.split, styles=self.styles, concepts=concepts, size=self.size)
        if not self.window:
            return painted, Box(0, 0, self.size, self.size)
        box = any_window(painted, self.window, np.random.default_rng([self.seed, index, 8]))
        return cut_out(painted, box, keep=SLIVER, region=SLIVER), box


def choose(
    options: list[Phrase], count: int, rng: np.random.Generator, kinds: Mapping[str, float] = WEIGHTS
) -> list[Phrase]:
    """`count` phrases, kinds weighted, without repetition while there are enough."""
    weights = np.array([kinds[phrase.kind] for phrase in options])
    picks = rng.choice(len(options), count, replace=len(options) < count, p=weights / weights.sum())
    return [options[i] for i in picks]


def mask_of(phrase: Phrase, size: int) -> Tensor:
    """The mask as float32 (s s); zeros for what is absent."""
    return torch.zeros(size, size) if phrase.mask is None else torch.from_numpy(phrase.mask.astype(np.float32))
