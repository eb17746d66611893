"""A mask as text: COCO's compressed run lengths, as `pycocotools` and annotation tools read and write them.

The pixels are taken column by column; the lengths of runs of equal ones are counted, beginning with a run of zeros that may be
empty. From the fourth on a length is written as its difference from the one before the last. Each number is written five bits
at a time, the lowest first, as a character from 48 ("0") on: 32 is added where more follow, and 16 in the last one means below 0.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ldznet_ext.errors import OptionError

MOST_PIXELS = 200_000_000
"""A text of a few bytes may stand for any number of pixels; more than this is refused."""
ZERO, MORE, BITS = 48, 32, 5
LONGEST = 8
"""Characters of a number: forty bits."""


def encode(mask: np.ndarray) -> dict[str, Any]:
    """A bool mask (h w) as `{"size": [h, w], "counts": text}`.

    >>> encode(np.array([[0, 1, 1], [0, 1, 0]], bool))
    {'size': [2, 3], 'counts': '231'}
    """
    if mask.ndim != 2 or mask.dtype != bool:
        raise OptionError(
            f"The mask is {mask.dtype} of {mask.ndim} axes; expected bool (height, width), so cut it first."
        )
    return {"size": [int(side) for side in mask.shape], "counts": _to_text(runs(mask))}


def decode(mapping: Any) -> np.ndarray:
    """The bool mask (h w) of such a mapping; counts may also be bytes or a list of lengths. OptionError where it is none."""
    size = mapping.get("size") if isinstance(mapping, Mapping) else None
    if (
        not isinstance(size, (list, tuple))
        or len(size) != 2
        or not all(type(side) is int and side > 0 for side in size)
    ):
        raise _damaged(f"its size is {size!r:.40}", "[height, width]")
    height, width = size
    if height * width > MOST_PIXELS:
        raise _damaged(f"it has {height * width:,} pixels", f"at most {MOST_PIXELS:,}")
    counts = mapping.get("counts")
    if isinstance(counts, (str, bytes, list, tuple)) and len(counts) > LONGEST * (height * width + 1):
        raise _damaged(f"it has {len(counts):,} counts for {height * width:,} pixels", "a run for each pixel at most")
    lengths = _lengths(counts)
    if lengths.size and (lengths.min() < 0 or lengths.max() > MOST_PIXELS):
        raise _damaged("a run has an impossible length", "lengths from 0 to the number of pixels")
    if (total := int(lengths.sum())) != height * width:
        raise _damaged(f"its runs have {total:,} pixels together", f"{height * width:,}, those of its size")
    pixels = np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
    return np.ascontiguousarray(pixels.reshape(width, height).T)


def runs(mask: np.ndarray) -> np.ndarray:
    """Lengths of the runs of equal pixels, column by column, int64; the first is of zeros and may be 0.

    >>> runs(np.array([[1, 1], [0, 1]], bool)).tolist()
    [0, 1, 1, 2]
    """
    pixels = mask.ravel(order="F")
    if not pixels.size:
        return np.zeros(0, np.int64)
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    lengths = np.diff(np.concatenate(([0], changes, [pixels.size])))
    return np.concatenate(([0], lengths)) if pixels[0] else lengths


def _to_text(lengths: np.ndarray) -> str:
    left = lengths.astype(np.int64)
    left[3:] -= lengths[1:-2]
    written = np.zeros((LONGEST, left.size), np.uint8)
    going = np.ones(left.size, bool)
    for row in written:
        digit = left & (MORE - 1)
        left >>= BITS
        more = left != np.where(digit & (MORE >> 1), -1, 0)
        row[going] = (digit + ZERO + MORE * more)[going]
        going &= more
        if not going.any():
            break
    characters = written.T.ravel()
    return characters[characters > 0].tobytes().decode("ascii")


def _lengths(counts: Any) -> np.ndarray:
    """Lengths out of compressed text or bytes, or of a list that holds them already, int64."""
    if isinstance(counts, (list, tuple)):
        if not all(type(count) is int and abs(count) <= MOST_PIXELS for count in counts):
            raise _damaged("its counts are no whole numbers", "lengths of runs")
        return np.array(counts, np.int64)
    if isinstance(counts, str):
        counts = counts.encode("ascii", "replace")
    if not isinstance(counts, bytes):
        raise _damaged(f"its counts are of the type {type(counts).__name__}", "text")
    numbers = _from_text(np.frombuffer(counts, np.uint8).astype(np.int64) - ZERO)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def _from_text(characters: np.ndarray) -> np.ndarray:
    """The numbers as written, int64: differences from the fourth on."""
    last = (characters & MORE) == 0
    if characters.size and (characters.min() < 0 or characters.max() >= 2 * MORE or not last[-1]):
        raise _damaged("its counts break off or hold a foreign character", "characters from 0 to o")
    starts = np.flatnonzero(np.concatenate(([True], last[:-1]))) if characters.size else np.zeros(0, np.int64)
    place = np.arange(characters.size) - np.repeat(starts, np.diff(np.append(starts, characters.size)))
    if place.size and place.max() >= LONGEST:
        raise _damaged("one of its counts is too long", f"at most {LONGEST} characters each")
    values = (characters & (MORE - 1)) << (BITS * place)
    values -= np.where(last & ((characters & (MORE >> 1)) != 0), 1 << (BITS * (place + 1)), 0)
    return np.add.reduceat(values, starts) if starts.size else values


def _damaged(got: str, expected: str) -> OptionError:
    return OptionError(
        f"The mask cannot be read, {got}; expected {expected}, so give COCO's run lengths as they were written."
    )
