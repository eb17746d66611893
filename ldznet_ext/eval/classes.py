"""How well every pixel is named: IoU a picture, mean over the names that are in it, ground and sky counted.

On scenes of Sticker World, whose truth is exact, asked for the names that are there, and for those among absent ones.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ldznet_ext.errors import DataError
from ldznet_ext.eval.datasets import SCENES, SEED
from ldznet_ext.result import FOUND, UNLABELLED, Labelling

if TYPE_CHECKING:
    from ldznet_ext.world.scenes import Scene

ABSENT = 20
"""Names mixed in that are not in the picture."""
STREAM = 3
"""Of a scene's generator: 0 paints it, 1 words its caption, 2 picks its phrases, this one absent names and their order."""


class Label(Protocol):
    """Labels of a picture (uint8 h w 3 RGB) by some names, in the names' order."""

    def __call__(self, picture: np.ndarray, names: Sequence[str]) -> Labelling: ...


@dataclass(frozen=True, kw_only=True)
class Named:
    """A picture (uint8 h w 3), the names to ask for, and each pixel's true one.

    truth: int (h w), a name's place in `names`, UNLABELLED where none of them is.
    """

    where: str
    picture: np.ndarray
    names: tuple[str, ...]
    truth: np.ndarray

    @property
    def present(self) -> tuple[int, ...]:
        """The places of the names that are in the picture."""
        return tuple(int(place) for place in np.unique(self.truth) if place != UNLABELLED)


def picture_iou(labels: np.ndarray, truth: np.ndarray) -> dict[int, float]:
    """IoU of every label that is in the truth (int h w), over all pixels, those of no name too.

    >>> picture_iou(np.array([[0, 0, 1, 2]]), np.array([[0, 0, 0, 1]]))
    {0: 0.6666666666666666, 1: 0.0}
    """
    if labels.shape != truth.shape:
        raise DataError(f"The labels are {labels.shape} and the truth {truth.shape}; scores need both at one size.")
    places = [int(place) for place in np.unique(truth) if place != UNLABELLED]
    return {place: _iou(labels == place, truth == place) for place in places}


def miou(labels: np.ndarray, truth: np.ndarray) -> float | None:
    """Mean IoU of the names that are in a picture; None where there are none."""
    each = picture_iou(labels, truth)
    return float(np.mean(list(each.values()))) if each else None


def scenes(
    split: str = "test", *, absent: int = 0, styles: Sequence[str] | None = None, limit: int = SCENES
) -> Iterator[Named]:
    """Scenes of Sticker World with the names of all that is in them, and `absent` more, in an order of chance."""
    from ldznet_ext.world.scenes import scene

    for index in range(limit):
        yield named(scene(SEED, index, split=split, styles=styles), absent)


def named(painted: "Scene", absent: int) -> Named:
    """One scene's question and answer; a region that is barely seen is still one."""
    from ldznet_ext.world.scenes import generator

    rng = generator(painted.split, painted.seed, painted.index, STREAM)
    masks = dict(_masks(painted))
    others = _others(painted, tuple(masks))
    chosen = [others[place] for place in rng.permutation(len(others))[:absent]]
    names = [*masks, *chosen]
    if absent:
        names = [names[place] for place in rng.permutation(len(names))]
    truth = np.full(painted.picture.shape[:2], UNLABELLED, np.int16)
    for name, mask in masks.items():
        truth[mask] = names.index(name)
    where = f"sticker:{painted.split}:{painted.style}:{painted.index}"
    return Named(where=where, picture=painted.picture, names=tuple(names), truth=truth)


def evaluate_classes(pictures: Iterable[Named], label: Label) -> dict[str, object]:
    """Scores over pictures, fractions: `miou` (mean of the pictures'), `accuracy` of pixels that have a name, and by names.

    `kept_present` is the part of the present names that are found, `kept_absent` that of the absent ones; None without any.
    """
    each: list[float] = []
    right = total = 0
    present: list[bool] = []
    absent: list[bool] = []
    for one in pictures:
        result = label(one.picture, one.names)
        score = miou(result.labels, one.truth)
        each += [] if score is None else [score]
        inside = one.truth != UNLABELLED
        right += int((result.labels == one.truth)[inside].sum())
        total += int(inside.sum())
        for place, answer in enumerate(result.classes):
            (present if place in one.present else absent).append(answer.status == FOUND)
    return {
        "n": len(each),
        "miou": _mean(each),
        "accuracy": right / total if total else None,
        "kept_present": _mean(present),
        "kept_absent": _mean(absent),
        "each": each,
    }


def _masks(painted: "Scene") -> Iterator[tuple[str, np.ndarray]]:
    """Name and mask of all that is in a scene, objects of one name together."""
    for concept in dict.fromkeys(thing.concept for thing in painted.objects):
        yield concept.name, np.logical_or.reduce([t.mask for t in painted.objects if t.concept == concept])
    for region, mask in ((painted.ground, painted.ground_mask), (painted.sky, painted.sky_mask)):
        if region is not None and mask.any():
            yield region.name, mask


def _others(painted: "Scene", names: Sequence[str]) -> list[str]:
    """Names of objects and regions that are true of nothing in the scene."""
    from ldznet_ext.world import grounds
    from ldznet_ext.world.concepts import means
    from ldznet_ext.world.scenes import vocabulary

    shown = [thing.concept for thing in painted.objects]
    words = {word for concept in shown for word in concept.words}
    objects = [
        concept.name
        for concept in vocabulary(painted.style, "named")
        if not words & set(concept.words) and not any(means(concept.name, other) for other in shown)
    ]
    regions = [region.name for region in (*grounds.GROUNDS, *grounds.SKIES) if region.name not in names]
    return objects + regions


def _iou(found: np.ndarray, true: np.ndarray) -> float:
    return float((found & true).sum() / (found | true).sum())


def _mean(values: Sequence[float] | Sequence[bool]) -> float | None:
    return float(np.mean(values)) if len(values) else None
