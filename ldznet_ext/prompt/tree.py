"""What an expression of the mask language is: phrases, and what is made of them. Values, checked when they are made."""

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TypeAlias

from ldznet_ext.errors import PhraseError

MOST_GROWTH = 1024
"""Pixels."""
WEIGHTS = (0.001, 1000.0)
"""The least and the greatest weight."""
DEEPEST = 32
"""Nodes on the way from the whole to a phrase."""
MOST_PHRASES = 100
MOST_INSTANCES = 999


@dataclass(frozen=True)
class Phrase:
    """Words that are looked for as they stand, with single spaces between them.

    >>> Phrase("  a red   fox ")
    Phrase(text='a red fox')
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise PhraseError('A phrase is empty; expected words such as "fox", so give some.')
        object.__setattr__(self, "text", " ".join(self.text.split()))


@dataclass(frozen=True)
class And:
    """Where all of at least two parts are."""

    parts: "tuple[Tree, ...]"

    def __post_init__(self) -> None:
        _check_parts(self.parts)


@dataclass(frozen=True)
class Or:
    """Where one of at least two parts is."""

    parts: "tuple[Tree, ...]"

    def __post_init__(self) -> None:
        _check_parts(self.parts)


@dataclass(frozen=True)
class Not:
    """Where a part is not."""

    part: "Tree"


@dataclass(frozen=True)
class Weight:
    """A part whose probability counts `factor` times, up to 1."""

    part: "Tree"
    factor: float

    def __post_init__(self) -> None:
        low, high = WEIGHTS
        if isinstance(self.factor, bool) or not isinstance(self.factor, Real) or not low <= self.factor <= high:
            raise PhraseError(
                f"A weight is {self.factor}; expected a number from {low:g} to {high:,.0f}, so write one such as fox*1.5."
            )
        object.__setattr__(self, "factor", float(self.factor))


@dataclass(frozen=True)
class Threshold:
    """A part that is cut at `value`, between 0 and 1, where others are cut at the default threshold."""

    part: "Tree"
    value: float

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or not isinstance(self.value, Real) or not 0 < self.value < 1:
            raise PhraseError(
                f"A threshold is {self.value}; expected a number between 0 and 1, so write one such as fox@0.4."
            )
        object.__setattr__(self, "value", float(self.value))


@dataclass(frozen=True)
class Grow:
    """A part, larger by so many pixels of the picture all round, or smaller where they are negative."""

    part: "Tree"
    pixels: int

    def __post_init__(self) -> None:
        whole = isinstance(self.pixels, Integral) and not isinstance(self.pixels, bool)
        if not whole or not -MOST_GROWTH <= self.pixels <= MOST_GROWTH:
            raise PhraseError(
                f"A growth is {self.pixels} pixels; expected a whole number from -{MOST_GROWTH:,} to {MOST_GROWTH:,}, so write "
                "one such as hair +12."
            )
        object.__setattr__(self, "pixels", int(self.pixels))


@dataclass(frozen=True)
class Instance:
    """One piece of a part's own mask: number 1 is the largest, 2 the next."""

    part: "Tree"
    number: int

    def __post_init__(self) -> None:
        whole = isinstance(self.number, Integral) and not isinstance(self.number, bool)
        if not whole or not 1 <= self.number <= MOST_INSTANCES:
            raise PhraseError(
                f"An instance is number {self.number}; expected a whole number from 1, the largest, to {MOST_INSTANCES}, so "
                "write one such as fox#1."
            )
        object.__setattr__(self, "number", int(self.number))


Tree: TypeAlias = Phrase | And | Or | Not | Weight | Threshold | Grow | Instance
"""An expression: any of the nodes."""


def parts_of(tree: Tree) -> tuple[Tree, ...]:
    """What a node is made of; nothing for a phrase."""
    if isinstance(tree, Phrase):
        return ()
    return tree.parts if isinstance(tree, (And, Or)) else (tree.part,)


def walk(tree: Tree) -> Iterator[tuple[Tree, int]]:
    """Every node and its depth (1 for the whole), from left to right; without recursion, whatever the depth."""
    waiting = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((part, depth + 1) for part in reversed(parts_of(node)))


def phrases_of(tree: Tree) -> tuple[str, ...]:
    """The texts of an expression's phrases, each once, in the order in which they are written.

    >>> phrases_of(And((Phrase("fox"), Not(Or((Phrase("tail"), Phrase("fox")))))))
    ('fox', 'tail')
    """
    return tuple(dict.fromkeys(node.text for node, _ in walk(tree) if isinstance(node, Phrase)))


def check_extent(tree: Tree) -> None:
    """Refuse a tree that is nested too deeply or has too many phrases."""
    depth = max(depth for _, depth in walk(tree))
    if depth > DEEPEST:
        raise PhraseError(
            f"The words are nested {depth:,} deep; expected at most {DEEPEST}, so leave out some parentheses or signs."
        )
    count = sum(isinstance(node, Phrase) for node, _ in walk(tree))
    if count > MOST_PHRASES:
        raise PhraseError(
            f"The words hold {count:,} phrases; expected at most {MOST_PHRASES} in one expression, so ask in several."
        )


def _check_parts(parts: tuple[Tree, ...]) -> None:
    if not isinstance(parts, tuple) or len(parts) < 2:
        raise PhraseError(f"A conjunction is of {parts!r:.60}; expected a tuple of two parts or more, so give them.")
