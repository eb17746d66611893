"""Where a mask lies: its bounding box and its connected pieces."""

from dataclasses import dataclass

import cv2
import numpy as np

from ldznet_ext.geometry import Box


@dataclass(frozen=True, kw_only=True)
class Component:
    """One connected piece (8 neighbours): its box, its area in pixels and its mask (bool, cut to the box)."""

    box: Box
    area: int
    mask: np.ndarray


def box_of(mask: np.ndarray) -> Box | None:
    """Smallest half-open box around the true pixels of mask (h w), None when there is none.

    >>> box_of(np.array([[0, 0, 0, 0], [0, 1, 1, 0]], bool))
    Box(x0=1, y0=1, x1=3, y1=2)
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def components(mask: np.ndarray, *, at_least: int = 1) -> list[Component]:
    """Connected pieces of mask (h w) with at least so many pixels, the largest first."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    order = sorted((k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= at_least), key=lambda k: -stats[k, 4])
    return [_component(labels, k, *(int(v) for v in stats[k])) for k in order]


def _component(labels: np.ndarray, label: int, x: int, y: int, width: int, height: int, area: int) -> Component:
    box = Box(x, y, x + width, y + height)
    return Component(box=box, area=area, mask=labels[box.slices] == label)
