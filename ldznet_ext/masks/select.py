"""Which pieces of a mask stay: not too small, the largest, those that were clicked; the n-th; and whose each pixel is.

Pieces are connected with their 8 neighbours and ordered by their areas, the largest first; of equal ones the upper one, then the
left one, comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SPECK = 0.01
"""A piece with less than this share of the largest one's area is no instance: it belongs to the nearest that is."""


@dataclass(frozen=True)
class Pieces:
    """A mask's pieces: `labels` int32 (h w), 0 for the ground; `order`: the labels, the largest piece first; `areas` of those."""

    labels: np.ndarray
    order: np.ndarray
    areas: np.ndarray

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.order)

    def of(self, labels: Sequence[int] | np.ndarray) -> np.ndarray:
        """Bool (h w): the pieces with these labels."""
        table = np.zeros(int(self.labels.max(initial=0)) + 1, bool)
        table[np.asarray(labels, np.intp)] = True
        table[0] = False
        return table[self.labels]


def pieces(mask: np.ndarray) -> Pieces:
    """The pieces of a bool mask (h w)."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    order = np.lexsort((stats[1:, cv2.CC_STAT_LEFT], stats[1:, cv2.CC_STAT_TOP], -areas))
    return Pieces(labels, order + 1, areas[order])


def select(
    mask: np.ndarray,
    *,
    islands: int = 0,
    keep: int = 0,
    clicked: Sequence[tuple[int, int]] = (),
    dropped: Sequence[tuple[int, int]] = (),
    reach: int = 0,
) -> np.ndarray:
    """The pieces of a bool mask (h w) that stay: those of at least `islands` pixels, of them the `keep` largest (0: all), of them
    those that were `clicked` (none: all), less those that were `dropped`.

    Clicks are (x, y); one counts for the piece it lies in, or for the nearest within `reach` pixels. Where what was clicked is
    there no longer, nothing stays.
    """
    if not (islands > 1 or keep or clicked or dropped) or not mask.any():
        return mask
    found = pieces(mask)
    staying = found.order[found.areas >= islands]
    staying = staying[:keep] if keep else staying
    if clicked:
        staying = np.intersect1d(staying, _hit(found, clicked, reach))
    return found.of(np.setdiff1d(staying, _hit(found, dropped, reach)))


def instances(mask: np.ndarray) -> Pieces:
    """A mask's pieces that are more than specks; those are ground here."""
    found = pieces(mask)
    count = int(np.count_nonzero(found.areas >= SPECK * found.areas.max(initial=0)))
    if count == found.count:
        return found
    order = found.order[:count]
    return Pieces(np.where(found.of(order), found.labels, 0).astype(np.int32), order, found.areas[:count])


def instance_of(mask: np.ndarray, number: int) -> np.ndarray | None:
    """Bool (h w): the pixels nearer to the n-th instance of a mask (1: the largest) than to any other; None without it.

    With the piece itself go the ground and the specks round it, so that a map cut at another threshold keeps its instances apart
    and all of them together are the whole.
    """
    found = instances(mask)
    if not 1 <= number <= found.count:
        return None
    if found.count == 1:
        return np.ones(mask.shape, bool)
    return nearest(found) == found.order[number - 1]


def nearest(found: Pieces) -> np.ndarray:
    """For each pixel the label of the piece it is nearest to, int32 (h w)."""
    ground = (found.labels == 0).astype(np.uint8)
    _, zones = cv2.distanceTransformWithLabels(ground, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP)
    table = np.zeros(int(zones.max()) + 1, found.labels.dtype)
    inside = found.labels > 0
    table[zones[inside]] = found.labels[inside]  # OpenCV counts them anew
    return table[zones]


def _hit(found: Pieces, clicks: Sequence[tuple[int, int]], reach: int) -> list[int]:
    """The labels of the pieces that were clicked."""
    hit = (_label_at(found.labels, x, y, reach) for x, y in clicks)
    return [label for label in hit if label]


def _label_at(labels: np.ndarray, x: int, y: int, reach: int) -> int:
    """The label at a pixel, or the nearest within reach; 0 where there is none."""
    if labels[y, x]:
        return int(labels[y, x])
    top, left = max(0, y - reach), max(0, x - reach)
    near = labels[top : y + reach + 1, left : x + reach + 1]
    rows, columns = np.nonzero(near)
    away = (rows + top - y) ** 2 + (columns + left - x) ** 2
    if not away.size or away.min() > reach * reach:
        return 0
    place = int(away.argmin())
    return int(near[rows[place], columns[place]])
