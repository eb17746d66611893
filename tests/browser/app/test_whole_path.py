"""From a picture to its files, as a person goes: words, sliders, hand, pieces, download; and the library's answer beside them."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.app import doing, library
from tests.browser.app.serving import Served

pytestmark = [pytest.mark.browser, pytest.mark.sticker]


def test_the_first_screen_is_an_example_with_its_mask(page: Any) -> None:
    mask = doing.shown_mask(page)

    assert 0.05 < mask.mean() < 0.6
    assert "fox" in doing.message(page)
    assert "found" in doing.message(page)
    assert "sticker-sd" in page.inner_text("#ldz-model")
    assert doing.part(page, "fox").get_attribute("aria-pressed") == "true"


def test_the_files_are_the_librarys_answer(page: Any, app: Served, oblong: Path, tmp_path: Path) -> None:
    picture = tmp_path / "holiday.png"
    picture.write_bytes(oblong.read_bytes())
    doing.upload(page, picture)
    said = doing.find(page, "dolphin")
    doing.slide(page, "threshold", 0.35)
    doing.slide(page, "grow", 5)
    doing.slide(page, "feather", 2.5)
    files = {kind: doing.save(page, kind) for kind in ("mask", "cutout", "prob", "overlay", "ora", "coco", "recipe")}
    wanted = library.answer(app, picture, words="dolphin", threshold=0.35, grow=5, feather=2.5)

    assert "dolphin found" in said.replace("\n", " ")
    assert wanted["found"]
    assert wanted["mask"].shape == (192, 256)
    assert 0 < (wanted["mask"] > 127).mean() < 0.9
    np.testing.assert_array_equal(doing.read(files["mask"][1]), wanted["mask"])
    cutout = doing.read(files["cutout"][1])
    np.testing.assert_array_equal(cutout[..., 3], wanted["mask"])
    np.testing.assert_array_equal(cutout[..., :3], np.asarray(Image.open(picture)))
    prob = doing.read(files["prob"][1])
    assert prob.dtype.itemsize >= 2
    assert np.abs(prob / 65535 - wanted["prob"]).max() < 1e-4
    assert doing.read(files["overlay"][1]).shape == (192, 256, 3)
    assert {name for name, _ in files.values()} == {
        "holiday_mask.png",
        "holiday_cutout.png",
        "holiday_prob.png",
        "holiday_overlay.png",
        "holiday.ora",
        "holiday_coco.json",
        "holiday_recipe.json",
    }
    _check_layers(files["ora"][1])
    annotation = json.loads(files["coco"][1])["annotations"][0]
    assert annotation["area"] == int((wanted["mask"] > 127).sum())
    assert json.loads(files["recipe"][1])["words"] == ["dolphin"]


def _check_layers(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as layers:
        assert layers.read("mimetype") == b"image/openraster"
        assert b"dolphin" in layers.read("stack.xml")
        merged = Image.open(io.BytesIO(layers.read("mergedimage.png")))
    assert merged.size == (256, 192)


def test_a_file_is_named_by_the_pattern(page: Any) -> None:
    page.fill("#ldz-pattern", "{picture}_{words}_{width}")
    width = doing.saved_mask(page).shape[1]
    assert doing.save(page, "mask")[0] == f"example_fox_{width}_mask.png"


def test_the_hand_has_the_last_word(page: Any, oblong: Path) -> None:
    doing.upload(page, oblong)
    doing.find(page, "dolphin")
    before = doing.saved_mask(page)
    doing.take(page, "add")
    doing.after(page, lambda: doing.drag(page, [(0.06, 0.1), (0.2, 0.1)]))
    added = doing.saved_mask(page)
    doing.take(page, "erase")
    doing.after(page, lambda: doing.drag(page, [(0.02, 0.1), (0.3, 0.1)]))
    erased = doing.saved_mask(page)
    doing.after(page, lambda: page.click("[data-do=clear]"))

    row, start, stop = round(0.1 * 192), round(0.07 * 256), round(0.19 * 256)
    assert (before[row, start:stop] == 0).all(), "the picture is another: there must be nothing here before"
    assert (added[row, start:stop] == 255).all()
    np.testing.assert_array_equal(added[60:], before[60:])
    assert (erased[row, start:stop] == 0).all()
    np.testing.assert_array_equal(erased[60:], before[60:])
    np.testing.assert_array_equal(doing.saved_mask(page), before)
    assert doing.history(page)[-3:] == ["Drawn", "Erased", "Hand cleared"]


def test_pieces_are_dropped_brought_back_and_kept_alone(page: Any, oblong: Path) -> None:
    doing.upload(page, oblong)
    doing.find(page, "dolphin")
    doing.take(page, "add")
    doing.after(page, lambda: doing.drag(page, [(0.06, 0.1), (0.2, 0.1)]))
    both = doing.saved_mask(page)
    x, y = _middle(both[60:] > 0, 60)
    doing.take(page, "pick")
    doing.after(page, lambda: doing.click(page, x, y))
    dropped = doing.saved_mask(page)
    doing.after(page, lambda: doing.click(page, x, y))
    back = doing.saved_mask(page)

    assert dropped[int(y * 192), int(x * 256)] == 0
    assert (dropped[round(0.1 * 192), round(0.07 * 256) : round(0.19 * 256)] == 255).all(), "the other piece stays"
    np.testing.assert_array_equal(back, both)


def test_a_piece_is_kept_alone_with_shift(page: Any) -> None:
    doing.find(page, "fox | sunset")
    both = doing.saved_mask(page)
    page.keyboard.down("Shift")
    doing.after(page, lambda: doing.click(page, 0.5, 0.1))
    page.keyboard.up("Shift")
    alone = doing.saved_mask(page)

    assert 0 < (alone > 0).sum() <= (both > 0).sum()
    assert alone[int(0.1 * alone.shape[0]), alone.shape[1] // 2] == 255
    assert not (alone[both == 0]).any()


def test_a_click_beside_the_mask_says_so(page: Any) -> None:
    assert "No piece of the mask is here" in doing.refused(page, lambda: doing.click(page, 0.02, 0.03))


def test_every_view_shows_something_else(page: Any) -> None:
    seen = {}
    for name in ("overlay", "regions", "heat", "cutout", "mask", "picture"):
        doing.view(page, name)
        page.mouse.move(2, 2)
        seen[name] = doing.painted(page)
        assert page.get_attribute(f"[data-view={name}]", "aria-checked") == "true"

    assert not seen["picture"][..., 3].any()
    assert set(np.unique(seen["mask"][..., 3])) == {255}
    assert (seen["heat"][..., 3] > 100).all()
    inside = seen["mask"][..., 0] > 200
    assert (seen["cutout"][inside][:, 3] > 200).all()
    assert (seen["cutout"][seen["mask"][..., 0] < 20][:, 3] < 40).all()
    colours = {tuple(colour) for colour in seen["regions"][::7, ::7, :3].reshape(-1, 3).tolist()}
    assert len(colours) >= 3


def test_sliders_act_while_they_are_moved(page: Any) -> None:
    areas = []
    for value in (0.1, 0.5, 0.95):
        drawn = page.evaluate("+document.getElementById('ldz-frame').dataset.drawn")
        doing.move(page, "threshold", value)
        page.wait_for_function("d => +document.getElementById('ldz-frame').dataset.drawn > d", arg=drawn)
        areas.append(int((doing.painted(page)[..., 3] > 60).sum()))

    assert areas[0] > areas[1] > areas[2]
    assert doing.history(page) == ["Example"], "nothing is settled before it is let go"


def test_words_that_are_no_expression_are_refused_with_the_place(page: Any) -> None:
    said = doing.refused(page, lambda: (page.fill(doing.WORDS, "fox & ("), page.press(doing.WORDS, "Enter")))
    assert "^" in said
    assert doing.history(page) == ["Example"]


def test_what_is_not_there_is_said_to_be_absent(page: Any) -> None:
    said = doing.find(page, "night").replace("\n", " ")

    assert "night not found" in said
    assert not doing.saved_mask(page).any()


def _middle(mask: np.ndarray, top: int) -> tuple[float, float]:
    """A place surely inside a mask whose first row is `top` of a picture 192 high, 256 wide: where it is thickest."""
    import cv2

    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return (column + 0.5) / 256, (row + top + 0.5) / 192
