"""Whether another engine stands in for the UNet: here never."""

from typing import Any

current_unet: Any = None
current_unet_option: Any = None


def apply_unet(option: Any = None) -> None:
    """Nothing to put in place."""
