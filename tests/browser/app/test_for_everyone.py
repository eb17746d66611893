"""Names for a screen reader, contrast for weak eyes, and nothing beyond the edge of a narrow screen."""

from typing import Any

import pytest

from tests.browser.app import doing
from tests.browser.app.serving import Served

pytestmark = [pytest.mark.browser, pytest.mark.sticker]
UNNAMED = """() => {
    const named = each => (each.getAttribute("aria-label") || each.labels?.[0]?.innerText || each.innerText || each.title
        || each.getAttribute("placeholder") || "").trim();
    return [...document.querySelectorAll("button, a[href], input, select, textarea, [role=button], [role=radio], [role=slider]")]
        .filter(each => each.getClientRects().length && each.type !== "file" && !named(each))
        .map(each => each.outerHTML.slice(0, 120));
}"""
FAINT = """() => {
    const numbers = code => {
        const [red, green, blue, alpha = 1] = code.match(/[\\d.]+/g).map(Number);
        return [...[red, green, blue].map(value => code.startsWith("color(") ? value * 255 : value), alpha];
    };
    const over = (top, below) => below.map((value, at) => top[at] * top[3] + value * (1 - top[3]));
    const light = colour => colour.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, at) => sum + v * [.2126, .7152, .0722][at], 0);
    const ground = each => {
        const layers = [];
        for (let up = each; up; up = up.parentElement) layers.push(numbers(getComputedStyle(up).backgroundColor));
        return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
    };
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.trim(), each = walker.currentNode.parentElement;
        const box = each.getBoundingClientRect();
        if (!text || !box.width || !each.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
        if (each.closest("script, style, :disabled, [aria-disabled=true], .ldz-off")) continue;
        const style = getComputedStyle(each), below = ground(each), colour = over(numbers(style.color), below);
        const [high, low] = [light(colour), light(below)].sort((a, b) => b - a), ratio = (high + .05) / (low + .05);
        const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
        if (ratio < (large ? 3 : 4.5)) faint.push(`${text.slice(0, 30)}: ${ratio.toFixed(2)}`);
    }
    return [...new Set(faint)];
}"""
BEYOND = """() => [...document.querySelectorAll("#ldz-desk *, .ldz-head *")].filter(each => {
    const box = each.getBoundingClientRect();
    if (!box.width || !box.height || !each.checkVisibility({opacityProperty: true})) return false;
    for (let up = each.parentElement; up; up = up.parentElement) if (getComputedStyle(up).overflowX !== "visible") return false;
    return box.right > innerWidth + 1 || box.left < -1;
}).map(each => each.outerHTML.slice(0, 120))"""

IDS = """() => [...document.querySelectorAll("[id^=ldz]")]
    .filter(each => !each.parentElement.closest(`#${each.id}`)).map(each => each.id)"""
MOVING = """() => [...document.querySelectorAll("#ldz-desk *")]
    .filter(each => parseFloat(getComputedStyle(each).transitionDuration) > .01).length"""


def unfold(page: Any) -> None:
    """Everything that is folded away."""
    for section in ("ldz-naming", "ldz-repainting", "ldz-generating", "ldz-likeness", "ldz-models"):
        doing.open_section(page, section)
    for details in ("ldz-more", "ldz-how", "ldz-recipe"):
        doing.open_details(page, details)
    page.wait_for_function("document.querySelector('#ldz-recipe pre').textContent.length > 40")


def test_everything_that_acts_has_a_name(page: Any) -> None:
    unfold(page)
    assert page.evaluate(UNNAMED) == []


def test_no_two_things_have_the_same_id(page: Any) -> None:
    unfold(page)
    ids = page.evaluate(IDS)
    assert len(ids) > 50
    assert sorted({each for each in ids if ids.count(each) > 1}) == []


def test_roles_and_states_are_told(page: Any) -> None:
    assert page.get_by_role("textbox", name="What to mask").count() == 1
    assert page.get_by_role("button", name="Find", exact=True).count() == 1
    assert page.get_by_role("radio", name="Overlay").get_attribute("aria-checked") == "true"
    assert page.get_by_role("slider", name="Threshold").count() == 1
    assert page.get_by_role("checkbox", name="Invert").count() == 1
    assert page.get_by_role("img", name="The picture").count() == 1
    assert page.get_by_role("radiogroup", name="Tool").count() == 1
    assert page.get_by_role("heading", name="LD-ZNet").count() == 1
    assert page.locator("#ldz-message[aria-live], #ldz-message [role=status]").count() >= 1
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title() == "LD-ZNet"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(visit: Any, app: Served, scheme: str) -> None:
    """WCAG AA: 4.5 for text, 3 for large text; what is switched off is left out."""
    page = visit(app.address, color_scheme=scheme)
    unfold(page)
    assert page.evaluate(FAINT) == []


@pytest.mark.parametrize("width", [1440, 900, 390, 320])
def test_nothing_lies_beyond_the_edge(visit: Any, app: Served, width: int) -> None:
    page = visit(app.address, viewport={"width": width, "height": 844})
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(BEYOND) == []


def test_less_motion_is_respected(visit: Any, app: Served) -> None:
    page = visit(app.address, reduced_motion="reduce")
    assert page.evaluate(MOVING) == 0
