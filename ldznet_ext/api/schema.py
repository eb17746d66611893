"""What `POST masks` takes, checked into one frozen request, and what its answers look like.

Pictures come as base64 and in no other way: no path, address or file name that arrives here is ever opened. Units, once for
all: boxes and areas are pixels of the picture sent, a box is [left, top, right, bottom] with right and bottom outside; scores and
thresholds are 0..1; masks are 8-bit grey PNGs of the picture's size, white where the words are.
"""

import base64
import binascii
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ldznet_ext.errors import LdznetError, OptionError, PhraseError, PictureError
from ldznet_ext.prompt.parse import parse
from ldznet_ext.request import CHOICE, FLAG, NUMBER, OPTION, OPTIONS, TEXT, WHOLE, MaskSettings, refuse_unknown

if TYPE_CHECKING:
    import numpy as np

MAX_PICTURES = 16
MAX_EXPRESSIONS = 64
MAX_MEGAPIXELS = 32
MAX_TOGETHER = 96
"""Megapixels of all pictures of a request, which are in memory at once."""
MAX_BODY = 128 << 20
"""Bytes of a whole request: sixteen large photographs as JPEG, or about four of the largest pictures as PNG."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
MASK, PROB, OVERLAY, CUTOUT = "mask", "prob", "overlay", "cutout"
KINDS = (MASK, PROB, OVERLAY, CUTOUT)
"""The pictures an answer may bring: the mask (L), its probability (16-bit grey), the picture with the mask drawn on it (RGB), and
the picture with all but the words transparent (RGBA)."""
SETTINGS = tuple(option for option in OPTIONS if option.name != "words")
"""What may be said beside pictures and words, the same for all of them."""
FIELDS = ("images", "words", "want", *(option.name for option in SETTINGS))


class TooLargeError(LdznetError):
    """More, or larger, than one request may bring: 413."""


@dataclass(frozen=True, kw_only=True)
class MasksRequest:
    """A checked request. images: uint8 (h w 3) RGB. expressions: words of the mask language, each with a mask of its own.

    settings: the others, with empty words. want: kinds of pictures in the answer.
    """

    images: "tuple[np.ndarray, ...]"
    expressions: tuple[str, ...]
    settings: MaskSettings
    want: tuple[str, ...] = (MASK,)


def read_masks(body: Any) -> MasksRequest:
    """The request in a JSON body; an LdznetError says in a sentence what is wrong with it."""
    if not isinstance(body, Mapping):
        raise OptionError(
            f"The request is of the type {type(body).__name__}; expected a JSON object with images and words, so send one."
        )
    refuse_unknown(body, FIELDS, "field")
    settings = {name: body[name] for name in OPTION if name != "words" and body.get(name) is not None}
    return MasksRequest(  # what is cheap to refuse comes first
        expressions=_expressions(body.get("words")),
        settings=MaskSettings.from_mapping(settings),
        want=_want(body.get("want")),
        images=_images(body.get("images")),
    )


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


def _images(given: Any) -> "tuple[np.ndarray, ...]":
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


def _expressions(given: Any) -> tuple[str, ...]:
    words = (given,) if isinstance(given, str) else given
    if not isinstance(words, (list, tuple)) or not words or not all(isinstance(word, str) for word in words):
        raise PhraseError(
            'The request has no words; expected text such as "fox & !tail" or a list of it, so send some.'
        )
    if len(words) > MAX_EXPRESSIONS:
        raise TooLargeError(
            f"There are {len(words)} expressions; expected at most {MAX_EXPRESSIONS}, so send the others after."
        )
    for word in words:
        if not word.strip():
            raise PhraseError('An expression is empty; expected words such as "fox", so give some.')
        parse(word)
    return tuple(words)


def _want(given: Any) -> tuple[str, ...]:
    kinds = (MASK,) if given is None else (given,) if isinstance(given, str) else given
    if not isinstance(kinds, (list, tuple)) or not set(map(str, kinds)) <= set(KINDS):
        raise OptionError(f"The wish is {given!r:.80}; expected some of {', '.join(KINDS)}, so name those.")
    return tuple(kind for kind in KINDS if kind in kinds)


def json_schema() -> dict[str, Any]:
    """The request's fields as JSON Schema, out of the table of options: what /docs shows."""
    kinds = {TEXT: "string", CHOICE: "string", NUMBER: "number", WHOLE: "integer", FLAG: "boolean"}
    text, many = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    properties: dict[str, Any] = {
        "images": {**many, "maxItems": MAX_PICTURES, "description": "pictures in base64, never paths or addresses"},
        "words": {"anyOf": [text, {**many, "maxItems": MAX_EXPRESSIONS}], "description": OPTION["words"].help},
        "want": {"type": "array", "items": {**text, "enum": list(KINDS)}, "default": [MASK]},
    }
    for option in SETTINGS:
        ends = {"minimum": option.low, "maximum": option.high}
        if option.between:
            ends = dict(zip(("exclusiveMinimum", "exclusiveMaximum"), option.between, strict=True))
        properties[option.name] = {
            "type": kinds[option.kind],
            "description": option.help,
            **({"enum": list(option.choices)} if option.choices else {}),
            **({} if option.default is None else {"default": option.default}),
            **{name: end for name, end in ends.items() if end is not None},
        }
    return {"type": "object", "required": ["images", "words"], "properties": properties, "additionalProperties": False}


TINY_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR4nGN8ViHHgA0wYRUdtBIALccBjOFAFKwAAAAASUVORK5CYII="
EXAMPLE_REQUEST = {
    "images": [TINY_PNG],
    "words": ["fox & !tail", "snow"],
    "want": [MASK, OVERLAY],
    "grow": 4,
    "feather": 1.5,
}
EXAMPLE_ANSWER = {
    "host": "A1111 v1.10.1",
    "model": "v1-5-pruned-emaonly",
    "images": [
        {
            "size": [512, 768],
            "masks": [
                {
                    "words": "fox & !tail",
                    "status": "found",
                    "score": 0.94,
                    "box": [102, 40, 388, 471],
                    "area": 61230,
                    "terms": [
                        {"text": "fox", "status": "found", "score": 0.94, "box": [80, 40, 388, 471], "area": 71875},
                        {"text": "tail", "status": "found", "score": 0.71, "box": [80, 300, 170, 452], "area": 10645},
                    ],
                    "mask": "iVBORw0KGgo...",
                    "overlay": "iVBORw0KGgo...",
                    "method": "attention",
                    "familiar": True,
                    "message": "",
                    "unet_calls": 1,
                    "seconds": {"total": 0.41},
                }
            ],
        }
    ],
}
