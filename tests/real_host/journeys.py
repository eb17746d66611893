"""The journeys of a person, in a browser, against a running web UI: `python tests/real_host/journeys.py ADDRESS SHOTS`.

(a) words in img2img's inpaint tabs, the mask on the canvas, a changed picture; (b) masks with each picture of txt2img, and from
there to inpaint; (c) the tab. A screenshot of each step goes into the folder SHOTS, to be looked at.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.browser import driving

JOURNEYS: dict[str, Callable[["Walk"], None]] = {}


def journey(function: Callable[["Walk"], None]) -> Callable[["Walk"], None]:
    """Enter a journey under its function's name."""
    JOURNEYS[function.__name__] = function
    return function


class Walk:
    """One page and what it is walked with."""

    def __init__(self, page: Any, shots: Path, picture: Path, args: argparse.Namespace) -> None:
        self.page, self.shots, self.picture, self.args = page, shots, picture, args
        self.name, self.count = "", 0

    def say(self, text: str, shot: bool = True) -> None:
        """A line, and a screenshot beside it."""
        self.count += 1
        print(f"{self.name} {self.count}: {' '.join(text.split())}", flush=True)
        if shot:
            self.page.screenshot(path=self.shots / f"{self.name}_{self.count}.png")

    def small(self, tab: str) -> None:
        """Pictures that are painted soon."""
        for name, value in (("width", self.args.size), ("height", self.args.size)):
            driving.set_number(self.page, f"{tab}_{name}", value)

    def painted(self) -> float:
        """Share of the Inpaint canvas that is masked."""
        self.page.wait_for_timeout(3000)
        return float(mask_of(self.page).mean())


def mask_of(page: Any) -> np.ndarray:
    """Bool (h w) of the Inpaint canvas, of either kind of host."""
    url = page.evaluate(
        """() => {
            const canvas = document.querySelector('#img2maskimg canvas[key="mask"]')
                || document.querySelector('#img2maskimg .forge-drawing-canvas');
            return canvas && canvas.width ? canvas.toDataURL() : null;
        }"""
    )
    return driving.image_of(url)[..., 3] > 128 if url else np.zeros((1, 1), bool)


@journey
def inpaint(walk: Walk) -> None:
    """(a) Words in Inpaint; the mask on the canvas; inpainted."""
    page = walk.page
    driving.open_inpaint(page)
    give(page, "img2maskimg", walk.picture)
    walk.say("a picture in Inpaint")
    began = time.time()
    said = driving.ask(page, "ldznet_inpaint", walk.args.words)
    share = walk.painted()
    walk.say(f"{walk.args.words}: {said}; {share:.1%} of the canvas masked, {time.time() - began:.0f} s")
    before = np.asarray(Image.open(walk.picture).convert("RGB"), np.int16)
    walk.small("img2img")
    driving.generate(page, "img2img", "a doughnut", steps=walk.args.steps)
    page.wait_for_timeout(4000)  # a live preview may stand there a moment longer
    result = driving.gallery(page, "img2img").astype(np.int16)
    mask = np.asarray(Image.fromarray(mask_of(page)).resize(result.shape[1::-1])) > 0
    same_size = np.asarray(Image.fromarray(before.astype(np.uint8)).resize(result.shape[1::-1]), np.int16)
    moved = np.abs(result - same_size).max(-1)
    inside, outside = (float(moved[part].mean()) if part.any() else 0.0 for part in (mask, ~mask))
    walk.say(
        f"inpainted: changed by {inside:.0f} inside the mask, {outside:.1f} outside; {time.time() - began:.0f} s in all"
    )
    unknown = driving.ask(page, "ldznet_inpaint", "xylophonist")
    walk.say(f"an unknown word: {unknown}; {walk.painted():.1%} masked")
    page.click("#ldznet_inpaint_undo")
    walk.say(f"undo: {walk.painted():.1%} masked", shot=False)
    page.click("#ldznet_inpaint_clear")
    walk.say(f"clear: {walk.painted():.1%} masked")


@journey
def upload(walk: Walk) -> None:
    """(a) The same in Inpaint upload."""
    page = walk.page
    driving.open_inpaint(page, "UPLOAD")
    give(page, "img_inpaint_base", walk.picture)
    said = driving.ask(page, "ldznet_upload", walk.args.words)
    page.wait_for_selector(
        "#img_inpaint_mask img", state="attached", timeout=60000 if "not found" not in said else 5000
    )
    walk.say(f"{walk.args.words}: {said}")
    page.evaluate("ldznet.open_inpaint('img2img_inpaint_sketch_tab')")
    give(page, "inpaint_sketch", walk.picture)
    said = driving.ask(page, "ldznet_sketch", walk.args.words)
    walk.say(f"from Inpaint sketch: {said}; {walk.painted():.1%} of Inpaint masked")


