"""A click to a small region: the connected cells around it whose features point where its own do, away from the picture's mean.

Measured on validation scenes with a click in an object's middle: Otsu's threshold in place of a fixed cosine, or growing once
more from what was found, gives regions that are no better.
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

REACH = 1
"""Cells around the clicked one that belong to the seed: what a person clicks on is larger than a cell."""
ALIKE = 0.5
"""Cosine, about the picture's mean, from which a cell is like the seed."""


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
    seed = torch.zeros(features.shape[1:], device=features.device)
    seed[tuple(slice(max(0, place - REACH), place + REACH + 1) for place in click)] = 1
    alike = likeness(features, prototypes(features, seed[None]))[0]
    return _piece((alike > ALIKE).cpu().numpy(), click)


def _piece(mask: np.ndarray, click: Cell) -> np.ndarray:
    """The connected piece (4 neighbours) that holds the click, which always belongs to it."""
    mask = mask.copy()
    mask[click] = True
    labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[1]
    return labels == labels[click]
