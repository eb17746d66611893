"""The controls: every row of the table of options has one, at its default, with its range; nothing else has."""

import re
from html.parser import HTMLParser

import pytest

from ldznet_ext.app import controls
from ldznet_ext.request import FLAG, OPTION, OPTIONS

METHODS = [("Automatic", "auto"), ('A "method"', "m&m")]


def page() -> str:
    return controls.first() + controls.more() + controls.asked(METHODS)


def test_each_option_but_the_words_has_one_control() -> None:
    shown = re.findall(r'data-option="(\w+)"', page())
    assert sorted(shown) == sorted(option.name for option in OPTIONS if option.name != "words")


@pytest.mark.parametrize("name", [option.name for option in OPTIONS if option.name != "words"])
def test_a_control_begins_at_its_default(name: str) -> None:
    option, shown = OPTION[name], controls.control(OPTION[name], METHODS)
    if option.kind == FLAG:
        assert (" checked" in shown) == option.default
    elif option.choices or name == "method":
        assert f'value="{option.default}" selected' in shown
    else:
        assert f'value="{option.to_widget(option.default):g}"' in shown


def test_what_is_asked_of_the_model_is_apart() -> None:
    assert set(controls.defaults()).isdisjoint(controls.ASKS)
    assert set(re.findall(r'data-option="(\w+)"', controls.asked(METHODS))) == set(controls.ASKS)


def test_names_from_elsewhere_are_escaped() -> None:
    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.values: list[str | None] = []

        def handle_starttag(self, tag: str, attrs: list) -> None:
            self.values += [value for name, value in attrs if tag == "option" and name == "value"]

    reader = Reader()
    reader.feed(controls.control(OPTION["method"], METHODS))
    assert reader.values == ["auto", "m&m"]
