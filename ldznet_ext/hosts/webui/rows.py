"""Which rows of a UNet call are conditional, and of which picture: told from the call itself, for the hosts differ.

A1111 runs the conditional rows first, picture by picture, and may cut the batch into several calls that go on where the last
one ended. Forge and reForge run whole chunks, a row a picture, usually the unconditional one first, and mark each of them.

Where a prompt has parts (AND), a picture is read from its part of the largest weight, the first of those: a mean of parts
would be features that no call ever had.
"""

from collections.abc import Sequence
from dataclasses import dataclass

CONDITIONAL = 0
"""Forge's and reForge's mark of a conditional chunk in `cond_or_uncond`."""


@dataclass(frozen=True)
class Denoising:
    """One call of the denoiser, which is one or more calls of the UNet: for each picture the weights of its prompt's parts.

    >>> Denoising.of(2).weights
    ((1.0,), (1.0,))
    """

    weights: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, pictures: int) -> "Denoising":
        """Pictures whose prompts have one part each."""
        return cls(((1.0,),) * pictures)

    @property
    def pictures(self) -> int:
        """How many pictures are made at once."""
        return len(self.weights)

    def part(self, picture: int, among: int | None = None) -> int:
        """The part that a picture is read from, of its first `among`.

        >>> Denoising(((0.5, 1.0, 1.0),)).part(0)
        1
        """
        weights = self.weights[picture][:among]
        return weights.index(max(weights))


@dataclass(frozen=True)
class UNetCall:
    """One call of the UNet: its rows, and the marks of its chunks where the host gives them."""

    rows: int
    marks: tuple[int, ...] | None = None


class RowReader:
    """Follows the calls of one denoiser call and tells of each which row belongs to which picture."""

    def __init__(self, denoising: Denoising) -> None:
        self.denoising = denoising
        self._seen = 0
        """Rows of earlier calls, or conditional chunks where they are marked."""

    def read(self, call: UNetCall) -> dict[int, int]:
        """Picture -> its row in this call; pictures that this call has nothing of are left out."""
        if call.marks is not None:
            rows = rows_by_mark(self.denoising, call, self._seen)
            self._seen += call.marks.count(CONDITIONAL)
        else:
            rows = rows_in_order(self.denoising, call.rows, self._seen)
            self._seen += call.rows
        return rows


def rows_in_order(denoising: Denoising, rows: int, seen: int = 0) -> dict[int, int]:
    """A1111's order: all parts of the first picture, of the second, ... and then whatever is unconditional.

    >>> rows_in_order(Denoising.of(2), rows=4)
    {0: 0, 1: 1}
    >>> rows_in_order(Denoising(((0.2, 1.0), (1.0,))), rows=2, seen=2)
    {1: 0}
    """
    found, start = {}, -seen
    for picture, weights in enumerate(denoising.weights):
        row = start + denoising.part(picture)
        if 0 <= row < rows:
            found[picture] = row
        start += len(weights)
    return found


def rows_by_mark(denoising: Denoising, call: UNetCall, seen: int = 0) -> dict[int, int]:
    """Forge's and reForge's chunks: a row for each picture, the parts of the prompt from the last to the first.

    Both batch what is to run from its end; a part too long to be batched with the others runs out of turn, so that a picture
    may be read from another of its parts. Nothing is read where the chunks are not of one row a picture.

    >>> rows_by_mark(Denoising.of(2), UNetCall(rows=4, marks=(1, 0)))
    {0: 2, 1: 3}
    """
    marks, pictures = call.marks or (), denoising.pictures
    if not marks or call.rows != len(marks) * pictures:
        return {}
    chunks = [number for number, mark in enumerate(marks) if mark == CONDITIONAL]
    parts = _parts(denoising.weights)
    found = {}
    for picture in range(pictures):
        turn = parts - 1 - denoising.part(picture, parts) - seen
        if 0 <= turn < len(chunks):
            found[picture] = chunks[turn] * pictures + picture
    return found


def _parts(weights: Sequence[Sequence[float]]) -> int:
    """How many parts run: where pictures have different numbers of them, Forge drops what not all have."""
    return min(map(len, weights), default=0)
