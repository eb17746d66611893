"""`ldznet serve` in a process of its own, in the interpreter that has its packages: for the browser tests and the benchmark.

That is `.venv`, as `make browser` has it, or what LDZNET_APP_PYTHON names; the browser's side runs where playwright is.
"""

import functools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.browser.conftest import ROOT

HAS_THE_APP = "import gradio, uvicorn, sys; sys.exit(int(gradio.__version__.split('.')[0]) < 5)"
BEGUN = "window.ldz?.busy && +document.body.dataset.revision === ldz.now.revision && !ldz.busy()"
"""True in a page once it shows what it begins with."""
ANSWERED = f"{BEGUN} && ldz.now.answered"
"""True once that has a mask, too."""


@functools.cache
def app_python() -> str:
    """The interpreter that runs the app; blank where there is none."""
    inside = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    for python in (os.environ.get("LDZNET_APP_PYTHON", ""), str(ROOT / ".venv" / inside), sys.executable):
        if python and shutil.which(python) and not _run([python, "-c", HAS_THE_APP]).returncode:
            return python
    return ""


@dataclass(frozen=True)
class Served:
    """An app that runs. environment: of its process; a command with the same finds the same models and folders."""

    address: str
    python: str
    environment: dict[str, str] = field(repr=False)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command of the app's interpreter, in the checkout; AssertionError where it fails."""
        done = _run([self.python, *arguments], self.environment)
        if done.returncode:
            raise AssertionError(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
        return done


@contextmanager
def served(folder: Path, *models: Path, options: Sequence[str] = ()) -> Iterator[Served]:
    """Serve with a home of its own and these model folders before the others, until the end of the block."""
    environment = _environment(folder, models)
    command = [app_python(), "-m", "ldznet_ext", "serve", "--port", "0", "--no-browser", *options]
    log = folder / "log.txt"
    with log.open("w") as stream:
        app = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT, env=environment)
    try:
        yield Served(_address(app, log), app_python(), environment)
    finally:
        app.terminate()
        app.wait(30)


def _run(command: list[str], environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def _environment(folder: Path, models: tuple[Path, ...]) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("LDZNET_", "PYTHON"))}
    given = [*map(str, models), *filter(None, [os.environ.get("LDZNET_MODELS")])]
    own = {"HOME": str(folder), "USERPROFILE": str(folder), "LDZNET_CACHE": str(folder / "cache")}
    return {**kept, **own, "PYTHONUNBUFFERED": "1", "LDZNET_MODELS": os.pathsep.join(given), "HF_HUB_OFFLINE": "1"}


def _address(app: "subprocess.Popen[bytes]", log: Path) -> str:
    for _ in range(600):
        told = log.read_text()
        if "http://" in told:
            return "http://" + told.split("http://", 1)[1].split()[0]
        if app.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError(f"The app did not start:\n{log.read_text()}")
