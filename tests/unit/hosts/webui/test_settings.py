"""The settings page's rows, and values read in hosts of every mood."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ldznet_ext import weights
from ldznet_ext.hosts.webui import settings as webui_settings
from ldznet_ext.hosts.webui.settings import (
    CPU,
    DROP,
    KEEP,
    METHODS,
    SETTINGS,
    accordion_values,
    get,
    put_heads_away,
    register,
    share_folders,
)
from ldznet_ext.job import JOB_OPTION
from ldznet_ext.segmenters.methods import methods


class OptionInfo:
    """As the hosts' own, what we call of it."""

    def __init__(self, default: Any, label: str, component: Any, component_args: Any, **about: Any) -> None:
        self.default, self.label, self.component, self.component_args = default, label, component, component_args
        self.about, self.said = about, ""

    def info(self, said: str) -> "OptionInfo":
        self.said = said
        return self


class Options:
    """Saved values first, then defaults, else AttributeError: the hosts' rule."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.data_labels: dict[str, OptionInfo] = {}

    def add_option(self, key: str, option: OptionInfo) -> None:
        self.data_labels[key] = option

    def __getattr__(self, key: str) -> Any:
        if key in self.__dict__.get("data", {}):
            return self.data[key]
        if key in self.__dict__.get("data_labels", {}):
            return self.data_labels[key].default
        raise AttributeError(key)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A host's `modules.shared`, with no options of ours yet."""
    package, module, paths = (ModuleType(name) for name in ("modules", "modules.shared", "modules.paths_internal"))
    module.opts, module.OptionInfo = Options(), OptionInfo  # type: ignore[attr-defined]
    module.cmd_opts = SimpleNamespace(ldznet_models_dir=None)  # type: ignore[attr-defined]
    paths.models_path = str(tmp_path / "host")  # type: ignore[attr-defined]
    package.shared = module  # type: ignore[attr-defined]
    gradio = SimpleNamespace(Radio="radio", Slider="slider", Dropdown="dropdown")
    for name, each in {"modules": package, "modules.shared": module, "modules.paths_internal": paths}.items():
        monkeypatch.setitem(sys.modules, name, each)
    monkeypatch.setitem(sys.modules, "gradio", gradio)  # type: ignore[arg-type]
    yield module
    weights.look_also_in(())


def test_without_a_host_every_setting_is_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "modules.shared", raising=False)
    assert {setting.name: get(setting.name) for setting in SETTINGS} == {each.name: each.default for each in SETTINGS}
    assert webui_settings.folders() == ()


def test_a_host_without_a_settings_page_has_defaults_too(shared: Any) -> None:
    assert get("memory_mb") == get("ldznet_memory_mb") == 512


def test_the_page_has_one_section_of_ours_and_reload_renews_it(shared: Any) -> None:
    register()
    register()
    rows = shared.opts.data_labels
    assert list(rows) == [f"ldznet_{setting.name}" for setting in SETTINGS]
    assert {row.about["section"] for row in rows.values()} == {("ldznet", "LD-ZNet")}
    kinds = {key: row.component for key, row in rows.items() if row.component}
    assert kinds == {"ldznet_method": "dropdown", "ldznet_head_after": "radio", "ldznet_memory_mb": "slider"}
    assert rows["ldznet_memory_mb"].component_args == {"minimum": 0, "maximum": 8192, "step": 64}
    assert [key for key, row in rows.items() if row.about["restrict_api"]] == ["ldznet_head_folders"]


@pytest.mark.parametrize(
    "name, saved, expected",
    [
        ("memory_mb", 128, 128),
        ("memory_mb", "much", 512),
        ("memory_mb", -1, 512),
        ("memory_mb", True, 512),
        ("memory_mb", float("nan"), 512),
        ("head_after", CPU, CPU),
        ("head_after", "burn it", "keep on the device"),
        ("save_masks", True, True),
        ("save_masks", 1, False),
        ("words", None, ""),
        ("words", "fox & !tail", "fox & !tail"),
        ("method", "attention", "attention"),
        ("method", "gone in 2.0", "auto"),
    ],
)
def test_saved_values_are_checked(shared: Any, name: str, saved: Any, expected: Any) -> None:
    register()
    shared.opts.data[f"ldznet_{name}"] = saved
    assert get(name) == expected


def test_the_accordion_begins_with_what_the_settings_say(shared: Any) -> None:
    assert accordion_values() == {"words": "", "method": "auto", "overlay": True}
    assert all(JOB_OPTION[name].default == value for name, value in accordion_values().items())
    register()
    shared.opts.data |= {"ldznet_words": "fox & !tail", "ldznet_method": "attention", "ldznet_overlay": False}
    assert accordion_values() == {"words": "fox & !tail", "method": "attention", "overlay": False}
    assert set(accordion_values()) <= set(JOB_OPTION)


def test_heads_are_looked_for_where_host_and_user_say(shared: Any, tmp_path: Path) -> None:
    register()
    shared.cmd_opts.ldznet_models_dir = str(tmp_path / "flag")
    shared.opts.data["ldznet_head_folders"] = f"{tmp_path / 'one'}, ,{tmp_path / 'two'}"
    share_folders()
    named = [tmp_path / name for name in ("flag", "one", "two", "host/ldznet")]
    assert [folder for folder in weights.model_folders() if folder in named] == named
    shared.opts.data["ldznet_head_folders"] = ""
    share_folders()
    assert tmp_path / "one" not in weights.model_folders()


@pytest.mark.parametrize(("chosen", "asked"), [(KEEP, []), (CPU, ["cpu"]), (DROP, [None])])
def test_what_is_loaded_is_put_away_as_the_setting_says(
    shared: Any, monkeypatch: pytest.MonkeyPatch, chosen: str, asked: list[str | None]
) -> None:
    register()
    shared.opts.data["ldznet_head_after"] = chosen
    heads: list[str | None] = []
    sam: list[str | None] = []
    monkeypatch.setitem(sys.modules, "ldznet_ext.segmenters.heads", SimpleNamespace(put_away=heads.append))
    monkeypatch.setitem(sys.modules, "ldznet_ext.sam", SimpleNamespace(put_sam_away=sam.append))
    put_heads_away()
    assert heads == sam == asked


def test_methods_are_those_of_the_registry() -> None:
    assert set(METHODS) <= set(methods())
    assert METHODS[0] == "auto"
