"""The pictures of docs/webui, made anew: `.venv-webui/bin/python -m tests.browser.screenshots docs/webui ADDRESS`.

ADDRESS is that of a running pocket host (`make webui`).
"""

import sys
from pathlib import Path
from typing import Any

from PIL import Image

from tests.browser import driving
from tests.browser.conftest import PATIENCE, PICTURES, find_browser

SCENE = PICTURES / "00007.webp"
SIZE = {"width": 1180, "height": 930}


def main(folder: Path, address: str) -> None:
    """Three pictures, light; the last one dark."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    scene = folder / "scene.png"
    Image.open(SCENE).convert("RGB").save(scene)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        for name, shoot, theme in (
            ("inpaint", inpaint, "light"),
            ("regions", regions, "light"),
            ("txt2img", txt2img, "dark"),
        ):
            page = browser.new_page(viewport=SIZE)
            page.set_default_timeout(PATIENCE)
            page.goto(f"{address}?__theme={theme}")
            page.wait_for_selector("#txt2img_prompt textarea")
            page.wait_for_timeout(1500)
            shoot(page, scene)
            _save(page, folder / f"{name}.png")
            page.close()
        browser.close()
    scene.unlink()


def inpaint(page: Any, scene: Path) -> None:
    """Words, the mask on the canvas, the repainted picture."""
    driving.open_inpaint(page)
    driving.upload(page, "img2maskimg", scene)
    driving.ask(page, "ldznet_inpaint", "night & !snowman")
    driving.wait_painted(page, least=300)
    driving.set_number(page, "img2img_denoising_strength", 1)
    driving.generate(page, "img2img", "a snowman on grass, sky", steps=20)


def regions(page: Any, scene: Path) -> None:
    """Everything the prompt names."""
    page.evaluate("ldznet.open_tab()")
    driving.upload(page, "ldznet_tab_picture", scene)
    page.fill("#ldznet_tab_prompt textarea", "a snowman, a car and a t-shirt on grass, night, a zebra")
    page.click("#ldznet_tab_look")
    page.wait_for_selector("#ldznet_tab_regions .legend-item")


def txt2img(page: Any, scene: Path) -> None:
    """Masks with a picture while it is painted."""
    page.click("#ldznet_txt2img_enabled .label-wrap")
    page.fill("#ldznet_txt2img_words textarea", "snow")
    driving.generate(page, "txt2img", "a fox on snow, night", steps=20, seed=3)


def _save(page: Any, path: Path) -> None:
    """From the top, the pointer out of the way."""
    page.mouse.move(5, 5)
    page.wait_for_timeout(1500)
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=str(path))
    Image.open(path).convert("RGB").save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
