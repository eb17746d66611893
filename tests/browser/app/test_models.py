"""The model: its name always in sight, another one loaded with its size and progress."""

import json
from typing import Any

import pytest

from tests.browser.app import doing
from tests.browser.app.serving import Served

pytestmark = [pytest.mark.browser, pytest.mark.sticker]
WATCH_PROGRESS = """() => {
    window.seen = [];
    new MutationObserver(() => {
        const box = document.getElementById("ldz-wait");
        if (!box.hidden) seen.push([box.querySelector("span").textContent, parseFloat(box.querySelector("i").style.width)]);
    }).observe(document.getElementById("ldz-wait"), {subtree: true, childList: true, attributes: true, characterData: true});
}"""


@pytest.fixture
def swapped(page: Any) -> Any:
    """A page, after which the shipped model is loaded again."""
    yield page
    _load(page, "sticker-sd")


def _listed(page: Any) -> list[str]:
    """Open the list of models; what is in it."""
    doing.open_section(page, "ldz-models")
    page.click("#ldz-choose input")
    page.wait_for_selector("[role=option]")
    return page.locator("[role=option]").all_inner_texts()


def _load(page: Any, name: str) -> None:
    _listed(page)
    page.click(f"[role=option]:has-text('{name}')")
    page.click("#ldz-load")
    page.wait_for_function(f"document.querySelector('#ldz-model span').textContent === '{name}' && !ldz.busy()")


def test_another_model_is_loaded_with_size_and_progress(swapped: Any) -> None:
    listed = _listed(swapped)
    swapped.locator("#ldz-choose input").blur()
    swapped.evaluate(WATCH_PROGRESS)
    _load(swapped, "second-sd")

    assert any("second-sd" in each and "MB" in each for each in listed)
    assert "second-sd is loaded" in doing.message(swapped)
    assert swapped.evaluate("seen.length") > 0, "it was told how far it is"
    said = doing.find(swapped, "fox")
    assert "second-sd" in said


def test_the_models_name_stays_in_sight(page: Any) -> None:
    for width, height in ((1440, 900), (900, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        box = page.locator("#ldz-model").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert page.inner_text("#ldz-model").strip() == "sticker-sd"


def test_the_api_is_beside_the_page(page: Any, app: Served) -> None:
    health = page.context.request.get(f"{app.address}ldznet/v1/health")
    assert health.status == 200
    assert "sticker-sd" in json.dumps(health.json())
