"""A test set whose pictures passed through img2img: the same lines, the same masks, other pixels."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ldznet_ext.eval.cells import kept_picture
from ldznet_ext.eval.example import Example

Redraw = Callable[[np.ndarray, str, float, int], np.ndarray]
"""(picture, caption, strength, seed) -> picture."""


def redrawn(examples: Sequence[Example], redraw: Redraw, folder: Path, strengths: Sequence[float]) -> Iterator[Example]:
    """The same lines on pictures that passed through img2img, each strength in turn; pictures are kept in `folder`."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(example.source for example in examples))}
    for example in examples:
        number = numbers[example.source]
        strength = strengths[number % len(strengths)]
        path = folder / f"{hashlib.sha256(example.source.encode()).hexdigest()[:16]}-{strength:g}.png"
        yield replace(example, read_picture=partial(_redrawn, example, redraw, path, strength, number))


def _redrawn(example: Example, redraw: Redraw, path: Path, strength: float, seed: int) -> np.ndarray:
    return kept_picture(path, lambda: redraw(example.picture, example.caption, strength, seed))
