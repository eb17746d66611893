"""All the page says stands in one file, every history label and view has one, and the scripts find the strings they ask for."""

import re
from pathlib import Path

from ldznet_ext.app import strings
from ldznet_ext.app.routes import ASSETS
from ldznet_ext.request import MaskSettings


def test_the_scripts_ask_for_strings_that_there_are() -> None:
    asked = {
        name for path in ASSETS.glob("*.js") for name in re.findall(r"\bsays\.(\w+)", path.read_text(encoding="utf-8"))
    }
    assert asked - {"defaults"} <= set(strings.for_browser())


def test_the_scripts_say_nothing_by_themselves() -> None:
    for path in ASSETS.glob("*.js"):
        code = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
        said = re.findall(r"""["'`]([A-Z][a-z]+ [a-z][^"'`]*)["'`]""", code)
        assert said == [], path.name


def test_presets_are_settings() -> None:
    for values in strings.PRESET.values():
        assert MaskSettings(**values).to_mapping() == values


def test_nothing_is_fetched_from_elsewhere() -> None:
    allowed = "http://www.w3.org/2000/svg"
    for path in Path(ASSETS).iterdir():
        if path.suffix in (".js", ".css", ".html", ".svg"):
            text = path.read_text(encoding="utf-8").replace(allowed, "")
            assert not re.search(r"https?://|//[a-z]+\.[a-z]+/", text), path.name
