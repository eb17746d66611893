"""The pictures of docs/app, made anew: `PYTHON -m tests.browser.app.screenshots docs/app ADDRESS`.

PYTHON has playwright; ADDRESS is that of a running app (`make app`).
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from tests.browser.app import doing
from tests.browser.conftest import find_browser

PATIENCE = 300_000
"""Milliseconds: a busy machine paints twenty steps in minutes."""
WIDE, MIDDLE, NARROW = {"width": 1440, "height": 920}, {"width": 900, "height": 1240}, {"width": 390, "height": 844}


def main(folder: Path, address: str) -> None:
    """One after the other, each on a page of its own."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        for name, (window, theme, act) in SHOTS.items():
            page = browser.new_page(viewport=window, color_scheme=theme, device_scale_factor=1)
            page.set_default_timeout(PATIENCE)
            page.goto(address)
            page.wait_for_function("document.body.dataset.revision && ldz.now.answered && !ldz.busy()")
            act(page)
            _save(page, folder / f"{name}.webp")
            page.close()
        browser.close()


def nothing(page: Any) -> None:
    """As it begins."""


def parts(page: Any) -> None:
    """Every part, one of them pointed at."""
    doing.view(page, "regions")
    page.mouse.move(*doing.on_screen(page, 0.5, 0.12))


def cutout(page: Any) -> None:
    """The fox alone."""
    doing.view(page, "cutout")


def heat(page: Any) -> None:
    """What the map says of each pixel."""
    doing.view(page, "heat")


def hand(page: Any) -> None:
    """A stroke across an edge, snapped to it."""
    doing.take(page, "erase", snap=True)
    doing.after(page, lambda: doing.drag(page, [(0.35, 0.75), (0.45, 0.86), (0.6, 0.8)]))
    doing.take(page, "add", snap=True)
    page.mouse.move(*doing.on_screen(page, 0.55, 0.72))


def repaint(page: Any) -> None:
    """Before and after."""
    doing.open_section(page, "ldz-repainting")
    page.fill("#ldz-repaint-prompt textarea, #ldz-repaint-prompt input", "a red balloon")
    doing.after(page, lambda: page.click("#ldz-repaint"))


SHOTS: dict[str, tuple[dict[str, int], Any, Callable[[Any], None]]] = {
    "first": (WIDE, "light", nothing),
    "first_dark": (WIDE, "dark", nothing),
    "parts": (WIDE, "dark", parts),
    "heat": (WIDE, "light", heat),
    "cutout": (WIDE, "light", cutout),
    "hand": (WIDE, "light", hand),
    "repaint": (WIDE, "dark", repaint),
    "middle": (MIDDLE, "light", nothing),
    "narrow": (NARROW, "light", nothing),
    "narrow_dark": (NARROW, "dark", parts),
}


def _save(page: Any, path: Path) -> None:
    page.wait_for_timeout(900)
    shot = path.with_suffix(".png")
    page.screenshot(path=str(shot))
    Image.open(shot).convert("RGB").save(path, quality=86, method=6)
    shot.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
