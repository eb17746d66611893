"""What a quick hand does while the model works, and answers that overtake one another: the newest is what is shown."""

from typing import Any

import pytest

from tests.browser.app import doing

pytestmark = [pytest.mark.browser, pytest.mark.sticker]


def test_a_slider_ends_no_wait_and_painting_is_cancelled_after_it(page: Any) -> None:
    doing.ready_to_generate(page, "a fox on snow", steps=100)
    page.click("#ldz-generate")
    page.wait_for_selector("#ldz-wait:not([hidden])")
    page.press("[data-option=grow] input[type=range]", "ArrowRight")
    page.wait_for_function("+document.body.dataset.revision > 0 && ldz.now.history.length === 2")

    assert page.evaluate("ldz.busy()")
    assert page.is_visible("#ldz-wait [data-do=cancel]")
    page.keyboard.press("Escape")
    page.wait_for_function("!ldz.busy()")
    assert doing.history(page) == ["Example", "Shape"]


def test_a_slow_answer_does_not_take_a_newer_ones_place(page: Any) -> None:
    held: list[Any] = []
    page.route("**/do/pick", lambda route: held.append((route, route.fetch())))
    doing.part(page, "sunset").click()
    while not held:
        page.wait_for_timeout(50)
    doing.find(page, "sea")
    route, answer = held[0]
    route.fulfill(response=answer)
    page.wait_for_timeout(500)

    assert doing.history(page) == ["Example", "sunset", "sea"]
    assert page.input_value(doing.WORDS) == "sea"
