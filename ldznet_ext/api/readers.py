"""Values of fields, checked one by one: each function takes what JSON brought and gives it back as it is used, or refuses it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ldznet_ext.api.limits import MAX_CLICKS, MAX_EXPRESSIONS, MAX_MEGAPIXELS, MAX_NAMES, TooLargeError
from ldznet_ext.errors import OptionError, PhraseError
from ldznet_ext.paint import LONGEST_SIDE, SIDE
from ldznet_ext.prompt.parse import parse
from ldznet_ext.words import check_negative, check_prompt

if TYPE_CHECKING:
    from ldznet_ext.masks.edits import Edits


def read_expressions(given: Any) -> tuple[str, ...]:
    """One expression or a list of them, none of which is empty or cannot be read."""
    words = (given,) if isinstance(given, str) else given
    if not isinstance(words, (list, tuple)) or not words or not all(isinstance(word, str) for word in words):
        raise PhraseError(
            'The request has no words; expected text such as "fox & !tail" or a list of it, so send some.'
        )
    if len(words) > MAX_EXPRESSIONS:
        raise TooLargeError(
            f"There are {len(words)} expressions; expected at most {MAX_EXPRESSIONS}, so send the others after."
        )
    return tuple(read_expression(word) for word in words)


def read_expression(word: Any) -> str:
    """One expression of the mask language."""
    if not isinstance(word, str) or not word.strip():
        raise PhraseError('An expression is empty; expected words such as "fox", so give some.')
    parse(word)
    return word


def read_names(given: Any) -> tuple[str, ...]:
    """Names of classes, each once."""
    from ldznet_ext.classes import as_names

    if not isinstance(given, (list, tuple)) or not given or not all(isinstance(name, str) for name in given):
        raise PhraseError('The request has no names; expected a list such as ["fox", "snow"], so send one.')
    if len(given) > MAX_NAMES:
        raise TooLargeError(f"There are {len(given)} names; expected at most {MAX_NAMES}, so ask for fewer.")
    return as_names(given)


def wish_for(kinds: Sequence[str]) -> Callable[[Any], tuple[str, ...]]:
    """A reader of a wish: some of these kinds, in their own order."""

    def read(given: Any) -> tuple[str, ...]:
        listed = (given,) if isinstance(given, str) else given
        if not isinstance(listed, (list, tuple)) or not set(map(str, listed)) <= set(kinds):
            raise OptionError(f"The wish is {given!r:.80}; expected some of {', '.join(kinds)}, so name those.")
        return tuple(kind for kind in kinds if kind in listed)

    return read


def read_clicks(given: Any) -> list[tuple[int, int]]:
    """Points [x, y] in whole pixels; whether they are inside the picture is seen with it."""
    if not isinstance(given, (list, tuple)) or not 1 <= len(given) <= MAX_CLICKS or not all(map(_is_click, given)):
        raise OptionError(
            f"The clicks are {given!r:.60}; expected 1 to {MAX_CLICKS} points [x, y] in whole pixels, such as [[120, 88]]."
        )
    return [(int(x), int(y)) for x, y in given]


def _is_click(point: Any) -> bool:
    return isinstance(point, (list, tuple)) and len(point) == 2 and all(type(at) is int and at >= 0 for at in point)


def read_edits(given: Any) -> "Edits":
    """What was done by hand."""
    from ldznet_ext.masks.edits import DRAWN, Edits

    for name in DRAWN:
        _check_drawn(name, given.get(name) if isinstance(given, Mapping) else None)
    return Edits.from_mapping(given)


def _check_drawn(name: str, mask: Any) -> None:
    """Refuse a drawn mask that no picture taken here could have, before it is unpacked: few letters stand for any size."""
    size = mask.get("size") if isinstance(mask, Mapping) else None
    if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(type(side) is int for side in size):
        return  # it is refused for that
    if size[0] * size[1] > MAX_MEGAPIXELS * 1_000_000:
        raise TooLargeError(
            f'The drawn mask "{name}" has over {MAX_MEGAPIXELS} megapixels, which no picture here may have; expected one of the '
            "picture's size, so draw it on that."
        )


def read_prompt(given: Any) -> str:
    """What to paint."""
    check_prompt(given)
    return given


def read_negative(given: Any) -> str:
    """What to avoid, or nothing."""
    check_negative(given)
    return given


def read_size(given: Any) -> tuple[int, int]:
    """[height, width] of a painting."""
    sides = tuple(given) if isinstance(given, (list, tuple)) else ()
    if len(sides) != 2 or not all(
        type(side) is int and SIDE <= side <= LONGEST_SIDE and side % SIDE == 0 for side in sides
    ):
        raise OptionError(
            f"The size is {given!r:.40}; expected [height, width] in multiples of {SIDE} up to {LONGEST_SIDE}, so give a pair "
            "such as [256, 256]."
        )
    return sides[0], sides[1]


def read_flag(given: Any) -> bool:
    """true or false, and nothing that is like them."""
    if not isinstance(given, bool):
        raise OptionError(f"The flag is {given!r:.40}; expected true or false, so give that.")
    return given
