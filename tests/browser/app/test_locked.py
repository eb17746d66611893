"""A desk with a token: a form asks for it, a wrong one is told, the right one opens everything and stays out of the address."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.app.conftest import PATIENCE, WINDOW, served
from tests.browser.app.serving import BEGUN, Served

pytestmark = [pytest.mark.browser, pytest.mark.sticker]
TOKEN = "an-odd&token+%2F"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An app that asks everyone for it."""
    with served(tmp_path_factory.mktemp("locked"), options=("--token", TOKEN)) as running:
        yield running


@pytest.fixture
def door(browser: Any, locked: Served) -> Iterator[Any]:
    """A stranger's page at its address."""
    context = browser.new_context(viewport=WINDOW)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(locked.address)
    yield page
    context.close()


def test_a_stranger_sees_the_form_alone(door: Any, locked: Served) -> None:
    assert door.get_by_label("Token").is_visible()
    for place in ("config", "app/assets/desk.js", "ldznet/v1/models", "gradio_api/info", "docs"):
        assert door.context.request.get(f"{locked.address}{place}").status == 401


def test_a_wrong_token_is_told(door: Any) -> None:
    door.fill("#token", "guessed")
    door.click("button")
    door.wait_for_selector("[role=alert]:has-text('not the token')")
    assert door.get_by_label("Token").is_visible()


def test_the_right_token_opens_the_app(door: Any) -> None:
    door.fill("#token", TOKEN)
    door.click("button")
    door.wait_for_function(BEGUN)

    assert "token" not in door.url
    assert TOKEN not in door.content()
    door.reload()
    door.wait_for_function(BEGUN)
