"""The page on saving says what the code says."""

import re
from pathlib import Path

from ldznet_ext.saving.kinds import KINDS
from ldznet_ext.saving.listing import ENDINGS
from ldznet_ext.saving.names import PLACEHOLDERS
from ldznet_ext.saving.order import NOT_FOUND
from ldznet_ext.saving.scores import COLUMNS

PAGE = (Path(__file__).resolve().parents[3] / "docs/saving.md").read_text(encoding="utf-8")


def first_column(heading: str) -> list[str]:
    """The names in code in the first column of the table under a heading."""
    table = PAGE.split(f"\n| {heading} |", 1)[1].split("\n\n")[0]
    return [name for line in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", line.split("|")[1])]


def test_every_kind_of_file_is_there_with_its_name():
    assert first_column("kind") == list(KINDS)
    assert all(f"| `{kind.name}` | `photo{kind.suffix}` |" in PAGE for kind in KINDS.values())


def test_every_placeholder_column_and_ending_is_there():
    assert first_column("in a pattern") == [f"{{{one}}}" for one in PLACEHOLDERS]
    assert first_column("column") == list(COLUMNS)
    listed = PAGE.split("Each picture ending in ")[1].split(" is masked")[0]
    assert set(re.findall(r"\.\w+", listed)) == ENDINGS


def test_what_is_not_found_has_the_same_names_everywhere():
    line = next(line for line in PAGE.split("\n\n") if line.startswith("`--not-found`"))
    assert re.findall(r"`(\w+)`", line) == list(NOT_FOUND)
