"""A mask as a person gives it: an array, a PIL image or a file, made bool and checked against its picture's size."""

import os

import numpy as np
from PIL import Image

from ldznet_ext.errors import PictureError
from ldznet_ext.geometry import Size
from ldznet_ext.masks.loading import Picture, load_picture


def read_mask(mask: np.ndarray | Picture, size: Size) -> np.ndarray:
    """Bool (h w) of whatever a mask may come as; PictureError where it is none, or not of its picture's size.

    An array is bool, float (true above 0.5) or of whole numbers (above 127, or 1 where nothing is larger); files and PIL
    images are read as grey.
    """
    array = _mask_array(mask)
    if array.shape != tuple(size):
        raise PictureError(
            f"The mask is {'x'.join(map(str, array.shape))}; expected {size.height}x{size.width} (height x width), the picture's "
            "size, so resize it."
        )
    return array if array.dtype == bool else array > _middle(array)


def _mask_array(mask: np.ndarray | Picture) -> np.ndarray:
    """An array of numbers."""
    if isinstance(mask, (str, os.PathLike)):
        mask = Image.fromarray(load_picture(mask))
    if isinstance(mask, Image.Image):
        return np.asarray(mask.convert("L"))
    try:
        array = np.asarray(mask)
    except ValueError:  # rows of unequal length
        array = np.asarray(None)
    if array.dtype.kind not in "buif" or array.ndim < 2:
        raise PictureError(
            f"The mask is of the type {type(mask).__name__}; expected an array (height, width), a PIL image or a picture file, "
            "so give `result.mask`, for example."
        )
    return array


def _middle(array: np.ndarray) -> float:
    """Above which a number means true: half of 1 for floats and for whole numbers that are 0 and 1 alone, else 127."""
    return 0.5 if array.dtype.kind == "f" or array.max(initial=0) <= 1 else 127
