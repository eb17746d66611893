"""The web UI's entry: where our parts cannot be had, the host starts as without us, and it is said once."""

import logging
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ldznet_ext.hosts.webui import entry as webui_entry
from ldznet_ext.hosts.webui.entry import Entry

SCRIPT = Path(webui_entry.__file__).resolve().parents[3] / "scripts" / "ldznet_masks.py"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A host's `modules`, and the callbacks that were registered."""
    names: list[str] = []
    package, scripts, callbacks = (ModuleType(name) for name in ("modules", "scripts", "script_callbacks"))
    scripts.Script = type("Script", (), {})  # type: ignore[attr-defined]
    for name in ("after_component", "ui_tabs", "ui_settings", "app_started", "script_unloaded"):
        setattr(callbacks, f"on_{name}", lambda callback, name=name: names.append(name))
    package.scripts, package.script_callbacks = scripts, callbacks  # type: ignore[attr-defined]
    for module, name in ((package, "modules"), (scripts, "modules.scripts"), (callbacks, "modules.script_callbacks")):
        monkeypatch.setitem(sys.modules, name, module)
    return names


def test_the_script_registers_itself_and_its_callbacks(registered: list[str]) -> None:
    names = runpy.run_path(str(SCRIPT))

    assert "LdznetMasks" in names
    assert registered == ["after_component", "ui_tabs", "ui_settings", "app_started", "script_unloaded"]


def test_without_the_package_there_is_one_sentence_and_no_script(
    registered: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "ldznet_ext.hosts.webui.entry", None)  # what importing then raises is ImportError
    with caplog.at_level(logging.ERROR, logger="ldznet"):
        names = runpy.run_path(str(SCRIPT))

    assert "LdznetMasks" not in names
    assert registered == []
    assert len(caplog.records) == 1
    assert "the web UI works without them" in caplog.text


def test_a_page_that_cannot_be_made_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Entry):
        @property
        def binder(self) -> Any:  # type: ignore[override]
            raise ImportError("gradio is another one")

    entry = Broken()
    with caplog.at_level(logging.ERROR, logger="ldznet"):
        for _ in range(3):
            entry.after_component(object(), elem_id="txt2img_gallery")

    assert len(caplog.records) == 1


def test_a_tab_that_cannot_be_made_is_no_tab(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Entry):
        @property
        def desk(self) -> Any:  # type: ignore[override]
            raise RuntimeError("on purpose")

    monkeypatch.setitem(sys.modules, "ldznet_ext.ui.panel", None)
    with caplog.at_level(logging.ERROR, logger="ldznet"):
        assert Broken().tabs() == []
    assert len(caplog.records) == 1


def test_only_methods_that_fit_are_offered_and_all_while_nobody_knows() -> None:
    from ldznet_ext.hosts.about import LABELS
    from ldznet_ext.ui.desk import About, Choice

    fits = Choice(name="attention", label=LABELS["attention"])
    refused = Choice(name="ldznet", label=LABELS["ldznet"], why_not="There is no head.")

    class Page(Entry):
        about = About()

        @property
        def desk(self) -> Any:  # type: ignore[override]
            return SimpleNamespace(about=lambda: self.about)

    page = Page()
    assert [name for _, name in page.methods()] == list(LABELS)
    page.about = About(methods=(fits, refused))
    assert page.methods() == [("Automatic", "auto"), (LABELS["attention"], "attention")]
