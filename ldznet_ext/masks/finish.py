"""From a mask of words to the one that is used: its pieces, its holes, its size, what was done by hand, its edge. No model.

The order is the one a person sees: clicks choose among the pieces that the threshold leaves; holes are filled and the mask is
grown; then comes the hand, on the mask as it is shown, so that what is erased is gone and what is drawn has the drawn size; then
the edge is softened, and last of all the whole is inverted.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ldznet_ext.errors import OptionError
from ldznet_ext.masks.select import select
from ldznet_ext.masks.shape import blur, fill_holes, grown, to_grey

if TYPE_CHECKING:
    from ldznet_ext.masks.edits import Edits
    from ldznet_ext.request import MaskSettings

REACH = 4
"""Pixels by which a click may miss a piece, beside those that it was grown by."""


def finish(mask: np.ndarray, settings: "MaskSettings", edits: "Edits", picture: np.ndarray | None = None) -> np.ndarray:
    """A mask as it is used, uint8 (h w) 0..255.

    mask: bool (h w), or float32 0..1 where it is soft: then at least 1/2 is in it. picture: uint8 (h w 3), for `alpha`.
    """
    mask = chosen(mask, settings, edits)
    mask = grown(_filled(mask), settings.grow) if settings.holes else grown(mask, settings.grow)
    mask = by_hand(mask, edits, holes=settings.holes)
    grey = to_grey(mask)
    if settings.alpha:
        grey = _alpha(grey, edits, picture)
    grey = blur(grey, settings.feather)
    return 255 - grey if settings.invert else grey


def chosen(mask: np.ndarray, settings: "MaskSettings", edits: "Edits") -> np.ndarray:
    """The pieces that stay: no islands, the largest, those that were clicked."""
    solid, reach = _solid(mask), REACH + max(settings.grow, 0)
    kept = select(
        solid, islands=settings.islands, keep=settings.keep, clicked=edits.keep, dropped=edits.drop, reach=reach
    )
    if kept is solid or mask.dtype == bool:
        return mask if kept is solid else kept
    return mask * ~_of_dropped(kept, solid & ~kept)


def by_hand(mask: np.ndarray, edits: "Edits", *, holes: bool = False) -> np.ndarray:
    """With what was drawn: joined, without holes where asked (an outline that was drawn is filled), cut, erased."""
    full = mask.dtype.type(1)
    if edits.add is not None:
        mask = np.where(edits.add, full, mask)
        mask = _filled(mask) if holes else mask
    return _within(mask, edits)


def _within(mask: np.ndarray, edits: "Edits") -> np.ndarray:
    """Without what lies outside `only`, or was erased."""
    for gone in (None if edits.only is None else ~edits.only, edits.erase):
        mask = mask if gone is None else np.where(gone, mask.dtype.type(0), mask)
    return mask


def _alpha(grey: np.ndarray, edits: "Edits", picture: np.ndarray | None) -> np.ndarray:
    """How much of each pixel is the thing's, near the edge; what was erased by hand stays so."""
    if picture is None:
        raise OptionError("Soft alpha is on and there is no picture to read it from; expected one, so give it too.")
    if not (grey >= 128).any():
        return grey
    from ldznet_ext.masks.matting import alpha

    return _within(alpha(picture, grey, band=None), edits)


def _filled(mask: np.ndarray) -> np.ndarray:
    solid = _solid(mask)
    filled = fill_holes(solid)
    return filled if mask.dtype == bool else np.where(filled & ~solid, np.float32(1), mask)


def _of_dropped(kept: np.ndarray, dropped: np.ndarray) -> np.ndarray:
    """Bool (h w): nearer to what was dropped than to what was kept, so that no haze of it stays."""
    return _distance(dropped) < _distance(kept) if kept.any() else np.ones(kept.shape, bool)


def _distance(mask: np.ndarray) -> np.ndarray:
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)


def _solid(mask: np.ndarray) -> np.ndarray:
    return mask if mask.dtype == bool else mask >= np.float32(0.5)
