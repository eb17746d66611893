"""`python -m ldznet_ext`: which commands set up what they need, and which say what is missing."""

from collections.abc import Sequence

import pytest

from ldznet_ext import __main__ as entry
from ldznet_ext import bootstrap


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """An interpreter without torch and Gradio in a checkout where nothing was set up; what would have been done."""
    done: list[tuple[str, object]] = []
    monkeypatch.delenv("LDZNET_INSIDE", raising=False)
    monkeypatch.setattr(bootstrap, "missing_modules", lambda: ["torch"])
    monkeypatch.setattr(bootstrap, "ready", lambda *_: False)
    monkeypatch.setattr(bootstrap, "set_up", lambda extra="run": done.append(("set up", extra)))
    monkeypatch.setattr(bootstrap, "run_inside", lambda arguments: done.append(("run", list(arguments))))
    return done


@pytest.mark.parametrize(("command", "extra"), [("demo", "run"), ("serve", "app")])
def test_what_a_newcomer_starts_sets_itself_up(bare: list[tuple[str, object]], command: str, extra: str) -> None:
    entry.main([command, "--json"])
    assert bare == [("set up", extra), ("run", ["-m", "ldznet_ext", command, "--json"])]


@pytest.mark.parametrize("arguments", [["mask", "fox.png", "fox"], ["report"]])
def test_other_commands_say_what_is_missing(
    bare: list[tuple[str, object]], arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.main(arguments) == 2
    assert "Python lacks torch" in capsys.readouterr().err and not bare


def test_the_page_alone_wants_gradio(bare: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "missing_modules", list)
    monkeypatch.setattr(entry, "find_spec", lambda name: None)
    entry.main(["serve"])
    assert bare[0] == ("set up", "app")


def test_inside_nothing_is_set_up_twice(bare: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDZNET_INSIDE", "1")
    assert entry.main(["serve"]) == 2 and not bare
