"""The rectangle around a mask that "only masked" inpaints."""

from PIL import Image


def get_crop_region(mask: Image.Image, padding: int = 0) -> tuple[int, int, int, int] | None:
    """(x0, y0, x1, y1) of what is not black, with room around; None where all is black."""
    box = mask.getbbox()
    if box is None:
        return None
    x0, y0, x1, y1 = box
    return max(x0 - padding, 0), max(y0 - padding, 0), min(x1 + padding, mask.width), min(y1 + padding, mask.height)


def expand_crop_region(
    region: tuple[int, int, int, int], width: int, height: int, image_width: int, image_height: int
) -> tuple[int, int, int, int]:
    """The same of the shape width:height, kept inside the picture where it fits."""
    x0, y0, x1, y1 = region
    if (x1 - x0) * height > width * (y1 - y0):
        y0, y1 = _widen(y0, y1, round((x1 - x0) * height / width), image_height)
    else:
        x0, x1 = _widen(x0, x1, round((y1 - y0) * width / height), image_width)
    return x0, y0, x1, y1


def _widen(low: int, high: int, wanted: int, limit: int) -> tuple[int, int]:
    wanted = min(wanted, limit)
    low -= (wanted - (high - low)) // 2
    low = max(0, min(low, limit - wanted))
    return low, low + wanted
