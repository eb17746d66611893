"""Two floors any network must beat: where things usually are, and what colour they usually have.

Both look the phrase up in a table made from other scenes. The first never looks at the picture, the second at colours.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np

from ldznet_ext.eval.example import Example
from ldznet_ext.geometry import Size
from ldznet_ext.result import FOUND, NOT_FOUND, PhraseResult, Segmentation

GRID = 64  # side of the position table's maps
PRIOR_WEIGHT = 4  # how many scenes of its own a phrase must have before they weigh more than the average thing
SMALLEST = 0.02  # of the picture: the smallest object; a colour must fill that much to be there
SMOOTHING = 1 / 256  # of the shorter side: the sigma of the blur that takes a texture's grain away
MINIMUM_SPREAD = 6.0  # in Lab units: a phrase met once has no spread to measure
EXPECTED = 0.5  # a score above it counts as found

_OVERALL = ""  # the table's row for a phrase nothing is known of


@dataclass
class PositionPrior:
    """Answers a phrase with the mean mask it had in other scenes, shrunk towards the mean mask of anything."""

    name: ClassVar[str] = "position prior"
    sums: dict[str, np.ndarray] = field(default_factory=dict)  # phrase -> float64 (GRID, GRID)
    sizes: dict[str, int] = field(default_factory=dict)
    absent: dict[str, int] = field(default_factory=dict)

    @classmethod
    def learn(cls, examples: Iterable[Example]) -> "PositionPrior":
        """Average the masks of the examples, a table row a phrase and one for them all."""
        prior = cls()
        for example in examples:
            mask = example.mask
            for key in (_key(example.phrase), _OVERALL):
                if mask is None:
                    prior.absent[key] = prior.absent.get(key, 0) + 1
                    continue
                small = cv2.resize(mask.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
                prior.sums[key] = prior.sums.get(key, 0.0) + small
                prior.sizes[key] = prior.sizes.get(key, 0) + 1
        return prior

    def __call__(self, picture: np.ndarray, phrases: list[str]) -> Segmentation:
        """The prior of each phrase, stretched to the picture (uint8 h w 3), whose pixels are not read."""
        return _segmentation(self.name, picture, phrases, self._answer)

    def _answer(self, picture: np.ndarray, phrase: str) -> tuple[np.ndarray, float]:
        overall = self.sums.get(_OVERALL, np.zeros((GRID, GRID))) / max(1, self.sizes.get(_OVERALL, 0))
        key = _longest_known(phrase, {**self.sums, **self.absent})
        n = self.sizes.get(key, 0)
        mean = (self.sums.get(key, 0.0) + PRIOR_WEIGHT * overall) / (n + PRIOR_WEIGHT)
        height, width = picture.shape[:2]
        prob = cv2.resize(mean.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        return prob, (n + 1) / (n + self.absent.get(key, 0) + 2)


@dataclass
class ColourThreshold:
    """Answers a phrase with the likeness of each pixel to the mean colour it had in other scenes (Lab)."""

    name: ClassVar[str] = "colour threshold"
    moments: dict[str, np.ndarray] = field(default_factory=dict)  # phrase -> (2, 3): sums of means and of variances
    sizes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def learn(cls, examples: Iterable[Example]) -> "ColourThreshold":
        """Average the colours under the examples' masks, a table row a phrase and one for them all."""
        table = cls()
        for example in examples:
            mask = example.mask
            if mask is None or not mask.any():
                continue
            colours = _lab(example.picture)[mask]
            both = np.stack([colours.mean(axis=0), colours.var(axis=0)])
            for key in (_key(example.phrase), _OVERALL):
                table.moments[key] = table.moments.get(key, 0.0) + both
                table.sizes[key] = table.sizes.get(key, 0) + 1
        return table

    def __call__(self, picture: np.ndarray, phrases: list[str]) -> Segmentation:
        """exp(-d^2 / 2) of each pixel's distance d to the phrase's mean colour, in its spread; picture uint8 h w 3."""
        smooth = _lab(cv2.GaussianBlur(picture, (0, 0), SMOOTHING * min(picture.shape[:2])))
        return _segmentation(self.name, picture, phrases, lambda _, phrase: self._answer(smooth, phrase))

    def _answer(self, lab: np.ndarray, phrase: str) -> tuple[np.ndarray, float]:
        key = _longest_known(phrase, self.moments)
        if key not in self.moments:
            return np.zeros(lab.shape[:2], np.float32), 0.0
        mean, variance = self.moments[key] / self.sizes[key]
        distance = ((lab - mean) ** 2 / np.maximum(variance, MINIMUM_SPREAD**2)).mean(axis=2)
        prob = np.exp(-distance / 2).astype(np.float32)
        return prob, float(np.quantile(prob, 1 - SMALLEST))


def _segmentation(
    name: str,
    picture: np.ndarray,
    phrases: list[str],
    answer: Callable[[np.ndarray, str], tuple[np.ndarray, float]],
) -> Segmentation:
    started = time.perf_counter()
    results = []
    for phrase in phrases:
        prob, score = answer(picture, phrase)
        status = FOUND if score > EXPECTED else NOT_FOUND
        results.append(PhraseResult(text=phrase, status=status, score=score, prob=prob, box=None, area=0))
    union = np.max([one.prob for one in results], axis=0)
    return Segmentation(
        size=Size(*picture.shape[:2]),
        method=name,
        model="none",
        familiar=None,
        calibrated=False,
        phrases=tuple(results),
        prob=union,
        mask=union > EXPECTED,
        seconds={"total": time.perf_counter() - started},
        unet_calls=0,
    )


def _key(phrase: str) -> str:
    return " ".join(phrase.lower().split())


def _longest_known(phrase: str, table: dict[str, object]) -> str:
    """The phrase itself, else the longest run of its words that the table knows, else the row for anything."""
    words = _key(phrase).split()
    for length in range(len(words), 0, -1):
        for start in range(len(words) - length + 1):
            run = " ".join(words[start : start + length])
            if run in table:
                return run
    return _OVERALL


def _lab(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
