"""Every thing of the prompt as a region: ranked, absent ones greyed, each a mask by one click into the picture or the list."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.app import doing

pytestmark = [pytest.mark.browser, pytest.mark.sticker]


def test_parts_are_ranked_and_absent_ones_come_last(page: Any) -> None:
    listed = page.evaluate("ldz.now.parts")
    there = [each["there"] for each in listed]
    scores = [each["score"] for each in listed if each["there"]]

    assert sum(there) >= 3
    assert there == sorted(there, reverse=True)
    assert scores == sorted(scores, reverse=True)
    absent = page.locator("#ldz-parts .ldz-absent")
    assert absent.count() == len(there) - sum(there) >= 1
    assert "not found" in absent.first.inner_text()


def test_a_part_of_the_list_becomes_the_mask(page: Any) -> None:
    fox = doing.saved_mask(page)
    doing.after(page, doing.part(page, "sunset").click)
    sunset = doing.saved_mask(page)

    assert page.input_value(doing.WORDS) == "sunset"
    assert doing.part(page, "sunset").get_attribute("aria-pressed") == "true"
    assert doing.part(page, "fox").get_attribute("aria-pressed") == "false"
    assert ((fox > 0) & (sunset > 0)).sum() < 0.1 * (fox > 0).sum()


def test_a_part_of_the_picture_becomes_the_mask(page: Any) -> None:
    doing.view(page, "regions")
    doing.after(page, lambda: doing.click(page, 0.5, 0.1))

    assert page.input_value(doing.WORDS) == "sunset"
    assert doing.saved_mask(page)[5, :].mean() > 127
    assert page.get_attribute("[data-view=overlay]", "aria-checked") == "true"


def test_the_mask_of_a_part_is_the_same_as_that_of_its_word(page: Any) -> None:
    doing.after(page, doing.part(page, "sea").click)
    clicked = doing.saved_mask(page)
    doing.find(page, "sea")
    typed = doing.saved_mask(page)

    assert ((clicked > 0) == (typed > 0)).mean() > 0.99


def test_pointing_at_a_part_lights_it(page: Any) -> None:
    doing.view(page, "regions")
    page.mouse.move(2, 2)
    calm = doing.painted(page)
    before = page.evaluate("+document.getElementById('ldz-frame').dataset.drawn")
    doing.part(page, "sea").hover()
    page.wait_for_function("b => +document.getElementById('ldz-frame').dataset.drawn > b", arg=before)
    lit = doing.painted(page)

    bottom, top = slice(-12, None), slice(0, 12)
    assert lit[bottom, :12, 3].mean() > calm[bottom, :12, 3].mean() + 20, "the sea stands out"
    assert lit[top, :, 3].mean() < calm[top, :, 3].mean() - 20, "the sunset steps back"


def test_parts_of_an_uploaded_picture(page: Any, oblong: Path) -> None:
    doing.upload(page, oblong)
    texts = doing.parts(page, "a dolphin on a road, blue sky")

    assert sorted(texts) == ["blue sky", "dolphin", "road"]
    assert page.get_attribute("[data-view=regions]", "aria-checked") == "true"
    doing.after(page, doing.part(page, "dolphin").click)
    assert page.get_attribute("[data-view=overlay]", "aria-checked") == "true"
    assert np.unique(doing.saved_mask(page)).tolist() == [0, 255]
