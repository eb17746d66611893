"""Every kind of file, read back by other programs where they are at hand."""

import io
import json
import zipfile
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import OptionError
from ldznet_ext.geometry import Size
from ldznet_ext.masks.rle import decode
from ldznet_ext.request import MaskSettings
from ldznet_ext.saving.coco import joined
from ldznet_ext.saving.exports import EXPORTS, Item, item_of
from ldznet_ext.saving.kinds import KINDS, USUAL, check_kinds
from ldznet_ext.saving.ora import Layer, merged, ora
from ldznet_ext.saving.recipe import Recipe, read


@pytest.fixture
def item() -> Item:
    """A picture of 3 x 5 with a soft fox and a tail."""
    picture = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    fox, tail = np.zeros((3, 5), np.uint8), np.zeros((3, 5), np.uint8)
    fox[:, :2], fox[1, 2], tail[2, 4] = 255, 100, 255
    recipe = Recipe(words=("fox", "tail"), picture="photo.jpg", size=Size(3, 5))
    return Item(
        picture=picture, mask=np.maximum(fox, tail), prob=np.linspace(0, 1, 15, dtype=np.float32).reshape(3, 5),
        recipe=recipe, layers=(("fox", fox), ("tail <&> \x00", tail)), stem="photo",
    )  # fmt: skip


def image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def made(item: Item, kind: str) -> bytes:
    return EXPORTS[kind].make(item)


def test_the_table_is_that_of_the_kinds():
    assert list(EXPORTS) == list(KINDS) and set(USUAL) < set(KINDS)
    assert [(one.label, one.suffix) for one in EXPORTS.values()] == [(one.label, one.suffix) for one in KINDS.values()]
    for wrong in ("", "mask,psd", ","):
        with pytest.raises(OptionError, match="expected some of mask, prob"):
            check_kinds(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_item_gives_the_same_bytes_at_any_time(item, kind):
    assert made(item, kind) == made(item, kind) != b""


def test_mask_and_probability(item, tmp_path):
    np.testing.assert_array_equal(np.asarray(image(made(item, "mask"))), item.mask)
    prob = np.asarray(image(made(item, "prob")))
    assert (prob[0, 0], prob[1, 2], prob[-1, -1]) == (0, 32768, 65535)  # older Pillows read it as 32 bits
    for kind in ("mask", "cutout", "recipe", "coco"):
        (tmp_path / kind).write_bytes(made(item, kind))
        assert read(tmp_path / kind) == item.recipe
    with pytest.raises(OptionError, match="no probability"):
        made(replace(item, prob=None), "prob")


def test_the_cut_out_is_the_picture_with_the_mask_as_its_alpha(item):
    cut = image(made(item, "cutout"))
    assert cut.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(cut), np.dstack([item.picture, item.mask]))


def test_soft_alpha_takes_the_colours_of_the_thing_alone(item, monkeypatch):
    import sys
    import types

    matting = types.SimpleNamespace(foreground=lambda picture, alpha: np.full_like(picture, 9))
    monkeypatch.setitem(sys.modules, "ldznet_ext.masks.matting", matting)
    soft = replace(item, recipe=replace(item.recipe, settings=MaskSettings(alpha=True)))
    cut = np.asarray(image(made(soft, "cutout")))
    assert (cut[..., :3] == 9).all() and (cut[..., 3] == item.mask).all()


