"""What was done by hand: kept, written, read, and refused where it cannot be."""

import json
from typing import Any

import numpy as np
import pytest

from ldznet_ext.errors import OptionError
from ldznet_ext.masks.edits import NOTHING, Edits


def mask(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


FULL = Edits(
    add=mask("##.", "..."), erase=mask("..#", "..."), only=mask("###", "#.."), keep=((0, 1),), drop=((2, 0), (1, 1))
)


def test_nothing_is_nothing() -> None:
    assert not NOTHING and NOTHING.to_mapping() == {} and NOTHING.bytes == 0
    assert Edits.from_mapping({}) == Edits.from_mapping(None) == Edits(add=None, keep=()) == NOTHING
    assert Edits(drop=((0, 0),)) and Edits(erase=np.zeros((2, 3), bool))


def test_all_of_it_survives_json() -> None:
    written = json.loads(json.dumps(FULL.to_mapping()))
    assert list(written) == ["add", "erase", "only", "keep", "drop"]
    assert written["add"] == {"size": [2, 3], "counts": "01102"} and written["drop"] == [[2, 0], [1, 1]]
    back = Edits.from_mapping(written)
    assert back == FULL and back != NOTHING and back.keep == ((0, 1),)
    np.testing.assert_array_equal(back.only, FULL.only)
    assert back.bytes == 18


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("fox", "edits are of the type str"),
        ({"colour": 1}, 'no edit "colour"; expected one of add, erase, only, keep, drop'),
        ({"add": "0"}, "mask cannot be read"),
        ({"keep": 3}, 'clicks "keep" are no list'),
        ({"keep": [[1]]}, r'click of "keep" is \[1\]'),
        ({"drop": [[1, -1]]}, "whole numbers from 0 on"),
        ({"drop": [[1, 0.5]]}, "whole numbers from 0 on"),
        ({"drop": [[1, True]]}, "whole numbers from 0 on"),
        ({"drop": [[1, 1]] * 1001}, "at most 1000"),
        ({"add": {"size": [1, 2], "counts": "2"}, "only": {"size": [2, 1], "counts": "2"}}, "have the sizes"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(given: Any, says: str) -> None:
    with pytest.raises(OptionError, match=says) as caught:
        Edits.from_mapping(given)
    assert "\n" not in str(caught.value)


def test_masks_are_bool_and_of_the_pictures_size() -> None:
    with pytest.raises(OptionError, match="no bool array"):
        Edits(add=np.zeros((2, 3), np.uint8))
    FULL.check((2, 3))
    with pytest.raises(OptionError, match='"add" is 3 x 2; expected 5 x 4'):
        FULL.check((4, 5))
    with pytest.raises(OptionError, match="click 2, 0 is outside the picture of 2 x 3"):
        Edits(drop=((2, 0),)).check((3, 2))


def test_a_click_that_drops_a_piece_takes_what_was_drawn_in_it_along() -> None:
    drawn = Edits(add=mask("#.#", "#.."), keep=((2, 0),))
    edits = drawn.dropped(1, 0, mask("##.", "##."))
    np.testing.assert_array_equal(edits.add, mask("..#", "..."))
    assert edits.drop == ((1, 0),) and edits.keep == ((2, 0),) and drawn.drop == ()
    assert edits.dropped(2, 0, mask("..#", "...")).add is None
    assert NOTHING.dropped(1, 0, mask("##.", "##.")).to_mapping() == {"drop": [[1, 0]]}
