"""Back and forth: undo, redo, the list of steps, presets, which are steps as well."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.app import doing
from tests.browser.app.serving import ANSWERED

pytestmark = [pytest.mark.browser, pytest.mark.sticker]


def test_undo_and_redo_walk_through_pictures_words_and_sliders(page: Any, oblong: Path) -> None:
    first = doing.saved_mask(page)
    doing.upload(page, oblong)
    doing.find(page, "dolphin")
    found = doing.saved_mask(page)
    doing.slide(page, "grow", 9)
    grown = doing.saved_mask(page)
    steps = doing.history(page)
    for _ in range(3):
        doing.after(page, lambda: page.click("[data-do=undo]"))
    undone = doing.saved_mask(page)
    redone = []
    for _ in range(3):
        doing.after(page, lambda: page.click("[data-do=redo]"))
        redone.append(doing.setting(page, "grow"))

    assert (grown > 0).sum() > (found > 0).sum()
    assert steps == ["Example", "Opened", "dolphin", "Shape"]
    np.testing.assert_array_equal(undone, first)
    assert redone == ["0", "0", "9"]
    np.testing.assert_array_equal(doing.saved_mask(page), grown)
    assert page.is_disabled("[data-do=redo]")


def test_a_step_of_the_history_is_clicked(page: Any) -> None:
    before = doing.saved_mask(page)
    doing.find(page, "sunset")
    doing.find(page, "sea")
    doing.after(page, lambda: page.click("#ldz-history button >> nth=0"))

    np.testing.assert_array_equal(doing.saved_mask(page), before)
    assert page.input_value(doing.WORDS) == "fox"
    assert doing.place(page) == 0
    assert doing.history(page) == ["Example", "sunset", "sea"]


def test_what_follows_an_undone_step_takes_its_place(page: Any) -> None:
    doing.find(page, "sunset")
    doing.after(page, lambda: page.click("[data-do=undo]"))
    doing.find(page, "sea")
    assert doing.history(page) == ["Example", "sea"]


def test_several_moves_of_sliders_are_one_step(page: Any) -> None:
    doing.slide(page, "grow", 3)
    doing.slide(page, "feather", 2)
    assert doing.history(page) == ["Example", "Shape"]
    doing.after(page, lambda: page.click("[data-do=undo]"))
    assert (doing.setting(page, "grow"), doing.setting(page, "feather")) == ("0", "0")


def test_a_preset_sets_all_that_shapes_the_mask(page: Any) -> None:
    plain = doing.saved_mask(page)
    doing.slide(page, "threshold", 0.2)
    doing.after(page, lambda: page.click("#ldz-presets button:text-is('For inpainting')"))
    soft = doing.saved_mask(page)
    doing.after(page, lambda: page.click("#ldz-presets button:text-is('As found')"))

    assert len(np.unique(soft)) > 10
    assert (soft > 127).sum() > (plain > 127).sum()
    np.testing.assert_array_equal(doing.saved_mask(page), plain)


def test_a_preset_of_ones_own_is_kept_and_removed(page: Any) -> None:
    doing.slide(page, "grow", 7)
    wide = doing.saved_mask(page)
    page.click("#ldz-presets .ldz-new")
    page.fill("#ldz-keeping input", "Wide")
    page.keyboard.press("Enter")
    page.reload()
    page.wait_for_function(ANSWERED)
    mine = page.locator("#ldz-presets button:text-is('Wide')")
    doing.after(page, mine.click)
    again = doing.saved_mask(page)
    mine.press("Delete")

    np.testing.assert_array_equal(again, wide)
    assert mine.count() == 0


def test_inverting_is_a_step(page: Any) -> None:
    before = doing.saved_mask(page)
    doing.switch(page, "invert")
    np.testing.assert_array_equal(doing.saved_mask(page), 255 - before)
    doing.after(page, lambda: page.click("[data-do=undo]"))
    assert doing.setting(page, "invert") == "false"
