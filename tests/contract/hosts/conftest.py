"""The fake hosts, one after the other, each with the tiny model loaded."""

from pathlib import Path
from typing import Any

import pytest

from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.hosts.webui import host as webui_host
from ldznet_ext.hosts.webui.facts import NATIVE
from ldznet_ext.hosts.webui.host import Host, find_host
from tests.fakes.models import load
from tests.fakes.webui import WebUI, make_webui
from tests.tiny import models

__all__ = ["backbone", "host", "loaded", "models", "ui"]


@pytest.fixture(scope="module")
def backbone(models: Path) -> StandaloneBackbone:
    """The tiny model alone, for comparison; nothing here writes into it."""
    return load_backbone(models / "sticker-sd")


@pytest.fixture(params=["a1111", "forge", "reforge"])
def ui(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models: Path) -> WebUI:
    """Each kind of host in turn, nothing loaded."""
    webui_host._host.cache_clear()
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    monkeypatch.setitem(NATIVE, "sticker", 128)  # the tiny model's
    return make_webui(request.param, monkeypatch, tmp_path)


@pytest.fixture
def loaded(ui: WebUI, backbone: StandaloneBackbone) -> Any:
    """Its model object, over the tiny model."""
    return load(ui, backbone)


@pytest.fixture
def host(ui: WebUI) -> Host:
    """The host, found by what it has."""
    found = find_host()
    assert found is not None
    return found
