"""Pictures and masks in JSON: base64 in, checked and bounded before they are unpacked, and base64 out.

No path, address or file name that arrives here is ever opened.
"""

import base64
import binascii
import io
from typing import TYPE_CHECKING, Any

from ldznet_ext.api.limits import MAX_MEGAPIXELS, MAX_PICTURES, MAX_TOGETHER, TooLargeError
from ldznet_ext.errors import PictureError

if TYPE_CHECKING:
    import numpy as np

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")


def read_picture(text: Any, what: str = "The picture") -> "np.ndarray":
    """Base64 (a data URL's head is taken off) as uint8 (h w 3) RGB, upright and over white."""
    from PIL import Image

    from ldznet_ext.masks.imaging import load_picture

    data = _bytes(text, what)
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:  # Pillow's plugins raise anything on a damaged header
        raise PictureError(
            f"{what} is no picture ({len(data):,} bytes); expected a whole PNG, JPEG, WebP, BMP or GIF in base64, so send one."
        ) from error
    if image.width * image.height > MAX_MEGAPIXELS * 1_000_000:
        raise TooLargeError(
            f"{what} is {image.width} x {image.height} pixels; expected at most {MAX_MEGAPIXELS} megapixels, so shrink it."
        )
    try:
        return load_picture(image)
    except PictureError as error:
        raise PictureError(str(error).replace("The image", what, 1)) from error


def read_pictures(given: Any) -> "tuple[np.ndarray, ...]":
    """A list of pictures, at least one; not too many, and not too large together."""
    if not isinstance(given, (list, tuple)) or not given:
        raise PictureError("The request has no images; expected a list of pictures in base64, so send at least one.")
    if len(given) > MAX_PICTURES:
        raise TooLargeError(
            f"There are {len(given)} images; expected at most {MAX_PICTURES}, so send the others after."
        )
    images: list[np.ndarray] = []
    for number, text in enumerate(given, start=1):
        images.append(read_picture(text, f"Picture {number}"))
        together = sum(image.shape[0] * image.shape[1] for image in images)
        if together > MAX_TOGETHER * 1_000_000:
            raise TooLargeError(
                f"The first {number} images have {together / 1e6:,.0f} megapixels; expected at most {MAX_TOGETHER} together, so "
                "send the others after."
            )
    return tuple(images)


def read_mask(text: Any) -> "np.ndarray":
    """A mask as a picture in base64: uint8 (h w), white where something is."""
    import numpy as np
    from PIL import Image

    return np.asarray(Image.fromarray(read_picture(text, "The mask")).convert("L"))


def to_base64(data: bytes) -> str:
    """Bytes as JSON takes them."""
    return base64.b64encode(data).decode("ascii")


def png(array: "np.ndarray") -> str:
    """uint8 (h w), (h w 3) or (h w 4), or uint16 (h w), as a PNG in base64."""
    from ldznet_ext.saving.png import png as encoded

    return to_base64(encoded(array))


def _bytes(text: Any, what: str) -> bytes:
    if not isinstance(text, str):
        raise PictureError(f"{what} is of the type {type(text).__name__}; expected base64 as text, so encode it.")
    head, comma, rest = text.partition(",")
    encoded = "".join((rest if comma and head.startswith("data:image/") else text).split())
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):  # characters beyond ASCII are a ValueError
        data = b""
    if not data:
        raise PictureError(
            f"{what} is not base64; expected the picture's own bytes (paths and addresses are never opened here), so encode "
            "the file and send that."
        )
    return data
