"""Tree to text, in the language's shortest spelling: what is written is read as the same tree."""

from ldznet_ext.prompt.parse import is_words
from ldznet_ext.prompt.tree import And, Grow, Instance, Not, Or, Phrase, Threshold, Tree, Weight

_TIGHT = {Or: 0, And: 1, Not: 2, Weight: 3, Threshold: 3, Grow: 3, Instance: 3, Phrase: 4}
"""How tightly a node holds together."""


def write(tree: Tree) -> str:
    """The text of a tree: `&`, `|`, `!`, no braces, straight quotes, and no more parentheses and quotes than are needed.

    >>> write(Or((And((Phrase("fox"), Not(Phrase("tail")))), Grow(Phrase("black & white"), -4))))
    'fox & !tail | "black & white" -4'
    """
    if isinstance(tree, Phrase):
        return quoted(tree.text)
    if isinstance(tree, (And, Or)):
        sign = " & " if isinstance(tree, And) else " | "
        return sign.join(_held(part, _TIGHT[type(tree)] + 1) for part in tree.parts)
    if isinstance(tree, Not):
        return f"!{_held(tree.part, 2)}"
    part = _held(tree.part, 3)
    if isinstance(tree, Grow):
        return f"{part} {tree.pixels:+d}"
    if isinstance(tree, Instance):
        return f"{part}#{tree.number}"
    sign, number = ("*", tree.factor) if isinstance(tree, Weight) else ("@", tree.value)
    return f"{part}{sign}{repr(number).removesuffix('.0')}"


def quoted(text: str) -> str:
    """A phrase as it must be written to be read as one: in quotes where it holds a sign of the language.

    >>> quoted("dog's t-shirt"), quoted("black & white"), quoted('5" disc')
    ("dog's t-shirt", '"black & white"', '"5\\\\" disc"')
    """
    if is_words(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _held(tree: Tree, tight: int) -> str:
    text = write(tree)
    return text if _TIGHT[type(tree)] >= tight else f"({text})"
