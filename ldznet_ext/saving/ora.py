"""OpenRaster: a picture in layers, as Krita, GIMP and MyPaint open it (openraster.org, baseline 0.0.6).

A ZIP whose first file, stored as it is, says what it is; `stack.xml` lists the layers, the uppermost first; each is a PNG in
`data/`. `mergedimage.png` is all that is visible put together, the thumbnail the same at 256 pixels at most.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import cv2
import numpy as np

from ldznet_ext.errors import OptionError
from ldznet_ext.saving.png import png

MIME = "image/openraster"
VERSION = "0.0.6"
THUMBNAIL = 256
STAMP = (1980, 1, 1, 0, 0, 0)
"""The earliest time a ZIP knows: the same layers are the same bytes whenever they are saved."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer as large as the picture: its name and pixels, uint8 RGB (h w 3) or RGBA (h w 4); `visible` as it is opened."""

    name: str
    pixels: np.ndarray
    visible: bool = True


def ora(layers: Sequence[Layer]) -> bytes:
    """The bytes of an .ora file, the uppermost layer first; all layers are of one size."""
    sizes = {layer.pixels.shape[:2] for layer in layers}
    if len(sizes) != 1:
        raise OptionError(f"The layers have {len(sizes)} sizes; expected one, so make them as large as the picture.")
    sources = [f"data/layer{number}.png" for number in range(len(layers))]
    whole = merged(layers)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "mimetype", MIME.encode("ascii"))
        _put(archive, "stack.xml", _stack(layers, sources, sizes.pop()), zipfile.ZIP_DEFLATED)
        for source, layer in zip(sources, layers, strict=True):
            _put(archive, source, png(layer.pixels))
        _put(archive, "mergedimage.png", png(whole))
        _put(archive, "Thumbnails/thumbnail.png", png(_small(whole)))
    return buffer.getvalue()


def merged(layers: Sequence[Layer]) -> np.ndarray:
    """What is seen of the visible layers, uint8 RGBA (h w 4), by the "over" of Porter and Duff."""
    height, width = layers[0].pixels.shape[:2]
    colour, cover = np.zeros((height, width, 3), np.float32), np.zeros((height, width, 1), np.float32)
    for layer in reversed([layer for layer in layers if layer.visible]):
        pixels = layer.pixels.astype(np.float32) / 255
        alpha = pixels[..., 3:] if pixels.shape[2] == 4 else np.ones_like(cover)
        colour = pixels[..., :3] * alpha + colour * (1 - alpha)
        cover = alpha + cover * (1 - alpha)
    straight = colour / np.maximum(cover, 1e-6)
    return np.rint(np.dstack([straight, cover]).clip(0, 1) * 255).astype(np.uint8)


def _put(archive: zipfile.ZipFile, name: str, content: bytes, how: int = zipfile.ZIP_STORED) -> None:
    """PNGs are compressed as they are: they are stored."""
    entry = zipfile.ZipInfo(name, STAMP)
    entry.compress_type = how
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def _stack(layers: Sequence[Layer], sources: Sequence[str], size: tuple[int, int]) -> bytes:
    image = ElementTree.Element("image", version=VERSION, w=str(size[1]), h=str(size[0]), xres="72", yres="72")
    stack = ElementTree.SubElement(image, "stack")
    for layer, source in zip(layers, sources, strict=True):
        attributes = {"name": _printable(layer.name), "src": source, "x": "0", "y": "0", "opacity": "1.0"}
        shown = "visible" if layer.visible else "hidden"
        ElementTree.SubElement(stack, "layer", attributes, visibility=shown, **{"composite-op": "svg:src-over"})
    return ElementTree.tostring(image, encoding="UTF-8", xml_declaration=True)


def _printable(name: str) -> str:
    """A name that XML can hold: it has no controls and no halves of characters."""
    kept = (one if one.isprintable() else " " for one in name.encode("utf-8", "ignore").decode("utf-8"))
    return "".join(kept).strip() or "mask"


def _small(picture: np.ndarray) -> np.ndarray:
    """At most 256 pixels a side, as large as possible, never enlarged."""
    height, width = picture.shape[:2]
    factor = min(1.0, THUMBNAIL / max(height, width))
    if factor == 1.0:
        return picture
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
