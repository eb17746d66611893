"""From the gallery: what is sent is what the accordion shows; what is no picture is refused."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import PictureError
from ldznet_ext.request import OPTION
from ldznet_ext.ui.gallery import FIELDS, job_of, mask_as_asked, picture_of
from ldznet_ext.ui.origins import ORIGINS, Origins
from ldznet_ext.ui.views import View
from tests.unit.ui.conftest import FOX, SNOW, FakeDesk

FOX_MASK, SNOW_MASK = (np.where(seen > 0.5, 255, 0) for seen in (FOX, SNOW))


def painted(grey: int, prompt: str = "") -> Image.Image:
    """A picture of 3x5 out of a gallery."""
    picture = Image.new("RGB", (5, 3), (grey, 1, 2))
    if prompt:
        picture.info["parameters"] = f"{prompt}\nNegative prompt: owl\nSteps: 20"
    return picture


def widgets(**given: Any) -> list[Any]:
    """The accordion's values."""
    defaults = {**{name: option.to_widget(option.default) for name, option in OPTION.items()}, "source": "words"}
    return [{**defaults, **given}[name] for name in FIELDS]


def masked(desk: FakeDesk, picture: Image.Image | None, **given: Any) -> View:
    return mask_as_asked(desk, "value", widgets(**given), lambda value: picture)


def test_every_setting_of_the_accordion_is_asked_for(desk: FakeDesk) -> None:
    given = {"words": "fox", "method": "attention", "threshold": 0.7, "grow": 2, "feather": 1.5, "invert": True}
    more = {"refine": False, "seed": 3, "timestep": 500}
    masked(desk, painted(10), **given, **more)

    assert desk.seen[0].to_mapping() == {**given, **more}


def test_the_mask_that_is_sent_is_cut_as_it_is_shown(desk: FakeDesk) -> None:
    np.testing.assert_array_equal(masked(desk, painted(11), words="fox", invert=True).mask, 255 - FOX_MASK)


@pytest.mark.parametrize("given", [{"words": "owl", "source": "nouns"}, {"words": ""}, {"words": "  "}])
def test_nouns_and_no_words_mean_all_that_the_prompt_names(desk: FakeDesk, given: dict[str, str]) -> None:
    view = masked(desk, painted(12, "fox snow"), **given)
    np.testing.assert_array_equal(view.mask, np.maximum(FOX_MASK, SNOW_MASK))


def test_without_words_and_prompt_it_is_said_what_is_missing(desk: FakeDesk) -> None:
    assert "There is no prompt" in masked(desk, painted(13)).message


def test_no_picture_and_no_settings_are_said(desk: FakeDesk) -> None:
    assert "expected one in the gallery" in masked(desk, None, words="fox").message
    assert "9999" in masked(desk, painted(14), words="fox", grow=9999).message
    assert desk.asked == 0


def test_a_mask_of_ours_is_no_picture(desk: FakeDesk) -> None:
    ORIGINS.note(painted(15).convert("L"), "a mask")
    grey = painted(15).convert("L").convert("RGB")  # as the host's file gives it back

    assert "This is a mask; expected a picture" in masked(desk, grey, words="fox").message
    with pytest.raises(PictureError, match="This is a mask"):
        picture_of("value", lambda value: grey)
    assert desk.asked == 0


def test_the_oldest_are_forgotten() -> None:
    origins = Origins(most=1)
    origins.note(painted(1), "a mask")
    origins.note(painted(2), "a mask")

    origins.check(painted(1))
    with pytest.raises(PictureError):
        origins.check(painted(2))


def test_fields_are_the_accordions() -> None:
    assert job_of(widgets(words="fox", threshold=0)).mask.threshold is None
