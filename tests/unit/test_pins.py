"""What we import beside what the web UIs pin, as far as it can be told without a network; tools/check_pins.py resolves it."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
HOSTS = ("a1111", "forge", "reforge")


def tool() -> Any:
    spec = importlib.util.spec_from_file_location("_check_pins", ROOT / "tools" / "check_pins.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins(host: str) -> dict[str, str]:
    lines = (ROOT / "tests" / "pins" / f"{host}.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("host", HOSTS)
def test_a_need_never_asks_for_another_version_than_the_host_pins(host: str) -> None:
    pinned = pins(host)
    for need in map(Requirement, tool().needs()):
        version = pinned.get(need.name)
        assert version is None or not str(need.specifier), f"{need.name} is pinned to {version}: ask for no version"
    assert {"torch", "numpy", "pillow", "lark", "einops", "scikit-image", "safetensors"} <= set(pinned)


def test_opencv_alone_has_no_pin_and_comes_along() -> None:
    free = {Requirement(need).name for need in tool().needs()} - set(pins("a1111"))
    assert free == {"opencv-python-headless", "scipy"}  # the latter comes with the host's scikit-image


def test_without_uv_it_says_so_and_passes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    check = tool()
    monkeypatch.setattr(check.shutil, "which", lambda name: None)
    assert check.main() == 0
    assert "uv is not installed" in capsys.readouterr().out


def test_a_host_without_a_resolution_fails_and_a_missing_network_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check = tool()
    monkeypatch.setattr(check.shutil, "which", lambda name: "uv")
    said = {"a1111": "", "forge": "No solution found", "reforge": "error sending request for url"}
    monkeypatch.setattr(check, "resolve", lambda uv, path: said[path.stem])
    assert check.main() == 1
    said["forge"] = ""
    assert check.main() == 0
    assert "reforge: not checked" in capsys.readouterr().out