def test_openraster_is_laid_out_as_its_specification_says(item):
    content = made(item, "ora")
    assert content[30:54] == b"mimetypeimage/openraster"  # the first file, stored, with nothing between
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        assert names[:2] == ["mimetype", "stack.xml"] and {"mergedimage.png", "Thumbnails/thumbnail.png"} < set(names)
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED and not archive.infolist()[0].extra
        root = ElementTree.fromstring(archive.read("stack.xml"))
        assert root.tag == "image" and (root.get("w"), root.get("h"), root.get("version")) == ("5", "3", "0.0.6")
        layers = root.findall("./stack/layer")
        assert [layer.get("name") for layer in layers] == ["fox", "tail <&>", "cut-out", "picture"]
        assert [layer.get("visibility") for layer in layers] == ["hidden", "hidden", "visible", "visible"]
        assert {layer.get("src") for layer in layers} == {name for name in names if name.startswith("data/")}
        pixels = [np.asarray(image(archive.read(layer.get("src")))) for layer in layers]
        whole = np.asarray(image(archive.read("mergedimage.png")))
    np.testing.assert_array_equal(pixels[0][..., 3], item.layers[0][1])
    assert (pixels[0][..., :3] == 255).all()
    np.testing.assert_array_equal(pixels[3], item.picture)
    np.testing.assert_allclose(whole[..., :3].astype(int), item.picture, atol=1)
    assert (whole[..., 3] == 255).all()


def test_what_is_seen_is_put_together_from_below():
    red, none = np.zeros((1, 2, 4), np.uint8), np.zeros((1, 2, 4), np.uint8)
    red[0, 0] = 255, 0, 0, 128
    ground = np.full((1, 2, 3), 200, np.uint8)
    assert merged([Layer("a", red), Layer("b", ground)]).tolist() == [[[228, 100, 100, 255], [200, 200, 200, 255]]]
    assert merged([Layer("a", red), Layer("b", none)]).tolist() == [[[255, 0, 0, 128], [0, 0, 0, 0]]]
    assert not merged([Layer("a", red, visible=False)]).any()
    with pytest.raises(OptionError, match="2 sizes"):
        ora([Layer("a", red), Layer("b", ground[:, :1])])


@pytest.mark.parametrize("size, small", [((300, 1000), (77, 256)), ((7, 9), (7, 9)), ((900, 3), (256, 1))])
def test_a_thumbnail_is_as_large_as_may_be_and_never_enlarged(size, small):
    with zipfile.ZipFile(io.BytesIO(ora([Layer("a", np.zeros((*size, 3), np.uint8))]))) as archive:
        assert image(archive.read("Thumbnails/thumbnail.png")).size == small[::-1]


def test_coco_is_what_its_tools_read(item):
    data = json.loads(made(item, "coco"))
    assert data["images"] == [{"id": 1, "file_name": "photo.jpg", "width": 5, "height": 3}]
    assert data["categories"][0] == {"id": 1, "name": "fox", "supercategory": ""}
    fox, tail = data["annotations"]
    assert (fox["area"], fox["bbox"], fox["iscrowd"], fox["image_id"]) == (6, [0, 0, 2, 3], 0, 1)
    assert (tail["id"], tail["category_id"], tail["bbox"]) == (2, 2, [4, 2, 1, 1])
    np.testing.assert_array_equal(decode(fox["segmentation"]), item.layers[0][1] > 127)


def test_many_pictures_are_one_data_set(item):
    first = json.loads(made(item, "coco"))
    second = json.loads(made(replace(item, layers=item.layers[1:], stem="other"), "coco"))
    whole = json.loads(joined([first, second, first]))
    assert [one["id"] for one in whole["images"]] == [1, 2, 3]
    assert [one["id"] for one in whole["annotations"]] == [1, 2, 3, 4, 5]
    assert [(one["image_id"], one["category_id"]) for one in whole["annotations"]] == [
        (1, 1),
        (1, 2),
        (2, 2),
        (3, 1),
        (3, 2),
    ]
    assert [one["name"] for one in whole["categories"]] == ["fox", "tail <&> \x00"]


def test_a_result_becomes_an_item_with_a_layer_for_what_was_found(segmentation):
    picture, settings = np.zeros((3, 5, 3), np.uint8), MaskSettings(grow=1)
    item = item_of(picture, segmentation, settings, Recipe(words=("fox", "owl")), stem="x")
    assert [name for name, _ in item.layers] == ["fox"]
    assert (item.mask[0] == [255, 255, 255, 0, 0]).all() and item.prob is segmentation.prob
