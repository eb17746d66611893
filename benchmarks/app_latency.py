"""How long a person waits in the app's page, in a real browser: `python benchmarks/app_latency.py [--json]`.

From a click on *Find* to the mask on the screen, from a slider's event to its pixels, from an address to the first screen. The
time runs in the page and ends when the browser has painted the frame with the mask in it. Needs playwright and a chromium; the
app runs where `tests/browser/app/serving.py` finds its packages. The targets are those of two CPU cores with Sticker-SD.
"""

import argparse
import contextlib
import importlib.util
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

WORDS = ("dolphin", "road", "blue sky", "snowman", "owl", "grass", "balloon", "fox", "night", "snow")
SIDES = (256, 512, 1024)
PAINTED = """const painted = () => new Promise(done => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = done;
        port2.postMessage(0);
    });"""
"""Asked for just before a frame is painted (where `requestAnimationFrame` calls back), it waits until that is done."""
ASK = f"""async words => {{
    {PAINTED}
    const field = document.querySelector("#ldz-words textarea, #ldz-words input");
    field.value = words;
    field.dispatchEvent(new Event("input", {{bubbles: true}}));
    await new Promise(requestAnimationFrame);
    await painted();
    const before = document.body.dataset.revision, start = performance.now();
    document.getElementById("ldz-find").click();
    while (document.body.dataset.revision === before) await new Promise(requestAnimationFrame);
    await painted();
    return performance.now() - start;
}}"""
MOVE = f"""async value => {{
    {PAINTED}
    const slider = document.querySelector("[data-option=threshold] input[type=range]");
    const stage = document.getElementById("ldz-frame"), before = stage.dataset.drawn, start = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event("input", {{bubbles: true}}));
    while (stage.dataset.drawn === before) await new Promise(requestAnimationFrame);
    await painted();
    const waited = performance.now() - start, canvas = document.getElementById("ldz-over");
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let sum = 0;
    for (let at = 3; at < pixels.length; at += 64) sum += pixels[at];
    return [waited, sum];
}}"""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One measurement: milliseconds that half and 95 of 100 stay within, and the target for the latter where there is one."""

    name: str
    p50: float
    p95: float
    most: float
    runs: int
    target: float | None = None

    def __str__(self) -> str:
        target = (
            ""
            if self.target is None
            else f"   target {self.target:.0f}: {'met' if self.p95 <= self.target else 'MISSED'}"
        )
        return f"{self.name:<52} p50 {self.p50:7.0f} ms   p95 {self.p95:7.0f} ms   ({self.runs} runs){target}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asks", type=int, default=20, help="clicks on Find")
    parser.add_argument("--moves", type=int, default=50, help="moves of the slider at each size")
    parser.add_argument("--visits", type=int, default=5, help="first screens")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if reason := _missing():
        print(f"The app was not measured: {reason}.")
        return
    os.environ.pop("OMP_NUM_THREADS", None)  # the app of a person is not held to one thread
    before = os.getloadavg()[0]
    with _page() as (page, address, started):
        lines = [_line("from the command to the first screen with its mask", [started])]
        lines += [*asks(page, args.asks), *moves(page, args.moves), *visits(page, address, args.visits)]
        browser = page.context.browser.version
    about = {"cores": os.cpu_count(), "load": [round(before, 1), round(os.getloadavg()[0], 1)], "chromium": browser}
    if args.json:
        print(json.dumps({**about, "lines": [asdict(line) for line in lines]}, indent=1))
    else:
        print(
            f"{about['cores']} cores, load average {before:.1f} before and {about['load'][1]} after, Chromium {browser}"
        )
        print("\n".join(map(str, lines)))


def _missing() -> str:
    """Why nothing can be measured here, or nothing."""
    if any(importlib.util.find_spec(name) is None for name in ("playwright", "pytest")):
        return "this Python has no playwright, .venv-webui has one after `make browser`"
    from tests.browser.app import serving
    from tests.browser.conftest import no_browser

    return no_browser() or (
        "" if serving.app_python() else "the app's packages are missing: `make browser` installs them"
    )


def asks(page: Any, runs: int) -> Iterator[Line]:
    """Other words for the same picture, then the first words for another one."""
    from tests.browser.app import doing

    listed = [f"{word}{'' if number < len(WORDS) else ' | sea'}" for number, word in enumerate(WORDS * 3)][: runs + 1]
    again, fresh = [], []
    doing.upload(page, _scene(4, 256))
    for words in listed:
        again.append(page.evaluate(ASK, words))
    yield _line("click to mask, other words on the picture in sight", again[1:], 1000)
    for number, words in enumerate(listed):
        doing.upload(page, _scene(10 + number, 256))
        fresh.append(page.evaluate(ASK, words))
    yield _line("click to mask, first words on a picture just opened", fresh[1:], 1000)


def moves(page: Any, runs: int) -> Iterator[Line]:
    """A threshold's move at every size; the pixels must change with it."""
    from tests.browser.app import doing

    for side in SIDES:
        doing.upload(page, _scene(4, side))
        doing.find(page, "dolphin")
        values = [0.2 + 0.6 * (number * 7 % runs) / runs for number in range(runs)]
        measured = [page.evaluate(MOVE, value) for value in [0.5, *values]][1:]
        if len({pixels for _, pixels in measured}) < runs // 4:
            raise SystemExit(
                f"At {side}x{side} the slider changed next to nothing; expected other pixels for other thresholds."
            )
        yield _line(f"threshold to pixels, {side}x{side}", [waited for waited, _ in measured], 100)


def visits(page: Any, address: str, runs: int) -> Iterator[Line]:
    """A new person's page: from the address to the picture, and to its mask."""
    masks = []
    for _ in range(runs):
        context = page.context.browser.new_context(viewport=page.viewport_size)
        fresh = context.new_page()
        _open(fresh, address)
        masks.append(fresh.evaluate("ldz.timing.drawn"))
        context.close()
    yield _line("first screen with its mask, the app already running", masks)


@contextlib.contextmanager
def _page() -> Iterator[tuple[Any, str, float]]:
    """A page, its address, and the milliseconds from the start of the server to the first mask on the screen."""
    from playwright.sync_api import sync_playwright

    from tests.browser.app.serving import served
    from tests.browser.conftest import find_browser

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playing:
        chromium = playing.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        start = time.monotonic()
        with served(Path(folder)) as app:
            page = chromium.new_page(viewport={"width": 1440, "height": 940})
            _open(page, app.address)
            yield page, app.address, 1000 * (time.monotonic() - start)
            chromium.close()


def _open(page: Any, address: str) -> None:
    from tests.browser.app.serving import ANSWERED

    page.set_default_timeout(120_000)
    page.goto(address)
    page.wait_for_function(ANSWERED)


def _scene(number: int, side: int) -> Path:
    """One of the tests' pictures as a PNG of that side, in a folder that goes with this process."""
    from PIL import Image

    path = Path(_FOLDER.name, f"{number}_{side}.png")
    source = Image.open(ROOT / "tests" / "data" / "sticker_test" / f"{number:05}.webp").convert("RGB")
    source.resize((side, side), Image.Resampling.LANCZOS).save(path)
    return path


_FOLDER = tempfile.TemporaryDirectory()


def _line(name: str, milliseconds: Sequence[float], target: float | None = None) -> Line:
    ranked = sorted(milliseconds)
    p95 = ranked[math.ceil(0.95 * len(ranked)) - 1]
    return Line(name=name, p50=statistics.median(ranked), p95=p95, most=ranked[-1], runs=len(ranked), target=target)


if __name__ == "__main__":
    main()
