"""Tree to text and back."""

import pytest
from hypothesis import given

from ldznet_ext.errors import PhraseError
from ldznet_ext.prompt.parse import parse
from ldznet_ext.prompt.tree import And, Grow, Not, Or, Phrase, Threshold, Weight, phrases_of
from ldznet_ext.prompt.write import quoted, write
from tests.unit.prompt.trees import PHRASES, TEXTS, trees


@given(trees())
def test_what_is_written_is_read_as_the_same_tree(tree):
    assert parse(write(tree)) == tree


@given(trees())
def test_writing_is_settled_after_once(tree):
    text = write(tree)
    assert write(parse(text)) == text
    assert write(parse(f"  ({text.replace(' ', '  ')}) ")).split() == text.split()


@given(PHRASES)
def test_a_phrase_of_any_text_can_be_quoted(phrase):
    assert parse(quoted(phrase.text)) == phrase


@given(TEXTS.map(" ".join))
def test_phrases_are_listed_once_in_their_order(text):
    first, second = Phrase(text), Phrase("second")
    tree = Or((And((first, Not(second))), Grow(first, 3)))
    assert phrases_of(tree) == tuple(dict.fromkeys([first.text, "second"]))


@pytest.mark.parametrize(
    "text",
    [
        "fox",
        "dog's ear",
        '"black & white" | fox',
        "fox & !tail",
        "(fox | owl) & !(tail | ear)",
        "fox & (owl & cat)",
        "!!fox",
        "hair +12",
        "(fox | owl)*6 -4",
        "fox*1.5@0.4 +3",
        "!fox +12",
        "(!fox) +12",
        "fox#1",
        "(fox | owl)#2 +3",
        "!fox#1",
        "fox@0.4#1#2",
        '"fox#1"',
    ],
)
def test_canonical_text_comes_back_as_it_was(text):
    assert write(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a|b", "a | b"),
        ("face AND NOT (bandana OR hair){*6}", "face & !(bandana | hair)*6"),
        ("hair{+5}", "hair +5"),
        ("fox*6.0", "fox*6"),
        ("((fox))", "fox"),
        ("'fox' & “black & white”", 'fox & "black & white"'),
        ("hair − 4px", "hair -4"),
    ],
)
def test_other_spellings_become_canonical(text, canonical):
    assert write(parse(text)) == canonical


@pytest.mark.parametrize(
    "make",
    [
        lambda: Phrase(" "),
        lambda: And((Phrase("x"),)),
        lambda: Or(()),
        lambda: Weight(Phrase("x"), 0),
        lambda: Weight(Phrase("x"), float("nan")),
        lambda: Weight(Phrase("x"), True),
        lambda: Threshold(Phrase("x"), 1),
        lambda: Grow(Phrase("x"), 1.5),
        lambda: Grow(Phrase("x"), 5000),
    ],
)
def test_a_node_that_could_not_be_written_cannot_be_made(make):
    with pytest.raises(PhraseError, match=r"expected .*, so "):
        make()
