"""What the panel's buttons do: answers, cuts without a model, canvases with undo, regions, refusals as sentences."""

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import OptionError
from ldznet_ext.masks import matting
from ldznet_ext.prompt import parse
from ldznet_ext.request import MaskSettings
from ldznet_ext.ui import handlers
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


def test_a_mistake_in_the_words_is_shown_at_its_place(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    def asked() -> MaskSettings:
        parse("fox & & tail")
        return words("")

    said = handlers.find(desk, picture, asked, sessions=sessions).message
    text, caret = said.partition("<pre")[2].partition(">")[2].partition("</pre>")[0].split("\n")

    assert text == "fox &amp; &amp; tail"
    assert caret == "      ^"


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


def test_with_soft_alpha_the_cut_out_has_the_things_own_colours(
    desk: FakeDesk, sessions: Sessions, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matting, "alpha", lambda picture, mask, *, band: mask // 2)
    monkeypatch.setattr(matting, "foreground", lambda picture, mask: np.full_like(picture, 7))
    soft = handlers.find(desk, picture, words("fox", alpha=True), sessions=sessions)
    cut = np.asarray(handlers.cut_out(soft.handle, sessions=sessions))
    np.testing.assert_array_equal(cut[..., 3], FOX_MASK // 2)
    assert (cut[..., :3] == 7).all()
    hard = np.asarray(
        handlers.cut_out(handlers.find(desk, picture, words("fox"), sessions=sessions).handle, sessions=sessions)
    )
    np.testing.assert_array_equal(hard[..., :3], picture)


def test_all_that_a_prompt_names_comes_in_one_mask(desk: FakeDesk, sessions: Sessions, picture: np.ndarray) -> None:
    view = handlers.things(desk, picture, "owl fox snow", words("", grow=0), sessions=sessions)

    np.testing.assert_array_equal(view.mask, np.maximum(FOX_MASK, SNOW_MASK))
    assert "There is no prompt" in handlers.things(desk, picture, " ", words(""), sessions=sessions).message
