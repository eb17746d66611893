"""Teach the descending side of a head the names of things, before the head learns masks: `ldznet train names`.

Masks alone teach names slowly; see `contrast`. Here only the input blocks run, on windows of cached latents, which is a
sixth of the cost of a head's step, and every cell of every window is a lesson.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from ldznet_ext.errors import OptionError
from ldznet_ext.nets.znet import ZNet
from ldznet_ext.train.contrast import PLACES, Vocabulary, contrast, descend, names, numbers, shares, shown_in
from ldznet_ext.train.head import HeadTask
from ldznet_ext.train.latents import CELL
from ldznet_ext.train.recipe import Phase, Recipe
from ldznet_ext.train.windows import window_around
from ldznet_ext.weights import save_head
from ldznet_ext.world.concepts import held_out
from ldznet_ext.world.scenes import scene

MOST = 6
"""Objects and regions that a scene has at most."""
HELD_OUT, NOTHING = -1, -2


class Labels:
    """What every latent cell of the cached scenes shows: `number` int16 (scenes MOST), `share` uint8 (scenes MOST h w) in pixels.

    Kept in a file beside the latents, because painting takes as long as learning.
    """

    def __init__(self, folder: Path, *, seed: int, size: int, count: int) -> None:
        path = folder / f"cells_{size}_{seed}_{count}.npz"
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            np.savez(path, **_labels(seed, size, count))
        kept = np.load(path)
        self.number, self.share = kept["number"], kept["share"]


def _labels(seed: int, size: int, count: int) -> dict[str, np.ndarray]:
    number = np.full((count, MOST), NOTHING, np.int16)
    share = np.zeros((count, MOST, size // CELL, size // CELL), np.uint8)
    hidden = {concept.name for concept in held_out()}
    for index in tqdm(range(count), desc=f"labels of {count} scenes at {size}"):
        painted = scene(seed, index, concepts="known", size=size)
        for row, (name, mask) in enumerate(shown_in(painted)):
            number[index, row] = HELD_OUT if name in hidden else numbers()[name]
            share[index, row] = np.round(shares(mask) * CELL**2)
    return {"number": number, "share": share}


class NamedWindows(Dataset):
    """{"latent": float32 4 w w, "areas": float32 names w w} of windows of `window` pixels around one object each.

    Windows that show an object held out from the heads are passed over.
    """

    def __init__(self, latents: Tensor, labels: Labels, *, seed: int, window: int) -> None:
        self.latents, self.labels, self.seed, self.window = latents, labels, seed, window
        objects = (labels.number >= 0) & (labels.number < numbers()["grass"])
        self.things = np.argwhere(objects & (labels.share.max((2, 3)) > 0))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, index, 9])
        while True:
            place, row = self.things[rng.integers(len(self.things))]
            top, left, side = self._window(self.labels.share[place, row], rng)
            window = (slice(top, top + side), slice(left, left + side))
            number, share = self.labels.number[place], self.labels.share[place][(slice(None), *window)]
            if share[number == HELD_OUT].max(initial=0) == 0:
                latent = self.latents[place][(slice(None), *window)].float()
                return {"latent": latent, "areas": _filled(number, share)}

    def _window(self, share: np.ndarray, rng: np.random.Generator) -> tuple[int, int, int]:
        """Top, left and side, in cells."""
        size, weight = share.shape[0], share.astype(np.float64)
        cells = (np.arange(size) + 0.5) / size
        centre = (weight.sum(1) @ cells / weight.sum(), weight.sum(0) @ cells / weight.sum())
        box = window_around(centre, size * CELL, self.window or size * CELL, rng)
        return box.y0 // CELL, box.x0 // CELL, (box.y1 - box.y0) // CELL


def _filled(number: np.ndarray, share: np.ndarray) -> Tensor:
    """Areas (names h w) of one window's rows."""
    filled = torch.zeros(len(names()), *share.shape[1:])
    for row in np.flatnonzero(number >= 0):
        filled[int(number[row])] += torch.from_numpy(share[row].astype(np.float32) / CELL**2)
    return filled


class Descent(nn.Module):
    """The input blocks of a head, up to the last that is taught."""

    def __init__(self, head: ZNet) -> None:
        super().__init__()
        self.blocks = head.input_blocks[: PLACES[-1] + 1]
        self.time_embed = head.time_embed
        self._head = [head]  # in a list, so that the rest of it is no part of this module

    def forward(self, latent: Tensor, context: Tensor) -> dict[int, Tensor]:
        return descend(self._head[0], latent, context)


class NamesTask(HeadTask):
    """Which of all names each cell of a latent shows, told by the text attentions' own queries and keys."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.whole = self.module
        self.words = Vocabulary.read(self.states, self.painter.tokens)
        self.module = Descent(self.whole)

    @property
    def head(self) -> ZNet:
        """The whole of the head, most of which waits."""
        return self.whole

    def dataset(self, phase: Phase) -> Dataset:
        latents = self.cached(phase.size)
        if latents is None:
            raise OptionError(f"The recipe caches no latents of {phase.size} pixels, so give `cache` in its [data].")
        labels = Labels(self.cache, seed=self.recipe.seed, size=phase.size, count=len(latents))
        return NamedWindows(latents, labels, seed=self.recipe.seed, window=phase.window)

    def loss(self, batch: dict[str, Any], noise: torch.Generator, progress: float) -> dict[str, Tensor]:
        latent = batch["latent"]
        queries = self.module(latent, self.words.texts(len(latent), noise).to(latent.device))
        loss, right = contrast(self.whole, queries, self.words.draw(noise), batch["areas"])
        return {"loss": loss, "named": right}

    def sheet(self) -> np.ndarray | None:
        return None

    def export(self, folder: Path, recipe: Recipe) -> None:
        """Write `<kind>-start.safetensors`, for a head recipe's `start`."""
        save_head(folder / f"{self.whole.kind}-start.safetensors", self.whole.state_dict(), self.info(recipe), None)