@journey
def generation(walk: Walk) -> None:
    """(b) Masks with each picture, then to inpaint, cut-out, regions."""
    page = walk.page
    page.evaluate("switch_to_txt2img()")
    page.click("#ldznet_txt2img_enabled .label-wrap")
    page.fill("#ldznet_txt2img_words textarea", walk.args.words)
    walk.small("txt2img")
    driving.generate(page, "txt2img", walk.args.prompt, steps=walk.args.steps, seed=5)
    count = page.locator("#txt2img_gallery .thumbnail-item").count()
    said = page.inner_text("#html_log_txt2img")
    walk.say(f"painted with masks: {count} in the gallery; {said}")
    page.locator("#txt2img_gallery .thumbnail-item").first.click()
    page.click("#ldznet_txt2img_mask")
    page.wait_for_selector("#ldznet_tab_picture img", state="attached")
    page.click("#ldznet_tab_look")
    page.wait_for_selector("#ldznet_tab_message .ldznet-message", state="attached")
    walk.say(f"regions of the prompt: {page.inner_text('#ldznet_tab_message')}")
    page.evaluate("switch_to_txt2img()")
    page.click("#ldznet_txt2img_cut")
    page.wait_for_timeout(4000)
    walk.say(f"cut-out: {page.inner_text('#ldznet_txt2img_status')} {page.inner_text('#ldznet_tab_message')}")
    page.evaluate("switch_to_txt2img()")
    page.click("#ldznet_txt2img_to_inpaint")
    walk.say(f"to inpaint: {walk.painted():.1%} of the canvas masked; {page.inner_text('#ldznet_txt2img_status')}")


@journey
def tab(walk: Walk) -> None:
    """(c) The tab: a picture, words, sliders, send."""
    page = walk.page
    page.evaluate("ldznet.open_tab()")
    give(page, "ldznet_tab_picture", walk.picture)
    page.fill("#ldznet_tab_words textarea", walk.args.words)
    page.click("#ldznet_tab_find")
    page.wait_for_selector("#ldznet_tab_message .ldznet-message", state="attached")
    walk.say(page.inner_text("#ldznet_tab_message"))
    page.fill("#ldznet_tab_prompt textarea", walk.args.prompt)
    page.click("#ldznet_tab_look")
    page.wait_for_timeout(6000)
    walk.say(f"regions: {page.inner_text('#ldznet_tab_message')}")
    page.fill("#ldznet_tab_words textarea", "fox & (")
    page.click("#ldznet_tab_find")
    page.wait_for_timeout(3000)
    walk.say(f"a mistake: {page.inner_text('#ldznet_tab_message')}")


def give(page: Any, elem_id: str, path: Path) -> None:
    """A file into an image, of either kind of host."""
    page.set_input_files(f"#{elem_id} input[type=file]", str(path))
    page.wait_for_timeout(3000)


def main() -> None:
    """Walk, look, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("shots", type=Path)
    parser.add_argument("--picture", type=Path, required=True, help="a picture in which the words are")
    parser.add_argument("--words", default="fox")
    parser.add_argument("--prompt", default="a fox, plain white background")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--theme", choices=["light", "dark"], default="light")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--only", action="append")
    args = parser.parse_args()
    args.shots.mkdir(parents=True, exist_ok=True)
    from playwright.sync_api import Error, sync_playwright

    failed = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=args.chromium, args=["--no-sandbox"])
        for name, walked in JOURNEYS.items():
            if args.only and name not in args.only:
                continue
            page = browser.new_page(viewport={"width": 1500, "height": 1250})
            page.set_default_timeout(180_000)
            page.on("console", lambda said: print("console:", said.text[:300]) if said.type == "error" else None)
            page.on("pageerror", lambda error: print("page error:", (error.stack or str(error))[:500]))
            page.goto(f"{args.address}?__theme={args.theme}")
            page.wait_for_selector("#txt2img_prompt textarea", state="attached")
            page.wait_for_function("typeof ldznet === 'object'")
            page.wait_for_timeout(4000)
            walk = Walk(page, args.shots, args.picture, args)
            walk.name = name
            try:
                walked(walk)
            except (Error, AssertionError) as error:
                failed.append(name)
                walk.say(f"FAILED: {error}")
            page.close()
        browser.close()
    raise SystemExit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
