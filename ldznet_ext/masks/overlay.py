"""A mask shown on its picture: a tint inside, a light line with a dark rim around, readable on any ground."""

import cv2
import numpy as np

COLOUR = (255, 48, 150)
"""A pink no natural picture has much of."""
TINT = 0.45
LINE = 0.004
"""Width of the outline as a fraction of the picture's diagonal, at least one pixel."""


def overlay(
    picture: np.ndarray, mask: np.ndarray, *, colour: tuple[int, int, int] = COLOUR, tint: float = TINT
) -> np.ndarray:
    """Draw mask (bool h w) on picture (uint8 h w 3 RGB): a new uint8 (h w 3); outside mask and line nothing changes."""
    out = np.array(picture, order="C")  # OpenCV draws into nothing else
    for top in range(0, len(out), 512):  # in bands: indexing a whole 100 MP picture would copy it several times
        band, inside = out[top : top + 512], mask[top : top + 512]
        band[inside] = np.rint(band[inside] * np.float32(1 - tint) + np.array(colour, np.float32) * tint).astype(
            np.uint8
        )
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(LINE * float(np.hypot(*mask.shape))))
    cv2.drawContours(out, outlines, -1, (24, 8, 20), width * 2 if width > 1 else 1)
    if width > 1:
        cv2.drawContours(out, outlines, -1, (255, 255, 255), max(1, width // 2))
    return out
