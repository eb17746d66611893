"""What is shown of a large picture: smaller, the same to the eye, lengths and clicks scaled; of a small one: itself."""

from dataclasses import replace

import numpy as np

from ldznet_ext.app import drawing
from ldznet_ext.app.seen import SIDE, scale_of, scaled, seen
from ldznet_ext.app.work import Moment
from ldznet_ext.masks.edits import Edits
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import FOUND, PhraseResult
from tests.unit.app.conftest import segmentation

LARGE = (1600, 2560)


def large(**more: object) -> Moment:
    prob = np.zeros(LARGE, np.float32)
    prob[400:1200, 600:1800] = 0.9
    prob[100:140, 100:180] = 0.9
    small = segmentation("fox")
    phrase = PhraseResult(text="fox", status=FOUND, score=0.9, prob=prob, box=None, area=0)
    result = replace(small, size=LARGE, phrases=(phrase,), prob=prob, mask=prob > 0.5)
    return Moment(label="a", picture=np.zeros((*LARGE, 3), np.uint8), result=result, **more)


def test_a_small_picture_is_shown_as_it_is(picture: np.ndarray) -> None:
    moment = Moment(label="a", picture=picture)
    assert seen(moment) is moment


def test_a_large_one_is_shown_smaller_and_only_once_made_so() -> None:
    moment = large()
    shown = seen(moment)

    assert max(shown.size) == SIDE and shown.picture.shape == (800, 1280, 3)
    assert seen(moment) is shown


def test_the_shown_mask_is_the_saved_one_to_the_eye() -> None:
    moment = large(settings=MaskSettings(grow=40, feather=8.0))
    shown, whole = drawing.shown_mask(moment), drawing.mask_of(moment)

    assert shown.shape == (800, 1280)
    differing = np.abs(shown.astype(int) - whole[1::2, 1::2])
    assert (differing > 40).mean() < 0.001


def test_clicks_and_strokes_are_where_they_were() -> None:
    add = np.zeros(LARGE, bool)
    add[1400:1500, 2300:2400] = True
    shown = drawing.shown_mask(large(edits=Edits(add=add, drop=((120, 110),))))

    assert not shown[50:70, 50:90].any()
    assert shown[725, 1175] == 255 and shown[400, 600] == 255


def test_areas_shrink_with_the_square() -> None:
    assert scaled(MaskSettings(islands=400, grow=-9), 0.5) == MaskSettings(islands=100, grow=-4)
    assert scale_of(large()) == 0.5
