"""The way in and back: any picture to RGB bytes, to the network's size, and its maps to the picture's own size."""

from ldznet_ext.masks.fit import Fit, fit, stretch, to_network, undo
from ldznet_ext.masks.loading import MAX_ASPECT, MAX_PIXELS, MAX_SIDE, Picture, check_size, load_picture

__all__ = [
    "MAX_ASPECT",
    "MAX_PIXELS",
    "MAX_SIDE",
    "Fit",
    "Picture",
    "check_size",
    "fit",
    "load_picture",
    "stretch",
    "to_network",
    "undo",
]
