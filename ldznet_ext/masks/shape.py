"""A mask's shape, in the picture's own pixels: grow or shrink, fill holes, feather, invert. No model, milliseconds.

Growth is flat morphology with a disc (all offsets with dx² + dy² <= radius²), on masks and on maps alike, so that cutting a
grown map is growing the cut one. What lies outside the picture counts for nothing: an edge of the picture neither grows
into it nor eats at it.
"""

from math import hypot, isqrt

import cv2
import numpy as np

DETAIL = 6
"""Deviations above this many pixels are blurred at a smaller size: nothing finer than the deviation is left anyway."""


def to_grey(mask: np.ndarray) -> np.ndarray:
    """A bool mask (h w), or float32 probabilities 0..1 (NaN counts as 0), as uint8 0..255."""
    if mask.dtype == bool:
        return mask.astype(np.uint8) * np.uint8(255)
    return np.rint(np.clip(np.nan_to_num(mask, nan=0.0), 0, 1) * 255).astype(np.uint8)


def grown(array: np.ndarray, pixels: int) -> np.ndarray:
    """A bool mask or a float32 map (h w), larger by a disc of so many pixels, or smaller where they are negative.

    >>> grown(np.array([[0, 0, 1, 0, 0]], bool), 1).astype(int).tolist()
    [[0, 1, 1, 1, 0]]
    """
    if pixels < 0:
        return ~grown(~array, -pixels) if array.dtype == bool else -grown(-array, -pixels)
    radius = min(int(pixels), int(hypot(*array.shape)) + 1)
    if not radius:
        return array.copy()
    return _near(array, radius) if array.dtype == bool else _dilated(array, radius)


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Bool (h w) without holes: ground that does not reach the picture's edge (4 neighbours) becomes mask."""
    ground = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    _, labels = cv2.connectedComponents(ground, connectivity=4)
    return labels[1:-1, 1:-1] != labels[0, 0]


def blur(grey: np.ndarray, deviation: float) -> np.ndarray:
    """uint8 (h w) with a Gaussian of this deviation in pixels over it; the picture's edge is continued outwards."""
    if deviation <= 0:
        return grey
    factor = max(1, int(deviation / DETAIL))
    height, width = grey.shape
    if factor == 1:
        return cv2.GaussianBlur(grey, (0, 0), deviation, borderType=cv2.BORDER_REPLICATE)
    small = (max(1, width // factor), max(1, height // factor))
    coarse = cv2.resize(grey.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    across, down = deviation * small[0] / width, deviation * small[1] / height
    coarse = cv2.GaussianBlur(coarse, (0, 0), across, sigmaY=down, borderType=cv2.BORDER_REPLICATE)
    return np.rint(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)).astype(np.uint8)


def _near(mask: np.ndarray, radius: int) -> np.ndarray:
    """Pixels not farther than the radius from the mask, by the exact distance to it."""
    if not mask.any():
        return mask.copy()
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance * distance < radius * radius + 0.5  # squares of distances are whole numbers


def _dilated(prob: np.ndarray, radius: int) -> np.ndarray:
    """The largest value in a disc round each pixel, a row of the disc at a time, from its short top row to its diameter.

    `table[:, x]` holds the maximum of `span` neighbours from x on, so that any longer run is the maximum of two of them. By
    OpenCV's maximum, which takes half the time of numpy's.
    """
    height, width = prob.shape
    out = np.full_like(prob, -np.inf)
    table, span = np.pad(prob, ((0, 0), (radius, radius)), constant_values=-np.inf), 1
    for dy in range(radius, -1, -1):
        reach = isqrt(radius * radius - dy * dy)
        length, left = 2 * reach + 1, radius - reach
        while 2 * span <= length:
            table, span = cv2.max(table[:, :-span], table[:, span:]), 2 * span
        if dy >= height:
            continue
        right = left + length - span
        run = cv2.max(table[:, left : left + width], table[:, right : right + width])
        cv2.max(out[dy:], run[: height - dy], dst=out[dy:])
        cv2.max(out[: height - dy], run[dy:], dst=out[: height - dy])
    return out
