"""The way of the LD-ZNet authors' demo from a picture to the network's size, kept to the letter for comparison.

Follows `load_img` of koutilya-pnvr/LD-ZNet at 3d28f76 (notebook and webui script). Our own way is `masks.fit`: it distorts less.
"""

import math

import numpy as np
from PIL import Image

from ldznet_ext.errors import PictureError
from ldznet_ext.geometry import Size
from ldznet_ext.masks.fit import Fit

CELL = 64


def demo_fit(original: Size, side: int = 384) -> Fit:
    """The size of an area of at most side x side pixels: both sides floored to 64, so the shape of the picture may change much.

    PictureError where one side comes to nothing; the demo breaks down there.

    >>> demo_fit(Size(800, 800)).network, demo_fit(Size(801, 800)).network, demo_fit(Size(512, 768)).network
    (Size(height=384, width=384), Size(height=320, width=320), Size(height=256, width=448))
    """
    aspect = original.height / original.width
    width = int(math.sqrt(side * side / aspect))
    height = int(aspect * width)  # of the width that was rounded, as theirs
    network = Size(height - height % CELL, width - width % CELL)
    if not network.area:
        raise PictureError(
            f"The picture has {original.height}x{original.width} pixels, of which the demo's rule leaves {network.height}x"
            f"{network.width}; expected sides that differ less, so leave parity off."
        )
    return Fit(Size(*original), network)


def demo_pixels(picture: np.ndarray, size: Size) -> np.ndarray:
    """A picture, uint8 (h w 3), by Pillow's Lanczos filter to float32 (3, h', w') in [-1, 1]."""
    small = Image.fromarray(picture).resize((size.width, size.height), Image.Resampling.LANCZOS)
    scaled = np.asarray(small, np.float32) / 255.0
    return np.ascontiguousarray(2.0 * scaled.transpose(2, 0, 1) - 1.0)
