"""Mask by example: one object is marked in a picture, and what looks like it is found, in this picture or another.

The prototype of arXiv 2403.11194, Table 7, taken from a person's mask: features of the diffusion model under no words, those
that enter the decoder's residual blocks, each level at length one, compared with what surrounds the example.
"""

import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ldznet_ext.errors import MethodError
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.locate import find_strides
from ldznet_ext.harvest.wanted import Wanted
from ldznet_ext.masks.imaging import stretch
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.base import Clock, Evidence, register
from ldznet_ext.segmenters.discriminant import Discriminant, learn
from ldznet_ext.segmenters.growth import grow
from ldznet_ext.segmenters.headless import say_fault
from ldznet_ext.segmenters.matching import Parts, parts_of
from ldznet_ext.segmenters.prototypes import fault_of, joined, to_grid
from ldznet_ext.segmenters.scores import Scoring, scoring_for
from ldznet_ext.segmenters.settings import for_family
from ldznet_ext.segmenters.view import View, features_of, look
from ldznet_ext.shapes import Float

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

NO_WORDS = ""
NOTHING = -40.0
"""The logit of a map that says nothing: its probability is 0 exactly, in float32."""


@dataclass(frozen=True, kw_only=True)
class ExampleSettings:
    """strides: the levels whose features are compared, by the side of a cell in latent cells. timestep: 0..999."""

    strides: tuple[int, ...]
    timestep: int


