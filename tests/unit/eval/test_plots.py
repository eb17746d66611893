"""Plots: files that open, and show what they were given."""

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.eval import plots


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def share(picture, colour):
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return (np.abs(picture.astype(int) - wanted).max(axis=2) < 6).mean()


def test_a_higher_bar_covers_more(tmp_path):
    series = {"ZNet": [(0.2, 0.1, 0.3), None], "LD-ZNet": [(0.8, 0.7, 0.9), (0.8, 0.75, 0.82)]}
    plots.bars(tmp_path / "deep" / "bars.png", ["test", "photo"], series, "mIoU")
    picture = pixels(tmp_path / "deep" / "bars.png")
    assert share(picture, plots.COLOURS["LD-ZNet"]) > 5 * share(picture, plots.COLOURS["ZNet"]) > 0
    assert not list(tmp_path.rglob("*.part"))


def test_curves_are_drawn_in_their_colours(tmp_path):
    curves = {"ZNet": ([0, 0.5, 1], [1, 0.9, 0.2], 0.8), "mine": ([0, 1], [1, 0], None)}
    plots.precision_recall(tmp_path / "pr.png", curves)
    plots.miou_by_threshold(tmp_path / "t.png", [0.25, 0.5, 0.75], {"RGBNet": [0.2, 0.6, 0.1]})
    assert share(pixels(tmp_path / "pr.png"), plots.COLOURS["ZNet"]) > 0
    assert share(pixels(tmp_path / "t.png"), plots.COLOURS["RGBNet"]) > 0


def test_the_grid_grows_with_its_rows(tmp_path):
    rng = np.random.default_rng(0)
    row = plots.GridRow(
        picture=rng.integers(0, 255, (30, 50, 3), np.uint8), phrase="the smaller fox left of the big house",
        truth=rng.random((30, 50)) > 0.5, masks={"ZNet": np.zeros((30, 50), bool)}, ious={"ZNet": 0.0},
    )  # fmt: skip
    plots.grid(tmp_path / "one.png", [row])
    plots.grid(tmp_path / "three.png", [row] * 3)
    one, three = pixels(tmp_path / "one.png"), pixels(tmp_path / "three.png")
    assert three.shape[0] > 2 * one.shape[0]
    assert three.shape[1] == one.shape[1]


@pytest.mark.parametrize("inside", [True, False])
def test_the_tint_is_inside_the_mask(inside):
    shown = plots.tinted(np.full((2, 3, 3), 128, np.uint8), np.full((2, 3), inside))
    redder = shown[..., 0].astype(int) - shown[..., 1]
    assert (redder > 50).all() if inside else (redder == 0).all()
