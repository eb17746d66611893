"""Run lengths, held to what pycocotools writes of the same masks."""

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ldznet_ext.errors import OptionError
from ldznet_ext.masks.rle import decode, encode, runs

FAR = np.zeros((2000, 1500), bool)
FAR[3:1990, 1400:1402] = FAR[7, 2] = True


def drawn(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


BY_PYCOCOTOOLS = [
    (drawn(".##", ".#."), "231"),
    (np.ones((4, 3), bool), "0<"),
    (np.zeros((2000, 1500), bool), "Pfak2"),
    (FAR, "Wm31k^Ze2Rn1baeZM0m\\o5"),
]


@pytest.mark.parametrize(("mask", "counts"), BY_PYCOCOTOOLS, ids=[counts for _, counts in BY_PYCOCOTOOLS])
def test_the_text_is_the_one_that_pycocotools_writes(mask: np.ndarray, counts: str) -> None:
    assert encode(mask) == {"size": list(mask.shape), "counts": counts}
    np.testing.assert_array_equal(decode({"size": list(mask.shape), "counts": counts}), mask)
    np.testing.assert_array_equal(decode({"size": list(mask.shape), "counts": counts.encode()}), mask)


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_any_mask_comes_back(mask: np.ndarray) -> None:
    back = decode(encode(mask))
    np.testing.assert_array_equal(back, mask)
    assert back.flags.c_contiguous
    lengths = runs(mask).tolist()
    assert sum(lengths) == mask.size and all(lengths[1:])
    np.testing.assert_array_equal(decode({"size": list(mask.shape), "counts": lengths}), mask)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "its size is None"),
        ({"size": [2, 3]}, "its counts are of the type NoneType; expected text"),
        ({"size": [2], "counts": "6"}, r"its size is \[2\]"),
        ({"size": [2, True], "counts": "2"}, "its size"),
        ({"size": [0, 3], "counts": ""}, "its size"),
        ({"size": [2, 3], "counts": "23"}, "its runs have 5 pixels together; expected 6"),
        ({"size": [2, 3], "counts": "2é1"}, "foreign character|impossible|together"),
        ({"size": [2, 3], "counts": "23~"}, "foreign character"),
        ({"size": [2, 3], "counts": "0" * 57}, "57 counts for 6 pixels; expected a run for each pixel at most"),
        ({"size": [2, 3], "counts": [0] * 57}, "57 counts for 6 pixels"),
        ({"size": [2, 3], "counts": "23Q"}, "break off"),
        ({"size": [2, 3], "counts": "7O"}, "impossible length"),
        ({"size": [2, 3], "counts": "oooooooooo0"}, "too long"),
        ({"size": [2, 3], "counts": [7, -1]}, "impossible length"),
        ({"size": [2, 3], "counts": [6.0]}, "no whole numbers"),
        ({"size": [100_000, 100_000], "counts": "0"}, "10,000,000,000 pixels"),
    ],
)
def test_what_is_damaged_is_refused_in_a_sentence(given: Any, says: str) -> None:
    with pytest.raises(OptionError, match=says) as caught:
        decode(given)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=12), st.integers(1, 5), st.integers(1, 5))
def test_no_text_does_more_than_be_refused(text: str, height: int, width: int) -> None:
    with contextlib.suppress(OptionError):
        assert decode({"size": [height, width], "counts": text}).shape == (height, width)


def test_a_map_is_no_mask() -> None:
    with pytest.raises(OptionError, match="float32"):
        encode(np.zeros((2, 3), np.float32))
