"""What the panel's buttons do: answers, cuts without a model, canvases with undo, regions, refusals as sentences."""

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import OptionError
from ldznet_ext.request import MaskSettings
from ldznet_ext.ui import handlers
from ldznet_ext.ui.handlers import ADD, REPLACE, SUBTRACT
from ldznet_ext.ui.sessions import Sessions
from tests.unit.ui.conftest import FOX, SNOW, FakeDesk

FOX_MASK = (FOX > 0.5) * 255
SNOW_MASK = (SNOW > 0.5) * 255
PLAIN = {"threshold": None, "grow": 0, "feather": 0.0, "invert": False}


def words(text: str, **more: int) -> MaskSettings:
    return MaskSettings(words=text, **more)


def test_find_shows_mask_overlay_and_score(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    view = handlers.find(desk, picture, words("fox"), sessions=sessions)

    np.testing.assert_array_equal(view.mask, FOX_MASK)
    assert view.overlay.shape == (3, 5, 3)
    assert (view.overlay[0, 0] != picture[0, 0]).any()
    assert "found 0.90" in view.message
    assert view.handle


def test_find_takes_any_picture(desk: FakeDesk, sessions: Sessions) -> None:
    palette = Image.new("RGBA", (5, 3), (255, 0, 0, 0)).convert("P")
    assert handlers.find(desk, palette, words("fox"), sessions=sessions).mask.shape == (3, 5)


@pytest.mark.parametrize(
    "text, said", [("owl", "not found 0.10"), ("xylophonist", "unknown word"), ("fox", "found 0.90")]
)
def test_the_message_names_the_status(
    desk: FakeDesk, sessions: Sessions, picture: np.ndarray, text: str, said: str
) -> None:
    assert said in handlers.find(desk, picture, words(text), sessions=sessions).message


def test_an_unfamiliar_picture_is_called_so(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    desk.familiar = False
    view = handlers.find(desk, picture, words("fox"), sessions=sessions)

    assert "unfamiliar 0.90" in view.message
    assert not view.mask.any()


def test_recut_asks_no_model(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    handle = handlers.find(desk, picture, words("fox"), sessions=sessions).handle
    higher = handlers.recut(handle, {**PLAIN, "threshold": 0.7}, sessions=sessions)
    inverted = handlers.recut(handle, {**PLAIN, "invert": True}, sessions=sessions)

    assert desk.asked == 1
    assert np.count_nonzero(higher.mask) == 3
    np.testing.assert_array_equal(inverted.mask, 255 - FOX_MASK)
    assert inverted.handle == handle


def test_recut_of_a_forgotten_answer_says_what_to_do(sessions: Sessions) -> None:
    view = handlers.recut("gone", PLAIN, sessions=sessions)

    assert view.mask is None
    assert "ask for the mask again" in view.message


@pytest.mark.parametrize(
    "given, text, said",
    [(None, "fox", "There is no picture"), ("picture", " ", "There are no words")],
)
def test_what_is_missing_is_said(
    desk: FakeDesk, sessions: Sessions, picture: np.ndarray, given: str | None, text: str, said: str
) -> None:
    view = handlers.find(desk, None if given is None else picture, words(text), sessions=sessions)

    assert said in view.message
    assert view.mask is None
    assert desk.asked == 0


def test_settings_that_cannot_be_made_are_said(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    view = handlers.find(desk, picture, lambda: words("fox", grow=9999), sessions=sessions)

    assert "9999" in view.message
    assert desk.asked == 0


def test_refusals_and_failures_become_sentences_and_are_escaped(
    desk: FakeDesk, sessions: Sessions, picture: np.ndarray
) -> None:
    desk.refuse = "No <b>checkpoint</b> is loaded."
    assert "No &lt;b&gt;checkpoint" in handlers.find(desk, picture, words("fox"), sessions=sessions).message
    desk.refuse = "inside"
    assert "RuntimeError: a &lt;tensor&gt;" in handlers.find(desk, picture, words("fox"), sessions=sessions).message


def test_regions_show_what_is_found_in_order_and_name_the_rest(
    desk: FakeDesk, sessions: Sessions, picture: np.ndarray
) -> None:
    found = handlers.regions(desk, picture, "owl fox snow", words(""), sessions=sessions)

    assert [label for _, label in found.sections] == ["fox 0.90", "snow 0.90"]
    np.testing.assert_array_equal(found.sections[0][0] > 0, FOX_MASK > 0)
    assert 0 < found.sections[0][0].min(where=FOX_MASK > 0, initial=1) <= 1
    assert "owl</b> not found 0.10" in found.message


def test_a_picked_region_is_a_mask_with_a_handle_of_its_own(
    desk: FakeDesk, sessions: Sessions, picture: np.ndarray
) -> None:
    found = handlers.regions(desk, picture, "fox snow", words(""), sessions=sessions)
    view = handlers.pick(found.handle, 1, sessions=sessions)
    cut = handlers.recut(view.handle, {**PLAIN, "invert": True}, sessions=sessions)

    np.testing.assert_array_equal(view.mask, SNOW_MASK)
    np.testing.assert_array_equal(cut.mask, 255 - SNOW_MASK)
    assert view.handle != found.handle
    assert "expected one of 2" in handlers.pick(found.handle, 7, sessions=sessions).message
    assert desk.asked == 1


def test_regions_want_a_prompt(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    found = handlers.regions(desk, picture, "  ", words(""), sessions=sessions)

    assert "There is no prompt" in found.message
    assert found.picture is None


def test_the_cut_out_is_transparent_outside(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    cut = handlers.cut_out(handlers.find(desk, picture, words("fox"), sessions=sessions).handle, sessions=sessions)

    assert cut.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(cut)[..., 3], FOX_MASK)
    nothing = handlers.find(desk, picture, words("owl"), sessions=sessions).handle
    with pytest.raises(OptionError, match="Nothing is in the mask"):
        handlers.cut_out(nothing, sessions=sessions)


@pytest.mark.parametrize(
    "how, expected",
    [(REPLACE, FOX_MASK), (ADD, np.maximum(FOX_MASK, SNOW_MASK)), (SUBTRACT, SNOW_MASK)],
)
def test_a_canvas_takes_the_mask_in_three_ways(
    desk: FakeDesk, sessions: Sessions, picture: np.ndarray, how: str, expected: np.ndarray
) -> None:
    painted = Image.fromarray(SNOW_MASK.astype(np.uint8))
    view = handlers.onto_canvas(desk, picture, painted, words("fox"), how, sessions=sessions)

    np.testing.assert_array_equal(view.mask, expected)


def test_subtracting_takes_away(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    full = np.full((3, 5), 255, np.uint8)
    view = handlers.onto_canvas(desk, picture, full, words("fox"), SUBTRACT, sessions=sessions)
    np.testing.assert_array_equal(view.mask, 255 - FOX_MASK)


def test_what_is_not_found_leaves_the_canvas_alone(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    painted = SNOW_MASK.astype(np.uint8)
    for how in (REPLACE, ADD, SUBTRACT):
        view = handlers.onto_canvas(desk, picture, painted, words("owl"), how, sessions=sessions)
        np.testing.assert_array_equal(view.mask, painted)


def test_a_slider_cuts_from_what_was_there_before(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    painted = SNOW_MASK.astype(np.uint8)
    view = handlers.onto_canvas(desk, picture, painted, words("fox"), ADD, sessions=sessions)
    cut = handlers.repaint(view.handle, ADD, {**PLAIN, "threshold": 0.95}, sessions=sessions)
    back = handlers.repaint(view.handle, REPLACE, PLAIN, sessions=sessions)

    np.testing.assert_array_equal(cut.mask, SNOW_MASK)
    np.testing.assert_array_equal(back.mask, FOX_MASK)
    assert desk.asked == 1


def test_undo_goes_back_step_by_step_and_then_says_so(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    first = handlers.onto_canvas(desk, picture, None, words("fox"), sessions=sessions)
    second = handlers.onto_canvas(desk, picture, first.mask, words("snow"), REPLACE, first.handle, sessions=sessions)

    np.testing.assert_array_equal(handlers.undo(second.handle, sessions=sessions).mask, FOX_MASK)
    assert not handlers.undo(second.handle, sessions=sessions).mask.any()
    assert "Nothing is left to undo" in handlers.undo(second.handle, sessions=sessions).message


def test_clear_empties_and_undo_brings_it_back(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    made = handlers.onto_canvas(desk, picture, None, words("fox"), sessions=sessions)
    cleared = handlers.clear(picture, made.mask, made.handle, sessions=sessions)

    assert not cleared.mask.any()
    np.testing.assert_array_equal(handlers.undo(made.handle, sessions=sessions).mask, FOX_MASK)
    assert not handlers.clear(picture, None, sessions=sessions).mask.any()


def test_a_painted_layer_is_read_by_its_alpha_at_any_size(
    desk: FakeDesk, sessions: Sessions, picture: np.ndarray
) -> None:
    layer = np.zeros((6, 10, 4), np.uint8)
    layer[4:, :, 3] = 255
    view = handlers.onto_canvas(desk, picture, Image.fromarray(layer), words("owl"), ADD, sessions=sessions)

    np.testing.assert_array_equal(view.mask, SNOW_MASK)
