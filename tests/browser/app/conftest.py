"""The app served for its browser tests, and pages in it that fail on whatever they should not do."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.app import serving
from tests.browser.app.serving import ANSWERED, BEGUN, Served
from tests.browser.conftest import PICTURES, ROOT, no_browser

PATIENCE = 60_000
"""Milliseconds: a busy machine paints a few steps in half a minute."""
WINDOW = {"width": 1440, "height": 940}
HERE = ("127.0.0.1", "localhost", "[::1]", "::1")


@contextmanager
def served(folder: Path, *models: Path, options: Sequence[str] = ()) -> Iterator[Served]:
    """As `serving.served`; skipped with the reason where it cannot be had."""
    if reason := no_browser() or ("" if serving.app_python() else "no app to serve: `make browser` installs it"):
        pytest.skip(reason)
    with serving.served(folder, *models, options=options) as running:
        yield running


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app with the shipped model, and beside it a copy of that under another name."""
    models = tmp_path_factory.mktemp("models")
    if (ROOT / "models" / "sticker-sd").is_dir():
        shutil.copytree(ROOT / "models" / "sticker-sd", models / "second-sd")
    with served(tmp_path_factory.mktemp("app"), models) as running:
        yield running


@dataclass
class Visitors:
    """Opens pages, each in a context of its own, and keeps what none of them may do."""

    browser: Any
    wrong: list[str] = field(default_factory=list)
    contexts: list[Any] = field(default_factory=list)

    def __call__(self, address: str, *, answered: bool = True, **options: Any) -> Any:
        """A page of a person who was never here before, loaded; answered: with its first mask on it."""
        context = self.browser.new_context(viewport=options.pop("viewport", WINDOW), **options)
        self.contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.on("request", self._asked)
        context.on("console", lambda said: said.type == "error" and self.wrong.append(f"console: {said.text}"))
        context.on("weberror", lambda error: self.wrong.append(f"script: {error.error}"))
        page = context.new_page()
        page.on("websocket", self._asked)
        page.goto(address)
        page.wait_for_function(ANSWERED if answered else BEGUN)
        return page

    def _asked(self, request: Any) -> None:
        where = urlsplit(request.url)
        if where.scheme not in ("data", "blob") and where.hostname not in HERE:
            self.wrong.append(f"left the machine: {request.url}")


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """visit(address, **context options) -> page. No page may reach beyond this machine or complain in its console."""
    visitors = Visitors(browser)
    yield visitors
    _keep_screenshots(visitors.contexts)
    for context in visitors.contexts:
        context.close()
    assert visitors.wrong == []


@pytest.fixture
def page(visit: Callable[..., Any], app: Served) -> Any:
    """A page of the app as it begins."""
    return visit(app.address)


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Coloured noise, which no model has painted: PNG, 96 wide, 72 high."""
    import numpy as np
    from PIL import Image

    path = tmp_path_factory.mktemp("noise") / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (72, 96, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two other scenes, PNG, 256x256."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("others")
    for name in ("00005", "00007"):
        Image.open(PICTURES / f"{name}.webp").convert("RGB").save(folder / f"{name}.png")
    return sorted(folder.iterdir())


def _keep_screenshots(contexts: list[Any]) -> None:
    if shots := os.environ.get("LDZNET_SCREENSHOTS"):
        test = os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].split(" ")[0]
        for number, context in enumerate(contexts):
            context.pages[0].screenshot(path=str(Path(shots, f"{test}{number or ''}.png")))
