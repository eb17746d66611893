"""The tables of fields: what each route takes, once, in the order in which it is shown.

Field names and ranges come from the tables of options (`request.OPTIONS`, `paint.PAINT_OPTIONS`), what an answer may bring from
that of exports.
"""

from collections.abc import Sequence
from typing import Any

from ldznet_ext.api.fields import Field, of_option
from ldznet_ext.api.limits import (
    MAX_CHARACTERS,
    MAX_CLICKS,
    MAX_EXPRESSIONS,
    MAX_MEGAPIXELS,
    MAX_NAMES,
    MAX_PICTURES,
    MAX_TOGETHER,
)
from ldznet_ext.api.pictures import read_mask, read_picture, read_pictures
from ldznet_ext.api.readers import (
    read_clicks,
    read_edits,
    read_expression,
    read_expressions,
    read_flag,
    read_names,
    read_negative,
    read_prompt,
    read_size,
    wish_for,
)
from ldznet_ext.paint import LONGEST_SIDE, PAINT, SIDE
from ldznet_ext.request import LOOKED, OF_WORDS, OPTION, OPTIONS
from ldznet_ext.saving.exports import EXPORTS

MASK, OVERLAY, CLASSES_KIND = "mask", "overlay", "classes"
KINDS = tuple(EXPORTS)
"""What an answer may bring of a mask: pictures and .ora files in base64, JSON as it is."""
CLASS_KINDS = (CLASSES_KIND, OVERLAY)
SETTINGS = tuple(option for option in OPTIONS if option.name != "words")
"""What may be said beside pictures and words, the same for all of them."""
PICTURE = {"type": "string", "format": "byte", "minLength": 1}
TEXT = {"type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS}
WORDS = {**TEXT, "format": "words"}


def _picture(name: str, about: str, **more: Any) -> Field:
    return Field(name=name, read=read_picture, about=about, takes="text", schema=PICTURE, costly=True, **more)


def _mask(name: str, about: str) -> Field:
    return Field(name=name, read=read_mask, about=about, takes="text", schema=PICTURE, nullable=False, costly=True)


def _want(kinds: Sequence[str], default: Sequence[str], about: str) -> Field:
    one = {"type": "string", "enum": list(kinds)}
    return Field(
        name="want",
        read=wish_for(kinds),
        about=about,
        takes="list of names",
        schema={"anyOf": [one, {"type": "array", "items": one}]},
        default=tuple(default),
    )


IMAGES = Field(
    name="images",
    read=read_pictures,
    about="pictures as base64 of PNG, JPEG, WebP, BMP or GIF, with or without `data:image/png;base64,`; "
    f"at most {MAX_PICTURES}, each at most {MAX_MEGAPIXELS} megapixels, {MAX_TOGETHER} together",
    takes="list of text",
    schema={"type": "array", "items": PICTURE, "minItems": 1, "maxItems": MAX_PICTURES},
    required=True,
    costly=True,
)
EXPRESSIONS = Field(
    name="words",
    read=read_expressions,
    about=f"one expression of the mask language or several, at most {MAX_EXPRESSIONS}",
    takes="text, or list of text",
    schema={"anyOf": [WORDS, {"type": "array", "items": WORDS, "minItems": 1, "maxItems": MAX_EXPRESSIONS}]},
    required=True,
)
POINT = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 16383}, "minItems": 2, "maxItems": 2}
RLE = {
    "type": "object",
    "required": ["size", "counts"],
    "properties": {
        "size": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2},
        "counts": {"type": "string"},
    },
}
EDITS = Field(
    name="edits",
    read=read_edits,
    about="what was done by hand to the mask of every picture: `add`, `erase` and `only` (COCO's compressed run lengths of the "
    "picture's size), `keep` and `drop` (clicks [x, y] on pieces)",
    takes="object",
    schema={
        "type": "object",
        "properties": {
            **dict.fromkeys(("add", "erase", "only"), RLE),
            **{name: {"type": "array", "items": POINT} for name in ("keep", "drop")},
        },
        "additionalProperties": False,
    },
)
WANT = _want(
    KINDS,
    [MASK],
    "what the answer brings of each mask: "
    + "; ".join(f"`{name}`, {export.label[:1].lower()}{export.label[1:]}" for name, export in EXPORTS.items()),
)
PROMPT = Field(
    name="prompt",
    read=read_prompt,
    about=PAINT["prompt"].help,
    takes="text",
    schema={**TEXT, "format": "prompt"},
    required=True,
)
NEGATIVE = Field(
    name="negative",
    read=read_negative,
    about=PAINT["negative"].help,
    takes="text",
    schema={"type": "string", "maxLength": MAX_CHARACTERS, "format": "prompt"},
    default="",
)
PAINTING = tuple(of_option(PAINT[name]) for name in ("steps", "guidance", "seed"))
SHAPED = tuple(of_option(option) for option in SETTINGS)
UNSEEDED = tuple(each for each in SHAPED if each.name != "seed")

