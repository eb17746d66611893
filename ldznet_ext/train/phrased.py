"""Scenes with a few of their phrases and exact masks: what the heads learn from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ldznet_ext.train.latents import pixels_of
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
from ldznet_ext.world.scenes import cut_out, scene

WEIGHTS = {OBJECT: 6.0, SYNONYM: 1.5, GROUP: 1.0, REFERRING: 2.0, STUFF: 1.2, ABSENT: 1.2, ABSENT_SAME_GROUP: 1.8}
"""How often a kind is asked for, relative to the others that a scene has."""
SLIVER = 0.02
"""Less of a thing or region than this is not asked for, nor is it part of a window's caption."""


class PhrasedScenes(Dataset):
    """{"pixels": float32 3 s s, "masks": float32 k s s, "phrases": k words, "caption": words}; absent masks are empty.

    `window` > 0 shows the `window` pixels around one object in place of the whole scene of `size`. `kinds`: other weights than
    `WEIGHTS` for some kinds of phrases.
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
    ) -> None:
        self.seed, self.size, self.styles, self.each, self.split = seed, size, styles, each, split
        self.window, self.weights = window, {**WEIGHTS, **(kinds or {})}

    def __getitem__(self, index: int) -> dict[str, Any]:
        painted = scene(self.seed, index, split=self.split, styles=self.styles, size=self.size)
        if self.window:
            box = any_window(painted, self.window, np.random.default_rng([self.seed, index, 8]))
            painted = cut_out(painted, box, keep=SLIVER, region=SLIVER)
        chosen = choose(phrases(painted), self.each, np.random.default_rng([self.seed, index, 7]), self.weights)
        return {
            "pixels": pixels_of(painted.picture),
            "masks": torch.stack([mask_of(phrase, self.window or self.size) for phrase in chosen]),
            "phrases": [phrase.text for phrase in chosen],
            "caption": caption(painted),
        }


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
