"""Where a person paints the mask in each web UI: a sketch image whose mask only the browser can set, two hidden layers, or two
images. How each is read, and how a mask gets onto it.
"""

import base64
import io
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ldznet_ext.ui.compat import update


class Canvas(Protocol):
    """Where a person paints the mask: what it holds, and how a mask gets onto it."""

    @property
    def inputs(self) -> list[Any]:
        """Components whose values `read` takes."""
        ...

    @property
    def mask_outputs(self) -> list[Any]:
        """Components that take what `mask_values` gives."""
        ...

    @property
    def both_outputs(self) -> list[Any]:
        """Components that take what `both_values` gives."""
        ...

    @property
    def script(self) -> tuple[str, list[Any]] | None:
        """What the browser must do after the outputs were set, and the components it is given."""
        ...

    @property
    def reading(self) -> str | None:
        """What the browser does with the values of an event before they are sent."""
        ...

    def read(self, *values: Any) -> tuple[Any, Any]:
        """The picture and what is painted over it, each None where there is none."""
        ...

    def mask_values(self, mask: np.ndarray | None) -> list[Any]:
        """A mask (uint8 h w) for the picture that is there; None changes nothing."""
        ...

    def both_values(self, shown: Image.Image, mask: np.ndarray) -> list[Any]:
        """A picture with its mask."""
        ...


@dataclass(frozen=True)
class SketchCanvas:
    """A1111 and reForge: one sketch image; the mask is drawn by the page's script (`ldznet.paint`)."""

    image: Any
    data: Any

    @property
    def inputs(self) -> list[Any]:
        return [self.image]

    @property
    def mask_outputs(self) -> list[Any]:
        return [self.data]

    @property
    def both_outputs(self) -> list[Any]:
        return [self.image, self.data]

    @property
    def script(self) -> tuple[str, list[Any]] | None:
        return f"(data) => ldznet.paint('{self.image.elem_id}', data)", [self.data]

    @property
    def reading(self) -> str | None:
        # reForge sends a picture without a mask before the first stroke, and cannot read that itself
        return f"(...values) => ldznet.whole('{self.image.elem_id}', values)"

    def read(self, *values: Any) -> tuple[Any, Any]:
        value = values[0]
        return (value.get("image"), value.get("mask")) if isinstance(value, dict) else (value, None)

    def mask_values(self, mask: np.ndarray | None) -> list[Any]:
        return ["" if mask is None else data_url(mask)]

    def both_values(self, shown: Image.Image, mask: np.ndarray) -> list[Any]:
        return [shown, data_url(mask)]


@dataclass(frozen=True)
class PairCanvas:
    """A component for the picture and one for the mask, both set from Python alone."""

    picture: Any
    mask: Any

    @property
    def inputs(self) -> list[Any]:
        return [self.picture, self.mask]

    @property
    def mask_outputs(self) -> list[Any]:
        return [self.mask]

    @property
    def both_outputs(self) -> list[Any]:
        return [self.picture, self.mask]

    @property
    def script(self) -> tuple[str, list[Any]] | None:
        return None

    @property
    def reading(self) -> str | None:
        return None

    def read(self, *values: Any) -> tuple[Any, Any]:
        return values[0], values[1]

    def drawn(self, mask: np.ndarray) -> Image.Image:
        """A mask (uint8 h w) as its component takes it."""
        raise NotImplementedError

    def mask_values(self, mask: np.ndarray | None) -> list[Any]:
        return [update() if mask is None else self.drawn(mask)]

    def both_values(self, shown: Image.Image, mask: np.ndarray) -> list[Any]:
        return [shown.convert("RGB"), self.drawn(mask)]


class LayersCanvas(PairCanvas):
    """Forge: a background and a foreground; the foreground's alpha is the mask."""

    def drawn(self, mask: np.ndarray) -> Image.Image:
        return ink(mask)


class UploadCanvas(PairCanvas):
    """Inpaint upload of every host: two images."""

    def read(self, *values: Any) -> tuple[Any, Any]:
        return values[0], _opaque_is_grey(values[1])

    def drawn(self, mask: np.ndarray) -> Image.Image:
        return Image.fromarray(mask)


def _opaque_is_grey(mask: Image.Image | None) -> Image.Image | None:
    """The hosts read an uploaded mask's alpha only where it is not all opaque."""
    if mask is None or mask.mode != "RGBA" or mask.getextrema()[-1] != (255, 255):
        return mask
    return mask.convert("L")


def ink(mask: np.ndarray) -> Image.Image:
    """A mask (uint8 h w) as black paint of that opacity, RGBA."""
    black = np.zeros((*mask.shape, 4), np.uint8)
    black[..., 3] = mask
    return Image.fromarray(black)


def data_url(mask: np.ndarray) -> str:
    """The same for the page's script."""
    stream = io.BytesIO()
    ink(mask).save(stream, "png", compress_level=4)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
