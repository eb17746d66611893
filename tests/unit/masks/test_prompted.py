"""A network that is asked for a mask's outline: what it is asked, which answer is taken, and when none is."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from ldznet_ext.geometry import Box
from ldznet_ext.masks.prompted import Prompt, improved, prompt_of


def disc(height: int, width: int, y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def knowing(truth: np.ndarray, *others: np.ndarray) -> Callable[[Prompt], Sequence[np.ndarray]]:
    """A network that returns the true mask, after others that are worse."""
    return lambda _: [candidate.astype(np.float32) for candidate in (*others, truth)]


def test_the_prompt_is_the_box_points_on_either_side_and_the_piece():
    piece = np.zeros((20, 30), bool)
    piece[4:16, 6:12] = piece[10:16, 6:26] = True  # an L
    prompt = prompt_of(piece)
    assert prompt.box == Box(6, 4, 26, 16) and prompt.shape is piece
    assert len(prompt.inside) == 3 and all(piece[y, x] for x, y in prompt.inside)
    assert len(prompt.outside) == 1
    for x, y in prompt.outside:
        assert not piece[y, x] and 6 <= x < 26 and 4 <= y < 16


def test_a_piece_that_fills_its_box_has_no_point_outside():
    piece = np.zeros((9, 12), bool)
    piece[2:7, 3:11] = True
    prompt = prompt_of(piece)
    assert prompt.outside == () and piece[prompt.inside[0][::-1]]


def test_the_candidate_that_agrees_best_is_taken():
    truth = disc(40, 60, 20, 30, 12)
    rough = cv2.dilate(truth.astype(np.uint8), np.ones((5, 5))) > 0
    answer = improved(rough, knowing(truth, disc(40, 60, 20, 30, 5), np.ones((40, 60))))
    assert answer.taken == answer.asked == 1 and answer.message == ""
    assert ((answer.prob > 0.5) == truth).all()


def test_what_agrees_too_little_is_refused_with_a_sentence():
    ours = disc(40, 60, 20, 15, 9)
    prob = np.where(ours, np.float32(0.75), np.float32(0.25))
    answer = improved(prob, knowing(disc(40, 60, 20, 45, 9)))
    assert answer.taken == 0 and (answer.prob == prob).all()
    assert "overlaps with it by 0.00" in answer.message and "kept as it was" in answer.message


def test_pieces_are_asked_for_one_by_one():
    """One is agreed about, one is not: the first gets the network's outline, the second stays."""
    left, right = disc(40, 80, 20, 18, 10), disc(40, 80, 20, 60, 10)
    better = disc(40, 80, 20, 18, 11)
    answer = improved(left | right, lambda prompt: [better if prompt.box.x0 < 40 else ~right])
    assert (answer.taken, answer.asked) == (1, 2) and "1 of the mask's 2 pieces" in answer.message
    assert ((answer.prob > 0.5) == (better | right)).all()


def test_specks_are_not_asked_for_and_stay():
    mask = disc(60, 60, 20, 20, 15)
    mask[55, 55] = True
    asked = []
    answer = improved(mask, lambda prompt: asked.append(prompt.box) or [prompt.shape])
    assert len(asked) == 1 and answer.prob[55, 55] == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3)])
@pytest.mark.parametrize("value", [False, True])
def test_empty_and_full(size: tuple[int, int], value: bool):
    mask = np.full(size, value)
    answer = improved(mask, lambda prompt: [prompt.shape])
    assert answer.prob.shape == size and answer.prob.dtype == np.float32
    assert answer.asked == value and ((answer.prob > 0.5) == mask).all()


def test_a_network_without_an_answer_changes_nothing():
    mask = disc(12, 18, 6, 9, 4)
    answer = improved(mask, lambda _: [])
    assert answer.taken == 0 and ((answer.prob > 0.5) == mask).all() and answer.message
