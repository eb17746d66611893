"""The pocket host's set-up: once, then never again; refused where its Gradio cannot run."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from ldznet_ext import webui_venv
from ldznet_ext.bootstrap import SetupError, Venv


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """One requirement."""
    path = tmp_path / "requirements.txt"
    path.write_text("gradio==3.41.2\n")
    return path


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What pip was asked for; the rest of a set-up is done in a moment."""
    calls: list[tuple[str, ...]] = []

    def make(venv: Venv) -> None:
        venv.python.parent.mkdir(parents=True, exist_ok=True)
        venv.python.touch()

    def torch(venv: Venv) -> None:
        (tmp_path / "torch").mkdir(exist_ok=True)
        venv.stamp("torch", named="", version="2.13.0+cpu", where=str(tmp_path), borrowed=False)

    monkeypatch.setattr(webui_venv, "make_venv", make)
    monkeypatch.setattr(webui_venv, "install_torch", torch)
    monkeypatch.setattr(webui_venv, "pip", lambda venv, *arguments: calls.append(arguments))
    monkeypatch.delenv("TORCH", raising=False)
    return calls


def test_it_is_set_up_once_and_again_when_the_requirements_change(
    tmp_path: Path, requirements: Path, asked: list[tuple[str, ...]]
) -> None:
    venv = Venv(folder=tmp_path / "venv")
    webui_venv.set_up_webui(venv, requirements)
    webui_venv.set_up_webui(venv, requirements)
    assert [call[:3] for call in asked] == [("install", "-r", str(requirements))]
    assert Path(asked[0][4]).read_text() == "torch==2.13.0+cpu\n"
    requirements.write_text("gradio==3.41.2\nfastapi\n")
    webui_venv.set_up_webui(venv, requirements)
    assert len(asked) == 2


def test_a_python_that_its_gradio_cannot_run_on_is_refused(
    tmp_path: Path, requirements: Path, asked: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(webui_venv, "sys", SimpleNamespace(version_info=(3, 13, 0), version="3.13.0 (x)"))
    with pytest.raises(SetupError, match=r"3\.13\.0; expected 3\.10, 3\.11 or 3\.12"):
        webui_venv.set_up_webui(Venv(folder=tmp_path / "venv"), requirements)
    assert asked == []


def test_what_is_asked_for_is_what_a1111_pins() -> None:
    ours = dict(
        line.split("==") for line in webui_venv.REQUIREMENTS.read_text().split() if "==" in line and line[0] != "#"
    )
    pins = Path(webui_venv.CHECKOUT, "tests/pins/a1111.txt").read_text().split()
    assert ours["gradio"] == "3.41.2"
    assert {f"{name}=={version}" for name, version in ours.items()} <= set(pins)
