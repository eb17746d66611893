"""What a person has done to a picture so far: a history of moments, each complete in itself, with one of them shown.

A page of a browser has one work, kept under an unguessable handle; nobody else's page knows it.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ldznet_ext.masks.edits import Edits
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import Segmentation
from ldznet_ext.ui.sessions import Sessions

MOST = 40
"""Moments of one work that can be gone back to; the oldest are forgotten first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moment:
    """One step: all that is needed to draw it again.

    label: what was done, for the history. picture: uint8 (h w 3). name: of its file, without the ending. result: the answer
    that the mask is cut from, None where nothing was asked or found by hand alone. scene: the answer about every thing of
    `prompt`, None where nobody asked. settings, edits: how the mask is cut, and what was done by hand. before: the picture
    as it was before a part of it was repainted.
    """

    label: str
    picture: np.ndarray
    name: str = "picture"
    prompt: str = ""
    result: Segmentation | None = None
    scene: Segmentation | None = None
    settings: MaskSettings = field(default_factory=MaskSettings)
    edits: Edits = field(default_factory=Edits)
    before: np.ndarray | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        return self.picture.shape[0], self.picture.shape[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """A history and the place in it. revision: changes whenever what is shown may have changed."""

    moments: tuple[Moment, ...]
    at: int = 0
    revision: int = 0

    @property
    def now(self) -> Moment:
        """The moment that is shown."""
        return self.moments[self.at]

    @property
    def bytes(self) -> int:
        """Its size in memory, what several moments share counted once."""
        return sum({id(array): array.nbytes for moment in self.moments for array in _arrays(moment)}.values())

    def then(self, moment: Moment, *, merge: bool = False) -> "Work":
        """One more moment in place of those that were undone; merge: in place of the present one, if that has its label."""
        merged = merge and moment.label == self.now.label and self.at > 0
        kept = (*self.moments[: self.at + (not merged)], moment)[-MOST:]
        return Work(moments=kept, at=len(kept) - 1, revision=self.revision + 1)

    def go(self, at: int) -> "Work":
        """Back or forth to a moment; to the nearest end where there is none so far."""
        return replace(self, at=min(max(at, 0), len(self.moments) - 1), revision=self.revision + 1)


class Works(Sessions[Work]):
    """The works of all pages."""

    def __init__(self, *limit: int) -> None:
        super().__init__(*limit)
        self._changing = threading.Lock()

    def change(self, handle: str, step: Callable[[Work], Work]) -> Work:
        """Replace a work by what `step` makes of it, which must be quick: nobody else changes one meanwhile."""
        with self._changing:
            work = step(self.get(handle))
            self.put(work, handle)
        return work


def _arrays(moment: Moment) -> Iterator[np.ndarray]:
    """Every array of any weight that a moment holds."""
    yield moment.picture
    if moment.before is not None:
        yield moment.before
    for result in (moment.result, moment.scene):
        if result is not None:
            yield from (result.prob, result.mask)
            for phrase in result.phrases:
                yield from (phrase.prob, *(term.prob for term in phrase.terms))
    yield from (mask for mask in (moment.edits.add, moment.edits.erase, moment.edits.only) if mask is not None)
