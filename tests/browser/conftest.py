"""A pocket host of its own for the browser's tests, and pages in it; skipped with the reason where one of them cannot be had."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "tests" / "data" / "sticker_test"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 240_000
"""Milliseconds: a busy machine paints twenty steps in a minute."""


def find_browser() -> str | None:
    """The system's chromium; None where playwright is to use its own."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def no_browser() -> str:
    """Why there can be no browser here, or nothing."""
    if importlib.util.find_spec("playwright") is None:
        return "no playwright: `make browser` installs it"
    return "" if find_browser() else "no chromium: install one (Debian: apt install chromium)"


def _no_host() -> str:
    """Why there can be no pocket host here, or nothing."""
    if importlib.util.find_spec("gradio") is None:
        return "no gradio: `make browser` installs it"
    import gradio

    if not gradio.__version__.startswith("3.41"):
        return f"gradio {gradio.__version__} is not the hosts' 3.41: `make browser` has its own"
    return no_browser()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a freshly started pocket host answers."""
    if reason := _no_host():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("pocket")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        str(ROOT / "tests" / "pocket_host" / "launch.py"),
        "--port",
        str(port),
        "--data-dir",
        str(folder),
    ]
    with (folder / "log.txt").open("w") as log:
        host = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    try:
        _wait(f"http://127.0.0.1:{port}/", host, folder / "log.txt")
        yield f"http://127.0.0.1:{port}/"
    finally:
        host.terminate()
        host.wait(30)


def _wait(url: str, host: "subprocess.Popen[bytes]", log: Path) -> None:
    import urllib.request

    for _ in range(180):
        if host.poll() is not None:
            raise RuntimeError(f"The pocket host ended at once:\n{log.read_text()}")
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except OSError:
            time.sleep(1)
    raise RuntimeError(f"The pocket host did not answer:\n{log.read_text()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for all pages."""
    if reason := no_browser():
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        chromium = started.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A fresh page, loaded; an error of its scripts fails the test."""
    errors: list[str] = []
    opened = browser.new_page(viewport={"width": 1400, "height": 1000})
    opened.set_default_timeout(PATIENCE)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(address)
    opened.wait_for_selector("#txt2img_prompt textarea")
    opened.wait_for_function("() => window.pocket === undefined ? pocket.started : true")
    yield opened
    shots = os.environ.get("LDZNET_SCREENSHOTS")
    if shots:
        opened.screenshot(
            path=str(Path(shots, f"{os.environ['PYTEST_CURRENT_TEST'].split('::')[-1].split(' ')[0]}.png"))
        )
    opened.close()
    assert errors == []


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene with a dolphin, PNG, 256x256."""
    from PIL import Image

    path = tmp_path_factory.mktemp("picture") / "dolphin.png"
    Image.open(PICTURES / "00004.webp").convert("RGB").save(path)
    return path


@pytest.fixture(scope="session")
def oblong(picture: Path) -> Path:
    """The same scene 256 wide and 192 high: nothing may depend on a square."""
    from PIL import Image

    path = picture.with_name("oblong.png")
    Image.open(picture).crop((0, 0, 256, 192)).save(path)
    return path
