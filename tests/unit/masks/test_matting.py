"""Soft alpha: against the paper's matrix, on composites whose alpha is known, and what it must never do."""

import time

import cv2
import numpy as np
import pytest

from ldznet_ext.geometry import Size
from ldznet_ext.masks import laplacian
from ldznet_ext.masks.matting import alpha, band_of, foreground
from tests.unit.masks.composites import Composite, strands

MAGENTA = np.array([255, 0, 255.0])


@pytest.fixture(scope="module")
def hair() -> Composite:
    return strands(96, 128)


def laplacian_of_the_paper(picture: np.ndarray, eps: float) -> np.ndarray:
    """Equation 12 of the paper, dense, window by window."""
    height, width = picture.shape[:2]
    numbers = np.arange(height * width).reshape(height, width)
    out = np.zeros((height * width,) * 2)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            window = (slice(y - 1, y + 2), slice(x - 1, x + 2))
            colours, here = picture[window].reshape(9, 3), numbers[window].ravel()
            away = colours - colours.mean(0)
            inner = np.linalg.inv(away.T @ away / 9 + eps / 9 * np.eye(3))
            out[np.ix_(here, here)] += np.eye(9) - (1 + away @ inner @ away.T) / 9
    return out


def test_the_solution_is_that_of_the_papers_matrix():
    rng = np.random.default_rng(0)
    picture, values = rng.random((7, 9, 3)), (rng.random((7, 9)) > 0.5).astype(float)
    unknown = np.zeros((7, 9), bool)
    unknown[2:6, 1:9] = True
    hold = rng.uniform(0.2, 0.4, (7, 9))
    matrix, free = laplacian_of_the_paper(picture, 1e-4), unknown.ravel()
    held = matrix[np.ix_(free, free)] + np.diag(hold.ravel()[free])
    right = (hold * values).ravel()[free] - matrix[np.ix_(free, ~free)] @ values.ravel()[~free]
    expected = np.clip(np.linalg.solve(held, right), 0, 1)
    found = laplacian.solve(picture, values, unknown, hold, eps=1e-4)
    assert np.abs(found[unknown] - expected).max() < 0.01
    assert (found[~unknown] == values[~unknown]).all()


def test_hair_gets_a_share_of_each_pixel(hair: Composite):
    """Half the hard mask's error is gone, and more."""
    hard = hair.hard()
    before, after = (np.abs(one / 255 - hair.alpha).mean() for one in (hard, alpha(hair.picture, hard)))
    assert after < 0.5 * before


def test_a_broad_fade_is_found_between_sure_object_and_sure_ground():
    """An edge that fades over eight pixels, where the mask has a step: the mask holds loosely there."""
    rng = np.random.default_rng(0)
    true = np.clip((np.arange(64) - 28) / 8, 0, 1)[None].repeat(40, 0)
    picture = true[..., None] * (210, 60, 50) + (1 - true[..., None]) * (60, 90, 160) + rng.normal(0, 2, (40, 64, 3))
    mask = (true > 0.5).astype(np.uint8) * np.uint8(255)
    found = alpha(np.rint(picture).astype(np.uint8), mask, band=8)
    assert np.abs(found / 255 - true).mean() < 0.4 * np.abs(mask / 255 - true).mean()


def test_whiskers_do_not_melt():
    """A line two pixels wide has no sure pixel of its own: it stays nearly as dark as it is."""
    rng = np.random.default_rng(0)
    line = np.zeros((40, 60), np.uint8)
    line[19:21, 5:55] = 255
    picture = np.where(line[..., None] > 0, (40, 30, 30), (150, 180, 120)) + rng.normal(0, 6, (40, 60, 3))
    found = alpha(np.clip(np.rint(picture), 0, 255).astype(np.uint8), line, band=6)
    assert found[19:21, 7:53].mean() > 215 and found[line == 0].mean() < 10


