"""Ways for a picture to come in: by the button, dropped, pasted; and what is no picture."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.app import doing

pytestmark = [pytest.mark.browser, pytest.mark.sticker]
COPY = """async data => {
    const image = new Blob([Uint8Array.from(atob(data), sign => sign.charCodeAt(0))], {type: "image/png"});
    await navigator.clipboard.write([new ClipboardItem({"image/png": image})]);
}"""


def test_a_dropped_picture_is_opened(page: Any, oblong: Path) -> None:
    doing.after(page, lambda: doing.drop(page, oblong))
    doing.find(page, "dolphin")

    assert doing.history(page) == ["Example", "Opened", "dolphin"]
    name, content = doing.save(page, "cutout")
    assert name == "oblong_cutout.png"
    np.testing.assert_array_equal(doing.read(content)[..., :3], np.asarray(Image.open(oblong)))


def test_the_place_to_drop_shows_itself(page: Any, oblong: Path) -> None:
    transfer = page.evaluate_handle("() => new DataTransfer()")
    page.dispatch_event("#ldz-frame", "dragenter", {"dataTransfer": transfer})
    assert page.is_visible(".ldz-drop")
    page.dispatch_event("#ldz-frame", "dragleave", {"dataTransfer": transfer})
    assert not page.is_visible(".ldz-drop")


@pytest.mark.parametrize("typing", [False, True])
def test_a_pasted_picture_is_opened_also_while_one_types(page: Any, oblong: Path, typing: bool) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(COPY, base64.b64encode(oblong.read_bytes()).decode())
    if typing:
        page.focus(doing.WORDS)
    doing.after(page, lambda: page.keyboard.press("Control+v"))

    assert doing.history(page) == ["Example", "Opened"]
    assert page.evaluate("ldz.now.size") == [192, 256]


def test_pasted_words_stay_words(page: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('sunset')")
    page.fill(doing.WORDS, "")
    page.focus(doing.WORDS)
    page.keyboard.press("Control+v")
    doing.after(page, lambda: page.keyboard.press("Enter"))

    assert doing.history(page) == ["Example", "sunset"]


def test_what_is_no_picture_is_refused_in_a_sentence(page: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "letter.png"
    wrong.write_bytes(b"not a picture at all")
    said = doing.refused(page, lambda: page.set_input_files("#ldz-file", str(wrong)))

    assert "no picture that can be read" in said
    assert doing.history(page) == ["Example"]
    assert doing.shown_mask(page).any(), "what was there stays"


def test_a_dropped_letter_is_refused_as_well(page: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "letter.txt"
    wrong.write_text("Dear desk")
    assert "no picture that can be read" in doing.refused(page, lambda: doing.drop(page, wrong, "text/plain"))


def test_the_same_file_can_be_opened_twice(page: Any, oblong: Path) -> None:
    doing.upload(page, oblong)
    doing.upload(page, oblong)
    assert doing.history(page) == ["Example", "Opened", "Opened"]


def test_a_picture_much_higher_than_wide_fits(page: Any, tmp_path: Path) -> None:
    tall = tmp_path / "tall.png"
    Image.new("RGB", (40, 400), (40, 90, 160)).save(tall)
    doing.upload(page, tall)
    box, window = page.locator("#ldz-over").bounding_box(), page.viewport_size

    assert box["height"] / box["width"] == pytest.approx(10, rel=0.05)
    assert box["y"] + box["height"] <= window["height"]
