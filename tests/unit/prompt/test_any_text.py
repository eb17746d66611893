"""Any text is an expression or refused in a sentence: strings at random, of signs, words, half-written expressions and bytes."""

import random
import string

import numpy as np
import pytest

from ldznet_ext.answers import SHAPES, absent
from ldznet_ext.errors import ExpressionError, PhraseError
from ldznet_ext.prompt import Tree, parse, phrases_of, write
from ldznet_ext.prompt.evaluate import mask_of, prob_of
from ldznet_ext.result import FOUND, PhraseResult

SIGNS = [
    *"&|!(){}*@#+-−–.,;:\\/\"'“”„‘’«»「」 ",
    "AND",
    "OR",
    "NOT",
    "#1",
    "#2",
    "+12",
    "-4px",
    "*1.5",
    "@0.4",
    "{+3}",
    "&&",
]
WORDS = [
    "fox",
    "red fox",
    "owl",
    "dog's",
    "t-shirt",
    "F-16",
    "狐狸",
    "лиса",
    "ثعلب",
    "🦊",
    "👩\u200d🚀",
    "\u0301",
    "\u202e",
    "İ",
]
NUMBERS = ["0", "1", "12", "999", "1e999", ".5", "5.", "-0", "1_0", "٣", "٣٣", "²", "½", "nan", "inf", "9" * 40]
ODD = [
    "\0",
    "\ud800",
    "\udfff",
    "\t",
    "\n",
    "\r",
    "\u2028",
    "\x85",
    "\xa0",
    "\u3000",
    "\ufeff",
    "\U000e0041",
    "x" * 300,
]
WHOLE = [
    "fox & !tail",
    "(fox | owl)#2 +3",
    "fox*1.5@0.4",
    '"black & white" | fox',
    "face AND NOT (bandana OR hair){*6}",
    "!fox#1",
]


def text(dice: random.Random) -> str:
    """One of five kinds, some of them broken off, doubled or turned."""
    kind = dice.randrange(5)
    if kind == 0:
        out = "".join(dice.choices([*SIGNS, *WORDS, *NUMBERS], k=dice.randrange(1, 25)))
    elif kind == 1:
        out = "".join(dice.choices(string.printable, k=dice.randrange(1, 60)))
    elif kind == 2:
        out = "".join(chr(dice.randrange(0x110000)) for _ in range(dice.randrange(1, 20)))
    elif kind == 3:
        out = list(dice.choice(WHOLE))
        for _ in range(dice.randrange(1, 4)):
            out[dice.randrange(len(out))] = dice.choice([*SIGNS, *NUMBERS, *ODD, ""])
        out = "".join(out)
    else:
        out = dice.choice([" ", "", " & ", "|"]).join(
            dice.choices([*WHOLE, *SIGNS, *ODD, *WORDS], k=dice.randrange(1, 8))
        )
    return out[: dice.randrange(len(out)) + 1] if out and dice.random() < 0.2 else out


def read(said: str) -> tuple[Tree | None, PhraseError | None]:
    """The tree, or why there is none; whatever else is raised is a crash."""
    try:
        return parse(said), None
    except PhraseError as error:
        return None, error


def through(said: str) -> bool:
    """A text through the whole language: read, written, read again, and made a map and a mask; False where it is refused."""
    tree, refusal = read(said)
    if tree is None:
        assert refusal is not None and str(refusal).strip() and len(str(refusal).splitlines()[0]) < 400
        assert not isinstance(refusal, ExpressionError) or (0 <= refusal.place <= len(said) and refusal.line)
        return False
    assert parse(write(tree)) == tree
    maps = {phrase: MAP if len(phrase) % 2 else 1 - MAP for phrase in phrases_of(tree)}
    terms = [PhraseResult(text=one, status=FOUND, score=1.0, prob=prob, box=None, area=0) for one, prob in maps.items()]
    prob, mask = prob_of(tree, maps, 0.4, SHAPES), mask_of(tree, maps, 0.6, 0.4, SHAPES)
    assert prob.shape == mask.shape == MAP.shape and prob.dtype == np.float32 and mask.dtype == bool
    assert prob.min() >= 0 and prob.max() <= 1 and all(count >= 0 for count in absent(tree, terms, 0.4).values())
    return True


MAP = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)


def check(seed: int, count: int) -> None:
    dice = random.Random(seed)
    taken = sum(through(text(dice)) for _ in range(count))
    assert count / 20 < taken < count, "a fuzzer that is never taken, or never refused, tries nothing"


def test_ten_thousand_texts_are_read_or_refused() -> None:
    check(seed=1, count=10_000)


@pytest.mark.slow
def test_half_a_million_texts_are_read_or_refused() -> None:
    check(seed=2, count=500_000)
