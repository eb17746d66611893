"""What the report and its judges cannot do themselves, as types: `tools.py` has the real ones, tests their fakes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from ldznet_ext.eval import datasets
from ldznet_ext.eval.classes import Label, Named
from ldznet_ext.eval.example import Example
from ldznet_ext.eval.judge import Judge
from ldznet_ext.eval.like import Search
from ldznet_ext.eval.plan import Budget
from ldznet_ext.eval.run import Segment

Measured = dict[str, object]
"""Numbers as plain JSON types."""

Trial = Callable[[Sequence[Named]], Measured]
"""Scores of some pictures labelled by one variant of a method."""

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
class Untrained:
    """Methods without a head around one loaded model, each by its name.

    segment: words to maps. label: names to labels, the head that ships among them. search: how an example is given ("mask",
    "click") to what is like it. trials: variants of MaskDiffusion. costs: rows of calls and GFLOP at SD 1.5's size. marks: change
    with a method's settings and with the scores measured for it; a cell of older ones is computed again. calibrated: whether
    scores were measured. settings: those the trials change, in words.
    """

    segment: Mapping[str, Segment] = field(default_factory=dict)
    label: Mapping[str, Label] = field(default_factory=dict)
    search: Mapping[str, Search] = field(default_factory=dict)
    trials: Mapping[str, Trial] = field(default_factory=dict)
    costs: Callable[[], Sequence[Mapping[str, object]]] | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    calibrated: Mapping[str, bool] = field(default_factory=dict)
    settings: str = ""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What the report cannot do itself.

    `train(kind, seed, budget, out)` writes a head to `out`, going on where a killed training was. `open(head,
    refine)` gives its segmenter. `redraw(picture, caption, strength, seed)` is img2img, None where there is no
    generator. `shipped` is the head that ships, None where there is none. `model` names the diffusion model's weights.
    `paint`, `repaint`, `find` and `reconstruct` are what the model itself does, `judge` the classifier that looks at it.
    `untrained` are the methods without a head.
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
    untrained: Untrained = field(default_factory=Untrained)
