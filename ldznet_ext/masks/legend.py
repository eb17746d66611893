"""A picture whose every pixel has a label, drawn: a colour a label, the picture tinted with them, a legend underneath."""

import colorsys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ldznet_ext.result import UNLABELLED

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

TINT = 0.55
GROUND, INK = (250, 250, 250), (28, 28, 32)
LEAST_WIDTH = 160
"""Pixels; a legend under a narrower picture is wider than it."""
TURN = 0.618034
"""Of the colour wheel between neighbouring labels, the golden section: however many there are, none are alike."""


@dataclass(frozen=True)
class Entry:
    """A line of the legend: the label it explains and what it says."""

    label: int
    text: str


def colour(label: int) -> tuple[int, int, int]:
    """The RGB colour of a label, the same in every picture; black for UNLABELLED.

    >>> colour(-1), colour(0)
    ((0, 0, 0), (242, 73, 73))
    """
    if label < 0:
        return (0, 0, 0)
    light, vivid = ((0.95, 0.70), (0.70, 0.85), (1.0, 0.45))[label // 3 % 3]
    red, green, blue = colorsys.hsv_to_rgb(label * TURN % 1.0, vivid, light)
    return (round(red * 255), round(green * 255), round(blue * 255))


def tint(picture: np.ndarray, labels: np.ndarray, *, strength: float = TINT) -> np.ndarray:
    """A copy of picture (uint8 h w 3 RGB) in the colours of labels (int h w); what is labelled UNLABELLED stays as it is."""
    out = np.array(picture)
    table = np.array([colour(label) for label in range(int(labels.max(initial=UNLABELLED)) + 1)], np.float32).reshape(
        -1, 3
    )
    for top in range(0, len(out), 512):  # in bands, as a large picture would need several copies of itself
        band, here = out[top : top + 512], labels[top : top + 512]
        inside = here > UNLABELLED
        band[inside] = np.rint(band[inside] * np.float32(1 - strength) + table[here[inside]] * strength)
    out[_borders(labels)] = 255
    return out


def legend(picture: np.ndarray, labels: np.ndarray, entries: Sequence[Entry]) -> np.ndarray:
    """The tinted picture over its legend: uint8 (h' w' 3), at least as large as the picture."""
    tinted = tint(picture, labels)
    if not entries:
        return tinted
    width = max(tinted.shape[1], LEAST_WIDTH)
    panel = _panel(entries, width, size=max(12, min(28, width // 36)))
    canvas = np.full((tinted.shape[0] + panel.shape[0], width, 3), GROUND, np.uint8)
    canvas[: tinted.shape[0], : tinted.shape[1]] = tinted
    canvas[tinted.shape[0] :] = panel
    return canvas


def palette_png(labels: np.ndarray) -> bytes:
    """Labels (int h w, UNLABELLED to 254) as an 8-bit palette PNG: index 0 is nothing, index n + 1 the label n."""
    import io

    from PIL import Image

    image = Image.fromarray((labels + 1).astype(np.uint8))
    image.putpalette(
        [channel for label in range(UNLABELLED, 255) for channel in colour(label)], "RGB"
    )  # makes it mode P
    stream = io.BytesIO()
    image.save(stream, "png")
    return stream.getvalue()


def _borders(labels: np.ndarray) -> np.ndarray:
    """Bool (h w): the pixels above or left of another label."""
    out = np.zeros(labels.shape, bool)
    out[:-1] |= labels[:-1] != labels[1:]
    out[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return out


def _panel(entries: Sequence[Entry], width: int, size: int) -> np.ndarray:
    """Swatches and texts in as many columns as fit, uint8 (h w 3)."""
    from PIL import Image, ImageDraw

    font, step = _font(size), size + size // 2
    texts = [_shown(entry.text) for entry in entries]
    column = min(width, max(int(font.getlength(text)) for text in texts) + 2 * step)
    columns = max(1, width // column)
    rows = -(-len(entries) // columns)
    image = Image.new("RGB", (width, rows * step + step // 2), GROUND)
    draw = ImageDraw.Draw(image)
    for number, (entry, text) in enumerate(zip(entries, texts, strict=True)):
        x, y = number % columns * column + step // 4, number // columns * step + step // 4
        draw.rectangle((x, y, x + size, y + size), fill=colour(entry.label), outline=INK)
        draw.text((x + step, y + size // 2), text, fill=INK, font=font, anchor="lm")
    return np.asarray(image)


def _font(size: int) -> "FreeTypeFont | ImageFont":
    """Pillow's own letters; before 10.1 they come in one size."""
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except TypeError:
        return ImageFont.load_default()


def _shown(text: str, longest: int = 40) -> str:
    """What Pillow's letters can write: accents are left out, other scripts become question marks.

    >>> _shown("café"), _shown("狐")
    ('cafe', '?')
    """
    short = text if len(text) <= longest else f"{text[: longest - 3]}..."
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", short) if not unicodedata.combining(letter))
    return plain.encode("ascii", "replace").decode("ascii")
