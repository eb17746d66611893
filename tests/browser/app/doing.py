"""What a person does in the app's page, and what they would see: found by id, role or label, as they would find it."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.browser.driving import image_of

WORDS = "#ldz-words textarea, #ldz-words input"
SETTLED = "before => +document.body.dataset.revision !== before && !ldz.busy()"

PAINTED = """([before, name]) => +document.getElementById("ldz-frame").dataset.drawn > before
    && document.getElementById("ldz-inner").dataset.view === name"""


def revision(page: Any) -> int:
    """Changes with whatever is shown."""
    return int(page.evaluate("document.body.dataset.revision"))


def after(page: Any, do: Callable[[], Any]) -> None:
    """Do something that changes the work, and wait until that is shown."""
    before = revision(page)
    do()
    page.wait_for_function(SETTLED, arg=before)


def refused(page: Any, do: Callable[[], Any]) -> str:
    """Do something that is refused; the sentence that says so."""
    page.evaluate("document.querySelector('#ldz-message').replaceChildren()")
    do()
    page.wait_for_selector("#ldz-message [role=alert]")
    return page.inner_text("#ldz-message")


def upload(page: Any, path: Path) -> None:
    """Choose a file in the dialogue that `Open a picture` opens."""
    with page.expect_file_chooser() as chooser:
        page.click("[data-do=open]")
    after(page, lambda: chooser.value.set_files(str(path)))


def find(page: Any, words: str) -> str:
    """Type words, press Enter; what is said of them."""
    page.fill(WORDS, words)
    after(page, lambda: page.press(WORDS, "Enter"))
    return message(page)


def message(page: Any) -> str:
    """What the page says about its present answer."""
    return page.inner_text("#ldz-message")


def history(page: Any) -> list[str]:
    """The labels of all moments."""
    return page.locator("#ldz-history button").all_inner_texts()


def place(page: Any) -> int:
    """Which of them is shown."""
    return page.evaluate(
        "[...document.querySelectorAll('#ldz-history button')].findIndex(b => b.ariaCurrent === 'step')"
    )


def part(page: Any, text: str) -> Any:
    """The chip of one of the prompt's things."""
    return page.locator(f"#ldz-parts button:has(span:text-is('{text}'))")


def parts(page: Any, prompt: str) -> list[str]:
    """Ask for all that a prompt names; the chips' texts in their order."""
    open_section(page, "ldz-naming")
    page.fill("#ldz-prompt textarea", prompt)
    after(page, lambda: page.click("#ldz-look"))
    return page.locator("#ldz-parts button span").all_inner_texts()


def open_section(page: Any, elem_id: str) -> None:
    """Unfold one of the sections beside the stage, where it is folded."""
    head = page.locator(f"#{elem_id} .label-wrap")
    if "open" not in (head.get_attribute("class") or ""):
        head.click()
        page.wait_for_timeout(400)


def open_details(page: Any, elem_id: str) -> None:
    """The same of what is folded within a section."""
    if not page.evaluate(f"document.getElementById('{elem_id}').open"):
        page.click(f"#{elem_id} summary")


def view(page: Any, name: str) -> None:
    """One of the views of the stage, once it is painted."""
    before = page.evaluate("+document.getElementById('ldz-frame').dataset.drawn")
    page.click(f".ldz-views [data-view={name}]")
    page.wait_for_function(PAINTED, arg=[before, name])


def painted(page: Any) -> np.ndarray:
    """What is painted over the picture, RGBA uint8 (h w 4) in pixels of the screen."""
    return image_of(page.evaluate("document.getElementById('ldz-over').toDataURL()"))


def shown_mask(page: Any) -> np.ndarray:
    """The mask as it is shown, bool (h w) in pixels of the screen."""
    view(page, "mask")
    mask = painted(page)[..., 0] > 127
    view(page, "overlay")
    return mask


def on_screen(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where on the screen a place of the picture is; x, y: 0 to 1 from the left and the top."""
    box = page.locator("#ldz-over").bounding_box()
    return box["x"] + box["width"] * x, box["y"] + box["height"] * y


def click(page: Any, x: float, y: float) -> None:
    """Click a place of the picture."""
    page.mouse.click(*on_screen(page, x, y))


def drag(page: Any, places: Sequence[tuple[float, float]]) -> None:
    """Press at the first place, move through the others, let go."""
    page.mouse.move(*on_screen(page, *places[0]))
    page.mouse.down()
    for each in places[1:]:
        page.mouse.move(*on_screen(page, *each), steps=8)
    page.mouse.up()


def take(page: Any, tool: str, *, snap: bool = False) -> None:
    """One of the tools: pick, add, erase, example."""
    page.click(f"button[data-tool={tool}]")
    if page.is_checked("#ldz-snap") != snap:
        page.click("label:has(#ldz-snap)")


def move(page: Any, option: str, value: float) -> None:
    """Move a slider and hold it."""
    page.evaluate(
        "([option, value]) => { const slider = document.querySelector(`[data-option=${option}] input[type=range]`);"
        " slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }",
        [option, value],
    )


def slide(page: Any, option: str, value: float) -> None:
    """Move a slider and let it go."""
    move(page, option, value)
    after(
        page,
        lambda: page.evaluate(
            "option => document.querySelector(`[data-option=${option}] input[type=range]`)"
            ".dispatchEvent(new Event('change', {bubbles: true}))",
            option,
        ),
    )


def switch(page: Any, option: str) -> None:
    """Turn a switch over."""
    after(page, lambda: page.click(f"label[data-option={option}]"))


def setting(page: Any, option: str) -> str:
    """What a control stands at."""
    box = f"[data-option={option}]"
    if page.locator(f"{box} input[type=checkbox]").count():
        return str(page.is_checked(f"{box} input")).lower()
    return page.input_value(f"{box} input[type=number], {box} select")


def save(page: Any, kind: str) -> tuple[str, bytes]:
    """Download one of the files; its name and content."""
    with page.expect_download() as download:
        page.click(f"[data-save={kind}]")
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def read(content: bytes) -> np.ndarray:
    """A picture's file as an array, of the depth it has."""
    return np.asarray(Image.open(io.BytesIO(content)))


def saved_mask(page: Any) -> np.ndarray:
    """The mask as it is saved, uint8 (h w)."""
    return read(save(page, "mask")[1])


def drop(page: Any, path: Path, kind: str = "image/png") -> None:
    """Let a file fall on the page."""
    transfer = page.evaluate_handle(
        "([bytes, name, type]) => { const data = new DataTransfer();"
        " data.items.add(new File([new Uint8Array(bytes)], name, {type})); return data; }",
        [list(path.read_bytes()), path.name, kind],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#ldz-frame", event, {"dataTransfer": transfer})


def generate(page: Any, prompt: str, *, steps: int = 4, seed: int = 1) -> None:
    """Paint a picture and wait for it."""
    ready_to_generate(page, prompt, steps=steps, seed=seed)
    after(page, lambda: page.click("#ldz-generate"))


def ready_to_generate(page: Any, prompt: str, *, steps: int, seed: int = 1) -> None:
    """All but the press of the button."""
    open_section(page, "ldz-generating")
    page.fill("#ldz-generate-prompt textarea", prompt)
    set_number(page, "ldz-generate-steps", steps)
    set_number(page, "ldz-generate-seed", seed)


def set_number(page: Any, elem_id: str, value: float) -> None:
    """A number's box, or a slider's, of Gradio's."""
    page.fill(f"#{elem_id} input[type=number]", str(value))
    page.press(f"#{elem_id} input[type=number]", "Tab")
