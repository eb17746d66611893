"""Edge refinement: against an oracle, and what it must never do."""

import time

import cv2
import numpy as np
import pytest

from ldznet_ext.masks.local import evaluated, fitted
from ldznet_ext.masks.refine import EPS, prepare, refine

RNG = np.random.default_rng(0)


def disc(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (y - height * 0.5) ** 2 + (x - width * 0.45) ** 2 < (min(height, width) * 0.3) ** 2


def scene(height: int, width: int, noise: float = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A textured disc on a textured ground, its mask, and the map a coarse network would give."""
    mask = disc(height, width)
    picture = np.where(mask[..., None], (200, 90, 40), (60, 120, 160)) + RNG.normal(0, noise, (height, width, 3))
    coarse = cv2.resize(mask.astype(np.float32), (width // 8, height // 8), interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (3, 3), 0)
    prob = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(picture, 0, 255).astype(np.uint8), mask, prob


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def oracle(prob: np.ndarray, picture: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """The guided filter as its paper writes it: a least-squares problem a window, by a solver, then the mean."""
    height, width = prob.shape
    guide = np.pad(picture / 255.0, ((2 * radius,) * 2, (2 * radius,) * 2, (0, 0)), mode="symmetric")
    values = np.pad(prob.astype(float), 2 * radius, mode="symmetric")
    models = np.zeros((height + 2 * radius, width + 2 * radius, 4))
    for y in range(models.shape[0]):
        for x in range(models.shape[1]):
            i = guide[y : y + 2 * radius + 1, x : x + 2 * radius + 1].reshape(-1, 3)
            p = values[y : y + 2 * radius + 1, x : x + 2 * radius + 1].ravel()
            covariance = (i - i.mean(0)).T @ (i - i.mean(0)) / len(i) + eps * np.eye(3)
            slopes = np.linalg.solve(covariance, (i - i.mean(0)).T @ p / len(i))
            models[y, x] = *slopes, p.mean() - slopes @ i.mean(0)
    means = np.zeros((height, width, 4))
    for y in range(height):
        for x in range(width):
            means[y, x] = models[y : y + 2 * radius + 1, x : x + 2 * radius + 1].mean((0, 1))
    return (means[..., :3] * picture / 255.0).sum(-1) + means[..., 3]


def test_one_round_is_the_guided_filter_of_the_paper():
    picture = RNG.integers(0, 256, (13, 18, 3), np.uint8)
    prob = RNG.uniform(0.3, 0.7, (13, 18)).astype(np.float32)
    guide = prepare(picture, radius=2 / (13 * 18) ** 0.5)
    assert guide.radius == 2
    expected = np.clip(oracle(prob, picture, 2, EPS), prob.min(), prob.max())
    # The inner part only: at the border the paper fits windows of the mirrored picture, we mirror the fitted models.
    np.testing.assert_allclose(refine(prob, guide, rounds=1)[2:-2, 2:-2], expected[2:-2, 2:-2], atol=2e-4)


@pytest.mark.parametrize("size", [(96, 160), (256, 256), (640, 1100)])
def test_edges_move_onto_the_picture(size):
    picture, mask, prob = scene(*size)
    before, after = iou(prob > 0.5, mask), iou(refine(prob, picture) > 0.5, mask)
    assert after > 0.985 and after > before


def test_tiles_agree_with_the_whole():
    """A picture over the working size is done in tiles: the same as interpolating the models everywhere."""
    picture, _, prob = scene(600, 1100)
    guide = prepare(picture)
    model = fitted(cv2.resize(prob, guide.small.shape[1::-1], interpolation=cv2.INTER_AREA), guide)
    whole = evaluated(cv2.resize(model, (1100, 600)), picture.astype(np.float32) / 255)
    assert np.abs(refine(prob, guide, rounds=1) - np.clip(whole, prob.min(), prob.max())).max() < 0.01


def test_a_constant_map_stays_bit_for_bit():
    picture = RNG.integers(0, 256, (20, 33, 3), np.uint8)
    for value in (0.0, 0.31, 1.0):
        assert (refine(np.full((20, 33), value, np.float32), picture) == np.float32(value)).all()


def test_a_confident_interior_is_not_blurred_by_texture():
    picture, mask, prob = scene(256, 256, noise=60)
    out = refine(prob, picture)
    inside = cv2.erode(mask.astype(np.uint8), np.ones((61, 61))) > 0
    outside = cv2.dilate(mask.astype(np.uint8), np.ones((61, 61))) == 0
    assert inside.sum() > 500 and outside.sum() > 500
    assert out[inside].min() > 0.999 and out[outside].max() < 0.001


def test_no_halo_and_no_value_outside_the_maps_own_range():
    picture, mask, prob = scene(128, 192)
    weak = 0.1 + 0.2 * prob
    out = refine(weak, picture)
    assert out.dtype == np.float32 and out.min() >= weak.min() and out.max() <= weak.max() + 1e-6
    band = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))) > 0
    assert out[~band].mean() < 0.105  # the ground does not glow beyond the edge


def test_a_picture_without_edges_only_smooths():
    flat = np.full((64, 96, 3), 120, np.uint8)
    prob = disc(64, 96).astype(np.float32)
    assert iou(refine(prob, flat) > 0.5, prob > 0.5) > 0.9


@pytest.mark.parametrize("size", [(1, 1), (1, 16), (16, 1), (2, 3)])
def test_tiny_pictures(size):
    prob = RNG.uniform(0, 1, size).astype(np.float32)
    out = refine(prob, RNG.integers(0, 256, (*size, 3), np.uint8))
    assert out.shape == size and np.isfinite(out).all()


def test_a_guide_is_the_same_as_its_picture_and_inputs_stay():
    picture, _, prob = scene(60, 90)
    copies = picture.copy(), prob.copy()
    assert (refine(prob, prepare(picture)) == refine(prob, picture)).all()
    assert (picture == copies[0]).all() and (prob == copies[1]).all()


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="same size"):
        refine(np.zeros((3, 4), np.float32), np.zeros((4, 3, 3), np.uint8))


def test_it_is_fast_enough():
    picture, _, prob = scene(256, 256)
    refine(prob, picture)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        refine(prob, picture)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.06  # of one core; 6 ms when the machine is idle
