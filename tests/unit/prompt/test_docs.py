"""docs/words.md says what the language does: its tables are read and tried."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import ExpressionError
from ldznet_ext.prompt import parse, write
from ldznet_ext.prompt import tree as nodes
from tools import language_page

PAGE = Path(__file__).parents[3] / "docs" / "words.md"
TEXT = PAGE.read_text(encoding="utf-8")


def table(head: str) -> list[list[str]]:
    """The rows of the table whose first line begins so; cells without their code signs."""
    lines = TEXT[TEXT.index(head) :].split("\n\n")[0].splitlines()[2:]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[cell.strip().replace(r"\|", "|") for cell in row] for row in rows]


@pytest.mark.parametrize("row", table("| written | means |"), ids=lambda row: row[0])
def test_every_example_is_read_as_the_page_says(row):
    text, _, canonical = row
    assert write(parse(text.strip("`"))) == canonical.strip("`")


@pytest.mark.parametrize("row", table("| written | refused with |"), ids=lambda row: row[0])
def test_every_mistake_is_refused_as_the_page_says(row):
    text, sentence = row
    with pytest.raises(ExpressionError) as caught:
        parse(text.strip("`"))
    assert caught.value.sentence.startswith(sentence)


def test_the_message_on_the_page_is_the_message():
    with pytest.raises(ExpressionError) as caught:
        parse("fox & & tail")
    assert str(caught.value) in TEXT


def test_the_limits_on_the_page_are_the_limits():
    low, high = nodes.WEIGHTS
    for said in (f"from {low:g} to {high:,.0f}", f"{nodes.MOST_GROWTH:,} pixels", f"{nodes.MOST_PHRASES} phrases"):
        assert said in TEXT
    assert f"be {nodes.DEEPEST} signs deep" in TEXT and f"instances to {nodes.MOST_INSTANCES}" in TEXT


NODES = {*nodes.Tree.__args__}
"""Every kind of node."""


def test_every_node_has_an_example():
    kinds = {type(node) for text, *_ in table("| written | means |") for node, _ in nodes.walk(parse(text.strip("`")))}
    assert kinds == NODES


def shown(name):
    """Bool (h w): what one of the page's pictures shows in colour, so what is in the mask."""
    picture = np.asarray(Image.open(language_page.FOLDER / f"{name}.webp").convert("RGB")).astype(int)
    return np.ptp(picture, axis=-1) > 24


def test_every_sign_has_a_picture_and_the_page_shows_them():
    assert language_page.gallery() in TEXT, "run python tools/language_page.py"
    examples = language_page.EXAMPLES
    assert {type(node) for one in examples for node, _ in nodes.walk(parse(one.words))} == NODES
    files = {path.name for path in language_page.FOLDER.iterdir()}
    assert files == {"scene.webp", *(f"{one.name}.webp" for one in examples)}
    assert all((language_page.FOLDER / name).stat().st_size < 40_000 for name in files)


def test_the_pictures_show_what_their_words_say():
    mask = {one.name: shown(one.name) for one in language_page.EXAMPLES}
    fox, first, second = mask["phrase"], mask["instance-1"], mask["instance-2"]

    def alike(one, other):
        return (one & other).sum() / (one | other).sum() > 0.85

    assert alike(first | second, fox) and first.sum() > 2 * second.sum() > 0
    assert (
        alike(mask["all-but-one"], second)
        and alike(mask["threshold-high"], first)
        and alike(mask["weight-less"], first)
    )
    assert mask["grow"].sum() > 1.2 * fox.sum() > 1.8 * mask["shrink"].sum()
    assert not alike(mask["or"], fox) and alike(mask["or"], mask["threshold-low"]) and alike(mask["or"], mask["weight"])
    assert alike(mask["or"] & ~fox, mask["and-not"] & ~fox) and (mask["not"] & first).mean() < 0.02


def test_the_pictures_begin_with_what_is_said_of_each_phrase():
    things = {"large fox": np.eye(4, 6, dtype=bool), "teddy bear": np.eye(4, 6, k=2, dtype=bool)}
    prob = language_page.prob_of(things, {"large fox": 0.97, "teddy bear": 0.35})
    np.testing.assert_array_equal(prob, np.select([*things.values()], [0.97, 0.35], 0.03).astype(np.float32))
    words = {text for one in language_page.EXAMPLES for text in nodes.phrases_of(parse(one.words))}
    assert words == {*language_page.SURE}
