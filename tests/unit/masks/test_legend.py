"""Labels as a palette PNG and as a tinted picture with its legend."""

import io

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.masks.legend import Entry, colour, legend, palette_png, tint
from ldznet_ext.result import UNLABELLED

LABELS = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [-1, -1, -1, -1]])
PICTURE = np.full((3, 4, 3), 100, np.uint8)


def test_the_png_holds_indices_and_their_colours() -> None:
    image = Image.open(io.BytesIO(palette_png(LABELS)))
    assert image.mode == "P" and image.size == (4, 3)
    np.testing.assert_array_equal(np.asarray(image), LABELS + 1)
    assert image.convert("RGB").getpixel((3, 0)) == colour(1) and image.convert("RGB").getpixel((0, 2)) == (0, 0, 0)


def test_the_last_of_255_labels_fits() -> None:
    labels = np.array([[254, UNLABELLED]])
    image = Image.open(io.BytesIO(palette_png(labels)))
    assert np.asarray(image).tolist() == [[255, 0]] and image.convert("RGB").getpixel((0, 0)) == colour(254)


def test_colours_differ() -> None:
    colours = np.array([colour(label) for label in range(-1, 24)], float)
    apart = np.abs(colours[:, None] - colours[None]).sum(axis=2) + 1000 * np.eye(len(colours))
    assert apart.min() > 20


def test_the_tint_leaves_what_has_no_label() -> None:
    labels = np.array([[0, 0, 0], [0, 0, 0], [-1, -1, -1], [-1, -1, -1]])
    picture = np.full((4, 3, 3), 100, np.uint8)
    out = tint(picture, labels, strength=0.5)
    assert out[0, 0].tolist() == [round((100 + channel) / 2) for channel in colour(0)]
    assert (out[1] == 255).all()  # the border
    np.testing.assert_array_equal(out[2:], picture[2:])
    assert picture[0, 0].tolist() == [100] * 3


@pytest.mark.parametrize("shape", [(1, 1), (60, 300), (300, 60)])
def test_a_legend_under_a_picture_of_any_size(shape: tuple[int, int]) -> None:
    picture, labels = np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.int16)
    entries = [Entry(0, "sky"), Entry(1, "a very long name that goes on and on and on and on"), Entry(2, "狐 🦊 ثعلب")]
    out = legend(picture, labels, entries)
    assert out.dtype == np.uint8 and out.shape[0] > shape[0] and out.shape[1] >= max(shape[1], 160)
    panel = out[shape[0] :].reshape(-1, 3)
    for entry in entries:
        assert (panel == colour(entry.label)).all(axis=1).sum() > 50
    assert (panel.sum(axis=1) < 200).sum() > 60  # letters


def test_nothing_to_explain_is_the_picture() -> None:
    nothing = np.full((3, 4), UNLABELLED)
    np.testing.assert_array_equal(legend(PICTURE, nothing, []), PICTURE)
