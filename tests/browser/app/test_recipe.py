"""The recipe: shown, copied, and repeated by the command line bit for bit."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.app import doing
from tests.browser.app.serving import Served

pytestmark = [pytest.mark.browser, pytest.mark.sticker]


def test_the_recipe_is_shown_and_copied(page: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    doing.open_details(page, "ldz-recipe")
    page.wait_for_function("document.querySelector('#ldz-recipe pre').textContent.length > 40")
    page.click("[data-do=copy]")
    page.wait_for_selector("[data-do=copy] :text('Copied')")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))

    assert copied["words"] == ["fox"]
    assert copied == json.loads(doing.save(page, "recipe")[1])


def test_the_recipe_follows_what_is_shown(page: Any) -> None:
    doing.open_details(page, "ldz-recipe")
    doing.slide(page, "grow", 4)
    page.wait_for_function("document.querySelector('#ldz-recipe pre').textContent.includes('\"grow\": 4')")
    doing.after(page, lambda: page.click("[data-do=undo]"))
    page.wait_for_function("!document.querySelector('#ldz-recipe pre').textContent.includes('\"grow\"')")


@pytest.mark.parametrize("kind", ["mask", "recipe"])
def test_the_command_line_repeats_it(page: Any, app: Served, oblong: Path, tmp_path: Path, kind: str) -> None:
    """Words, sliders, strokes and clicked pieces are all in it."""
    doing.upload(page, oblong)
    doing.find(page, "dolphin")
    doing.slide(page, "threshold", 0.4)
    doing.take(page, "add", snap=True)
    doing.after(page, lambda: doing.drag(page, [(0.06, 0.1), (0.2, 0.12)]))
    doing.take(page, "pick")
    doing.after(page, lambda: doing.click(page, 0.06, 0.1) if kind == "recipe" else page.keyboard.press("i"))
    saved = doing.save(page, kind)
    shown = doing.saved_mask(page)
    (tmp_path / saved[0]).write_bytes(saved[1])
    picture = tmp_path / "elsewhere.png"
    picture.write_bytes(oblong.read_bytes())
    done = app.run(
        "-m", "ldznet_ext", "mask", "--from", str(tmp_path / saved[0]), str(picture), "-o", str(tmp_path), "--json"
    )
    answer = json.loads(done.stdout)

    if kind == "mask":
        assert answer["repeats"]["pixels_off"] == 0
    assert answer["repeats"]["differences"] == []
    again = doing.read((tmp_path / answer["files"]["mask"]).read_bytes())
    assert (again == shown).all()