def test_a_cut_out_on_magenta_shows_no_halo(hair: Composite):
    soft = alpha(hair.picture, hair.hard())
    edge = (hair.alpha > 0.02) & (hair.alpha < 0.98)

    def error(share: np.ndarray, colours: np.ndarray) -> float:
        shown = share[..., None] / 255 * colours + (1 - share[..., None] / 255) * MAGENTA
        return float(np.abs(shown - hair.on(MAGENTA))[edge].mean())

    hard, kept, clean = (
        error(hair.hard(), hair.picture),
        error(soft, hair.picture),
        error(soft, foreground(hair.picture, soft)),
    )
    assert clean < kept < hard and clean < 0.4 * hard


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (3, 5), (40, 61)])
@pytest.mark.parametrize("flat", [True, False])
def test_any_size_any_mask(size: tuple[int, int], flat: bool):
    """Empty, full, one pixel, a soft one, with any band: shape, type and range stay, and the answer is the same twice."""
    rng = np.random.default_rng(1)
    picture = np.full((*size, 3), 90, np.uint8) if flat else rng.integers(0, 256, (*size, 3), np.uint8)
    one = np.zeros(size, np.uint8)
    one[size[0] // 2, size[1] // 2] = 255
    for mask in (
        np.zeros(size, np.uint8),
        np.full(size, 255, np.uint8),
        one,
        255 - one,
        rng.integers(0, 256, size, np.uint8),
    ):
        for band in (None, 1, 1000):
            out = alpha(picture, mask, band=band)
            assert out.shape == size and out.dtype == np.uint8
            assert (out == alpha(picture, mask, band=band)).all()
            colours = foreground(picture, out)
            assert colours.shape == picture.shape and colours.dtype == np.uint8
            assert (colours[out == 255] == picture[out == 255]).all()


def test_empty_and_full_stay_as_they_are(hair: Composite):
    for value in (0, 255):
        mask = np.full(hair.picture.shape[:2], value, np.uint8)
        assert (alpha(hair.picture, mask) == mask).all()


def test_outside_the_band_nothing_changes_and_inputs_stay(hair: Composite):
    mask = np.where(hair.hard() > 0, 200, 30).astype(np.uint8)
    copies = hair.picture.copy(), mask.copy()
    out = alpha(hair.picture, mask, band=2)
    hard = (mask > 127).astype(np.uint8)
    near = cv2.dilate(hard, np.ones((5, 5))) != cv2.erode(hard, np.ones((5, 5)))
    assert near.mean() < 0.9 and (out[~near] == mask[~near]).all()
    assert (hair.picture == copies[0]).all() and (mask == copies[1]).all()


def test_a_large_picture_is_solved_small_and_shown_sharp(hair: Composite, monkeypatch: pytest.MonkeyPatch):
    """Solved at a smaller size, the alpha is nearly that of the whole: the local models carry the detail."""
    hard = hair.hard()
    whole = alpha(hair.picture, hard)
    monkeypatch.setattr("ldznet_ext.masks.matting.MOST_UNKNOWN", np.count_nonzero(whole != hard) // 3)
    small = alpha(hair.picture, hard)
    assert (small != whole).any()
    before, after = (np.abs(one / 255 - hair.alpha).mean() for one in (hard, small))
    assert after < 0.8 * before


def test_colours_of_a_large_picture_are_those_of_a_small_one(hair: Composite, monkeypatch: pytest.MonkeyPatch):
    soft = np.rint(hair.alpha * 255).astype(np.uint8)
    whole = foreground(hair.picture, soft).astype(float)
    monkeypatch.setattr("ldznet_ext.masks.foreground.WORKING_SIDE", 64)
    small = foreground(hair.picture, soft).astype(float)
    away = (np.abs(small - whole) * hair.alpha[..., None]).mean()
    assert 0 < away < 1.5


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="same size"):
        alpha(np.zeros((4, 3, 3), np.uint8), np.zeros((3, 4), np.uint8))


def test_the_band_grows_with_the_picture():
    assert [band_of(Size(side, side)) for side in (4, 256, 4000)] == [2, 5, 80]


def test_it_is_fast_enough(hair: Composite):
    picture = cv2.resize(hair.picture, (512, 512), interpolation=cv2.INTER_CUBIC)
    mask = cv2.resize(hair.hard(), (512, 512), interpolation=cv2.INTER_NEAREST)
    alpha(picture, mask)
    start = time.process_time()
    foreground(picture, alpha(picture, mask))
    assert time.process_time() - start < 2  # of one core; 0.4 s is usual
