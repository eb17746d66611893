"""From the words' mask to the one that is used: what each step does, and that they come in the order a person sees."""

import sys
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ldznet_ext.errors import OptionError
from ldznet_ext.masks.edits import NOTHING, Edits
from ldznet_ext.masks.finish import finish
from ldznet_ext.request import MaskSettings

ROWS = (
    "aaaa......",
    "a..a...bb.",
    "aaaa...bb.",
    "..........",
    ".c........",
)
SETTINGS = st.builds(
    MaskSettings,
    islands=st.sampled_from([0, 3, 9]),
    keep=st.integers(0, 2),
    holes=st.booleans(),
    grow=st.integers(-2, 2),
    feather=st.sampled_from([0.0, 1.5]),
    invert=st.booleans(),
)


def mask(letters: str = "abc") -> np.ndarray:
    return np.array([[letter in letters for letter in row] for row in ROWS])


def at(*points: tuple[int, int]) -> np.ndarray:
    """Bool of the same size, true at (x, y)."""
    out = np.zeros((5, 10), bool)
    for x, y in points:
        out[y, x] = True
    return out


def made(edits: Edits = NOTHING, given: np.ndarray | None = None, **settings: object) -> np.ndarray:
    return finish(mask() if given is None else given, MaskSettings(**settings), edits)


def same(grey: np.ndarray, expected: np.ndarray) -> None:
    assert grey.dtype == np.uint8
    np.testing.assert_array_equal(grey, 255 * expected.astype(np.uint8))


def test_without_a_wish_it_is_the_mask() -> None:
    same(made(), mask())


def test_pieces_holes_and_growth() -> None:
    same(made(islands=4), mask("ab"))
    same(made(keep=1), mask("a"))
    same(made(holes=True), mask() | at((1, 1), (2, 1)))
    same(made(grow=-1), at((0, 0)))
    same(made(grow=-1, holes=True), at(*((x, y) for x in range(3) for y in range(2))))


def test_a_click_counts_for_the_piece_before_it_was_grown() -> None:
    same(made(Edits(drop=((7, 1),))), mask("ac"))
    same(made(Edits(keep=((8, 2), (1, 4)))), mask("bc"))
    far = Edits(keep=((9, 4),))  # two pixels away from b
    same(made(far), mask("b"))
    same(made(Edits(keep=((9, 4),), drop=((9, 4),))), mask(""))


def test_what_is_drawn_has_the_drawn_size_whatever_grows() -> None:
    edits = Edits(add=at((5, 4)), erase=at((8, 1)))
    grown = made(grow=1) > 0
    same(made(edits, grow=1), (grown | at((5, 4))) & ~at((8, 1)))
    same(made(edits, grow=1, invert=True), ~((grown | at((5, 4))) & ~at((8, 1))))


def test_only_cuts_the_words_and_the_hand_alike_and_what_is_erased_is_gone() -> None:
    edits = Edits(add=at((5, 4), (0, 4)), only=at((0, 0), (5, 4), (7, 1)), erase=at((0, 0)))
    same(made(edits, holes=True), at((5, 4), (7, 1)))


def test_an_outline_drawn_by_hand_is_filled_and_a_hole_that_was_erased_is_none() -> None:
    ring = at((5, 0), (6, 0), (5, 2), (6, 2), (4, 1), (7, 1))
    empty = np.zeros((5, 10), bool)
    same(made(Edits(add=ring), empty), ring)
    same(made(Edits(add=ring), empty, holes=True), ring | at((5, 1), (6, 1)))
    same(made(Edits(erase=at((1, 1))), holes=True), (mask() | at((2, 1))) & ~at((1, 1)))


def test_no_haze_of_what_was_dropped_is_left_of_a_soft_mask() -> None:
    soft = np.full((5, 10), 0.25, np.float32)
    soft[mask()] = 0.9
    grey = made(given=soft, keep=1)
    assert (grey[mask("a")] == 230).all() and not grey[mask("bc")].any()
    assert not grey[1, 9] and grey[0, 4] == 64, "nearer to b; nearer to a"
    assert not made(Edits(keep=((9, 4),)), soft, islands=9).any(), "nothing is kept"
    np.testing.assert_array_equal(made(given=soft), np.where(mask(), 230, 64))
    turned = made(Edits(erase=at((0, 0))), soft, holes=True, invert=True)
    np.testing.assert_array_equal(turned < 128, (mask() | at((1, 1), (2, 1))) & ~at((0, 0)))


@given(arrays(bool, (5, 10)), SETTINGS, arrays(bool, (5, 10)), arrays(bool, (5, 10)))
def test_a_soft_mask_is_finished_as_the_hard_one_in_it(
    hard: np.ndarray, settings: MaskSettings, add: np.ndarray, erase: np.ndarray
) -> None:
    edits, plain = Edits(add=add, erase=erase), MaskSettings(**{**settings.to_mapping(), "feather": 0})
    soft = np.where(hard, np.float32(0.7), np.float32(0.2))
    np.testing.assert_array_equal(finish(soft, plain, edits) >= 128, finish(hard, plain, edits) >= 128)
    assert finish(soft, settings, edits).shape == (5, 10)


@pytest.fixture
def matting(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """One that makes every pixel half the thing's."""
    fake = ModuleType("ldznet_ext.masks.matting")
    fake.alpha = lambda picture, grey, *, band: np.full_like(grey, 100)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    return fake


def test_soft_alpha_asks_the_picture_and_leaves_erased_what_was_erased(matting: ModuleType) -> None:
    picture, edits = np.zeros((5, 10, 3), np.uint8), Edits(erase=at((0, 0)))
    grey = finish(mask(), MaskSettings(alpha=True), edits, picture)
    assert grey[0, 0] == 0 and (grey.ravel()[1:] == 100).all()
    assert (finish(mask(), MaskSettings(alpha=True, invert=True), NOTHING, picture) == 155).all()
    assert not finish(mask(""), MaskSettings(alpha=True), NOTHING, picture).any(), "of nothing there is no edge"
    with pytest.raises(OptionError, match="no picture to read it from"):
        finish(mask(), MaskSettings(alpha=True), NOTHING)
