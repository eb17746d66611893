"""What a person did to a mask by hand: drawn and erased, kept within an outline, pieces kept and dropped by a click.

Masks here are of the mask as it was shown before it was inverted: what was drawn stays drawn, whatever the sliders do under it.
`pipeline.apply` says when each of them counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np

from ldznet_ext.errors import OptionError
from ldznet_ext.masks.rle import decode, encode

DRAWN = ("add", "erase", "only")
CLICKED = ("keep", "drop")
MOST_CLICKS = 1000
Click = tuple[int, int]
"""A pixel, (x, y): from the left, from the top."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Edits:
    """add: drawn by hand, joined with the words' mask. erase: taken away, last of all. only: what lies outside it goes, of the
    words' mask and of what was added. All bool (h w) of the picture's size, None where nothing was drawn.

    keep: clicks on pieces of the words' mask that are to stay, while all others go; without any, all stay. drop: clicks on pieces
    that are to go. A click counts for the piece it lies in, or for the nearest within a few pixels.
    """

    add: np.ndarray | None = None
    erase: np.ndarray | None = None
    only: np.ndarray | None = None
    keep: tuple[Click, ...] = ()
    drop: tuple[Click, ...] = ()

    def __post_init__(self) -> None:
        sizes = {_checked(name, getattr(self, name)) for name in DRAWN} - {None}
        if len(sizes) > 1:
            raise OptionError(
                f"The drawn masks have the sizes {sorted(sizes, key=str)}; expected the picture's for all."
            )
        for name in CLICKED:
            object.__setattr__(self, name, tuple(_click(name, point) for point in _listed(name, getattr(self, name))))

    def __bool__(self) -> bool:
        """Whether anything was done at all."""
        return any(getattr(self, name) is not None for name in DRAWN) or bool(self.keep or self.drop)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Edits) and self.to_mapping() == other.to_mapping()

    __hash__ = None  # type: ignore[assignment]

    @property
    def bytes(self) -> int:
        """Its size in memory."""
        return sum(mask.nbytes for name in DRAWN if (mask := getattr(self, name)) is not None)

    def check(self, size: tuple[int, ...]) -> None:
        """OptionError where the masks are not of a picture's size (height, width), or a click is outside it."""
        for name in DRAWN:
            mask = getattr(self, name)
            if mask is not None and mask.shape != tuple(size):
                raise OptionError(
                    f'The drawn mask "{name}" is {mask.shape[1]} x {mask.shape[0]}; expected {size[1]} x {size[0]}, the '
                    "picture's size, so draw it on that picture."
                )
        for x, y in (*self.keep, *self.drop):
            if x >= size[1] or y >= size[0]:
                raise OptionError(
                    f"The click {x}, {y} is outside the picture of {size[1]} x {size[0]}; so click inside it."
                )

    def dropped(self, x: int, y: int, piece: np.ndarray) -> "Edits":
        """With a click on a piece of the mask, bool (h w), that is to go; what was drawn by hand in it goes for good."""
        left = None if self.add is None else self.add & ~piece
        return replace(self, add=left if left is not None and left.any() else None, drop=(*self.drop, (x, y)))

    def to_mapping(self) -> dict[str, Any]:
        """What was done, as JSON takes it: masks as COCO's run lengths, clicks as [x, y]; empty where nothing was."""
        drawn = {name: encode(mask) for name in DRAWN if (mask := getattr(self, name)) is not None}
        clicked = {name: [list(point) for point in points] for name in CLICKED if (points := getattr(self, name))}
        return {**drawn, **clicked}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any] | None) -> "Edits":
        """The other way round; OptionError in a sentence where it is none.

        >>> Edits.from_mapping({"drop": [[3, 4]]}).to_mapping()
        {'drop': [[3, 4]]}
        """
        if mapping is None:
            return cls()
        if not isinstance(mapping, Mapping):
            raise OptionError(
                f"The edits are of the type {type(mapping).__name__}; expected names and values, so give those."
            )
        if unknown := sorted(str(name) for name in mapping if name not in DRAWN + CLICKED):
            raise OptionError(
                f'There is no edit "{unknown[0]:.60}"; expected one of {", ".join(DRAWN + CLICKED)}, so use one of them.'
            )
        given = {name: value for name, value in mapping.items() if value is not None}
        values: dict[str, Any] = {name: decode(value) if name in DRAWN else value for name, value in given.items()}
        return cls(**values)


def _checked(name: str, mask: Any) -> tuple[int, ...] | None:
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.ndim != 2:
        raise OptionError(f'The drawn mask "{name}" is no bool array (height, width); expected one, so draw it anew.')
    return mask.shape


def _listed(name: str, points: Any) -> Iterable[Any]:
    if not isinstance(points, (list, tuple)) or len(points) > MOST_CLICKS:
        raise OptionError(
            f'The clicks "{name}" are no list of at most {MOST_CLICKS}; expected points such as [[120, 88]].'
        )
    return points


def _click(name: str, point: Any) -> Click:
    pair = point if isinstance(point, (list, tuple)) and len(point) == 2 else ()
    if not pair or not all(isinstance(at, Integral) and not isinstance(at, bool) and int(at) >= 0 for at in pair):
        raise OptionError(
            f'A click of "{name}" is {point!r:.40}; expected [x, y] in pixels, so give whole numbers from 0 on.'
        )
    return int(pair[0]), int(pair[1])


NOTHING = Edits()
"""Nothing was done by hand."""
