"""The keyboard alone, and light and dark."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.app import doing
from tests.browser.app.serving import Served

pytestmark = [pytest.mark.browser, pytest.mark.sticker]
FOCUSED = """() => {
    const here = document.activeElement, box = (here.type === "checkbox" ? here.closest("label") : here).getBoundingClientRect();
    const { do: act, view, tool, save } = here.dataset;
    const name = here.id || act || view || tool || save || here.getAttribute("aria-label") || here.innerText;
    return [name, box.width * box.height > 0];
}"""


def test_the_whole_path_by_keys(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.press("Control+a")
    page.keyboard.type("sunset")
    doing.after(page, lambda: page.keyboard.press("Enter"))
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    before = doing.saved_mask(page)
    doing.after(page, lambda: page.keyboard.press("i"))
    inverted = doing.saved_mask(page)
    doing.after(page, lambda: page.keyboard.press("Control+z"))
    undone = doing.saved_mask(page)
    doing.after(page, lambda: page.keyboard.press("Control+Shift+z"))
    with page.expect_download() as download:
        page.keyboard.press("s")

    np.testing.assert_array_equal(inverted, 255 - before)
    np.testing.assert_array_equal(undone, before)
    np.testing.assert_array_equal(doing.read(Path(download.value.path()).read_bytes()), inverted)


def test_numbers_choose_views_and_letters_tools(page: Any) -> None:
    for key, name in enumerate(("overlay", "regions", "heat", "cutout", "mask", "picture"), 1):
        page.keyboard.press(str(key))
        page.wait_for_function("name => document.getElementById('ldz-inner').dataset.view === name", arg=name)
    for key, name in (("b", "add"), ("e", "erase"), ("v", "pick")):
        page.keyboard.press(key)
        assert page.get_attribute(f"button[data-tool={name}]", "aria-checked") == "true"
    width = float(page.input_value("#ldz-brush"))
    page.keyboard.press("]")
    assert float(page.input_value("#ldz-brush")) > width
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert float(page.input_value("#ldz-brush")) < width


def test_space_shows_the_picture_while_it_is_held(page: Any) -> None:
    assert doing.painted(page)[..., 3].any()
    page.keyboard.down(" ")
    page.wait_for_function("document.getElementById('ldz-inner').dataset.view === 'picture'")
    assert not doing.painted(page)[..., 3].any()
    page.keyboard.up(" ")
    page.wait_for_function("document.getElementById('ldz-inner').dataset.view === 'overlay'")


def test_letters_that_are_typed_are_no_shortcuts(page: Any) -> None:
    page.fill(doing.WORDS, "")
    page.focus(doing.WORDS)
    page.keyboard.type("vise?")

    assert page.input_value(doing.WORDS) == "vise?"
    assert not page.is_visible("#ldz-keys")
    assert doing.history(page) == ["Example"]
    assert page.get_attribute("button[data-tool=pick]", "aria-checked") == "true"


def test_the_keys_are_listed(page: Any) -> None:
    page.keyboard.press("?")
    assert page.is_visible("#ldz-keys")
    assert "undo" in page.inner_text("#ldz-keys")
    page.keyboard.press("Escape")
    assert not page.is_visible("#ldz-keys")


def test_every_control_in_sight_is_reached_by_tab_and_shows_it(page: Any) -> None:
    """Tab walks through the page; what has the focus is seen, and is never a trap."""
    page.evaluate("document.activeElement.blur()")
    names = set()
    for _ in range(90):
        page.keyboard.press("Tab")
        name, seen = page.evaluate(FOCUSED)
        assert seen, f"{name} has the focus and cannot be seen"
        names.add(name)
    assert {"theme", "help", "open", "overlay", "pick", "ldz-brush", "ldz-snap", "ldz-find", "mask", "recipe"} <= names


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_and_the_button(visit: Any, app: Served, scheme: str) -> None:
    page = visit(app.address, color_scheme=scheme)

    def ground() -> float:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(each) for each in colour[4:-1].split(",")[:3]) / 3

    assert (ground() < 60) == (scheme == "dark")
    page.click("[data-do=theme]")
    assert (ground() < 60) == (scheme == "light")
    page.reload()
    page.wait_for_function("window.ldz?.now?.answered")
    assert (ground() < 60) == (scheme == "light"), "it is remembered"
