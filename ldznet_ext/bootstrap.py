"""Makes `.venv/` in the checkout and fills it, with the standard library alone.

`python -m ldznet_ext.bootstrap [run|app|test|dev] [-- ARGS...]` sets up and then runs `.venv`'s python with ARGS; `webui` does so
with the pocket host's `.venv-webui/`. Each step says what it does, how many MB and how long; a stamp per step makes a second
call repeat nothing, offline.
"""

import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from ldznet_ext import torch_wheel
from ldznet_ext.errors import LdznetError

CHECKOUT = Path(__file__).resolve().parent.parent
RUN_MODULES = (
    "torch", "numpy", "safetensors", "einops", "cv2", "scipy", "skimage", "PIL", "tqdm", "lark", "diffusers", "transformers",
)  # fmt: skip
"""What `import` calls the run-time dependencies of pyproject.toml."""
EXPECTED_MB = {"run": 640, "app": 820, "test": 210, "dev": 520}
"""On disk, beside torch, measured on Linux x86-64 with Python 3.11; said before a step starts."""
HOLDS = {"run": ("run",), "app": ("run", "app"), "test": ("run", "test"), "dev": ("run", "test", "dev")}
"""What is there as well once one of them is installed."""
OLDEST_PYTHON = (3, 10)


class SetupError(LdznetError):
    """The set-up could not be finished."""


@dataclass(frozen=True, kw_only=True)
class Venv:
    """A virtual environment and the stamps of the steps done in it."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def site(self) -> Path:
        """Its site-packages."""
        if os.name == "nt":
            return self.folder / "Lib" / "site-packages"
        return next(iter(sorted(self.folder.glob("lib/python3*/site-packages"))), self.folder)

    def read(self, step: str) -> dict[str, Any]:
        """The stamp of a step, or {} where it was never finished."""
        try:
            return json.loads((self.folder / ".ldznet" / f"{step}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def stamp(self, step: str, **facts: Any) -> None:
        """Note that a step is finished."""
        path = self.folder / ".ldznet" / f"{step}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(facts, indent=1), encoding="utf-8")


VENV = Venv(folder=CHECKOUT / ".venv")


def missing_modules() -> list[str]:
    """Run-time dependencies that the running interpreter cannot import (found, not imported: a millisecond)."""
    return [name for name in RUN_MODULES if importlib.util.find_spec(name) is None]


def say(text: str) -> None:
    """One line about the set-up, on standard error: standard output belongs to `--json`."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(what: str, venv: Venv) -> Iterator[None]:
    """Say what is done, then how many MB it put on the disk and how long it took."""
    say(f"· {what}")
    start, before = time.monotonic(), folder_mb(venv.folder)
    yield
    added = max(0.0, folder_mb(venv.folder) - before)  # a renewed pip may be smaller than the old one
    say(f"  done: {added:.0f} MB on disk, {time.monotonic() - start:.0f} s")


def folder_mb(folder: Path) -> float:
    """Megabytes (10^6 bytes) of all files below a folder."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size
    return total / 1e6


def clean_environment() -> dict[str, str]:
    """The environment for pip and `.venv`: nothing in it may send packages elsewhere or bring foreign ones in."""
    dropped = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_HASHES", "__PYVENV_LAUNCHER__"}
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return {**kept, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def pip(venv: Venv, *arguments: str) -> None:
    """Run pip in `.venv`, telling each file it fetches; a failure becomes one sentence with pip's own last words."""
    command = [str(venv.python), "-m", "pip", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=clean_environment()
    )
    errors: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.match(r"\s*Downloading (\S+?)(?:\.metadata)? \(([\d.]+) (MB|GB)\)", line):
            say(f"    {found[1].rsplit('/', 1)[-1]}  {found[2]} {found[3]}")
        if line.startswith("ERROR") or "No space left" in line:
            errors.append(line.removeprefix("ERROR:").strip())
    if process.wait():
        reason = errors[-1] if errors else f"it ended with status {process.returncode}"
        raise SetupError(
            f"pip could not finish `pip {' '.join(arguments[:3])} ...`: {reason}; "
            "check the network, the disk and pip's configuration, then run the same command again."
        )


def make_venv(venv: Venv) -> None:
    """Create `.venv`, or keep one that works; one of ours that was moved or lost its interpreter is made anew."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(f"This is Python {sys.version.split()[0]}; expected 3.10 or newer, so name one with PYTHON=.")
    if works(venv) and venv.read("base").get("folder", str(venv.folder)) == str(venv.folder):
        return
    ours = bool(venv.read("base"))
    if venv.folder.exists() and not ours and any(venv.folder.iterdir()) and not (venv.folder / "pyvenv.cfg").exists():
        raise SetupError(f"{venv.folder} is no virtual environment; expected none or a working one, so move it away.")
    with step(f"virtual environment {venv.folder} (Python {sys.version.split()[0]}, about 22 MB)", venv):
        command = [sys.executable, "-m", "venv", "--clear", str(venv.folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=False)
        if done.returncode or not works(venv):
            words = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
            raise SetupError(
                f"{venv.folder} could not be made ({words[-1]}); expected a writable checkout and Python's venv module "
                "(Debian: apt install python3-venv)."
            )
        venv.stamp("base", folder=str(venv.folder), python=sys.version.split()[0])


def works(venv: Venv) -> bool:
    """Whether the environment's interpreter starts and carries pip."""
    if not venv.python.exists():
        return False
    command = [str(venv.python), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 10))"]
    return subprocess.run(command, capture_output=True, env=clean_environment(), check=False).returncode == 0


