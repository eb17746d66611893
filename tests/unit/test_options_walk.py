"""The one table of options, walked: every row is in the panel, the app, the command line, the API, the infotext and the docs."""

import argparse
import re
from pathlib import Path
from typing import Any

import pytest

from ldznet_ext.api.schema import json_schema
from ldznet_ext.app import controls
from ldznet_ext.cli import mask as command
from ldznet_ext.job import JOB_OPTIONS, Job
from ldznet_ext.request import CHOICE, FLAG, LOOKED, NUMBER, OPTION, OPTIONS, TEXT, WHOLE, MaskSettings, Option
from ldznet_ext.ui.infotext import LOCAL, from_infotext, to_infotext
from tools import options_page

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROWS = pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
JOB_ROWS = pytest.mark.parametrize("option", JOB_OPTIONS, ids=lambda option: option.name)


def another(option: Option) -> Any:
    """A value that is not the default."""
    if option.kind == FLAG:
        return not option.default
    if option.kind == CHOICE:
        return next((name for name in option.choices if name != option.default), "attention")
    return {TEXT: "fox & !tail", WHOLE: 7, NUMBER: 0.25}[option.kind]


@pytest.fixture(scope="module")
def panel() -> dict[str, Any]:
    """The components of the accordion, the tab and a words' box, by elem_id."""
    gr = pytest.importorskip("gradio")
    from ldznet_ext.ui.desk import About
    from ldznet_ext.ui.panel import accordion, words_box
    from ldznet_ext.ui.tab import tab

    with gr.Blocks() as page:
        accordion(is_img2img=True)
        words_box("ldznet_inpaint")
    every = [*page.blocks.values(), *tab(About(), lambda made: None).blocks.values()]
    return {component.elem_id: component for component in every if getattr(component, "elem_id", None)}


@JOB_ROWS
def test_a_row_is_in_the_accordion(option: Option, panel: dict[str, Any]) -> None:
    component = panel[f"ldznet_img2img_{option.name}"]
    assert component.label.startswith(option.label)
    values = [value for _, value in getattr(component, "choices", None) or []]
    assert not option.choices or values == list(option.choices)


@ROWS
def test_a_row_is_in_the_tab_and_beside_the_canvas(option: Option, panel: dict[str, Any]) -> None:
    assert f"ldznet_tab_{option.name}" in panel
    by_model = {"words", *LOOKED} - {"threshold"}  # the box of an inpaint tab has words of its own
    assert (f"ldznet_inpaint_{option.name}" in panel) or option.name in by_model


@ROWS
def test_a_row_is_on_the_apps_page(option: Option) -> None:
    html = controls.first() + controls.more() + controls.asked([("Automatic", "auto")])
    assert html.count(f'data-option="{option.name}"') == (option.name != "words")
    for name in option.choices:
        assert f'<option value="{name}"' in html


@ROWS
def test_a_row_is_on_the_command_line(option: Option) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    if option.name == "words":
        assert "WORDS" in parser.format_help()
        return
    flag, _, value = options_page.flag(option).partition(" ")
    given = parser.parse_args([flag, str(another(option))] if value else [flag])
    assert getattr(given, option.name) == another(option)
    assert getattr(parser.parse_args([]), option.name) == option.default
    assert re.sub(r"\s+", "", option.help) in re.sub(r"\s+", "", parser.format_help())


@ROWS
def test_a_row_is_in_the_api(option: Option) -> None:
    field = json_schema()["properties"][option.name]
    assert option.help[:20] in field["description"] or option.name == "words"
    if option.choices:
        assert [name for name in _enum(field) if name is not None] == list(option.choices)


def _enum(field: dict[str, Any]) -> list[Any]:
    """Of a schema, or of that beside a null."""
    return field.get("enum") or next((one["enum"] for one in field.get("anyOf", ()) if "enum" in one), [])


@JOB_ROWS
def test_a_row_goes_into_an_infotext_and_comes_back(option: Option) -> None:
    given = {"enabled": True, "words": "owl", option.name: another(option)}
    job = Job.from_mapping({**given, "enabled": True})
    written = to_infotext(job)
    if option.name in LOCAL:
        assert option.infotext not in written
        return
    assert written[option.infotext] == str(job.to_mapping()[option.name])
    assert from_infotext(written)[option.name] == job.to_mapping()[option.name]


@ROWS
def test_a_row_is_a_field_of_the_settings_and_survives_json(option: Option) -> None:
    settings = MaskSettings(**{option.name: another(option)})
    assert settings.to_mapping() == {option.name: another(option)}
    assert MaskSettings.from_mapping({option.name: str(another(option))}) == settings


def test_the_page_of_options_is_what_the_tables_say() -> None:
    assert (DOCS / "options.md").read_text("utf-8") == options_page.page(), "run python tools/options_page.py"
    assert options_page.main(["--check"]) == 0


@JOB_ROWS
def test_a_row_is_on_the_page_of_options(option: Option) -> None:
    line = options_page.row(option) if option.name in OPTION else options_page.generation_row(option)
    assert line in options_page.page()
    assert options_page.takes(option) in line and option.label in line and option.infotext in line
