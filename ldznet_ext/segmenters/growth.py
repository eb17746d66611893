"""A click to a small region: the connected cells around it whose features are nearer to its own than to the picture's.

What Otsu's threshold (1979) separates in the similarities to the click, repeated with the prototype of what was found.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from ldznet_ext.segmenters.prototypes import likeness, prototypes
from ldznet_ext.shapes import Bool, Float

Cell = tuple[int, int]
"""Row and column on the grid of the features."""

ROUNDS = 2


def grow(features: Float[Tensor, "d h w"], clicks: Sequence[Cell]) -> Bool[Tensor, "h w"]:
    """The union of what grows from each click; at least the clicked cells themselves."""
    regions = [_grow_one(centred(features), click) for click in clicks]
    return torch.from_numpy(np.logical_or.reduce(regions))


def centred(features: Float[Tensor, "d h w"]) -> Float[Tensor, "d h w"]:
    """Features without the picture's mean, which all cells share; what is no number counts as the mean."""
    features = features.float()
    return (features - features.flatten(1).nanmean(dim=1)[:, None, None]).nan_to_num(posinf=0.0, neginf=0.0)


def _grow_one(features: Float[Tensor, "d h w"], click: Cell) -> np.ndarray:
    """Bool (h w)."""
    region = np.zeros(features.shape[1:], bool)
    region[click] = True
    for _ in range(ROUNDS):
        kind = prototypes(features, torch.from_numpy(region).to(features)[None])
        alike = likeness(features, kind)[0].cpu().numpy()
        if not np.ptp(alike) > 0:
            break
        region = _piece(_above_otsu(alike), click)
    return region


def _above_otsu(values: np.ndarray) -> np.ndarray:
    """Bool: which values lie in the upper of the two classes that are most compact."""
    spread = np.rint((values - values.min()) * (255 / np.ptp(values))).astype(np.uint8)
    return cv2.threshold(spread, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1].astype(bool)


def _piece(mask: np.ndarray, click: Cell) -> np.ndarray:
    """The connected piece (4 neighbours) that holds the click, which always belongs to it."""
    mask = mask.copy()
    mask[click] = True
    labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[1]
    return labels == labels[click]
