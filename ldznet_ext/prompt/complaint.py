"""Why a text is no expression: a sentence, and below it the text with a caret under the place."""

import re
from unicodedata import category, east_asian_width

from ldznet_ext.errors import ExpressionError

QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "‘": "’", "«": "»", "「": "」"}
"""What opens a quote, and what closes it."""
_QUOTED = (
    r"""(?<!\w)(?:'(?:\\.|[^\\])*?'(?!\w)|‘.*?’(?!\w))|"(?:\\.|[^"\\])*"|“[^“”]*”|„[^“”„]*[“”]|«[^«»]*»|「[^「」]*」"""
)
ROOM = 36
"""Characters shown on either side of the place."""


def complaint(sentence: str, text: str, place: int) -> ExpressionError:
    """The error that points at a character of the text (its length: the end)."""
    near = f"{text[max(0, place - ROOM) : place]}\N{BLACK RIGHT-POINTING SMALL TRIANGLE}{text[place : place + ROOM]}"
    message = f"{sentence}\n{pointed(text, place)}"
    return ExpressionError(message, sentence=sentence, place=place, near=" ".join(near.split()))


def explain(text: str, place: int, got: str, expected: set[str]) -> ExpressionError:
    """The error for what was got (nothing: the end) at a place where one of the terminals `expected` could have stood."""
    before = text[:place].rstrip()
    what = (f"{got:.30}" if got[0] in QUOTES else f'"{got:.30}"') if got else "nothing"
    opened = _left_open(before)
    if got in QUOTES:
        sentence = (
            f"A quote is opened by {got} and never closed; expected {QUOTES[got]} at its end, so write it there, or quote the "
            'whole phrase: "black & white".'
        )
    elif "LPAR" in expected:
        sentence = _phrase_wanted(before, got, what)
    elif "NUMBER" in expected:
        sign, number = before[-1:], "1.5" if before.endswith("*") else "0.4"
        sentence = f'After "{sign}" stands {what}; expected a number, so write one: fox{sign}{number}.'
    elif opened and text[opened[-1]] == "{":
        sentence = (
            f"In braces stands {what}; expected *1.5, @0.4, +12, -4 or #1 between {{ and }}, so write hair{{+12}}."
        )
    elif not got and opened:
        place = opened[-1]
        sentence = 'A parenthesis is opened and never closed; expected ")" somewhere behind it, so write it there.'
    elif got in (")", "}", "”", "»", "」"):
        sentence = (
            f"{what} closes what was never opened; expected none, so leave it out or quote the phrase it belongs to."
        )
    else:
        sentence = (
            f"Before {what} an expression is complete; expected & or | between two phrases, so write one, or quote what is one "
            'phrase: "black & white".'
        )
    return complaint(sentence, text, place)


def pointed(text: str, place: int) -> str:
    """Two lines: the text near the place, and a caret below the character.

    >>> print(pointed("fox && 尾巴", 5))
        fox && 尾巴
             ^
    """
    shown = ["\N{SPACE}" if one.isspace() else one if one.isprintable() else "?" for one in text]
    start, stop = max(0, place - ROOM), place + ROOM
    left, right = "…" if start else "", "…" if stop < len(text) else ""
    column = len(left) + sum(map(_columns, shown[start:place]))
    return f"    {left}{''.join(shown[start:stop])}{right}\n    {' ' * column}^"


def _columns(character: str) -> int:
    """Columns a terminal gives a character: two for Chinese and emoji, none for marks on another one."""
    if category(character) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(character) in ("W", "F") else 1


def _phrase_wanted(before: str, got: str, what: str) -> str:
    """A phrase, a ( or a ! was expected."""
    if re.match(r"[+\-−–]\s*[0-9]", got):
        return (
            f'Before {what} stands nothing that could grow; expected a phrase there, so write "hair {got}" or quote it.'
        )
    if re.match(r"#[0-9]", got):
        return f'Before {what} stands nothing that could have pieces; expected a phrase there, so write "fox{got}" or quote it.'
    if before.endswith("(") and got == ")":
        return "The parentheses are empty; expected a phrase in them, so write one or leave them out."
    if not before:
        return f'The words begin with {what}; expected a phrase before it, so write one, such as "fox {got} tail".'
    sign = re.findall(r"AND|OR|NOT|.", before, re.DOTALL)[-1]
    return f'After "{sign}" stands {what}; expected a phrase there, so write one, or quote a phrase that holds such a sign.'


def _left_open(text: str) -> list[int]:
    """The places of the parentheses and braces outside quotes that are not closed, in a text that reads well so far."""
    opened = []
    for found in re.finditer(rf"{_QUOTED}|[(){{}}]", text, re.DOTALL):
        if found[0] in "({":
            opened.append(found.start())
        elif found[0] in ")}" and opened:
            opened.pop()
    return opened
