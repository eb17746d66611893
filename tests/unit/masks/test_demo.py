"""The demo's way with pictures against what the authors' own lines gave."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import PictureError
from ldznet_ext.geometry import Size
from ldznet_ext.masks.demo import demo_fit, demo_pixels

SIZES = json.loads((Path(__file__).parents[2] / "golden" / "data" / "sizes.json").read_text())


@pytest.mark.parametrize(("height", "width", "new_height", "new_width"), SIZES)
def test_sizes_are_theirs(height: int, width: int, new_height: int, new_width: int) -> None:
    if not new_height * new_width:  # their network breaks down there
        with pytest.raises(PictureError, match="0x"):
            demo_fit(Size(height, width))
        return
    fitted = demo_fit(Size(height, width))
    assert fitted.network == Size(new_height, new_width)
    assert fitted.original == Size(height, width)


def test_the_area_is_that_of_the_head() -> None:
    assert demo_fit(Size(300, 400), side=256).network == Size(192, 256)


def test_pixels_are_stretched_by_lanczos() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    got = demo_pixels(picture, Size(64, 128))
    want = np.array(Image.fromarray(picture).resize((128, 64), resample=Image.LANCZOS)).astype(np.float32) / 255.0
    assert got.dtype == np.float32 and got.shape == (3, 64, 128)
    np.testing.assert_array_equal(got, 2.0 * want.transpose(2, 0, 1) - 1.0)
