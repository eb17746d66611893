"""What asks the model: find, parts, paint, repaint, by example, load; progress, cancel, refusals."""

import threading
import time

import numpy as np
import pytest

from ldznet_ext.app import actions, asking
from ldznet_ext.app.drawing import mask_of
from ldznet_ext.app.room import Room
from tests.unit.app.conftest import FOX, FakeDesk, Refused, moment, png


def test_words_are_found_and_told(room: Room, page: str) -> None:
    told = asking.find(room, page, " fox ")

    assert told["words"] == "fox" and told["answered"]
    assert "found 0.90" in told["message"] and "ldznet on tiny" in told["message"]
    np.testing.assert_array_equal(mask_of(moment(room, page)), (FOX > 0.5) * 255)


def test_no_words_are_a_sentence(room: Room, page: str, desk: FakeDesk) -> None:
    assert "There are no words" in asking.find(room, page, "  ")["message"]
    assert desk.asked == []


def test_new_words_forget_the_hand_and_keep_the_sliders(room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    actions.cut(room, page, {"grow": 1})
    actions.stroke(room, page, [(3, 3)], 1.0, erase=False, snap=False)
    told = asking.find(room, page, "snow")

    assert not told["drawn"] and told["settings"]["grow"] == 1


def test_a_photograph_that_is_unfamiliar_is_never_called_found(room: Room, page: str, desk: FakeDesk) -> None:
    desk.familiar = False
    told = asking.find(room, page, "fox")

    assert told["unfamiliar"] and "unfamiliar" in told["message"] and "ldznet-found" not in told["message"]
    assert not mask_of(moment(room, page)).any()


def test_what_still_works_on_an_unfamiliar_picture(room: Room, page: str, desk: FakeDesk) -> None:
    desk.familiar = False
    asking.find(room, page, "fox")
    actions.stroke(room, page, [(3, 3)], 1.0, erase=False, snap=True)
    assert mask_of(moment(room, page))[3, 3] == 255
    assert asking.like(room, page)["chosen"] == "example"


def test_parts_are_ranked_and_the_mask_stays(room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    told = asking.parts(room, page, "owl, snow and fox")

    assert [part["text"] for part in told["parts"]] == ["snow", "fox", "owl", "and"]
    assert [part["there"] for part in told["parts"]] == [True, True, False, False]
    assert told["chosen"] == "fox" and told["prompt"] == "owl, snow and fox"


def test_a_painted_picture_comes_with_its_parts(room: Room, page: str, desk: FakeDesk) -> None:
    told = asking.generate(room, page, "fox on snow", seed=3, steps=7, guidance=4.0)

    assert desk.asked[0] == ("generate", ("fox on snow", {"steps": 7, "seed": 3, "guidance": 4.0, "negative": ""}))
    assert told["prompt"] == "fox on snow" and told["name"] == "fox-on-snow" and not told["answered"]
    assert {part["text"] for part in told["parts"]} == {"fox", "snow"}


def test_repainting_changes_the_picture_under_the_mask_and_keeps_the_one_before(
    room: Room, page: str, desk: FakeDesk, picture: np.ndarray
) -> None:
    asking.find(room, page, "fox")
    told = asking.repaint(room, page, "an owl", seed=5, strength=0.5)
    now = moment(room, page)

    assert told["before"] and now.before is picture
    assert (now.picture[FOX > 0.5] == 255).all() and (now.picture[FOX <= 0.5] == 128).all()
    assert desk.asked[-1][1][2] == {"negative": "", "seed": 5, "steps": 20, "strength": 0.5}


def test_another_repaint_starts_from_the_picture_as_it_was(room: Room, page: str, picture: np.ndarray) -> None:
    asking.find(room, page, "fox")
    asking.repaint(room, page, "an owl")
    asking.repaint(room, page, "an owl", seed=1)

    assert moment(room, page).before is picture


def test_another_part_is_repainted_in_what_was_repainted_before(room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    asking.repaint(room, page, "an owl")
    asking.find(room, page, "snow")
    asking.repaint(room, page, "grass")

    assert (moment(room, page).picture[FOX > 0.5] == 255).all(), "the owl is still there"


def test_repainting_nothing_is_a_sentence(room: Room, page: str, desk: FakeDesk) -> None:
    assert "The mask is empty" in asking.repaint(room, page, "an owl")["message"]
    assert desk.asked == []


def test_the_mask_is_the_example_and_a_click_is_one_too(room: Room, page: str, desk: FakeDesk) -> None:
    asking.find(room, page, "fox")
    asking.like(room, page)
    np.testing.assert_array_equal(desk.asked[-1][1], FOX > 0.5)

    asking.like(room, page, place=(3.0, 4.0))
    assert desk.asked[-1][1] == [(3.0, 4.0)]


def test_an_example_is_found_in_other_pictures_the_surest_shown(room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    files = [(f"{name}.png", png(np.full((6, 8, 3), 10 * number, np.uint8))) for number, name in enumerate("abc")]
    told = asking.like_in(room, page, files)

    assert told["history"] == ["Example", "fox", "a", "b", "c"]
    assert told["name"] == "b" and told["at"] == 3


def test_no_example_and_no_pictures_are_sentences(room: Room, page: str) -> None:
    assert "There is no example" in asking.like(room, page)["message"]
    assert "There are no other pictures" in asking.like_in(room, page, [])["message"]


def test_another_model_is_loaded_and_named(room: Room, page: str, desk: FakeDesk) -> None:
    told = asking.load(room, page, "other")
    assert told["model"] == "other" and "other is loaded" in told["message"]

    desk.refuse = Refused("There is no room; expected some, so make some.")
    assert "There is no room" in asking.load(room, page, "tiny")["message"]


def test_a_model_that_fails_to_load_is_told(room: Room, page: str, desk: FakeDesk) -> None:
    desk.refuse = RuntimeError("a torn file")
    assert "a torn file" in asking.load(room, page, "other")["message"]


def test_what_is_refused_leaves_everything_as_it_was(room: Room, page: str, desk: FakeDesk) -> None:
    asking.find(room, page, "fox")
    desk.refuse = Refused("The model is away; expected one, so load it.")
    told = asking.find(room, page, "snow")

    assert "The model is away" in told["message"]
    assert told["words"] == "fox" and told["history"] == ["Example", "fox"]


def test_a_page_tells_how_far_it_is_and_can_stop(room: Room, page: str, desk: FakeDesk) -> None:
    desk.slow = True
    answers: list[dict] = []
    waiting = threading.Thread(target=lambda: answers.append(asking.find(room, page, "fox")))
    waiting.start()
    try:
        _until(lambda: room.running.find(page) is not None and room.running.find(page).progress.done == 0.5)
        asking.cancel(room, page)
        waiting.join(5)
    finally:
        desk.go.set()
    assert "Cancelled" in answers[0]["message"] and answers[0]["history"] == ["Example"]
    assert room.running.find(page) is None


def test_a_second_question_ends_the_first(room: Room, page: str, desk: FakeDesk) -> None:
    desk.slow = True
    answers: list[dict] = []
    waiting = threading.Thread(target=lambda: answers.append(asking.find(room, page, "fox")))
    waiting.start()
    _until(lambda: bool(desk.asked))
    desk.go.clear()
    threading.Timer(0.1, desk.go.set).start()
    told = asking.find(room, page, "snow")
    waiting.join(5)

    assert told["words"] == "snow"
    assert "Cancelled" in answers[0]["message"]


def test_an_answer_does_not_bring_back_a_picture_that_was_left(room: Room, page: str, desk: FakeDesk) -> None:
    desk.slow = True
    answers: list[dict] = []
    waiting = threading.Thread(target=lambda: answers.append(asking.find(room, page, "fox")))
    waiting.start()
    _until(lambda: bool(desk.asked))
    actions.open_picture(room, page, png(np.zeros((4, 7, 3), np.uint8)), "sea.png")
    desk.go.set()
    waiting.join(5)

    assert answers[0]["name"] == "sea" and answers[0]["history"] == ["Example", "Opened"]


def test_a_stroke_tells_that_the_page_still_waits(room: Room, page: str, desk: FakeDesk) -> None:
    desk.slow = True
    waiting = threading.Thread(target=lambda: asking.find(room, page, "fox"))
    waiting.start()
    _until(lambda: bool(desk.asked))
    meanwhile = actions.stroke(room, page, [(3, 3)], 1.0, erase=False, snap=False)
    desk.go.set()
    waiting.join(5)

    assert meanwhile["busy"] and not actions.show(room, page)["busy"]


def _until(true: "object") -> None:
    for _ in range(500):
        if true():  # type: ignore[operator]
            return
        time.sleep(0.01)
    pytest.fail("It never came to that.")
