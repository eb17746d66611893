"""The tables of fields: what each route takes, once, in the order in which it is shown.

Field names and ranges come from the tables of options (`request.OPTIONS`, `paint.PAINT_OPTIONS`), what an answer may bring from
that of exports.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ldznet_ext.api.fields import Field, of_option
from ldznet_ext.api.limits import (
    MAX_CHARACTERS,
    MAX_CLICKS,
    MAX_EXPRESSIONS,
    MAX_MEGAPIXELS,
    MAX_NAMES,
    MAX_PICTURES,
    MAX_TOGETHER,
    TooLargeError,
)
from ldznet_ext.api.pictures import read_mask, read_picture, read_pictures
from ldznet_ext.errors import OptionError, PhraseError
from ldznet_ext.paint import LONGEST_SIDE, PAINT, SIDE
from ldznet_ext.prompt.parse import parse
from ldznet_ext.request import LOOKED, OPTION, OPTIONS
from ldznet_ext.saving.exports import EXPORTS
from ldznet_ext.words import check_negative, check_prompt

if TYPE_CHECKING:
    from ldznet_ext.masks.edits import Edits

MASK, OVERLAY, CLASSES_KIND = "mask", "overlay", "classes"
KINDS = tuple(EXPORTS)
"""What an answer may bring of a mask: pictures and .ora files in base64, JSON as it is."""
CLASS_KINDS = (CLASSES_KIND, OVERLAY)
SETTINGS = tuple(option for option in OPTIONS if option.name != "words")
"""What may be said beside pictures and words, the same for all of them."""
PICTURE = {"type": "string", "format": "byte", "minLength": 1}
TEXT = {"type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS}
WORDS = {**TEXT, "format": "words"}


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
    return tuple(_expression(word) for word in words)


def _expression(word: Any) -> str:
    if not isinstance(word, str) or not word.strip():
        raise PhraseError('An expression is empty; expected words such as "fox", so give some.')
    parse(word)
    return word


def _names(given: Any) -> tuple[str, ...]:
    from ldznet_ext.classes import as_names

    if not isinstance(given, (list, tuple)) or not given or not all(isinstance(name, str) for name in given):
        raise PhraseError('The request has no names; expected a list such as ["fox", "snow"], so send one.')
    if len(given) > MAX_NAMES:
        raise TooLargeError(f"There are {len(given)} names; expected at most {MAX_NAMES}, so ask for fewer.")
    return as_names(given)


def _wanted(kinds: Sequence[str]) -> Callable[[Any], tuple[str, ...]]:
    def read(given: Any) -> tuple[str, ...]:
        listed = (given,) if isinstance(given, str) else given
        if not isinstance(listed, (list, tuple)) or not set(map(str, listed)) <= set(kinds):
            raise OptionError(f"The wish is {given!r:.80}; expected some of {', '.join(kinds)}, so name those.")
        return tuple(kind for kind in kinds if kind in listed)

    return read


def _clicks(given: Any) -> list[tuple[int, int]]:
    if not isinstance(given, (list, tuple)) or not 1 <= len(given) <= MAX_CLICKS or not all(map(_is_click, given)):
        raise OptionError(
            f"The clicks are {given!r:.60}; expected 1 to {MAX_CLICKS} points [x, y] in whole pixels, such as [[120, 88]]."
        )
    return [(int(x), int(y)) for x, y in given]


def _is_click(point: Any) -> bool:
    return isinstance(point, (list, tuple)) and len(point) == 2 and all(type(at) is int and at >= 0 for at in point)


def _edits(given: Any) -> "Edits":
    from ldznet_ext.masks.edits import Edits

    return Edits.from_mapping(given)


def _prompt(given: Any) -> str:
    check_prompt(given)
    return given


def _negative(given: Any) -> str:
    check_negative(given)
    return given


def _size(given: Any) -> tuple[int, int]:
    sides = tuple(given) if isinstance(given, (list, tuple)) else ()
    if len(sides) != 2 or not all(
        type(side) is int and SIDE <= side <= LONGEST_SIDE and side % SIDE == 0 for side in sides
    ):
        raise OptionError(
            f"The size is {given!r:.40}; expected [height, width] in multiples of {SIDE} up to {LONGEST_SIDE}, so give a pair "
            "such as [256, 256]."
        )
    return sides[0], sides[1]


def _flag(given: Any) -> bool:
    if not isinstance(given, bool):
        raise OptionError(f"The flag is {given!r:.40}; expected true or false, so give that.")
    return given


def _picture(name: str, about: str, **more: Any) -> Field:
    return Field(name=name, read=read_picture, about=about, takes="text", schema=PICTURE, costly=True, **more)


def _mask(name: str, about: str) -> Field:
    return Field(name=name, read=read_mask, about=about, takes="text", schema=PICTURE, nullable=False, costly=True)


def _want(kinds: Sequence[str], default: Sequence[str], about: str) -> Field:
    one = {"type": "string", "enum": list(kinds)}
    return Field(
        name="want",
        read=_wanted(kinds),
        about=about,
        takes="list of names",
        schema={"type": "array", "items": one},
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
    read=_expressions,
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
    read=_edits,
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
    "what the answer brings of each mask: `mask`, `prob` (the probability, 16-bit grey), `overlay` (the picture with the mask "
    "drawn on it), `cutout` (the picture, all but the words transparent), `ora` (layers), `coco` and `recipe` (JSON)",
)
PROMPT = Field(
    name="prompt",
    read=_prompt,
    about=PAINT["prompt"].help,
    takes="text",
    schema={**TEXT, "format": "prompt"},
    required=True,
)
NEGATIVE = Field(
    name="negative",
    read=_negative,
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
        read=_names,
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
        read=_flag,
        about="let names label that their own score calls absent",
        takes="flag",
        schema={"type": "boolean"},
        default=False,
    ),
    *(of_option(OPTION[name]) for name in ("method", *LOOKED) if name != "sam"),
)
LIKE = (
    _picture("image", "the picture in which the example is marked", required=True),
    _mask("example", "its mask: a picture of the same size in base64, white where it is"),
    Field(
        name="clicks",
        read=_clicks,
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
    *(each for each in SHAPED if each.name not in ("method", "sam")),
)
GENERATE = (
    PROMPT,
    NEGATIVE,
    *PAINTING,
    Field(
        name="size",
        read=_size,
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
        read=_expressions,
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
        read=_expression,
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
