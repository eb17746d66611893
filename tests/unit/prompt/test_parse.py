"""Text to tree: what is a word and what is a sign, what binds how tightly, and what is said of the rest."""

import subprocess
import sys

import pytest
from hypothesis import given

from ldznet_ext.errors import ExpressionError, PhraseError
from ldznet_ext.prompt.parse import by_grammar, is_words, parse
from ldznet_ext.prompt.tree import And, Grow, Instance, Not, Or, Phrase, Threshold, Weight
from ldznet_ext.prompt.write import write
from tests.unit.prompt.trees import ANY, TEXTS

FOX, OWL, CAT = Phrase("fox"), Phrase("owl"), Phrase("cat")


@pytest.mark.parametrize(
    "text",
    [
        "fox",
        "the red fox, to the left",
        "a dog's ear",
        "the dogs' ears",
        "rock'n'roll",
        "Hawai‘i",
        "t-shirt",
        "F-16",
        "C++",
        "hair+12",
        "-5°C",
        "and or not",
        "ANDROID",
        "brAND",
        "AND's",
        "狐狸",
        "красная лиса",
        "🦊",
        "ثعلب أحمر",
        "C:\\fox",
        "<lora:sticker:0.8> fox",
        "C#",
        "#fox",
        "fox# 1",
        "fox#1b",
        "fox#٣",
    ],
)
def test_words_are_one_phrase(text):
    assert is_words(text) and parse(text) == by_grammar(text) == Phrase(text)


@pytest.mark.parametrize("text", ["!", "!!!", " ! ! "])
def test_exclamation_marks_alone_are_a_phrase_and_are_written_in_quotes(text):
    tree = parse(text)
    assert tree == Phrase(text) and write(tree).startswith('"') and parse(write(tree)) == tree


def test_spaces_of_any_kind_are_one():
    assert parse("  a\tred\n\u3000fox ") == Phrase("a red fox")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("fox & owl", And((FOX, OWL))),
        ("fox&owl", And((FOX, OWL))),
        ("fox AND owl", And((FOX, OWL))),
        ("fox|owl", Or((FOX, OWL))),
        ("fox OR owl", Or((FOX, OWL))),
        ("!fox", Not(FOX)),
        ("NOT fox", Not(FOX)),
        ("NOT(fox)", Not(FOX)),
        ("fox & owl & cat", And((FOX, OWL, CAT))),
        ("fox & (owl & cat)", And((FOX, And((OWL, CAT))))),
        ("fox | owl & cat", Or((FOX, And((OWL, CAT))))),
        ("(fox | owl) & cat", And((Or((FOX, OWL)), CAT))),
        ("!fox & owl", And((Not(FOX), OWL))),
        ("!(fox & owl)", Not(And((FOX, OWL)))),
        ("!!fox", Not(Not(FOX))),
        ("!fox +12", Not(Grow(FOX, 12))),
        ("fox*1.5", Weight(FOX, 1.5)),
        ("fox * .5", Weight(FOX, 0.5)),
        ("red fox@0.4", Threshold(Phrase("red fox"), 0.4)),
        ("hair +12", Grow(Phrase("hair"), 12)),
        ("hair -4", Grow(Phrase("hair"), -4)),
        ("hair −4", Grow(Phrase("hair"), -4)),
        ("hair + 4px", Grow(Phrase("hair"), 4)),
        ("hair{-4}", Grow(Phrase("hair"), -4)),
        ("hair{+12}", Grow(Phrase("hair"), 12)),
        ("(fox|owl)+12", Grow(Or((FOX, OWL)), 12)),
        ("fox*2@0.4 +3", Grow(Threshold(Weight(FOX, 2), 0.4), 3)),
        ("fox{*2 +3}{@.4}", Threshold(Grow(Weight(FOX, 2), 3), 0.4)),
        ("face AND NOT (bandana OR hair){*6}", And((Phrase("face"), Not(Weight(Or((Phrase("bandana"), Phrase("hair"))), 6))))),
        ("fox#1", Instance(FOX, 1)),
        ("red fox #12", Instance(Phrase("red fox"), 12)),
        ("fox@.4#2 +3", Grow(Instance(Threshold(FOX, 0.4), 2), 3)),
        ("fox{#2 +3}", Grow(Instance(FOX, 2), 3)),
        ("(fox|owl)#2", Instance(Or((FOX, OWL)), 2)),
        ("!fox#1 & fox", And((Not(Instance(FOX, 1)), FOX))),
        ("fox##1#2", Instance(Instance(Phrase("fox#"), 1), 2)),
        ('"fox"#1', Instance(FOX, 1)),
        ('"fox#1"', Phrase("fox#1")),
        ("C#7", Instance(Phrase("C"), 7)),
        ("狐狸#2", Instance(Phrase("狐狸"), 2)),
        ('"black & white"', Phrase("black & white")),
        ("'black & white' | fox", Or((Phrase("black & white"), FOX))),
        ("'the dog's ear'", Phrase("the dog's ear")),
        ("“black & white” +3", Grow(Phrase("black & white"), 3)),
        ("„schwarz & weiß“", Phrase("schwarz & weiß")),
        ("« noir & blanc »", Phrase("noir & blanc")),
        ("「黒&白」", Phrase("黒&白")),
        ("‘black & white’", Phrase("black & white")),
        (r'"a 5\" disc \\ \x"', Phrase(r'a 5" disc \ \x')),
        ('"+12"', Phrase("+12")),
        ('"AND"', Phrase("AND")),
        ("狐狸 & !尾巴", And((Phrase("狐狸"), Not(Phrase("尾巴"))))),
        ("a dog's ear, left & fox", And((Phrase("a dog's ear, left"), FOX))),
    ],
)  # fmt: skip
def test_what_a_text_says(text, tree):
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("fox &", 5, 'After "&" stands nothing; expected a phrase there'),
        ("& fox", 0, 'The words begin with "&"; expected a phrase before it'),
        ("fox && owl", 5, 'After "&" stands "&"; expected a phrase there'),
        ("fox AND OR owl", 8, 'After "AND" stands "OR"; expected a phrase there'),
        ("fox & (owl", 6, "A parenthesis is opened and never closed"),
        ("(fox | 'a (b') & (owl & cat", 17, "A parenthesis is opened and never closed"),
        ("fox)", 3, '"\\)" closes what was never opened'),
        ("fox & ()", 7, "The parentheses are empty"),
        ("fox !tail", 4, 'Before "!" an expression is complete; expected & or \\| between'),
        ("fox NOT tail", 4, 'Before "NOT" an expression is complete'),
        ('fox "tail"', 4, 'Before "tail" an expression is complete'),
        ('fox & "tail', 6, 'A quote is opened by " and never closed; expected " at its end'),
        ("'90s car", 0, "A quote is opened by ' and never closed"),
        ("a ” b", 2, '"”" closes what was never opened'),
        ("fox*", 4, 'After "\\*" stands nothing; expected a number, so write one: fox\\*1.5'),
        ("fox@x", 4, 'After "@" stands "x"; expected a number, so write one: fox@0.4'),
        ("fox@1.5", 4, "A threshold is 1.5; expected a number between 0 and 1"),
        ("fox*0", 4, "A weight is 0.0; expected a number from 0.001 to 1,000"),
        ("hair +5000", 5, "A growth is 5000 pixels; expected a whole number from -1,024 to 1,024"),
        ("hair +1.5", 5, 'A growth is "\\+1.5"; expected whole pixels'),
        ("+12", 0, 'Before "\\+12" stands nothing that could grow'),
        ("fox & -4", 6, 'Before "-4" stands nothing that could grow'),
        ("fox#0", 3, "An instance is number 0; expected a whole number from 1, the largest, to 999"),
        ("fox#1000", 3, "An instance is number 1000"),
        ("fox#1.5", 3, 'Behind # stands "1.5"; expected a whole number, so write one such as fox#1'),
        ("#1 fan", 0, 'Before "#1" stands nothing that could have pieces; expected a phrase there'),
        ("fox & #2", 6, 'Before "#2" stands nothing that could have pieces'),
        ("fox#1 owl", 6, 'Before "owl" an expression is complete'),
        ("hair +12 long", 9, 'Before "long" an expression is complete'),
        ("hair - 4 px", 9, 'Before "px" an expression is complete'),
        ("hair{12}", 5, 'In braces stands "12"; expected \\*1.5, @0.4, \\+12, -4 or #1'),
        ("hair{+2", 7, "In braces stands nothing"),
        ("hair{}", 5, 'In braces stands "}"'),
        ('""', 0, "A phrase is empty"),
    ],
)
def test_what_is_refused_is_pointed_at(text, place, sentence):
    with pytest.raises(ExpressionError, match=sentence) as caught:
        parse(text)
    assert caught.value.place == place
    said, shown, caret = str(caught.value).split("\n")
    assert said == caught.value.sentence and said.endswith(".")
    assert shown == f"    {text}" and caret.index("^") == 4 + place


