"""docs/words.md says what the language does: its tables are read and tried."""

import re
from pathlib import Path

import pytest

from ldznet_ext.errors import ExpressionError
from ldznet_ext.prompt import parse, write
from ldznet_ext.prompt import tree as nodes

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
    assert f"be {nodes.DEEPEST} signs deep" in TEXT


def test_every_node_has_an_example():
    kinds = {type(node) for text, *_ in table("| written | means |") for node, _ in nodes.walk(parse(text.strip("`")))}
    assert kinds == {
        nodes.Phrase,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.Weight,
        nodes.Threshold,
        nodes.Grow,
        nodes.Instance,
    }
