"""--offload reaches whoever loads the model, from every command that does and from the server."""

import argparse
from typing import Any

import pytest

from ldznet_ext import backbone
from ldznet_ext.cli import engine, options
from ldznet_ext.hosts import standalone
from ldznet_ext.hosts.desk import StandaloneDesk


def _parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    options.add_backbone(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What models were loaded with."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(backbone, "load_backbone", lambda *args, **named: calls.append(named) or "loaded")
    monkeypatch.setattr(backbone, "default_backbone", lambda: "shared")
    return calls


def test_a_command_loads_a_model_that_offloads(loaded: list[dict[str, Any]]) -> None:
    assert engine.open_backbone(_parsed("--offload")) == "loaded"
    assert engine.open_backbone(_parsed("--model", "m")) == "loaded"
    assert [call["offload"] for call in loaded] == [True, False]
    assert engine.open_backbone(_parsed()) == "shared" and len(loaded) == 2


@pytest.mark.parametrize("offload", [True, False])
def test_so_does_the_desk_behind_the_app_and_the_api(offload: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(Exception):
        pass

    asked: list[dict[str, Any]] = []

    def load(source: Any, **named: Any) -> None:
        asked.append(named)
        raise Stop

    monkeypatch.setattr(standalone, "load_backbone", load)
    with pytest.raises(Stop):
        StandaloneDesk(offload=offload).load()
    assert asked[0]["offload"] is offload


def test_in_python_it_is_said_of_the_model(models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    assert backbone.load_backbone(offload=True).offload  # type: ignore[attr-defined]
    assert not backbone.load_backbone().offload  # type: ignore[attr-defined]