def test_the_caret_stands_below_wide_characters_and_in_long_texts():
    with pytest.raises(ExpressionError) as caught:
        parse("狐狸 &\n& 尾巴")
    assert str(caught.value).split("\n")[1:] == ["    狐狸 & & 尾巴", "           ^"]
    with pytest.raises(ExpressionError) as caught:
        parse(f"{'x' * 300} & & {'y' * 300}")
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^")] == "&" and shown.endswith("…") and len(shown) < 80


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("!" * 40 + "fox", "nested 41 deep; expected at most 32"),
        ("fox" + " +1" * 40, "nested 41 deep"),
        ("|".join(["fox"] * 101), "101 phrases; expected at most 100"),
        ("!" * 19_000 + "x", "nested 19,001 deep"),
        ("(" * 19_000, "stands nothing"),
        ("x" * 20_001, "characters"),
        ("a & \ud800", "no valid Unicode"),
        ("", "empty"),
    ],
)
def test_absurd_texts_are_refused_in_a_sentence(text, sentence):
    with pytest.raises(PhraseError, match=sentence):
        parse(text)


def test_parentheses_alone_nest_as_deep_as_they_like():
    assert parse("(" * 9_000 + "fox" + ")" * 9_000) == FOX


@given(TEXTS.map(" ".join) | TEXTS.map("".join) | ANY)
def test_any_text_is_an_expression_or_a_sentence(text):
    if is_words(text):
        assert parse(text) == by_grammar(text) == Phrase(text)
    else:
        assert _said(text) is None or "\n" not in _said(text) or _said(text).endswith("^")


def _said(text):
    try:
        assert parse(text) == by_grammar(text)
    except PhraseError as error:
        return str(error)


def test_plain_words_import_no_parser():
    code = "import sys; from ldznet_ext.prompt import parse; parse('a red fox'); print(*({'lark', 'numpy'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_place_is_marked_on_one_line_where_a_caret_would_not_survive() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("fox & & tail")

    assert caught.value.line == f"{caught.value.sentence} It is at the mark: fox & ▸& tail"
    assert "\n" not in caught.value.line
    assert PhraseError("No words.").line == "No words."
