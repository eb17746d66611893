"""The quick actions: open, pick, cut, stroke, click, undo; what is refused changes nothing; nobody sees another's page."""

import threading

import numpy as np
import pytest

from ldznet_ext.app import actions, asking
from ldznet_ext.app.drawing import mask_of
from ldznet_ext.app.room import Room
from ldznet_ext.app.work import Moment, Work
from tests.unit.app.conftest import FOX, SIZE, SNOW, FakeDesk, moment, png

FOX_MASK = (FOX > 0.5) * 255


def mask(room: Room, page: str) -> np.ndarray:
    return mask_of(moment(room, page))


def test_a_picture_that_is_opened_is_shown_under_its_name(room: Room, page: str) -> None:
    told = actions.open_picture(room, page, png(np.full((4, 7, 3), 9, np.uint8)), "C:\\holiday\\beach.png")

    assert (told["size"], told["name"], told["answered"]) == ([4, 7], "beach", False)
    assert told["history"] == ["Example", "Opened"]


def test_words_and_sliders_stay_for_the_next_picture(room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    actions.cut(room, page, {"grow": 1})
    told = actions.open_picture(room, page, png(np.zeros((4, 7, 3), np.uint8)), "sea.png")

    assert (told["words"], told["settings"]["grow"], told["answered"]) == ("fox", 1, False)
    assert not mask(room, page).any()


@pytest.mark.parametrize("content", [b"", b"no picture", png(np.zeros((2, 40, 3), np.uint8))])
def test_what_is_no_picture_is_refused_and_changes_nothing(room: Room, page: str, content: bytes) -> None:
    told = actions.open_picture(room, page, content, "x")

    assert "ldznet-complaint" in told["message"]
    assert told["history"] == ["Example"]


def test_a_part_that_is_picked_is_the_mask(room: Room, page: str, desk: FakeDesk) -> None:
    asking.parts(room, page, "snow fox owl")
    told = actions.pick(room, page, 1)

    assert told["chosen"] == told["words"] == "snow"
    np.testing.assert_array_equal(mask(room, page), (SNOW > 0.5) * 255)
    assert [part["there"] for part in told["parts"]] == [True, True, False]
    assert len(desk.asked) == 1


def test_a_part_that_there_is_not_is_refused(room: Room, page: str) -> None:
    assert "no such part" in actions.pick(room, page, 1)["message"]


def test_a_cut_asks_no_model_and_is_one_step_however_often_it_moves(room: Room, page: str, desk: FakeDesk) -> None:
    asking.find(room, page, "fox")
    actions.cut(room, page, {"threshold": 0.7})
    told = actions.cut(room, page, {"threshold": 0.8})

    np.testing.assert_array_equal(mask(room, page), (FOX > 0.8) * 255)
    assert told["settings"]["threshold"] == 0.8
    assert told["history"] == ["Example", "fox", "Shape"]
    assert len(desk.asked) == 1


def test_a_control_let_go_where_it_was_is_no_step(room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    assert actions.cut(room, page, {"grow": 0})["history"] == ["Example", "fox"]


@pytest.mark.parametrize("cuts", [{"threshold": 1.5}, {"grow": "a lot"}, {"colour": "red"}])
def test_settings_out_of_range_are_a_sentence(room: Room, page: str, cuts: dict) -> None:
    asking.find(room, page, "fox")
    told = actions.cut(room, page, cuts)

    assert "ldznet-complaint" in told["message"]
    assert told["history"] == ["Example", "fox"]


def test_a_piece_that_is_clicked_goes_comes_back_and_stands_alone(room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    actions.point(room, page, 1, 1, alone=False)
    assert not mask(room, page)[:2].any() and mask(room, page)[3:5].any()

    actions.point(room, page, 1, 1, alone=False)
    np.testing.assert_array_equal(mask(room, page), FOX_MASK)

    actions.point(room, page, 6, 4, alone=True)
    assert not mask(room, page)[:2].any() and mask(room, page)[3:5].any()


def test_a_piece_left_out_by_another_alone_comes_back_by_a_click(room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    actions.point(room, page, 6, 4, alone=True)
    told = actions.point(room, page, 1, 1, alone=False)

    np.testing.assert_array_equal(mask(room, page), FOX_MASK)
    assert told["history"][-1] == "Piece kept"


def test_a_stroke_that_is_clicked_goes(room: Room, page: str) -> None:
    actions.stroke(room, page, [(1, 2), (6, 2)], 1.0, erase=False, snap=False)
    assert mask(room, page).any()
    actions.point(room, page, 3, 2, alone=False)
    assert not mask(room, page).any()


def test_what_was_drawn_goes_by_a_click_and_another_stands_alone(room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    actions.stroke(room, page, [(7, 0)], 0.5, erase=False, snap=False)
    actions.point(room, page, 1, 1, alone=True)
    assert mask(room, page)[:2, :3].all() and not mask(room, page)[:, 4:].any()

    actions.go(room, page, by=-1)
    actions.point(room, page, 7, 0, alone=False)
    np.testing.assert_array_equal(mask(room, page), FOX_MASK)


def test_a_click_beside_everything_is_a_sentence(room: Room, page: str, picture: np.ndarray) -> None:
    wide = np.zeros((40, 60), np.float32)
    wide[:3, :3] = 0.9
    assert "There is no mask yet" in actions.point(room, page, 1, 1, alone=False)["message"]
    asking.find(room, page, "owl")
    assert "No piece" in actions.point(room, page, 1, 1, alone=False)["message"]


def test_strokes_add_and_erase_and_the_later_one_counts(room: Room, page: str) -> None:
    actions.stroke(room, page, [(1, 2), (6, 2)], 1.0, erase=False, snap=False)
    assert mask(room, page)[2, 1:7].all()

    told = actions.stroke(room, page, [(3, 2)], 1.0, erase=True, snap=False)
    assert not mask(room, page)[2, 3] and mask(room, page)[2, 6]
    assert told["history"] == ["Example", "Drawn", "Erased"]
    assert told["drawn"] and told["answered"]

    actions.stroke(room, page, [(3, 2)], 1.0, erase=False, snap=False)
    assert mask(room, page)[2, 3]


@pytest.mark.parametrize("points", [[], [[1]], [["a", "b"]], [[float("nan"), 1.0]], None])
def test_a_stroke_that_is_none_is_a_sentence(room: Room, page: str, points: object) -> None:
    told = actions.stroke(room, page, points, 2.0, erase=False, snap=False)  # type: ignore[arg-type]
    assert "ldznet-complaint" in told["message"] and told["history"] == ["Example"]


def test_strokes_of_a_quick_hand_are_all_kept(room: Room, page: str) -> None:
    asking.find(room, page, "owl")
    strokes = [threading.Thread(target=_dot, args=(room, page, x)) for x in range(8)]
    for each in strokes:
        each.start()
    for each in strokes:
        each.join()

    assert mask(room, page)[2].all()
    assert len(room.works.get(page).moments) == 2 + 8


def _dot(room: Room, page: str, x: int) -> None:
    actions.stroke(room, page, [(x, 2)], 0.5, erase=False, snap=False)


def test_clear_takes_the_hand_back_and_leaves_the_answer(room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    actions.stroke(room, page, [(3, 3)], 1.0, erase=False, snap=False)
    told = actions.clear(room, page)

    np.testing.assert_array_equal(mask(room, page), FOX_MASK)
    assert not told["drawn"]


def test_undo_and_redo_bring_back_the_mask_and_the_settings(room: Room, page: str) -> None:
    asking.find(room, page, "fox")
    actions.cut(room, page, {"invert": True})
    assert actions.go(room, page, by=-1)["settings"]["invert"] is False
    np.testing.assert_array_equal(mask(room, page), FOX_MASK)
    assert actions.go(room, page, by=1)["settings"]["invert"] is True
    assert actions.go(room, page, to=0)["at"] == 0


def test_two_pages_never_see_each_other(room: Room, page: str) -> None:
    other = room.open(Work(moments=(Moment(label="Example", picture=np.zeros((*SIZE, 3), np.uint8)),)))
    asking.find(room, page, "fox")

    assert other != page and len(other) >= 32
    assert actions.show(room, other)["history"] == ["Example"]
    assert not mask(room, other).any()


def test_a_defect_is_a_sentence_too(room: Room, page: str, desk: FakeDesk) -> None:
    desk.refuse = RuntimeError("a <tensor> is elsewhere")
    told = asking.find(room, page, "fox")

    assert "went wrong inside" in told["message"] and "<tensor>" not in told["message"]


@pytest.mark.parametrize("erase", [False, True])
def test_a_stroke_does_the_same_to_what_is_seen_while_it_is_inverted(room: Room, page: str, erase: bool) -> None:
    asking.find(room, page, "fox")
    actions.cut(room, page, {"invert": True})
    x, y = (6, 1) if erase else (1, 0)
    before = mask(room, page)[y, x]
    actions.stroke(room, page, [(x, y)], 0.4, erase=erase, snap=False)

    assert (before, mask(room, page)[y, x]) == ((255, 0) if erase else (0, 255))
