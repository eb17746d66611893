"""What a person does in the page, and what they would see: found by elem_id, never by text."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MASK = """id => {
    const canvas = document.querySelector(`#${id} canvas[key="mask"]`);
    return canvas ? canvas.toDataURL() : null;
}"""


def image_of(url: str) -> np.ndarray:
    """A data URL as an array."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1]))))


def painted(page: Any, canvas: str = "img2maskimg") -> np.ndarray:
    """Bool (h w): where the canvas' mask is painted."""
    return image_of(page.evaluate(MASK, canvas))[..., 3] > 128


def wait_painted(page: Any, least: int = 1, canvas: str = "img2maskimg") -> np.ndarray:
    """The mask once at least so many of its pixels are painted (0: once none is), and it has stayed so."""
    page.wait_for_function(
        """([id, least]) => {
            const canvas = document.querySelector(`#${id} canvas[key="mask"]`);
            if (!canvas || !canvas.width) return false;
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            let count = 0;
            for (let at = 3; at < data.length; at += 4) count += data[at] > 128;
            return least ? count >= least : count === 0;
        }""",
        arg=[canvas, least],
    )
    page.wait_for_timeout(1500)  # the script looks again for as long
    return painted(page, canvas)


def open_inpaint(page: Any, tab: str = "INPAINT") -> None:
    """The img2img tab, one of its ways of inpainting."""
    page.evaluate(f"ldznet.open_inpaint(ldznet.{tab})")


def upload(page: Any, elem_id: str, path: Path) -> None:
    """Drop a file into an image."""
    page.set_input_files(f"#{elem_id} input[type=file]", str(path))
    page.wait_for_selector(f"#{elem_id} img", state="attached")
    page.wait_for_timeout(500)


def ask(page: Any, box: str, words: str) -> str:
    """Type words, press the button, wait for the line that answers."""
    page.evaluate(f"document.querySelectorAll('#{box}_status .ldznet-message').forEach(found => found.remove())")
    page.fill(f"#{box}_words textarea", words)
    page.click(f"#{box}_button")
    page.wait_for_selector(f"#{box}_status .ldznet-message", state="attached")
    return page.inner_text(f"#{box}_status")


def generate(page: Any, tab: str, prompt: str, *, steps: int = 6, seed: int = 1) -> np.ndarray:
    """Paint, and the picture, uint8 (h w 3)."""
    set_number(page, f"{tab}_steps", steps)
    set_number(page, f"{tab}_seed", seed)
    page.fill(f"#{tab}_prompt textarea", prompt)
    before = page.inner_text(f"#html_info_{tab}")
    page.click(f"#{tab}_generate")
    page.wait_for_function(
        "([id, before]) => { const now = document.querySelector(`#${id}`).innerText; return now && now !== before; }",
        arg=[f"html_info_{tab}", before],
    )
    return gallery(page, tab)


def gallery(page: Any, tab: str) -> np.ndarray:
    """The picture that the gallery shows large."""
    page.wait_for_selector(f"#{tab}_gallery img")
    source = page.evaluate(
        "async id => { const image = document.querySelector(`#${id} img`); await image.decode();"
        " const canvas = document.createElement('canvas');"
        " canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;"
        " canvas.getContext('2d').drawImage(image, 0, 0); return canvas.toDataURL(); }",
        f"{tab}_gallery",
    )
    return image_of(source)[..., :3]


def set_number(page: Any, elem_id: str, value: float) -> None:
    """A slider's or a number's box."""
    page.fill(f"#{elem_id} input[type=number]", str(value))
    page.press(f"#{elem_id} input[type=number]", "Tab")


def slide(page: Any, elem_id: str, value: float) -> None:
    """Move a slider and let it go."""
    page.evaluate(
        "([id, value]) => { const slider = document.querySelector(`#${id} input[type=range]`); slider.value = value;"
        " for (const name of ['input', 'change', 'pointerup', 'mouseup'])"
        " slider.dispatchEvent(new Event(name, {bubbles: true})); }",
        [elem_id, value],
    )
