"""The mask on a canvas: words, sliders, strokes by hand, undo and clear; and never on another picture."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.request import MaskSettings
from ldznet_ext.ui import painting
from ldznet_ext.ui.painting import ADD, REPLACE, SUBTRACT, WAYS, WITHIN, Painting
from ldznet_ext.ui.sessions import Sessions
from ldznet_ext.ui.views import View
from tests.unit.ui.conftest import FOX, SNOW, FakeDesk

FOX_MASK = np.where(FOX > 0.5, 255, 0).astype(np.uint8)
SNOW_MASK = np.where(SNOW > 0.5, 255, 0).astype(np.uint8)
NOTHING = np.zeros((3, 5), np.uint8)
PLAIN = {"threshold": None, "grow": 0, "feather": 0.0, "invert": False}
HIGH = {**PLAIN, "threshold": 0.95}
CORNER = (0, 4)
"""Where neither the fox nor the snow is."""


@pytest.fixture
def paintings() -> Sessions[Painting]:
    return Sessions()


class Person:
    """One canvas as the page holds it: a picture, a mask, a handle."""

    def __init__(self, desk: FakeDesk, paintings: Sessions[Painting], picture: np.ndarray) -> None:
        self.desk, self.paintings = desk, paintings
        self.picture, self.mask, self.handle, self.message = picture, NOTHING, "", ""

    def _took(self, view: View) -> "Person":
        self.mask = self.mask if view.mask is None else view.mask
        self.handle, self.message = view.handle, view.message
        return self

    def words(self, text: str, how: str = REPLACE) -> "Person":
        settings = MaskSettings(words=text)
        view = painting.paint(self.desk, self.picture, self.mask, settings, how, self.handle, paintings=self.paintings)
        return self._took(view)

    def slide(self, how: str = REPLACE, **cuts: Any) -> "Person":
        wanted = {**PLAIN, **cuts}
        return self._took(painting.recut(self.picture, self.mask, how, wanted, self.handle, paintings=self.paintings))

    def undo(self) -> "Person":
        return self._took(painting.undo(self.picture, self.mask, self.handle, paintings=self.paintings))

    def clear(self) -> "Person":
        return self._took(painting.clear(self.picture, self.mask, self.handle, paintings=self.paintings))

    def stroke(self, *place: int, value: int = 255) -> "Person":
        self.mask = self.mask.copy()
        self.mask[place] = value
        return self


@pytest.fixture
def person(desk: FakeDesk, paintings: Sessions[Painting], picture: np.ndarray) -> Person:
    return Person(desk, paintings, picture)


@pytest.mark.parametrize(
    "how, expected",
    [(REPLACE, FOX_MASK), (ADD, np.maximum(FOX_MASK, SNOW_MASK)), (SUBTRACT, SNOW_MASK), (WITHIN, 0 * FOX_MASK)],
)
def test_a_canvas_takes_the_mask_in_four_ways(person: Person, how: str, expected: np.ndarray) -> None:
    person.mask = SNOW_MASK
    np.testing.assert_array_equal(person.words("fox", how).mask, expected)


def test_subtracting_takes_away(person: Person) -> None:
    person.mask = np.full((3, 5), 255, np.uint8)
    np.testing.assert_array_equal(person.words("fox", SUBTRACT).mask, 255 - FOX_MASK)


def test_what_is_painted_can_bound_the_words(person: Person) -> None:
    column = np.zeros((3, 5), np.uint8)
    column[:, FOX_MASK.any(axis=0).argmax()] = 255
    person.mask = column
    kept = person.words("fox", WITHIN).mask
    np.testing.assert_array_equal(kept, np.minimum(column, FOX_MASK))
    assert 0 < np.count_nonzero(kept) < np.count_nonzero(FOX_MASK)


@pytest.mark.parametrize("how", WAYS)
def test_what_is_not_found_leaves_the_canvas_alone(person: Person, how: str) -> None:
    person.mask = SNOW_MASK
    np.testing.assert_array_equal(person.words("owl", how).mask, SNOW_MASK)


def test_a_slider_cuts_from_what_was_there_before(person: Person) -> None:
    person.mask = SNOW_MASK
    person.words("fox", ADD)

    np.testing.assert_array_equal(person.slide(ADD, threshold=0.95).mask, SNOW_MASK)
    np.testing.assert_array_equal(person.slide(REPLACE).mask, FOX_MASK)
    assert person.desk.asked == 1


def test_a_slider_keeps_what_was_painted_and_erased_by_hand(person: Person) -> None:
    person.words("fox").stroke(*CORNER).stroke(0, 0, value=0)
    person.slide(invert=True).slide(threshold=0.7).stroke(2, 2).slide()
    expected = FOX_MASK.copy()
    expected[CORNER] = expected[2, 2] = 255
    expected[0, 0] = 0

    np.testing.assert_array_equal(person.mask, expected)


def test_a_slider_before_the_page_has_drawn_takes_nothing_for_strokes(person: Person) -> None:
    drawn = person.words("fox").mask
    person.slide(invert=True)
    person.mask = drawn  # the browser is still at the mask before

    np.testing.assert_array_equal(person.slide().mask, FOX_MASK)
    assert (person.slide(threshold=0.95).mask == 0).all()


def test_a_threshold_that_leaves_nothing_brings_no_older_mask_back(person: Person) -> None:
    person.mask = SNOW_MASK
    assert not person.words("fox").slide(threshold=0.95).mask.any()


def test_undo_goes_back_step_by_step_and_then_says_so(person: Person) -> None:
    person.words("fox").words("snow")

    np.testing.assert_array_equal(person.undo().mask, FOX_MASK)
    assert not person.undo().mask.any()
    assert "Nothing is left to undo" in person.undo().message


def test_undo_brings_strokes_back_that_words_replaced_and_keeps_those_made_since(person: Person) -> None:
    person.words("fox").stroke(*CORNER).words("snow").stroke(1, 3).undo()
    expected = FOX_MASK.copy()
    expected[CORNER] = expected[1, 3] = 255

    np.testing.assert_array_equal(person.mask, expected)


def test_a_slider_after_undo_says_that_there_is_nothing_to_cut(person: Person) -> None:
    person.mask = SNOW_MASK
    person.words("fox").undo().slide(invert=True)

    np.testing.assert_array_equal(person.mask, SNOW_MASK)
    assert "No mask of words is on the canvas" in person.message


def test_clear_empties_and_undo_brings_back_also_what_was_painted_before_any_words(person: Person) -> None:
    person.stroke(*CORNER)
    by_hand = person.mask

    assert not person.clear().mask.any()
    np.testing.assert_array_equal(person.undo().mask, by_hand)
    person.words("fox").clear()
    np.testing.assert_array_equal(person.undo().mask, FOX_MASK)


@pytest.mark.parametrize("act", ["slide", "undo"])
@pytest.mark.parametrize("size", [(3, 5), (6, 4)])
def test_an_answer_is_never_put_on_another_picture(person: Person, act: str, size: tuple[int, int]) -> None:
    person.words("fox")
    person.picture, person.mask = np.full((*size, 3), 7, np.uint8), np.zeros(size, np.uint8)
    getattr(person, act)()

    assert "The picture has changed" in person.message
    assert person.mask.shape == size
    assert not person.mask.any()


def test_words_on_another_picture_begin_anew(person: Person) -> None:
    person.words("fox")
    person.picture, person.mask = np.full((3, 5, 3), 7, np.uint8), NOTHING
    person.words("snow").undo()

    assert not person.mask.any()
    assert "Nothing is left to undo" in person.undo().message


def test_before_any_words_undo_says_that_none_were_asked(person: Person) -> None:
    assert "no mask of words yet" in person.undo().message


def test_without_a_picture_it_is_said(person: Person) -> None:
    person.picture = None  # type: ignore[assignment]
    assert "There is no picture" in person.clear().message


def test_a_painted_layer_is_read_by_its_alpha_at_any_size(person: Person) -> None:
    layer = np.zeros((6, 10, 4), np.uint8)
    layer[4:, :, 3] = 255
    person.mask = Image.fromarray(layer)  # type: ignore[assignment]

    np.testing.assert_array_equal(person.words("owl", ADD).mask, SNOW_MASK)


def test_a_resized_canvas_edges_are_no_strokes(desk: FakeDesk, paintings: Sessions[Painting]) -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[4:12, 6:20] = 255
    larger = Image.fromarray(mask).resize((41, 27))
    now, resized = painting._grey(larger, mask.shape)

    assert resized
    assert (np.abs(now.astype(int) - mask) > 32).any()
    assert not painting._differs(now, mask, resized=True).any()
