"""Importing the package costs nothing and says nothing; its public names are what they are called."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import ldznet_ext

ROOT = Path(ldznet_ext.__file__).resolve().parent.parent
HOSTS_OWN = ("gradio", "fastapi", "pydantic", "starlette")
"""What only a web UI brings."""
HEAVY = {"torch", "numpy", "cv2", "PIL", "diffusers", "transformers", "scipy", "skimage"}


def python(code: str, *arguments: str) -> str:
    """What a fresh interpreter prints; it must succeed and leave standard error empty."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_package_imports_nothing_heavy() -> None:
    loaded = set(python("import sys, ldznet_ext; print(*sys.modules)").split())
    assert "ldznet_ext" in loaded
    assert not loaded & HEAVY


def test_help_imports_nothing_heavy_and_takes_no_time() -> None:
    code = (
        "import sys, time, runpy\n"
        "sys.argv[1:] = ['--help']\n"
        "try: runpy.run_module('ldznet_ext', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"assert not {HEAVY!r} & set(sys.modules), {HEAVY!r} & set(sys.modules)\n"
        "print('SECONDS', time.process_time())"
    )
    runs = [python(code) for _ in range(3)]
    assert "mask" in runs[0]
    assert min(float(run.rsplit("SECONDS", 1)[1]) for run in runs) < 0.3  # CPU seconds: a busy machine cannot fail it


def test_modules_import_in_silence_and_make_no_files(own_folders: Path) -> None:
    code = (
        "import importlib, pkgutil, ldznet_ext\n"
        "for m in pkgutil.walk_packages(ldznet_ext.__path__, 'ldznet_ext.'):\n"
        "    try: m.name.endswith('__main__') or importlib.import_module(m.name)\n"
        "    except ModuleNotFoundError as error:\n"
        f"        if error.name not in {HOSTS_OWN!r}: raise\n"
    )
    assert python(code) == ""
    assert [path for path in own_folders.rglob("*") if path.is_file() and "ldznet" in path.name] == []


@pytest.mark.parametrize("name", ldznet_ext.__all__)
def test_every_public_name_resolves_to_something_of_that_name(name: str) -> None:
    assert getattr(ldznet_ext, name).__name__ == name


def test_a_function_is_not_hidden_by_the_module_of_its_name() -> None:
    importlib.import_module("ldznet_ext.inpaint")
    assert callable(ldznet_ext.inpaint)
    assert not hasattr(ldznet_ext.inpaint, "__path__")


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'segmnet'"):
        ldznet_ext.segmnet  # noqa: B018


def test_the_version_is_said_once() -> None:
    assert f'version = "{ldznet_ext.__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
