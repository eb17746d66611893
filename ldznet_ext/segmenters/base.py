"""What a segmentation method is: it looks at a picture through a diffusion model and gives one map of logits a phrase."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import numpy as np

from ldznet_ext.errors import MethodError
from ldznet_ext.harvest.wanted import Wanted
from ldznet_ext.request import SegmentRequest
from ldznet_ext.segmenters.view import View

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

AUTO = "auto"


class Clock:
    """Seconds by stage; a stage entered twice adds up."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.stages: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[stage] += time.perf_counter() - start

    def seconds(self) -> dict[str, float]:
        """Seconds of encode, text, unet, head and post, and the total since the clock was made."""
        named = {stage: self.stages.get(stage, 0.0) for stage in ("encode", "text", "unet", "head", "post")}
        return {**named, "total": time.perf_counter() - self.started}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a method found.

    logits: float32 (p h w) at the network's size. scores: (p,) 0..1, the probability that each phrase is there.
    found_threshold: the score from which it counts as found. mask_threshold: cuts `prob` by default. familiar: None
    where the method has no statistics. calibrated: whether the scores are. unet_calls: of the diffusion model. message: what
    a person should know of it, in a sentence, or nothing. background: float32 (h w) logits of none of the phrases, where they
    were asked to exclude one another and the method knows them.
    """

    logits: np.ndarray
    scores: np.ndarray
    found_threshold: float = 0.5
    mask_threshold: float = 0.5
    familiar: bool | None = None
    calibrated: bool = False
    unet_calls: int = 0
    message: str = ""
    background: np.ndarray | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


class Segmenter(Protocol):
    """A method, ready to be asked.

    `needs` names what it reads of the model: "latent", "pixels", "text", "features"; or "example", a marked object that it takes
    in place of words, so that it cannot be opened by name. `rank` orders methods for "auto".
    `any_length`: whether it takes phrases with more tokens than one text holds; the others are spared them.
    """

    name: str
    needs: frozenset[str]
    rank: ClassVar[int]
    any_length: ClassVar[bool]

    @classmethod
    def fits(cls, backbone: "Backbone", head: Path | None) -> bool:
        """Whether the method can work with this model (and this head, if one is named)."""
        ...

    @classmethod
    def open(cls, backbone: "Backbone", head: Path | None) -> "Segmenter":
        """Make it ready; HeadError or MethodError in a sentence where that cannot be."""
        ...

    def wanted(self, backbone: "Backbone") -> Wanted:
        """What it would have read of a generation, while that runs; it finds it as the view's `given`."""
        ...

    def evidence(
        self, backbone: "Backbone", view: View, phrases: Sequence[str], request: SegmentRequest, clock: Clock
    ) -> Evidence:
        """Maps and scores of the phrases (known words all of them) in what is in view."""
        ...


SEGMENTERS: dict[str, type[Segmenter]] = {}
Method = TypeVar("Method", bound=type)


def register(name: str) -> Callable[[Method], Method]:
    """Class decorator: make a method known under `name`."""

    def add(method: Method) -> Method:
        if name in SEGMENTERS or name == AUTO:
            raise MethodError(f"A second method is called '{name}'; expected a name of its own, so choose another.")
        method.name = name  # type: ignore[attr-defined]
        SEGMENTERS[name] = method
        return method

    return add
