"""What every test gets: folders of its own, no network, and reasons for what is skipped; the table at the end.

Markers: `sticker` (shipped weights), `weights` (real ones), `gpu`, `browser`, `slow` (run with --slow).
"""

import importlib.util
import os
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # as many tests as cores: one thread each, and before torch reads it
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
UNPROVEN = {
    "weights": "a real Stable Diffusion checkpoint: its layout is tested on tiny files; LDZNET_SD= names one",
    "official": "the authors' own LD-ZNet file: numbers and key names are tested against vectors they computed",
    "gpu": "the same masks on a GPU",
    "sticker": "the shipped Sticker-SD paints, finds and repaints",
}
"""Marker -> what is unproven while no test that bears it has passed."""
AREAS = {"unit": "", "golden": "golden vectors", "contract": "contract", "browser": "browser"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--slow` also runs what takes more than a few seconds."""
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def _gpu() -> bool:
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine or checkout cannot prove."""
    models = [*os.environ.get("LDZNET_MODELS", "").split(os.pathsep), str(ROOT / "models")]
    there = {
        "slow": lambda: bool(config.getoption("--slow")),
        "sticker": lambda: any(Path(folder, "sticker-sd", "unet").is_dir() for folder in models if folder),
        "weights": lambda: bool(os.environ.get("LDZNET_SD")),
        "gpu": _gpu,
        "browser": lambda: importlib.util.find_spec("playwright") is not None,
    }
    reasons = {
        "slow": "slow; run with --slow",
        "sticker": "models/sticker-sd is not there",
        "weights": "no real weights; name a Stable Diffusion checkpoint with LDZNET_SD",
        "gpu": "no GPU",
        "browser": "no playwright",
    }
    answers: dict[str, bool] = {}
    for item in items:
        for marker in there.keys() & {mark.name for mark in item.iter_markers()}:
            if marker not in answers:
                answers[marker] = there[marker]()
            if not answers[marker]:
                item.add_marker(pytest.mark.skip(reason=reasons[marker]))


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Home and every cache point below one temporary folder, so that no test reads or writes the user's."""
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    for name in ("LDZNET_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HF_HOME", "TORCH_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "DIFFUSERS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    for name in ("LDZNET_ART", "LDZNET_ART_SOURCE", "LDZNET_INSIDE", "TORCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ldznet_ext.weights._of_the_host", ())  # what a test's host told stays that test's
    return home


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for the network fails; its own machine may be reached."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"A test reached for the network: {address}.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _area(nodeid: str) -> str:
    """The subject a test belongs to: the folder or file it mirrors."""
    parts = Path(nodeid.split("::")[0]).parts
    if parts[0] != "tests":
        return "examples in docstrings"
    subject = parts[2].removeprefix("test_").removesuffix(".py") if len(parts) > 2 else parts[-1]
    return AREAS.get(parts[1], parts[1]) or subject


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A short table: proven, skipped and why, unproven without real weights or a GPU."""
    say = terminalreporter.write_line
    stats = terminalreporter.stats
    proven = Counter(_area(report.nodeid) for report in stats.get("passed", []) if report.when == "call")
    skipped = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in stats.get("skipped", []))
    failed = Counter(_area(report.nodeid) for report in stats.get("failed", []) + stats.get("error", []))
    width = max(map(len, [*proven, *failed, "proven"]))
    terminalreporter.section("what this proves")
    for area in sorted({*proven, *failed}):
        say(f"  {area:<{width}}  {proven[area]:>5} proven" + (f"  {failed[area]:>3} FAILED" if failed[area] else ""))
    for reason, count in skipped.most_common():
        say(f"  skipped {count:>4}: {reason}")
    proving = {name for report in stats.get("passed", []) for name in report.keywords if name in UNPROVEN}
    for marker in (name for name in UNPROVEN if name not in proving):
        say(f"  unproven here: {UNPROVEN[marker]}")
