"""A desk of known answers on pictures of 3x5, and sessions of its own: no model, no host, no Gradio."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from ldznet_ext.errors import ModelError
from ldznet_ext.geometry import Size
from ldznet_ext.pipeline import rethreshold
from ldznet_ext.result import FOUND, NOT_FOUND, UNKNOWN, PhraseResult, Segmentation
from ldznet_ext.ui.sessions import Sessions

FOX = np.float32([[0.9, 0.9, 0.0, 0.0, 0.0], [0.9, 0.6, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
SNOW = np.float32([[0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0], [0.8, 0.8, 0.8, 0.8, 0.8]])
MAPS = {"fox": FOX, "snow": SNOW}
"""What this desk can see."""


def answer(text: str) -> PhraseResult:
    """Found where there is a map, unknown where the word is long."""
    if len(text) > 8:
        return PhraseResult(text=text, status=UNKNOWN, score=0.0, prob=np.zeros((3, 5), np.float32), box=None, area=0)
    prob = MAPS.get(text, np.full((3, 5), 0.1, np.float32))
    there = text in MAPS
    return PhraseResult(
        text=text, status=FOUND if there else NOT_FOUND, score=0.9 if there else 0.1, prob=prob, box=None, area=0
    )


def segmentation(*texts: str, familiar: bool | None = True) -> Segmentation:
    """All of them in one answer."""
    phrases = tuple(answer(text) for text in texts)
    if familiar is False:
        phrases = tuple(replace(one, status=NOT_FOUND) if one.status == FOUND else one for one in phrases)
    whole = Segmentation(
        size=Size(3, 5),
        method="example",
        model="tiny",
        familiar=familiar,
        phrases=phrases,
        prob=np.maximum.reduce([one.prob for one in phrases]),
        mask=np.zeros((3, 5), bool),
        seconds={"total": 0.25},
        unet_calls=0,
        provenance={"mask_threshold": 0.5},
    )
    return rethreshold(whole, None)


@dataclass
class FakeDesk:
    """Answers by `segmentation`; counts how often the model would have been asked."""

    name: str = "a desk"
    asked: int = 0
    familiar: bool | None = True
    refuse: str = ""
    seen: list[Any] = field(default_factory=list)

    def mask(self, picture: Any, settings: Any) -> Segmentation:
        """One answer a word."""
        self._count(settings)
        return segmentation(settings.words, familiar=self.familiar)

    def regions(self, picture: Any, prompt: str, settings: Any) -> Segmentation:
        """One answer for each word of the prompt, those found first."""
        self._count(settings)
        texts = prompt.split()
        return segmentation(*sorted(texts, key=lambda text: text not in MAPS), familiar=self.familiar)

    def _count(self, settings: Any) -> None:
        self.asked += 1
        self.seen.append(settings)
        if self.refuse == "inside":
            raise RuntimeError("a <tensor> is elsewhere")
        if self.refuse:
            raise ModelError(self.refuse)


@pytest.fixture
def desk() -> FakeDesk:
    """Fresh."""
    return FakeDesk()


@pytest.fixture
def sessions() -> Sessions:
    """Empty."""
    return Sessions()


@pytest.fixture
def picture() -> np.ndarray:
    """Grey, uint8 (3 5 3)."""
    return np.full((3, 5, 3), 128, np.uint8)
