"""A server that no longer answers: the page says so wherever one turns, waits for nothing, and goes on once it is back."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.app import doing
from tests.browser.app.conftest import PATIENCE, WINDOW
from tests.browser.app.serving import ANSWERED, Served

pytestmark = [pytest.mark.browser, pytest.mark.sticker]
LOST = "#ldz-message [role=alert]:has-text('does not answer')"


@pytest.fixture
def cut_off(browser: Any, app: Served) -> Iterator[Any]:
    """A page whose server is gone. It may complain in its console, so it is none of `visit`."""
    context = browser.new_context(viewport=WINDOW)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(app.address)
    page.wait_for_function(ANSWERED)
    context.set_offline(True)
    yield page
    context.close()


def test_words_do_not_wait_for_ever(cut_off: Any) -> None:
    cut_off.fill(doing.WORDS, "sea")
    cut_off.press(doing.WORDS, "Enter")
    cut_off.wait_for_selector(LOST)

    assert not cut_off.evaluate("ldz.busy()")
    assert not cut_off.is_visible("#ldz-wait")


def test_sliders_and_parts_say_so(cut_off: Any) -> None:
    cut_off.press("[data-option=grow] input[type=range]", "ArrowRight")
    cut_off.wait_for_selector(LOST)
    cut_off.evaluate("document.querySelector('#ldz-message').replaceChildren()")
    doing.part(cut_off, "sea").click()
    cut_off.wait_for_selector(LOST)


def test_it_goes_on_when_the_server_is_back(cut_off: Any) -> None:
    doing.part(cut_off, "sea").click()
    cut_off.wait_for_selector(LOST)
    cut_off.context.set_offline(False)
    doing.after(cut_off, lambda: doing.part(cut_off, "sunset").click())

    assert doing.history(cut_off) == ["Example", "sunset"]