REAL = ExampleSettings(strides=(8, 4, 2), timestep=50)
"""The levels that arXiv 2403.11194 finds best for clustering (23.3 against 20.3 without stride 2); the noise of a clean
picture nearly, as there, but so much that the model has learnt to expect it."""
SETTINGS: dict[str, ExampleSettings] = {
    "sd1": REAL,
    "sd2": REAL,
    "sdxl": ExampleSettings(strides=(4, 2), timestep=50),  # has no stride 8
    "sticker": ExampleSettings(strides=(2, 1), timestep=50),  # its 256 pixels leave 8 x 8 cells at stride 4
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Marked:
    """A picture (uint8 h w 3) and what is marked in it: mask (bool h w, neither empty nor full), or clicks as (x, y) pixels.

    name: what the example is called in the result.
    """

    picture: np.ndarray
    mask: np.ndarray | None = None
    clicks: tuple[tuple[int, int], ...] = ()
    name: str = "example"


@dataclass(frozen=True, eq=False)
class Pattern:
    """What is learnt from an example: where it ends, and what it consists of."""

    line: Discriminant
    parts: Parts


@register("example")
class ExampleSegmenter:
    """What looks like an example, as a method. It reads no words: phrases only name its result."""

    name: str
    needs: frozenset[str] = frozenset({"example", "latent", "features"})
    rank: ClassVar[int] = 0
    any_length: ClassVar[bool] = True

    def __init__(self, marked: Marked, settings: ExampleSettings | None = None) -> None:
        self.marked = marked
        self.settings = settings
        self._learnt: tuple[Hashable, Pattern | None] | None = None
        self._lock = threading.Lock()

    @classmethod
    def fits(cls, backbone: "Backbone", head: Path | None) -> bool:
        """Never for words alone."""
        return False

    @classmethod
    def open(cls, backbone: "Backbone", head: Path | None) -> "ExampleSegmenter":
        """There is no example to make it from."""
        raise MethodError(
            "The method 'example' takes an example in place of words; expected a mask or a click on a picture, so call "
            "`ldznet like PICTURE --example MASK` or `ldznet_ext.like(picture, mask)`."
        )

    def wanted(self, backbone: "Backbone") -> Wanted:
        """Nothing: the steps of a generation read its prompt."""
        return Wanted(taps=())

    @torch.inference_mode()
    def evidence(
        self, backbone: "Backbone", view: View, phrases: Sequence[str], request: SegmentRequest, clock: Clock
    ) -> Evidence:
        """One map, the same for every name; by default its score is how well the example's parts are found again."""
        settings = self.settings or for_family(SETTINGS, backbone.family)
        timestep = settings.timestep if request.timestep is None else request.timestep
        reader = _Reader(backbone, taps_at(backbone.unet, settings.strides), timestep, request.seed, clock)
        with self._lock:
            pattern = self._learn(reader)
        features, scoring = reader.read(view), scoring_for(self.name, backbone.family)
        with clock("head"):
            fault = fault_of(features)
            known = None if fault else pattern
            logits = _logits(known, features, view.fit.network)
            score = _score(known, features, logits, scoring)
        return Evidence(
            logits=np.repeat(logits[None], len(phrases), axis=0),
            scores=np.full(len(phrases), score, np.float32),
            found_threshold=scoring.found_threshold,
            mask_threshold=scoring.mask_threshold,
            calibrated=scoring.calibration is not None,
            unet_calls=reader.calls,
            message=_message(self.marked, pattern, fault),
            provenance={"timestep": timestep, "strides": list(settings.strides), "clicks": len(self.marked.clicks)},
        )

    def _learn(self, reader: "_Reader") -> "Pattern | None":
        """What tells the example from its surroundings, learnt once for each state of the model."""
        key = reader.key
        if self._learnt is None or self._learnt[0] != key:
            features = reader.read(look(self.marked.picture, reader.backbone))
            with reader.clock("head"):
                self._learnt = key, pattern_of(features, coverage(self.marked, features))
        return self._learnt[1]


class _Reader:
    """Reads features of pictures under no words, and counts the calls of the UNet."""

    def __init__(self, backbone: "Backbone", taps: tuple[str, ...], timestep: int, seed: int, clock: Clock) -> None:
        self.backbone, self.taps, self.timestep, self.seed, self.clock = backbone, taps, timestep, seed, clock
        self.calls = 0

    @property
    def key(self) -> Hashable:
        """All that features of one picture depend on."""
        states = tuple(self.backbone.state_key(part) for part in ("vae", "text", "unet"))
        return states, self.taps, self.timestep, self.seed, self.backbone.dtype

    def read(self, view: View) -> Float[Tensor, "d h w"]:
        """Features on the grid of their finest level."""
        with self.clock("encode"):
            view.latent(self.backbone)
        with self.clock("unet"):
            features, calls = features_of(
                self.backbone, view, (NO_WORDS,), self.taps, timestep=self.timestep, seed=self.seed
            )
        self.calls += calls
        levels = [features[tap][0] for tap in self.taps]
        finest = max((Size(*level.shape[-2:]) for level in levels), key=lambda size: size.area)
        return joined(levels, finest)


def taps_at(unet: nn.Module, strides: Sequence[int]) -> tuple[str, ...]:
    """What enters the last residual block of each of these levels of the decoder, skip connection included."""
    last = {stride: place for place, stride in find_strides(unet).items() if place.startswith("out.")}
    return tuple(f"{last[stride]}.res.in" for stride in strides if stride in last)


def coverage(marked: Marked, features: Float[Tensor, "d h w"]) -> Float[Tensor, "h w"]:
    """How much of each cell the example covers, 0..1; a click is grown over what looks like it."""
    grid = Size(*features.shape[1:])
    if marked.mask is not None:
        return torch.from_numpy(stretch(marked.mask.astype(np.float32), grid)).to(features.device)
    height, width = marked.picture.shape[:2]
    cells = [(y * grid.height // height, x * grid.width // width) for x, y in marked.clicks]
    return grow(features, cells).to(features)


def pattern_of(features: Float[Tensor, "d h w"], covered: Float[Tensor, "h w"]) -> Pattern | None:
    """What is learnt from an example; None where the features say nothing."""
    line = learn(features, covered)
    return line and Pattern(line, parts_of(features, covered))


def _score(pattern: Pattern | None, features: Tensor, logits: np.ndarray, scoring: Scoring) -> float:
    """The probability (0..1) that the example is in the picture, where it was measured; else the part of it found again.

    pattern: None where nothing can be told of the picture.
    """
    if pattern is None:
        return 0.0
    return pattern.parts.matched(features) if scoring.calibration is None else float(scoring.scores(logits[None])[0])


def _logits(pattern: Pattern | None, features: Float[Tensor, "d h w"], size: Size) -> np.ndarray:
    """float32 (h w) at the network's size."""
    if pattern is None:
        return np.full(size, NOTHING, np.float32)
    return to_grid(pattern.line.logits(features)[None], size)[0].cpu().numpy()


def _message(marked: Marked, pattern: Pattern | None, fault: str) -> str:
    """Why nothing can be found, by the example or in the picture; empty where something can."""
    if pattern is not None:
        return say_fault(fault) if fault else ""
    return (
        f'Nothing tells "{marked.name[:40]}" from what surrounds it, so nothing can be found by it; mark another object, or try '
        "another timestep, or float32."
    )