def wanted_torch(venv: Venv) -> str | None:
    """The TORCH= that still has to be followed; None where the stamped torch is the wanted one and still there."""
    named = os.environ.get("TORCH", "").strip()
    stamp = venv.read("torch")
    if stamp and named in ("", stamp.get("named")) and Path(stamp["where"], "torch").is_dir():
        return None
    return named


def install_torch(venv: Venv) -> None:
    """Use an importable torch, else install one: see `torch_wheel` for the order in which places are tried."""
    named = wanted_torch(venv)
    if named is None:
        return
    if not named:
        for python, where in ((venv.python, "in .venv"), (Path(sys.executable), "of the running Python")):
            if found := torch_wheel.importable(python, clean_environment()):
                say(f"· torch {found.version} {where} is used (0 MB)")
                if found.site != venv.site:
                    (venv.site / "ldznet_torch.pth").write_text(f"{found.site}\n", encoding="utf-8")
                venv.stamp(
                    "torch", named="", version=found.version, where=str(found.site), borrowed=where != "in .venv"
                )
                return
    choice = torch_wheel.choose(venv.python, named, clean_environment(), say)
    (venv.site / "ldznet_torch.pth").unlink(missing_ok=True)
    with step(f"torch: {choice.what}", venv):
        pip(venv, "install", *choice.arguments)
    found = torch_wheel.importable(venv.python, clean_environment())
    if found is None:
        raise SetupError(f"torch was installed from {choice.what} but cannot be imported; name another with TORCH=.")
    venv.stamp("torch", named=named, version=found.version, where=str(found.site), borrowed=False)


def requirements_hash(extra: str, torch: dict[str, Any]) -> str:
    """Changes when the dependencies, their pins or torch change: tool settings in pyproject.toml do not count."""
    project = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8").split("\n[tool.")[0]
    pins = (CHECKOUT / "constraints" / "known-good.txt").read_text(encoding="utf-8")
    return sha256("\0".join([project, pins, extra, json.dumps(torch, sort_keys=True)]).encode()).hexdigest()


def install_requirements(venv: Venv, extra: str) -> None:
    """Install this checkout, editable, with its dependencies; torch stays exactly the one already there."""
    torch = venv.read("torch")
    if venv.read(extra).get("hash") == requirements_hash(extra, torch):
        return
    pins = venv.folder / ".ldznet" / "torch.txt"
    pins.write_text(f"torch=={torch['version']}\n", encoding="utf-8")
    constraints = ["-c", str(pins)]
    if not torch["borrowed"]:  # a borrowed torch may want another numpy than the known-good one
        constraints += ["-c", str(CHECKOUT / "constraints" / "known-good.txt")]
    target = str(CHECKOUT) if extra == "run" else f"{CHECKOUT}[{extra}]"
    with step(f"packages for `{extra}` (about {EXPECTED_MB[extra]} MB on disk)", venv):
        pip(venv, "install", "--editable", target, *constraints)
    for held in HOLDS[extra]:
        venv.stamp(held, hash=requirements_hash(held, torch))


def ready(venv: Venv = VENV, extra: str = "run") -> bool:
    """Whether a finished set-up stands, read from the stamps alone."""
    torch = venv.read("torch")
    return bool(torch) and venv.python.exists() and venv.read(extra).get("hash") == requirements_hash(extra, torch)


def set_up(venv: Venv = VENV, extra: str = "run") -> None:
    """Everything `extra` ("run", "app", "test" or "dev") needs, in `.venv`; does nothing where it is all there."""
    if extra not in HOLDS:
        raise SetupError(f"The set-up {extra!r} does not exist; expected {' or '.join(HOLDS)}.")
    if ready(venv, extra) and wanted_torch(venv) is None and venv.read("base").get("folder") == str(venv.folder):
        return
    start = time.monotonic()
    say("Setting up once; later runs need neither this nor a network.")
    try:
        make_venv(venv)
        install_torch(venv)
        install_requirements(venv, extra)
    except OSError as error:
        raise SetupError(
            f"The set-up could not write ({error}); free some space or make {venv.folder} writable."
        ) from error
    say(f"Set up in {time.monotonic() - start:.0f} s.")


def run_inside(arguments: Sequence[str], venv: Venv = VENV) -> NoReturn:
    """Continue in `.venv`'s interpreter with these arguments; this process ends with its status."""
    command = [str(venv.python), *arguments]
    environment = {**clean_environment(), "LDZNET_INSIDE": "1"}
    if os.name == "nt":  # exec returns to the shell at once there
        sys.exit(subprocess.call(command, env=environment))
    sys.stdout.flush()
    os.execve(command[0], command, environment)


def main(argv: Sequence[str]) -> int:
    """`[run|app|test|dev|webui] [-- ARGS...]`: set up, then run ARGS inside; 0, or 2 with one sentence."""
    before, _, after = (list(part) for part in _split(argv))
    venv = VENV
    try:
        if before == ["webui"]:
            from ldznet_ext.webui_venv import WEBUI as venv
            from ldznet_ext.webui_venv import set_up_webui

            set_up_webui()
        else:
            set_up(extra=before[0] if before else "run")
    except LdznetError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("Stopped; the same command goes on where it was.")
        return 130
    if after:
        run_inside(after, venv)
    return 0


def _split(argv: Sequence[str]) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    at = list(argv).index("--") if "--" in argv else len(argv)
    return argv[:at], argv[at : at + 1], argv[at + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
