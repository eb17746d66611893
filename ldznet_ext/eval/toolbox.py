"""What the report and its judges cannot do themselves, as types: `tools.py` has the real ones, tests their fakes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ldznet_ext.eval import datasets
from ldznet_ext.eval.example import Example
from ldznet_ext.eval.judge import Judge
from ldznet_ext.eval.plan import Budget
from ldznet_ext.eval.run import Segment

Reconstruct = Callable[[np.ndarray], np.ndarray]
"""A picture (uint8 h w 3), encoded and decoded."""


class Generate(Protocol):
    """Pictures (b h w 3) uint8 of some prompts, each from its own seed."""

    def __call__(self, prompts: Sequence[str], seeds: Sequence[int]) -> np.ndarray: ...


class Find(Protocol):
    """The mask (bool h w) of some words on a picture (uint8 h w 3); empty when they are not found."""

    def __call__(self, picture: np.ndarray, words: str) -> np.ndarray: ...


class Repaint(Protocol):
    """The picture (uint8 h w 3) with its mask (bool h w, not empty) repainted from a prompt."""

    def __call__(self, picture: np.ndarray, mask: np.ndarray, prompt: str, seed: int) -> np.ndarray: ...


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What the report cannot do itself.

    `train(kind, seed, budget, out)` writes a head to `out`, going on where a killed training was. `open(head,
    refine)` gives its segmenter. `redraw(picture, caption, strength, seed)` is img2img, None where there is no
    generator. `shipped` is the head that ships, None where there is none. `model` names the diffusion model's weights.
    `paint`, `repaint`, `find` and `reconstruct` are what the model itself does, `judge` the classifier that looks at it.
    """

    train: Callable[[str, int, Budget, Path], None]
    open: Callable[[Path, bool], Segment]
    redraw: Callable[[np.ndarray, str, float, int], np.ndarray] | None = None
    shipped: Path | None = None
    model: str = ""
    load: Callable[[str, int | None], Sequence[Example]] = datasets.load
    paint: Generate | None = None
    repaint: Repaint | None = None
    find: Find | None = None
    reconstruct: Reconstruct | None = None
    judge: Judge | None = None
