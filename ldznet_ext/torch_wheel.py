"""Where a torch comes from when none is importable: the smallest one that can be had within seconds of trying.

Order: `TORCH=`; whatever pip's own configuration offers as a CPU build; PyTorch's CPU index; the package index, with
its size said before it starts. On Linux the index's torch brings NVIDIA's libraries (gigabytes), hence all this.
"""

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import unquote, urlsplit

PINNED = "torch==2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
OLDEST = (2, 4)
"""An older torch is left alone: the diffusers and transformers of the stand-alone tool do not take it."""
GPU_PACKAGES = ("nvidia-", "cuda-", "triton", "pytorch-triton")
PATIENCE = 30
"""Seconds a place may take to say what it has."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A torch that was imported: its version and the folder that holds it."""

    version: str
    site: Path


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What pip is told to install, and in words what that is."""

    what: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One file pip would install."""

    name: str
    version: str
    url: str


def importable(python: Path, environment: Mapping[str, str]) -> Found | None:
    """The torch this interpreter imports, if it is new enough and really works."""
    code = "import json, torch; torch.zeros(1).add(1); print(json.dumps([torch.__version__, torch.__file__]))"
    finder = "import importlib.util as u, sys; sys.exit(u.find_spec('torch') is None)"
    try:
        if subprocess.run([python, "-c", finder], capture_output=True, env=environment, timeout=60).returncode:
            return None
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, env=environment, timeout=300)
        version, file = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        return None
    return Found(version=version, site=Path(file).resolve().parent.parent)


def choose(python: Path, named: str, environment: Mapping[str, str], say: Callable[[str], None]) -> Choice:
    """The first place that has a torch without gigabytes, else the index after saying how much that is."""
    if named:
        return Choice(what=f"TORCH={named}", arguments=(str(Path(named).resolve()) if Path(named).exists() else named,))
    careful = _dry_run_fetches_nothing(python, environment)
    own = would_install(python, [*careful, "--no-deps", PINNED], environment)
    if own and is_cpu_build(own[0]):
        return Choice(
            what=f"{_title(own[0])} from pip's own sources, {_size(own)}", arguments=(f"torch=={own[0].version}",)
        )
    cpu = ["--index-url", CPU_INDEX, "--no-deps", PINNED]
    from_torch = would_install(python, [*careful, *cpu], environment)
    if from_torch and is_cpu_build(from_torch[0]):
        return Choice(what=f"{_title(from_torch[0])} from {CPU_INDEX}, {_size(from_torch)}", arguments=tuple(cpu))
    return _from_index(python, careful, environment, say)


def _from_index(
    python: Path, careful: Sequence[str], environment: Mapping[str, str], say: Callable[[str], None]
) -> Choice:
    wheels = [] if careful else would_install(python, [PINNED], environment, patience=4 * PATIENCE)
    extras = [wheel for wheel in wheels if wheel.name.lower().startswith(GPU_PACKAGES)]
    size = _size(wheels) if wheels else "about 3,000 MB on Linux"
    say(f"  No CPU build of {PINNED} could be had; the package index has it: {size}, {len(extras)} GPU packages in it.")
    if extras or not wheels:
        say("  It starts in 10 s. Ctrl-C stops it; TORCH= names another torch (a requirement, a wheel or a path).")
        sleep(10)
    return Choice(what=f"{PINNED} from the package index, {size}", arguments=(PINNED,))


def _dry_run_fetches_nothing(python: Path, environment: Mapping[str, str]) -> list[str]:
    """Arguments that keep a dry run from downloading whole wheels: pip before 23.3 did so even then."""
    if _pip_version(python, environment) >= (23, 3):
        return []
    upgrade = [python, "-m", "pip", "install", "--quiet", "--timeout", "5", "--retries", "0", "--upgrade", "pip>=23.3"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(upgrade, capture_output=True, env=environment, timeout=2 * PATIENCE)
    return [] if _pip_version(python, environment) >= (23, 3) else ["--no-index"]


def _pip_version(python: Path, environment: Mapping[str, str]) -> tuple[int, ...]:
    done = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, text=True, env=environment)
    return tuple(int(part) for part in done.stdout.split()[1].split(".")[:2] if part.isdigit())


def would_install(
    python: Path, arguments: Sequence[str], environment: Mapping[str, str], patience: float = PATIENCE
) -> list[Wheel]:
    """What `pip install` would fetch, asked without fetching it; [] where the place cannot be asked or has nothing."""
    # fmt: off
    command = [python, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", "--only-binary", ":all:",
               "--timeout", "5", "--retries", "0", "--ignore-installed", *arguments]
    # fmt: on
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=patience)
        entries: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return []
    return [
        Wheel(name=e["metadata"]["name"], version=e["metadata"]["version"], url=e["download_info"]["url"])
        for e in entries
    ]


def is_cpu_build(wheel: Wheel) -> bool:
    """Whether this torch drags no GPU libraries in: by its label on Linux; elsewhere every index wheel is one."""
    return wheel.version.endswith("+cpu") or not sys.platform.startswith("linux")


def _title(wheel: Wheel) -> str:
    return f"{wheel.name} {wheel.version}"


def _size(wheels: Sequence[Wheel]) -> str:
    total = sum(_bytes(wheel.url) for wheel in wheels)
    return f"{total / 1e6:,.0f} MB" if total else "size unknown"


def _bytes(url: str) -> int:
    parts = urlsplit(url)
    try:
        if parts.scheme == "file":
            return os.stat(urllib.request.url2pathname(unquote(parts.path))).st_size
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.headers.get("Content-Length", 0))
    except (OSError, ValueError):
        return 0
