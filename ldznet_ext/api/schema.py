"""What each route takes: its table of fields, and the body checked into one frozen request.

Units, once for all: boxes and areas are pixels of the picture sent, a box is [left, top, right, bottom] with right and bottom
outside; scores and thresholds are 0..1; masks are 8-bit grey PNGs of the picture's size, white where the words are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ldznet_ext.api.fields import read_fields, schema_of
from ldznet_ext.api.limits import MAX_MASKS, TooLargeError
from ldznet_ext.api.tables import CLASSES, EDIT, EITHER, FIELDS, GENERATE, LIKE, MASK, MASKS
from ldznet_ext.errors import OptionError
from ldznet_ext.request import OPTION, MaskSettings

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.masks.edits import Edits


@dataclass(frozen=True, kw_only=True)
class MasksRequest:
    """A checked request. images: uint8 (h w 3) RGB. expressions: words of the mask language, each with a mask of its own.

    settings: the others, with empty words. want: kinds of files in the answer. edits: what was done by hand, None for nothing.
    """

    images: "tuple[np.ndarray, ...]"
    expressions: tuple[str, ...]
    settings: MaskSettings
    want: tuple[str, ...] = (MASK,)
    edits: "Edits | None" = None


@dataclass(frozen=True, kw_only=True)
class ClassesRequest:
    """names: of the classes. want: the palette picture, the overlay with its legend, or both."""

    images: "tuple[np.ndarray, ...]"
    names: tuple[str, ...]
    keep_absent: bool
    settings: MaskSettings
    want: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LikeRequest:
    """image: where the example is marked, by its mask, bool (h w), or by clicks (x, y). others: where to search; none: there."""

    image: "np.ndarray"
    example: "np.ndarray | list[tuple[int, int]]"
    others: "tuple[np.ndarray, ...]"
    settings: MaskSettings
    want: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class GenerateRequest:
    """painting: prompt, negative, steps, guidance, seed, and size where one is given. expressions: to find in it; may be none."""

    painting: Mapping[str, Any]
    expressions: tuple[str, ...]
    settings: MaskSettings
    want: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EditRequest:
    """mask: uint8 (h w), or None where `words` name what to repaint. painting: prompt, negative, steps, guidance, strength and
    seed.
    """

    image: "np.ndarray"
    mask: "np.ndarray | None"
    words: str
    painting: Mapping[str, Any]
    settings: MaskSettings


def read_masks(body: Any) -> MasksRequest:
    """The request in a JSON body; an LdznetError says in a sentence what is wrong with it."""
    given = read_fields(body, MASKS)
    _bounded(len(given["images"]) * len(given["words"]))
    for image in given["images"] if given["edits"] else ():
        given["edits"].check(image.shape[:2])
    return MasksRequest(
        images=given["images"],
        expressions=given["words"],
        settings=_settings(given),
        want=given["want"],
        edits=given["edits"],
    )


def read_classes(body: Any) -> ClassesRequest:
    """The same for `POST classes`."""
    given = read_fields(body, CLASSES)
    kept = {name: given[name] for name in ("images", "names", "keep_absent", "want")}
    return ClassesRequest(**kept, settings=_settings(given))


def read_like(body: Any) -> LikeRequest:
    """The same for `POST like`."""
    given = read_fields(body, LIKE)
    example = _one_of(given, "example", "clicks")
    kept = {name: given[name] for name in ("image", "others", "want")}
    return LikeRequest(**kept, example=example, settings=_settings(given))


def read_generate(body: Any) -> GenerateRequest:
    """The same for `POST generate`."""
    given = read_fields(body, GENERATE)
    painting = {name: given[name] for name in ("prompt", "negative", "steps", "guidance", "seed", "size")}
    return GenerateRequest(painting=painting, expressions=given["words"], settings=_settings(given), want=given["want"])


def read_edit(body: Any) -> EditRequest:
    """The same for `POST edit`."""
    given = read_fields(body, EDIT)
    _one_of(given, "mask", "words")
    painting = {name: given[name] for name in ("prompt", "negative", "steps", "guidance", "strength", "seed")}
    return EditRequest(
        image=given["image"],
        mask=given["mask"],
        words=given["words"] or "",
        painting=painting,
        settings=_settings(given),
    )


def _settings(given: Mapping[str, Any]) -> MaskSettings:
    return MaskSettings(**{name: given[name] for name in OPTION if name != "words" and name in given})


def _one_of(given: Mapping[str, Any], one: str, other: str) -> Any:
    if (given[one] is None) == (given[other] is None):
        got = "neither" if given[one] is None else "both"
        raise OptionError(f"The request has {got} of {one} and {other}; expected one of them, so send that alone.")
    return given[one] if given[other] is None else given[other]


def _bounded(masks: int) -> None:
    if masks > MAX_MASKS:
        raise TooLargeError(
            f"The request asks for {masks} masks; expected at most {MAX_MASKS} (pictures times expressions), so send the others "
            "after."
        )


def json_schema(route: str = "masks") -> dict[str, Any]:
    """A route's request as JSON Schema, out of its table."""
    either = EITHER.get(route)
    return schema_of(FIELDS[route], **({"oneOf": [{"required": [name]} for name in either]} if either else {}))
