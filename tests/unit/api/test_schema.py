"""What a request may bring, and the sentence for what it may not."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.api import pictures
from ldznet_ext.api.examples import REQUESTS
from ldznet_ext.api.limits import MAX_EXPRESSIONS, MAX_PICTURES, TooLargeError
from ldznet_ext.api.pictures import read_picture
from ldznet_ext.api.schema import json_schema, read_masks
from ldznet_ext.api.tables import FIELDS, SETTINGS
from ldznet_ext.errors import LdznetError, OptionError, PhraseError, PictureError
from ldznet_ext.request import OPTIONS, MaskSettings
from tests.tiny import picture
from tests.unit.api.conftest import sent


def body(**changes: Any) -> dict[str, Any]:
    return {"images": [sent()], "words": ["fox"], **changes}


def test_a_request_is_read_with_its_defaults() -> None:
    request = read_masks(body())
    assert (request.expressions, request.want, request.settings) == (("fox",), ("mask",), MaskSettings())
    np.testing.assert_array_equal(request.images[0], picture())


def test_every_setting_of_the_table_is_taken() -> None:
    said = {"method": "attention", "threshold": 0.3, "grow": -3, "feather": 1.5, "invert": True, "refine": False}
    said |= {
        "cut": "hysteresis",
        "low": 0.1,
        "soft": True,
        "islands": 9,
        "keep": 2,
        "holes": True,
        "alpha": True,
        "sam": True,
    }
    said |= {"seed": 7, "timestep": 350, "average": 3, "parity": True}
    assert set(said) == {option.name for option in SETTINGS} == {option.name for option in OPTIONS} - {"words"}
    assert read_masks(body(**said)).settings == MaskSettings(**said)
    assert read_masks(body(**dict.fromkeys(said))).settings == MaskSettings(), "null is the default"


def test_words_may_be_one_text_and_pictures_of_several_kinds() -> None:
    grey, palette = Image.fromarray(picture()[..., 0]), Image.fromarray(picture()).quantize(16)
    clear = Image.new("RGBA", (5, 3), (0, 0, 0, 0))
    url = "data:image/jpeg;base64," + sent(kind="JPEG")
    request = read_masks(
        body(words="fox & !tail", images=[sent(grey), sent(palette), sent(clear), url], want="overlay")
    )
    assert [image.shape for image in request.images] == [(90, 130, 3), (90, 130, 3), (3, 5, 3), (90, 130, 3)]
    assert (request.expressions, request.want) == (("fox & !tail",), ("overlay",))
    assert request.images[2].min() == 255, "transparency is over white"


def test_line_breaks_in_base64_are_taken() -> None:
    text = base64.encodebytes(base64.b64decode(sent())).decode()
    assert "\n" in text
    np.testing.assert_array_equal(read_picture(text), picture())


@pytest.mark.parametrize("kind", ["path", "file", "http", "windows", "name"])
def test_paths_and_addresses_are_never_opened(tmp_path: Path, kind: str) -> None:
    Image.fromarray(picture()).save(tmp_path / "fox.png")
    given = {
        "path": str(tmp_path / "fox.png"),
        "file": (tmp_path / "fox.png").as_uri(),
        "http": "http://127.0.0.1/fox.png",
        "windows": "C:\\fox.png",
        "name": "fox.png",
    }[kind]
    with pytest.raises(PictureError, match="paths and addresses are never opened"):
        read_picture(given)


def test_a_path_that_happens_to_be_base64_is_read_as_bytes_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture()).save(tmp_path / "foxy", "PNG")
    with pytest.raises(PictureError, match=r"is no picture \(3 bytes\)"):
        read_picture("foxy")


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(TooLargeError, match="6000 x 6000 pixels; expected at most 32 megapixels"):
        read_picture(sent(Image.new("1", (6000, 6000))))


@pytest.mark.parametrize("name", ["add", "erase", "only"])
@pytest.mark.parametrize("side", [14_000, 10**4000])
def test_a_drawn_mask_that_no_picture_could_have_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch, name: str, side: int
) -> None:
    monkeypatch.setattr("ldznet_ext.masks.edits.decode", lambda mask: pytest.fail("it was unpacked"))
    with pytest.raises(TooLargeError, match=f'"{name}" has over 32 megapixels'):
        read_masks(body(edits={name: {"size": [side, side], "counts": "0"}}))


def test_pictures_are_bounded_together_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_TOGETHER", 0.02)
    assert len(read_masks(body()).images) == 1
    with pytest.raises(TooLargeError, match="The first 2 images have 0 megapixels"):
        read_masks(body(images=[sent()] * 16))


WRONG = {
    "no object": ([], OptionError, "expected a JSON object"),
    "a field that is none": (body(image=1), OptionError, 'no field "image"'),
    "no images": (body(images=[]), PictureError, "has no images"),
    "images as text": (body(images="fox"), PictureError, "has no images"),
    "an image that is none": (body(images=[7]), PictureError, "Picture 1 is of the type int"),
    "too many images": (body(images=[""] * (MAX_PICTURES + 1)), TooLargeError, "There are 17 images"),
    "a damaged image": (body(images=[sent(), sent()[:-400]]), PictureError, "Picture 2 is damaged"),
    "another format": (body(images=[sent(kind="TIFF")]), PictureError, "Picture 1 is no picture"),
    "a needle": (body(images=[sent(Image.new("L", (400, 4)))]), PictureError, "Picture 1 is 400 x 4 pixels"),
    "no words": (body(words=[]), PhraseError, "has no words"),
    "words that are none": (body(words=[1]), PhraseError, "has no words"),
    "blank words": (body(words=["fox", " "]), PhraseError, "An expression is empty"),
    "half a letter": (body(words="\ud800"), PhraseError, "phrase"),
    "too many words": (body(words=["fox"] * (MAX_EXPRESSIONS + 1)), TooLargeError, "There are 65 expressions"),
    "a wish that is none": (body(want=["video"]), OptionError, "The wish is"),
    "a wish of another type": (body(want=7), OptionError, "The wish is"),
    "a range": (body(grow=4000), OptionError, "Grow is 4000"),
    "a type": (body(threshold="much"), OptionError, "Threshold is 'much'"),
    "a mask language error": (body(words="fox &"), LdznetError, "fox"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name: str) -> None:
    given, kind, sentence = WRONG[name]
    with pytest.raises(kind, match=sentence.replace("(", r"\(")):
        read_masks(given)


def test_the_schema_shown_is_the_one_that_is_read() -> None:
    schema = json_schema()
    assert tuple(schema["properties"]) == tuple(field.name for field in FIELDS["masks"])
    defaults = {name: each["default"] for name, each in schema["properties"].items() if "default" in each}
    assert read_masks(body(**defaults)) is not None
    threshold = schema["properties"]["threshold"]["anyOf"][0]
    assert (threshold["exclusiveMinimum"], threshold["exclusiveMaximum"]) == (0, 1) and "minimum" not in threshold
    assert read_masks(body(threshold=0.001)).settings.threshold == 0.001
    assert read_masks(REQUESTS["masks"]).images[0].shape == (8, 8, 3)
