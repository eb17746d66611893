"""Folders with annotations: what is read, and that every complaint names the file and the line."""

import json

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import DataError, OptionError
from ldznet_ext.eval.datasets import load

GOOD = {"image": "a.png", "phrase": "fox", "mask": "m.png", "kind": "object"}
TRUTH = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 1]], bool)


@pytest.fixture
def folder(tmp_path):
    """A 3x5 picture and its mask in a folder of their own."""
    folder = tmp_path / "data"
    folder.mkdir()
    Image.fromarray(np.full((3, 5, 3), 7, np.uint8)).save(folder / "a.png")
    Image.fromarray(TRUTH.astype(np.uint8) * 255).save(folder / "m.png")
    Image.fromarray(TRUTH.astype(np.uint8) * 255).save(tmp_path / "outside.png")
    return folder


def write(folder, *rows):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "annotations.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return str(folder)


def test_lines_in_order_with_blank_ones_skipped(folder):
    path = write(folder, GOOD, "", GOOD | {"phrase": "a cat", "mask": None, "kind": "absent"}, "  ")
    first, second = load(path)
    assert (first.phrase, first.kind, second.phrase, second.kind) == ("fox", "object", "a cat", "absent")
    assert first.source == second.source
    assert first.picture.shape == (3, 5, 3)
    assert first.picture.dtype == np.uint8
    np.testing.assert_array_equal(first.mask, TRUTH)
    assert second.mask is None


def test_the_limit_counts_lines_and_later_ones_are_not_read(folder):
    path = write(folder, GOOD, GOOD, "not json")
    assert len(load(path, 2)) == 2
    with pytest.raises(DataError, match="line 3"):
        load(path)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True])
def test_bad_limits(folder, limit):
    with pytest.raises(OptionError):
        load(write(folder, GOOD), limit)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "is a list"),
        ({"image": "a.png", "phrase": "fox", "kind": "object"}, '"mask"'),
        (GOOD | {"phrase": "  "}, '"phrase"'),
        (GOOD | {"mask": 3}, '"mask"'),
        (GOOD | {"image": None}, '"image"'),
        (GOOD | {"image": "b.png"}, "not found"),
        (GOOD | {"mask": "../outside.png"}, "outside the folder"),
        (GOOD | {"mask": "a\0b.png"}, "impossible path"),
    ],
)
def test_complaints_name_file_and_line(folder, row, says):
    with pytest.raises(DataError) as caught:
        load(write(folder, GOOD, row))
    message = str(caught.value)
    assert "annotations.jsonl line 2" in message
    assert says in message
    assert "\n" not in message


def test_absolute_paths_and_links_may_not_leave_the_folder(folder):
    outside = folder.parent / "outside.png"
    (folder / "link.png").symlink_to(outside)
    for name in (str(outside), "link.png"):
        with pytest.raises(DataError, match="outside the folder"):
            load(write(folder, GOOD | {"mask": name}))


def test_missing_folder_file_and_lines(folder, tmp_path):
    for path, says in ((tmp_path / "no", "not a folder"), (tmp_path, "has no annotations.jsonl")):
        with pytest.raises(DataError, match=says):
            load(str(path))
    with pytest.raises(DataError, match="no line"):
        load(write(folder, ""))
    (folder / "annotations.jsonl").write_bytes(b'{"image": "\xff"}')
    with pytest.raises(DataError, match="UTF-8"):
        load(str(folder))


def test_byte_order_mark_and_line_separator(folder):
    row = json.dumps(GOOD | {"phrase": "red\u2028fox"}, ensure_ascii=False)
    (folder / "annotations.jsonl").write_text("\ufeff" + row + "\r\n" + row, encoding="utf-8")
    assert [example.phrase for example in load(str(folder))] == ["red\u2028fox"] * 2


def mask_files():
    grey = np.array([[0, 127, 128, 255]], np.uint8)
    wide = np.array([[0, 32767, 32768, 65535]], np.uint16)
    palette = Image.fromarray(np.array([[0, 1, 2, 3]], np.uint8), "P")
    palette.putpalette([0, 0, 0, 127, 127, 127, 128, 128, 128, 255, 255, 255])
    return {
        "8 bits": Image.fromarray(grey),
        "16 bits": Image.fromarray(wide),
        "palette": palette,
        "colour": Image.fromarray(np.repeat(grey[..., None], 3, axis=2)),
        "grey and alpha": Image.merge("LA", [Image.fromarray(grey), Image.new("L", (4, 1), 9)]),
    }


@pytest.mark.parametrize("depth", list(mask_files()))
def test_masks_of_any_depth_are_true_above_127(folder, depth):
    mask_files()[depth].save(folder / "m.png")
    (example,) = load(write(folder, GOOD))
    assert example.mask.dtype == bool
    assert example.mask.tolist() == [[False, False, True, True]]


def test_a_one_bit_mask(folder):
    Image.fromarray(TRUTH).save(folder / "m.png")
    with Image.open(folder / "m.png") as image:
        assert image.mode == "1"
    np.testing.assert_array_equal(load(write(folder, GOOD))[0].mask, TRUTH)


@pytest.mark.parametrize("key", ["image", "mask"])
def test_damaged_pixels_name_the_line(folder, key):
    whole = (folder / "m.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (example,) = load(write(folder, GOOD | {key: "cut.png"}))
    with pytest.raises(DataError, match="line 1"):
        _ = example.picture if key == "image" else example.mask
