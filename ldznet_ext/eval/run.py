"""Run a segmenter over a test set and score it: one call a picture, with all its phrases, whatever their order.

The segmenter is handed in, so this works for a head, a floor or a fake alike.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from ldznet_ext.errors import DataError
from ldznet_ext.eval.datasets import load
from ldznet_ext.eval.example import Example
from ldznet_ext.eval.metrics import Scores
from ldznet_ext.result import Segmentation

PHRASES_AT_ONCE = 32  # bounds memory on a picture with hundreds of phrases

Progress = Callable[[int, int], None]
"""Called with the lines done and the lines in all, after every picture."""


class Segment(Protocol):
    """Maps of some phrases on one picture (uint8 h w 3 RGB), in the phrases' order, at the picture's own size."""

    def __call__(self, picture: np.ndarray, phrases: list[str]) -> Segmentation: ...


def evaluate(
    data: str,
    *,
    segment: Segment,
    limit: int | None = None,
    method: str | None = None,
    threshold: float | None = None,
    progress: Progress | None = None,
) -> dict[str, object]:
    """Score `segment` on the first `limit` lines of `data` (see `datasets.load`): what `evaluate --json` prints.

    `method` is the name to report (None: the one the segmenter gives itself). `threshold` is the operating point at
    which boundary IoU is taken (None: the segmenter's own, else 0.5); mIoU and IoU_FG are at the best of 49.
    """
    scores, name = score(load(data, limit), segment=segment, threshold=threshold, progress=progress)
    return {"data": data, "method": method or name, **scores.as_dict()}


def score(
    examples: Sequence[Example],
    *,
    segment: Segment,
    threshold: float | None = None,
    progress: Progress | None = None,
) -> tuple[Scores, str]:
    """Score `segment` on lines: the scores, with the lines in their own order, and the method's name for itself."""
    scores, name = Scores(), ""
    order: list[int] = []
    for numbers in _chunks(examples):
        group = [examples[number] for number in numbers]
        picture = group[0].picture
        result = segment(picture, [example.phrase for example in group])
        name = result.method
        cut = result.provenance.get("threshold") if threshold is None else threshold
        for example, phrase in zip(group, result.phrases, strict=True):
            scores.add(
                phrase.prob,
                _mask(example, picture.shape[:2]),
                score=phrase.score,
                status=phrase.status,
                kind=example.kind,
                picture=example.source,
                threshold=cut,
            )
        order += numbers
        if progress is not None:
            progress(len(order), len(examples))
    scores.lines = [line for _, line in sorted(zip(order, scores.lines, strict=True), key=lambda pair: pair[0])]
    return scores, name


def _chunks(examples: Sequence[Example]) -> Iterator[list[int]]:
    """Line numbers of one picture at a time, pictures in the order they first appear."""
    groups: dict[str, list[int]] = {}
    for number, example in enumerate(examples):
        groups.setdefault(example.source, []).append(number)
    for numbers in groups.values():
        for start in range(0, len(numbers), PHRASES_AT_ONCE):
            yield numbers[start : start + PHRASES_AT_ONCE]


def _mask(example: Example, shape: tuple[int, int]) -> np.ndarray | None:
    mask = example.mask
    if mask is not None and mask.shape != shape:
        raise DataError(
            f"{example.where}: the mask is {mask.shape[1]} x {mask.shape[0]} pixels and the picture "
            f"{shape[1]} x {shape[0]}; expected the same size, so save the mask at the picture's own size."
        )
    return mask
