"""The files a web UI looks for at the root of an extension."""

import argparse
import ast
import configparser
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> Any:
    """A file at the root as a web UI loads it: by path."""
    spec = importlib.util.spec_from_file_location(f"_ldznet_{name}", ROOT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def install() -> Any:
    return load("install")


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """A host's `launch`: what it is asked to run, and the constraints it would run with."""
    asked: list[tuple[str, str]] = []
    launch = ModuleType("launch")

    def run_pip(command: str, desc: str) -> None:
        asked.append((command.partition(" -c ")[0], Path(command.partition(' -c "')[2].rstrip('"')).read_text()))

    launch.run_pip = run_pip  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "launch", launch)
    return asked


def lacking(monkeypatch: pytest.MonkeyPatch, install: Any, *missing: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(install.importlib.util, "find_spec", lambda name: None if name in missing else found("sys"))


def test_where_all_is_there_nothing_is_imported_and_nothing_said(
    install: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking(monkeypatch, install)
    monkeypatch.setitem(sys.modules, "launch", None)  # importing it would raise
    install.main()
    assert capsys.readouterr() == ("", "")


def test_what_is_missing_is_installed_under_everything_the_host_has(
    install: Any,
    pip: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = [("Torch", "2.1.2+cu121"), ("scikit_image", "0.21.0"), (None, None)]
    dists = [SimpleNamespace(metadata={"Name": name}, version=version) for name, version in here]
    monkeypatch.setattr(install.metadata, "distributions", lambda: dists)
    (tmp_path / "requirements_versions.txt").write_text(
        "lark==1.1.2\nscikit-image==0.25.1  # not what is here\ntorch\nhttps://host/pydantic-1.10.15.whl\n"
    )
    monkeypatch.chdir(tmp_path)
    lacking(monkeypatch, install, "lark", "cv2")
    install.main()
    assert pip == [
        (
            'install "lark" "opencv-python-headless>=4.8,<4.12"',
            "lark==1.1.2\nscikit-image==0.21.0\ntorch==2.1.2+cu121\n",
        )
    ]
    assert capsys.readouterr().out == ""


def test_offline_is_one_sentence_and_no_exception(
    install: Any, pip: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(command: str, desc: str) -> None:
        raise RuntimeError("Couldn't install lark for LD-ZNet.\nCommand: pip ...\nstderr: no network")

    monkeypatch.setattr(sys.modules["launch"], "run_pip", fail)
    lacking(monkeypatch, install, "lark")
    install.main()
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert said.startswith("LD-ZNet: lark could not be installed (Couldn't install lark for LD-ZNet); ")


def test_what_only_a_host_can_bring_is_never_installed(
    install: Any, pip: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking(monkeypatch, install, "torch", "numpy")
    install.main()
    assert pip == []
    assert "the web UI has no torch, numpy; " in capsys.readouterr().out


def test_without_a_host_it_still_ends_well(
    install: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "launch", None)
    lacking(monkeypatch, install, "lark")
    install.main()
    assert "could not be checked" in capsys.readouterr().out


OUTSIDE = ("app", "train", "eval", "world", "cli", "bootstrap.py", "webui_venv.py", "torch_wheel.py")
"""Folders and files of the package that no web UI imports."""
OPTIONAL = {"gradio", "fastapi", "starlette", "anyio", "jaxtyping", "tokenizers", "huggingface_hub", "transformers"}
"""The page's and the routes' own, which come with a host's page; what is tried; the stand-alone program's."""
OF_HOSTS = {"modules", "modules_forge", "backend", "ldm_patched"}


def test_its_needs_are_what_the_package_imports(install: Any) -> None:
    imported = set()
    for path in (ROOT / "ldznet_ext").rglob("*.py"):
        if path.relative_to(ROOT / "ldznet_ext").parts[0] in OUTSIDE:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported |= {name.partition(".")[0] for name in names}
    foreign = imported - set(sys.stdlib_module_names) - OPTIONAL - OF_HOSTS - {"ldznet_ext"}
    assert foreign == {*install.NEEDS, *install.HOSTS_OWN}


def test_the_command_line_gets_one_argument() -> None:
    parser = argparse.ArgumentParser()
    load("preload").preload(parser)
    assert parser.parse_args([]).ldznet_models_dir is None
    assert parser.parse_args(["--ldznet-models-dir", "heads"]).ldznet_models_dir == "heads"


def test_starting_costs_no_imports() -> None:
    code = (
        "import sys, runpy; before = set(sys.modules)\n"
        "runpy.run_path('preload.py'); runpy.run_path('install.py', run_name='__main__')\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert not set(done.stdout.split()) & {"torch", "numpy", "cv2", "PIL", "gradio", "launch", "modules", "ldznet_ext"}


def test_metadata_is_what_a_host_parses() -> None:
    config = configparser.ConfigParser()
    assert config.read(ROOT / "metadata.ini")
    assert config["scripts"]["After"] == "adetailer"
    assert not any(section.startswith("callbacks/") for section in config.sections()), (
        "these depend on the folder's name"
    )
