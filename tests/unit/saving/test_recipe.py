"""Recipes: there and back in every form they travel in, and sentences for what is none."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import OptionError, RecipeError
from ldznet_ext.geometry import Size
from ldznet_ext.request import MaskSettings
from ldznet_ext.saving.differences import differences
from ldznet_ext.saving.png import png, text_of
from ldznet_ext.saving.recipe import KEY, Recipe, read, recipe_of


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        words=("fox & !tail", "狐狸, \"red\"\n"), settings=MaskSettings(method="ldznet", threshold=0.25, grow=-3, seed=7),
        model="sticker-sd", weights="0123456789abcdef", head="head.safetensors", head_weights="ab", place="cpu float32",
        picture="Füchsin 1.png", pixels="ff" * 32, size=Size(3, 5), version="0.1.0",
    )  # fmt: skip


def test_a_recipe_comes_back_from_text(recipe):
    text = recipe.to_text()
    assert text.isascii() and "\n" not in text and Recipe.from_text(text) == recipe
    assert json.loads(text)["settings"] == {"method": "ldznet", "threshold": 0.25, "grow": -3, "seed": 7}
    assert Recipe.from_text(Recipe(words=("fox",)).to_text()) == Recipe(words=("fox",))


def test_one_expression_is_also_the_settings_words(recipe):
    assert Recipe(words=("owl",), settings=MaskSettings(words="fox")).settings.words == "owl"
    assert recipe.settings.words == ""


def test_a_recipe_comes_back_from_a_png_which_other_programs_read_too(recipe, tmp_path):
    mask = np.arange(15, dtype=np.uint8).reshape(3, 5)
    content = png(mask, {"Title": "a mask", KEY: recipe.to_text()})
    (tmp_path / "mask.PNG").write_bytes(content)
    assert read(tmp_path / "mask.PNG") == recipe
    with Image.open(io.BytesIO(content)) as image:
        assert image.text == {"Title": "a mask", KEY: recipe.to_text()} and image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), mask)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_text_another_program_wrote_is_read(recipe, tmp_path, zipped):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", "x")
    info.add_itxt(KEY, recipe.to_text(), zip=zipped)
    Image.new("L", (5, 3)).save(tmp_path / "mask.png", pnginfo=info)
    assert read(tmp_path / "mask.png") == recipe


def test_a_recipe_comes_back_from_json_its_own_and_cocos(recipe, tmp_path):
    (tmp_path / "a.json").write_text("\ufeff" + recipe.to_text(), encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps({"info": {KEY: recipe.to_mapping()}, "images": []}))
    assert read(tmp_path / "a.json") == read(tmp_path / "b.json") == recipe


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"info": 3}', b'{"format": "other"}', b"[" * 100_000,
     b'{"format": "ldznet-recipe-1"}', b'{"format": "ldznet-recipe-1", "words": []}',
     b'{"format": "ldznet-recipe-1", "words": [3]}', b'{"format": "ldznet-recipe-1", "words": "fox", "picture": {"size": [1]}}',
     b'{"format": "ldznet-recipe-1", "words": "fox", "model": 3}'],
)  # fmt: skip
def test_what_is_no_recipe_is_a_sentence(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"'x.json'.*expected.*so choose.*\.$"):
        read(path)


def test_a_setting_there_is_not_is_named(recipe):
    with pytest.raises(OptionError, match='no setting "zoom"'):
        Recipe.from_mapping({**recipe.to_mapping(), "settings": {"zoom": 2}})


def test_a_picture_without_a_recipe_and_a_file_that_is_not_there(tmp_path):
    Image.new("L", (5, 3)).save(tmp_path / "plain.png")
    with pytest.raises(RecipeError, match="without a recipe"):
        read(tmp_path / "plain.png")
    for path in (tmp_path, tmp_path / "absent.png", tmp_path / "nul\0"):
        with pytest.raises(RecipeError, match="cannot be read"):
            read(path)


def test_a_damaged_png_has_no_text(recipe):
    whole = png(np.zeros((3, 5), np.uint8), {KEY: recipe.to_text()})
    assert text_of(whole, KEY) == recipe.to_text()
    assert {text_of(whole[:cut], KEY) for cut in (0, 8, 20, 40, 60, 100)} == {None}
    assert text_of(whole, "other") is None


def test_a_recorded_name_is_never_a_place(recipe):
    there = Recipe.from_mapping({**recipe.to_mapping(), "picture": {"name": "/etc/../etc/passwd"}})
    assert there.picture == "passwd"


def test_nothing_differs_from_itself_and_what_differs_is_said(recipe):
    assert differences(recipe, recipe) == () == differences(recipe, Recipe(words=("fox",), version=""))
    for change, said in (
        ({"model": "v1-5"}, "Another model: it was sticker-sd, now it is v1-5"),
        ({"weights": "other"}, "sticker-sd has other weights"),
        ({"head": "b.safetensors"}, "Another head"),
        ({"head_weights": "cd"}, "The head head.safetensors has other weights"),
        ({"pixels": "00"}, "edited since"),
        ({"size": Size(5, 3), "pixels": "00"}, "it had 5 x 3 pixels, this one has 3 x 5"),
        ({"version": "9"}, "it was 0.1.0, now it is 9"),
        ({"place": "cuda float16"}, "as cpu float32, now it is as cuda float16"),
    ):
        (line,) = differences(recipe, replace(recipe, **change))
        assert said in line and line.endswith(".")
    assert "while the picture was painted" in differences(replace(recipe, painted=True), recipe)[0]


def test_the_recipe_of_a_result(segmentation):
    picture = np.zeros((3, 5, 3), np.uint8)
    made = recipe_of(picture, segmentation, MaskSettings(grow=2), name="in/photo.jpg", weights="w")
    assert (made.words, made.settings.method, made.settings.grow) == (("fox", "owl"), "ldznet", 2)
    assert (made.picture, made.size, made.weights, made.painted) == ("photo.jpg", Size(3, 5), "w", False)
    other = picture.copy()
    other[0, 0, 0] = 1
    assert recipe_of(other, segmentation, MaskSettings()).pixels != made.pixels
    assert recipe_of(picture.reshape(5, 3, 3), segmentation, MaskSettings()).pixels != made.pixels
