"""Pictures out of words, parts of them repainted, and a cancel while that is under way."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.app import doing

pytestmark = [pytest.mark.browser, pytest.mark.sticker]


def picture(page: Any) -> np.ndarray:
    """The picture as it is saved, uint8 (h w 3)."""
    return doing.read(doing.save(page, "cutout")[1])[..., :3]


def test_a_picture_is_painted_and_its_words_are_its_parts(page: Any) -> None:
    doing.generate(page, "a fox on snow, night", steps=4, seed=3)
    texts = page.locator("#ldz-parts button span").all_inner_texts()
    doing.after(page, lambda: doing.part(page, "snow").click())

    assert sorted(texts) == ["fox", "night", "snow"]
    assert doing.history(page) == ["Example", "Painted", "snow"]
    assert picture(page).shape == (256, 256, 3)
    assert "no extra pass" in doing.message(page)


def test_the_same_seed_paints_the_same(page: Any) -> None:
    made = []
    for seed in (1, 1, 2):
        doing.generate(page, "snow, night", steps=2, seed=seed)
        doing.find(page, "snow")
        made.append(page.evaluate("ldz.now.pictured"))

    assert made[0] == made[1] != made[2]


def test_a_cancel_ends_the_painting_and_changes_nothing(page: Any) -> None:
    doing.ready_to_generate(page, "a fox on snow, night", steps=100)
    page.click("#ldz-generate")
    page.wait_for_selector("#ldz-wait:not([hidden])")
    page.wait_for_function("parseFloat(document.querySelector('#ldz-wait i').style.width) > 2")
    told = page.inner_text("#ldz-wait")
    start = time.monotonic()
    page.click("[data-do=cancel]")
    page.wait_for_function("!ldz.busy()")

    assert "paint" in told.lower()
    assert time.monotonic() - start < 15
    assert "Cancelled" in doing.message(page)
    assert doing.history(page) == ["Example"]
    assert "fox" in doing.find(page, "fox"), "and one can go on"


def test_progress_and_cancel_are_in_sight_on_a_narrow_screen(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    doing.ready_to_generate(page, "a fox on snow, night", steps=100)
    page.locator("#ldz-generate").scroll_into_view_if_needed()
    page.click("#ldz-generate")
    page.wait_for_selector("#ldz-wait:not([hidden])")
    box = page.locator("[data-do=cancel]").bounding_box()
    page.click("[data-do=cancel]")
    page.wait_for_function("!ldz.busy()")

    assert 0 <= box["y"] <= 844 - box["height"]


def test_escape_cancels_as_well(page: Any) -> None:
    doing.ready_to_generate(page, "a fox on snow, night", steps=100)
    page.click("#ldz-generate")
    page.wait_for_selector("#ldz-wait:not([hidden])")
    page.keyboard.press("Escape")
    page.wait_for_function("!ldz.busy()")

    assert "Cancelled" in doing.message(page)


def test_the_mask_is_repainted_and_compared_with_before(page: Any, oblong: Path) -> None:
    doing.upload(page, oblong)
    doing.find(page, "dolphin")
    mask = doing.saved_mask(page)
    doing.open_section(page, "ldz-repainting")
    page.fill("#ldz-repaint-prompt textarea, #ldz-repaint-prompt input", "a red balloon")
    doing.set_number(page, "ldz-repaint-steps", 4)
    doing.after(page, lambda: page.click("#ldz-repaint"))
    repainted, before = picture(page), np.asarray(Image.open(oblong))
    changed = (repainted != before).any(axis=-1)

    assert doing.history(page)[-1] == "Repainted"
    assert changed[mask > 0].mean() > 0.5
    assert not changed[_far_from(mask, 40)].any()
    assert page.is_visible("#ldz-before"), "it is compared at once"
    doing.drag(page, [(0.5, 0.5), (0.2, 0.5)])
    assert page.evaluate("parseFloat(document.getElementById('ldz-before').style.getPropertyValue('--at'))") < 25
    page.click("[data-do=compare]")
    assert not page.is_visible("#ldz-before")
    page.click("[data-do=compare]")
    assert page.is_visible("#ldz-before")


def test_another_one_starts_from_the_picture_as_it_was(page: Any, oblong: Path) -> None:
    doing.upload(page, oblong)
    doing.find(page, "dolphin")
    mask = doing.saved_mask(page)
    doing.open_section(page, "ldz-repainting")
    page.fill("#ldz-repaint-prompt textarea, #ldz-repaint-prompt input", "a red balloon")
    doing.set_number(page, "ldz-repaint-steps", 3)
    doing.after(page, lambda: page.click("#ldz-repaint"))
    first = picture(page)
    doing.after(page, lambda: page.click("#ldz-another"))
    second = picture(page)

    assert (first != second).any()
    assert page.input_value("#ldz-repaint-seed input") == "1"
    far = _far_from(mask, 40)
    np.testing.assert_array_equal(second[far], np.asarray(Image.open(oblong))[far])


def test_an_empty_mask_is_not_repainted(page: Any) -> None:
    doing.find(page, "night")
    doing.open_section(page, "ldz-repainting")
    page.fill("#ldz-repaint-prompt textarea, #ldz-repaint-prompt input", "an owl")
    assert "mask is empty" in doing.refused(page, lambda: page.click("#ldz-repaint"))


def _far_from(mask: np.ndarray, pixels: int) -> np.ndarray:
    import cv2

    return cv2.dilate((mask > 0).astype(np.uint8), np.ones((2 * pixels + 1, 2 * pixels + 1))) == 0
