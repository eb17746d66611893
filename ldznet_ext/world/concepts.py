"""The things Sticker World knows: their names, synonyms, groups and where each art package keeps them.

Names and groups follow Unicode's emoji data (unicode-emoji-json, emojilib); synonyms and groups were checked by hand.
"""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ldznet_ext.errors import DataError

TABLE = Path(__file__).with_name("concepts.json")
SETS = ("named", "held_out", "extra")


@dataclass(frozen=True, kw_only=True)
class Concept:
    """One drawable thing. Equal and hashed by its name alone."""

    name: str
    codepoint: str = field(compare=False)  # Unicode, hexadecimal, without the variation selector
    set: str = field(compare=False)  # "named", "held_out" or "extra"
    group: str = field(compare=False)  # primary group word, plural: "animals"
    also: tuple[str, ...] = field(compare=False, default=())  # further groups it belongs to: "birds"
    synonyms: tuple[str, ...] = field(compare=False, default=())
    colour: str | None = field(compare=False, default=None)  # dominant colour word in the fluent style
    slugs: dict[str, str] = field(compare=False, default_factory=dict, repr=False)  # style -> name in its package

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group word (plural) that is true of this thing, the primary one first."""
        return (self.group, *self.also)

    @property
    def words(self) -> tuple[str, ...]:
        """Its name and synonyms: every word that names it outright."""
        return (self.name, *self.synonyms)


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, str], tuple[Concept, ...]]:
    raw = json.loads(TABLE.read_text(encoding="utf-8"))
    rows = (row | {"also": tuple(row["also"]), "synonyms": tuple(row["synonyms"])} for row in raw["concepts"])
    return raw["singular"], tuple(Concept(**row) for row in rows)


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Concept]:
    return {c.name: c for c in concepts()}


def concepts(*sets: str) -> tuple[Concept, ...]:
    """All concepts of the given sets in table order; every one of them when no set is named."""
    unknown = [s for s in sets if s not in SETS]
    if unknown:
        raise DataError(f"There is no concept set {unknown[0]!r}; use one of {', '.join(SETS)}.")
    return tuple(c for c in _table()[1] if not sets or c.set in sets)


def named() -> tuple[Concept, ...]:
    """The 64 objects that both the diffusion model and the heads learn."""
    return concepts("named")


def held_out() -> tuple[Concept, ...]:
    """The 20 objects the diffusion model knows and no head has seen."""
    return concepts("held_out")


def extra() -> tuple[Concept, ...]:
    """Further objects, for trainings with more compute."""
    return concepts("extra")


def concept(name: str) -> Concept:
    """The concept of exactly this name."""
    try:
        return _by_name()[name]
    except KeyError:
        raise DataError(f"There is no concept {name!r}; `ldznet world concepts` lists the {len(_by_name())}.") from None


def groups(*sets: str) -> dict[str, tuple[Concept, ...]]:
    """Group word (plural) -> its members among the given sets, secondary groups included."""
    chosen = concepts(*sets)
    words = dict.fromkeys(word for c in chosen for word in c.groups)
    return {word: tuple(c for c in chosen if word in c.groups) for word in words}


def singular(group: str) -> str:
    """The singular of a group word: "animals" -> "animal", "food" -> "piece of food"."""
    return _table()[0][group]


def means(word: str, thing: Concept) -> bool:
    """Whether a name, synonym or group word (plural or singular) is true of a concept."""
    return word in thing.words or word in thing.groups or word in {singular(g) for g in thing.groups}
