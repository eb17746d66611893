"""The pictures of a moment: mask, heat and parts as grey PNGs of the picture's size; values of an address read strictly."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from ldznet_ext.app import drawing
from ldznet_ext.app.work import Moment
from ldznet_ext.errors import OptionError
from ldznet_ext.request import MaskSettings
from ldznet_ext.saving.png import png
from tests.unit.app.conftest import FOX, SIZE, SNOW, segmentation


@pytest.fixture
def moment(picture: np.ndarray) -> Moment:
    scene = segmentation("fox", "snow", "owl")
    return Moment(label="a", picture=picture, result=segmentation("fox"), scene=scene)


def test_the_mask_is_cut_at_what_the_address_says(moment: Moment) -> None:
    np.testing.assert_array_equal(drawing.mask_of(moment, {"threshold": "0.7"}), (FOX > 0.7) * 255)
    np.testing.assert_array_equal(drawing.mask_of(moment, {"threshold": "0"}), (FOX > 0.5) * 255)
    np.testing.assert_array_equal(drawing.mask_of(moment, {"invert": "true"}), (FOX <= 0.5) * 255)


@pytest.mark.parametrize("cuts", [{"grow": "1.5"}, {"invert": "perhaps"}, {"cut": "twice"}, {"path": "/etc"}])
def test_what_an_address_may_not_say(moment: Moment, cuts: dict[str, str]) -> None:
    with pytest.raises(OptionError):
        drawing.mask_of(moment, cuts)


def test_nothing_asked_is_an_empty_mask(picture: np.ndarray) -> None:
    blank = Moment(label="a", picture=picture)
    for draw in (drawing.mask_of, drawing.heat_of, drawing.parts_of):
        assert draw(blank).shape == SIZE and not draw(blank).any()


def test_heat_is_the_probability_in_255_levels(moment: Moment) -> None:
    np.testing.assert_array_equal(drawing.heat_of(moment), np.rint(FOX * 255))


def test_parts_number_what_was_found(moment: Moment) -> None:
    parts = drawing.parts_of(moment)

    assert (parts[FOX > 0.5] == 1).all() and (parts[SNOW > 0.5] == 2).all()
    assert set(np.unique(parts)) == {0, 1, 2}
    assert not drawing.parts_of(replace(moment, scene=None)).any()


def test_a_png_brings_back_the_same_pixels() -> None:
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    colours = np.dstack([grey, grey + 50, grey + 100])
    for array in (grey, colours):
        back = cv2.imdecode(np.frombuffer(png(array), np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(back if array.ndim == 2 else back[..., ::-1], array)


def test_cuts_replace_settings_and_leave_the_words() -> None:
    made = drawing.with_cuts(MaskSettings(words="fox", grow=3), {"grow": "5", "threshold": 0.25})
    assert made == MaskSettings(words="fox", grow=5, threshold=0.25)
