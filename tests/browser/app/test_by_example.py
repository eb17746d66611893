"""Masks by example: a click on one, more like the mask, the same in other pictures."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.app import doing

pytestmark = [pytest.mark.browser, pytest.mark.sticker]


def test_a_click_is_an_example(page: Any) -> None:
    doing.take(page, "example")
    doing.after(page, lambda: doing.click(page, 0.5, 0.1))
    mask = doing.saved_mask(page)

    assert doing.history(page) == ["Example", "By example"]
    assert mask[round(0.1 * mask.shape[0]), mask.shape[1] // 2] == 255
    assert 0.02 < (mask > 0).mean() < 0.95


def test_more_like_the_mask(page: Any) -> None:
    doing.after(page, lambda: doing.part(page, "sea").click())
    doing.open_section(page, "ldz-likeness")
    doing.after(page, lambda: page.click("[data-do=alike]"))
    mask = doing.saved_mask(page)

    assert doing.history(page)[-1] == "By example"
    assert mask[-5:, 5].mean() > 127, "the sea is like the sea"


def test_the_same_is_found_in_other_pictures(page: Any, others: list[Path]) -> None:
    doing.after(page, lambda: doing.part(page, "sea").click())
    doing.open_section(page, "ldz-likeness")
    with page.expect_file_chooser() as chooser:
        page.click("[data-do=alikeIn]")
    doing.after(page, lambda: chooser.value.set_files([str(each) for each in others]))

    assert doing.history(page) == ["Example", "sea", *(each.stem for each in others)]
    assert page.evaluate("ldz.now.size") == [256, 256]


def test_an_example_needs_a_mask(page: Any) -> None:
    doing.find(page, "night")
    doing.open_section(page, "ldz-likeness")
    assert "no example" in doing.refused(page, lambda: page.click("[data-do=alike]"))