MASKS = (IMAGES, EXPRESSIONS, WANT, EDITS, *SHAPED)
CLASSES = (
    IMAGES,
    Field(
        name="names",
        read=read_names,
        about=f"one name for every kind of thing, each once, at most {MAX_NAMES}",
        takes="list of text",
        schema={
            "type": "array",
            "items": {**TEXT, "format": "name"},
            "minItems": 1,
            "maxItems": MAX_NAMES,
            "uniqueItems": True,
        },
        required=True,
    ),
    _want(
        CLASS_KINDS,
        [CLASSES_KIND],
        "`classes` (a palette PNG: 0 is nothing, 1 the first name), `overlay` (drawn on the picture, with its legend)",
    ),
    Field(
        name="keep_absent",
        read=read_flag,
        about="let names label that their own score calls absent",
        takes="flag",
        schema={"type": "boolean"},
        default=False,
    ),
    *(of_option(OPTION[name]) for name in ("method", *LOOKED) if name not in OF_WORDS),
)
LIKE = (
    _picture("image", "the picture in which the example is marked", required=True),
    _mask("example", "its mask: a picture of the same size in base64, white where it is"),
    Field(
        name="clicks",
        read=read_clicks,
        about=f"or points on it, [x, y] in pixels, at most {MAX_CLICKS}, each grown over what looks like it",
        takes="list of [x, y]",
        nullable=False,
        schema={"type": "array", "items": POINT, "minItems": 1, "maxItems": MAX_CLICKS},
    ),
    Field(
        name="others",
        read=read_pictures,
        about="the pictures to search, as `images` of masks; without any the example's own is searched",
        takes="list of text",
        schema=IMAGES.schema,
        default=(),
        costly=True,
    ),
    WANT,
    *(each for each in SHAPED if each.name not in ("method", *OF_WORDS)),
)
GENERATE = (
    PROMPT,
    NEGATIVE,
    *PAINTING,
    Field(
        name="size",
        read=read_size,
        about=f"[height, width], multiples of {SIDE} up to {LONGEST_SIDE} (default: the model's own)",
        takes="list of two whole",
        schema={
            "type": "array",
            "items": {"type": "integer", "minimum": SIDE, "maximum": LONGEST_SIDE, "multipleOf": SIDE},
            "minItems": 2,
            "maxItems": 2,
        },
    ),
    Field(
        name="words",
        read=read_expressions,
        about="what to find in it on the way, as `words` of masks; nothing extra is computed for it (default: nothing)",
        takes=EXPRESSIONS.takes,
        schema=EXPRESSIONS.schema,
        default=(),
    ),
    WANT,
    *UNSEEDED,
)
EDIT = (
    _picture("image", "the picture to repaint a part of", required=True),
    _mask("mask", "what to repaint: a picture of the same size in base64, white there"),
    Field(
        name="words",
        read=read_expression,
        about="or what to repaint in words, one expression of the mask language",
        takes="text",
        nullable=False,
        schema=WORDS,
    ),
    PROMPT,
    NEGATIVE,
    *(of_option(PAINT[name]) for name in ("steps", "guidance", "strength", "seed")),
    *UNSEEDED,
)

FIELDS: dict[str, tuple[Field, ...]] = {
    "masks": MASKS,
    "classes": CLASSES,
    "like": LIKE,
    "generate": GENERATE,
    "edit": EDIT,
}
"""The fields of each route that takes a body."""
EITHER = {"like": ("example", "clicks"), "edit": ("mask", "words")}
"""Fields of which exactly one is given."""
