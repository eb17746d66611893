"""docs/api.md says what the code does: its tables are the tables, its examples are accepted."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ldznet_ext.api.fields import Field
from ldznet_ext.api.jobs import STATES
from ldznet_ext.api.limits import (
    MAX_AT_ONCE,
    MAX_BODY,
    MAX_EXPRESSIONS,
    MAX_MASKS,
    MAX_MEGAPIXELS,
    MAX_NAMES,
    MAX_PICTURES,
    MAX_TOGETHER,
)
from ldznet_ext.api.openapi import SENTENCES
from ldznet_ext.api.schema import read_classes, read_edit, read_generate, read_like, read_masks
from ldznet_ext.api.tables import FIELDS, KINDS, SETTINGS
from ldznet_ext.hosts.webui.settings import SETTINGS as HOST_SETTINGS
from ldznet_ext.job import JOB_OPTIONS, Job
from ldznet_ext.request import Option

DOCS = Path(__file__).resolve().parents[2] / "docs"
READ = {
    "masks": read_masks,
    "classes": read_classes,
    "like": read_like,
    "generate": read_generate,
    "edit": read_edit,
}
API = (DOCS / "api.md").read_text("utf-8")


def row(option: Option) -> str:
    """An option's line in the tables."""
    default = json.dumps(option.default)
    choices = " or ".join(f"`{json.dumps(choice)}`" for choice in option.choices)
    ends = [end for end in (option.low, option.high) if end is not None and abs(end) < 1e6]
    inside = f"{option.kind}, between {option.between[0]:g} and {option.between[1]:g}" if option.between else ""
    takes = choices or inside or (f"{option.kind}, {ends[0]:g} to {ends[1]:g}" if len(ends) == 2 else option.kind)
    return f"| `{option.name}` | {takes} | `{default}` | {option.help.replace('|', chr(92) + '|')} |"


def line_of(field: Field) -> str:
    """A field's line in a route's table."""
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    said = "" if field.required or not field.nullable else f"`{json.dumps(default)}`"
    return f"| `{field.name}` | {field.takes} | {said} | {field.about.replace('|', chr(92) + '|')} |"


def section(title: str) -> str:
    """What stands under a heading, to the next one of its kind."""
    return API.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks() -> list[Any]:
    return [json.loads(text) for text in re.findall(r"```json\n(.*?)```", API, re.DOTALL)]


def test_every_option_stands_in_the_tables() -> None:
    missing = [row(option) for option in JOB_OPTIONS if row(option) not in API]
    assert not missing, "docs/api.md lacks:\n" + "\n".join(missing)
    mask_table = API.partition("## Masks with each generation")[0]
    assert all(row(option) in mask_table for option in SETTINGS)


def test_positional_arguments_are_in_their_order() -> None:
    table = API.partition("## Masks with each generation")[2]
    places = [table.index(row(option)) for option in JOB_OPTIONS]
    assert places == sorted(places)


@pytest.mark.parametrize("route", FIELDS)
def test_every_field_of_a_route_stands_in_its_section(route: str) -> None:
    part = section(f"`POST {route}`")
    shared = () if route == "masks" else {option.help for option in SETTINGS}  # said once, there
    own = [field for field in FIELDS[route] if field.about not in shared]
    missing = [line_of(field) for field in own if line_of(field) not in part]
    assert not missing, f"docs/api.md lacks in {route}:\n" + "\n".join(missing)


@pytest.mark.parametrize("route", FIELDS)
def test_examples_of_requests_are_accepted(route: str) -> None:
    bodies = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", section(f"`POST {route}`"), re.DOTALL)]
    assert bodies
    for body in bodies:
        assert READ[route](body).settings is not None


def test_examples_of_scripts_are_accepted() -> None:
    scripts = [block["alwayson_scripts"]["LD-ZNet masks"]["args"] for block in blocks() if "alwayson_scripts" in block]
    assert len(scripts) >= 2
    jobs = [Job.from_args(args) for args in scripts]
    assert all(job.enabled and job.mask.words for job in jobs)


def test_limits_and_kinds_are_the_codes() -> None:
    for number in (
        f"{MAX_TOGETHER} together",
        f"more than {MAX_PICTURES} pictures, {MAX_EXPRESSIONS} expressions, {MAX_MASKS} masks, {MAX_NAMES} names",
        f"at most {MAX_AT_ONCE} requests",
        f"{MAX_AT_ONCE} requests are under way",
        f"{MAX_MEGAPIXELS} megapixels",
        f"{MAX_BODY >> 20} MB",
    ):
        assert str(number) in API
    assert all(f"`{kind}`" in API for kind in (*KINDS, *STATES))
    assert all(f"\n| {status} | " in section("Errors") for status in SENTENCES)


def test_the_settings_page_is_described() -> None:
    hosts = (DOCS / "hosts.md").read_text("utf-8")
    assert [setting.label for setting in HOST_SETTINGS if setting.label not in hosts] == []


def test_the_entry_for_the_extension_index_has_its_form() -> None:
    entry = json.loads((DOCS / "extension-index.json").read_text("utf-8"))
    assert list(entry) == ["name", "url", "description", "tags"]
    assert re.fullmatch(r"https://github\.com/[\w-]+/[\w-]+\.git", entry["url"])
    known = {
        "script",
        "tab",
        "dropdown",
        "models",
        "UI related",
        "prompting",
        "editing",
        "manipulations",
        "query",
        "science",
    }
    assert set(entry["tags"]) <= known
    assert entry["description"].isascii()
