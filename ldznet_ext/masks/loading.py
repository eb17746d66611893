"""Any picture a person may hand over, as uint8 HWC RGB.

Rotation by EXIF, transparency over white, grey, palettes, 16 bits scaled (not clipped), CMYK and the first frame of
an animation are settled here, so that nothing behind this module meets anything but three bytes a pixel.
"""

import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ldznet_ext.errors import PictureError
from ldznet_ext.geometry import Size

MAX_SIDE = 16_384
MAX_PIXELS = 100_000_000
MAX_ASPECT = 16
GROUND = (255, 255, 255)
"""What shows through transparent pixels: white, as the web UIs flatten and as stickers and logos expect."""

Picture = str | os.PathLike | Image.Image | np.ndarray


def load_picture(source: Picture) -> np.ndarray:
    """Read a file, a PIL image or an array (h w), (h w 1|2|3|4) into uint8 (h w 3) RGB, upright and opaque.

    Arrays are taken as grey, grey + alpha, RGB or RGBA: bool, uint8, uint16 (scaled) or float in 0..1.
    Raises PictureError for whatever is missing, damaged, not a picture, too large or longer than 16:1.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _from_image(source, "The image")
    if isinstance(source, (str, os.PathLike)):
        return _from_file(source)
    raise PictureError(
        f"The picture is a {type(source).__name__}; expected a file path, a PIL image or a uint8 array (h w 3), so "
        "give one of them."
    )


def check_size(size: Size, what: str = "The picture") -> None:
    """Refuse a size that is empty, over 16,384 px a side or 100 MP, or longer than 16:1."""
    height, width = size
    if height < 1 or width < 1:
        raise PictureError(f"{what} is {width} x {height} pixels; expected at least 1 x 1, so choose another file.")
    if max(height, width) > MAX_SIDE or size.area > MAX_PIXELS:
        raise PictureError(
            f"{what} is {width} x {height} pixels; expected at most {MAX_SIDE:,} a side and "
            f"{MAX_PIXELS // 1_000_000} megapixels, so shrink or crop it first."
        )
    if max(height, width) > MAX_ASPECT * min(height, width):
        raise PictureError(
            f"{what} is {width} x {height} pixels; expected sides of at most {MAX_ASPECT}:1, so crop or cut it first."
        )


def _from_file(source: str | os.PathLike) -> np.ndarray:
    path = Path(source)
    name = f"The picture {path.name!r}"
    _check_file(path, name)
    with warnings.catch_warnings():
        # Pillow warns of "bombs" from 89 megapixels on (our own limit is 100, checked first) and of bad EXIF.
        warnings.simplefilter("ignore")
        with _open(path, name) as image:
            return _from_image(image, name)


def _open(path: Path, name: str) -> Image.Image:
    try:
        return Image.open(path)
    except Image.DecompressionBombError:
        raise PictureError(
            f"{name} has far more than {MAX_PIXELS // 1_000_000} megapixels; expected at most that many, so shrink or crop it "
            "first."
        ) from None
    except Image.UnidentifiedImageError:
        raise PictureError(
            f"{name} is not a picture that can be read; expected PNG, JPEG, WebP, GIF, BMP or TIFF, so convert it."
        ) from None
    except Exception as error:  # Pillow's plugins raise anything from SyntaxError to struct.error on a damaged header
        raise _damaged(name, error) from None


def _check_file(path: Path, name: str) -> None:
    try:
        if path.is_dir():
            raise PictureError(f"{name} is a folder; expected a picture file, so name one file in it.")
        if not path.exists():
            raise PictureError(f"{name} was not found at {str(path)!r}; expected an existing file, so check the path.")
        if not path.is_file():  # a pipe or a device would block or never end
            raise PictureError(f"{name} is not an ordinary file; expected a picture file, so save it first.")
        if path.stat().st_size == 0:
            raise PictureError(f"{name} is empty (0 bytes); expected a picture, so save or download it again.")
    except (OSError, ValueError) as error:
        if isinstance(error, PictureError):
            raise
        raise PictureError(
            f"{name} cannot be opened ({_reason(error)}); expected a readable picture file, so check its path and permissions."
        ) from None


def _from_image(image: Image.Image, name: str) -> np.ndarray:
    check_size(Size(image.height, image.width), name)
    try:
        image.load()
        picture = _opaque(_upright(image))
    except MemoryError:
        raise PictureError(f"{name} does not fit in memory; expected a smaller one, so shrink it first.") from None
    except Exception as error:  # a truncated or damaged body; see above
        raise _damaged(name, error) from None
    check_size(Size(*picture.shape[:2]), name)
    return picture


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return image


def _opaque(image: Image.Image) -> np.ndarray:
    if image.mode == "F" or image.mode.startswith("I"):
        return _three(_eight_bits(np.asarray(image), wide=image.format == "PNG" or image.mode.startswith("I;16")))
    if image.mode in ("RGBa", "La"):
        image = image.convert({"RGBa": "RGBA", "La": "LA"}[image.mode])
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return _over_ground(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def _from_array(array: np.ndarray) -> np.ndarray:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 2, 3, 4):
        raise PictureError(
            f"The picture array has shape {array.shape}; expected (height, width, 3) or (height, width), so reshape it."
        )
    check_size(Size(*array.shape[:2]), "The picture array")
    array = _eight_bits(_checked_dtype(array), wide=array.dtype == np.uint16)
    if channels == 4:
        return _over_ground(array)
    if channels == 2:
        return _over_ground(array[..., [0, 0, 0, 1]])
    return np.array(array) if channels == 3 else _three(array)


def _checked_dtype(array: np.ndarray) -> np.ndarray:
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype in (np.uint8, np.uint16):
        return array
    if np.issubdtype(array.dtype, np.floating) and array.min() >= 0 and array.max() <= 1:  # false for NaN
        return array.astype(np.float32)
    raise PictureError(
        f"The picture array is {array.dtype} from {array.min()} to {array.max()}; expected uint8 (0-255), uint16 or "
        "float in 0..1, so convert it."
    )


def _eight_bits(array: np.ndarray, *, wide: bool) -> np.ndarray:
    """Scale 16-bit, 32-bit and float samples to 0-255; `wide`: whole numbers are known to span 0-65535."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f" and wide:
        return ((np.clip(array, 0, 65535).astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    values = np.nan_to_num(array.astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = min(float(values.min()), 0.0), float(values.max())
    usual = [top for top in ((1, 255) if array.dtype.kind == "f" else (255, 65535)) if high <= top]
    top = usual[0] if usual and low == 0 else max(high, low + 1e-6)
    return np.round((values - low) * (255.0 / (top - low))).astype(np.uint8)


def _over_ground(rgba: np.ndarray) -> np.ndarray:
    """Composite uint8 (h w 4) over GROUND, in bands of rows so that 100 MP need no second picture in float."""
    picture = np.empty((*rgba.shape[:2], 3), np.uint8)
    for top in range(0, len(rgba), 256):
        band = rgba[top : top + 256].astype(np.uint16)
        alpha = band[..., 3:]
        picture[top : top + 256] = (band[..., :3] * alpha + np.array(GROUND, np.uint16) * (255 - alpha) + 127) // 255
    return picture


def _three(grey: np.ndarray) -> np.ndarray:
    grey = grey if grey.ndim == 2 else grey[..., 0]
    return np.repeat(grey[..., None], 3, axis=2)


def _damaged(name: str, error: Exception) -> PictureError:
    return PictureError(
        f"{name} is damaged or cut short ({_reason(error)}); expected a whole picture, so save or download it again."
    )


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.splitlines()[0].rstrip(".") if text.strip() else type(error).__name__
