"""From the picture's size to the network's and exactly back: a stretch, never a crop, so every pixel gets a verdict."""

import itertools
import math
from typing import NamedTuple

import cv2
import numpy as np

from ldznet_ext.geometry import Size
from ldznet_ext.masks.loading import MAX_ASPECT


class Fit(NamedTuple):
    """The picture's own size and the size at which the network sees it."""

    original: Size
    network: Size


def fit(original: Size, native: Size, multiple: int = 64) -> Fit:
    """Choose multiples of `multiple` near the model's native area that distort the picture least.

    >>> fit(Size(600, 800), Size(512, 512)).network
    Size(height=448, width=576)
    >>> fit(Size(100, 1600), Size(256, 256)).network
    Size(height=64, width=1024)
    """
    aspect = min(max(original.height / original.width, 1 / MAX_ASPECT), MAX_ASPECT)
    ideal = math.sqrt(native.area * aspect), math.sqrt(native.area / aspect)
    candidates = itertools.product(*(_neighbours(side, multiple) for side in ideal))
    return Fit(Size(*original), min((Size(*c) for c in candidates), key=lambda c: _cost(c, aspect, native.area)))


def to_network(picture: np.ndarray, fit: Fit) -> np.ndarray:
    """Stretch uint8 (h w 3) to float32 (3, h', w') in [-1, 1]; area-averaged where it shrinks."""
    small = stretch(picture, fit.network)
    return np.ascontiguousarray(small.transpose(2, 0, 1), dtype=np.float32) / 127.5 - 1.0


def undo(maps: np.ndarray, fit: Fit) -> np.ndarray:
    """Bring maps (p, h', w') back to the picture's size: float32 (p, H, W), bilinear between pixel centres.

    The maps may be of any resolution (a latent grid, say): they cover the whole picture. Values never leave the range
    of the input. One map is resized at a time, straight into the result: nothing else of that size is allocated.
    """
    maps = np.ascontiguousarray(maps, dtype=np.float32)
    out = np.empty((len(maps), *fit.original), np.float32)
    for source, target in zip(maps, out, strict=True):
        target[...] = source if source.shape == target.shape else stretch(source, fit.original)
    return out


def stretch(array: np.ndarray, size: Size) -> np.ndarray:
    """Resize (h w) or (h w c) to `size`: area average along a side that shrinks, bilinear along one that grows.

    OpenCV takes one filter for both sides, and its area filter is nearest neighbour when it enlarges: hence two steps.
    """
    height, width = array.shape[:2]
    if (height, width) == tuple(size):
        return array
    small = Size(min(height, size.height), min(width, size.width))
    if small != (height, width):
        array = cv2.resize(array, (small.width, small.height), interpolation=cv2.INTER_AREA)
    if small != size:
        array = cv2.resize(array, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
    return array


def _neighbours(side: float, multiple: int) -> set[int]:
    below = math.floor(side / multiple) * multiple
    return {max(below, multiple), below + multiple}


def _cost(size: Size, aspect: float, area: int) -> float:
    """Distortion counts in full, a departure from the native area by half: a squeeze harms more."""
    return abs(math.log(size.height / size.width / aspect)) + 0.5 * abs(math.log(size.area / area))
