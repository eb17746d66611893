"""To the network's size and back."""

import numpy as np
import pytest

from ldznet_ext.geometry import Size
from ldznet_ext.masks.imaging import Fit, fit, stretch, to_network, undo

STICKER, SD1 = Size(256, 256), Size(512, 512)


@pytest.mark.parametrize("native", [STICKER, SD1])
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 16), (16, 1), (3, 5), (768, 512), (1024, 16384), (10000, 10000), (333, 500)]
)
def test_network_size_is_a_multiple_near_the_native_area(size, native):
    network = fit(Size(*size), native).network
    assert network.height % 64 == 0 and network.width % 64 == 0 and min(network) >= 64
    assert 0.6 < network.area / native.area < 1.6
    assert 1 / 1.5 < (network.height / network.width) / (size[0] / size[1]) < 1.5


def test_the_native_size_stays():
    assert fit(STICKER, STICKER) == Fit(STICKER, STICKER)


def test_to_network_maps_bytes_to_minus_one_to_one():
    picture = np.array([[[0, 255, 51]]], np.uint8)
    values = to_network(picture, Fit(Size(1, 1), Size(64, 128)))
    assert values.shape == (3, 64, 128) and values.dtype == np.float32 and values.flags.c_contiguous
    np.testing.assert_allclose(values[:, 5, 7], [-1, 1, -0.6], atol=1e-6)


def test_shrinking_averages_and_does_not_alias():
    stripes = np.zeros((128, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    values = to_network(stripes, Fit(Size(128, 256), Size(64, 64)))
    assert np.abs(values).max() < 0.01


def test_undo_interpolates_between_pixel_centres():
    maps = np.array([[[0, 1], [0, 1]]], np.float32)
    full = undo(maps, Fit(Size(3, 8), Size(64, 64)))
    np.testing.assert_allclose(full[0], [[0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1]] * 3, atol=1e-6)


def test_undo_agrees_with_torch():
    torch = pytest.importorskip("torch")
    maps = np.random.default_rng(1).normal(size=(2, 5, 7)).astype(np.float32)
    ours = undo(maps, Fit(Size(13, 29), Size(64, 64)))
    theirs = torch.nn.functional.interpolate(torch.from_numpy(maps)[None], (13, 29), mode="bilinear")[0]
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


def test_undo_at_the_same_size_changes_nothing():
    maps = np.random.default_rng(2).normal(size=(3, 4, 6)).astype(np.float32)
    assert (undo(maps, Fit(Size(4, 6), Size(64, 128))) == maps).all()


def test_undo_to_a_smaller_picture_averages():
    maps = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    np.testing.assert_allclose(undo(maps, Fit(Size(1, 2), Size(64, 64)))[0], [[6.5, 8.5]])


def test_stretch_shrinks_one_side_and_grows_the_other():
    array = np.array([[0, 2], [4, 6]], np.float32)
    np.testing.assert_allclose(stretch(array, Size(4, 1)), [[1], [2], [4], [5]])
