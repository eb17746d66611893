"""Every mode a picture file comes in, and every way it can be broken."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import PictureError
from ldznet_ext.masks.loading import MAX_SIDE, load_picture

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
FLAG = np.array([[RED, GREEN, BLUE], [BLUE, RED, GREEN]], np.uint8)  # 2 rows, 3 columns


def save(path, image, **options):
    image.save(path, **options)
    return path


def refused(source) -> str:
    with pytest.raises(PictureError) as caught:
        load_picture(source)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and "expected" in message
    return message


def test_rgb_file_path_string_image_and_array_agree(tmp_path):
    path = save(tmp_path / "flag.png", Image.fromarray(FLAG))
    for source in (path, str(path), Image.open(path), FLAG):
        picture = load_picture(source)
        assert picture.dtype == np.uint8 and picture.flags.c_contiguous and picture.flags.writeable
        assert (picture == FLAG).all()


def test_the_result_does_not_share_memory_with_the_array():
    source = FLAG.copy()
    load_picture(source)[:] = 7
    assert (source == FLAG).all()


@pytest.mark.parametrize("orientation, turn", [(3, 2), (6, -1), (8, 1)])
def test_exif_rotation_is_applied(tmp_path, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "turned.png", Image.fromarray(FLAG), exif=exif)
    assert (load_picture(path) == np.rot90(FLAG, turn)).all()


def test_damaged_exif_is_ignored(tmp_path):
    path = save(tmp_path / "bad_exif.jpg", Image.new("RGB", (6, 4), RED), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert load_picture(path).shape == (4, 6, 3)


def test_transparency_shows_white(tmp_path):
    rgba = np.dstack([FLAG, np.array([[0, 255, 128], [0, 255, 255]], np.uint8)])
    expected = [[(255, 255, 255), GREEN, (127, 127, 255)], [(255, 255, 255), RED, GREEN]]
    path = save(tmp_path / "rgba.png", Image.fromarray(rgba))
    assert load_picture(path).tolist() == np.array(expected).tolist()
    assert (load_picture(rgba) == load_picture(path)).all()


def test_grey_with_alpha(tmp_path):
    grey = np.array([[[10, 255], [10, 0]]], np.uint8)
    path = save(tmp_path / "la.png", Image.fromarray(grey, "LA") if grey.shape[2] == 2 else None)
    assert load_picture(path)[0].tolist() == [[10] * 3, [255] * 3]
    assert load_picture(grey)[0].tolist() == [[10] * 3, [255] * 3]


def test_palette_with_and_without_transparency(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    assert load_picture(save(tmp_path / "p.png", image))[0].tolist() == [list(RED), list(BLUE)]
    path = save(tmp_path / "pt.png", image, transparency=0)
    assert load_picture(path)[0].tolist() == [[255] * 3, list(BLUE)]


def test_colour_key_transparency(tmp_path):
    path = save(tmp_path / "key.png", Image.fromarray(FLAG), transparency=RED)
    assert load_picture(path)[0].tolist() == [[255] * 3, list(GREEN), list(BLUE)]


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    values = np.array([[0, 257, 32896, 65535], [1000, 2000, 4000, 60000]], np.uint16)
    expected = np.round(values / 257).astype(np.uint8)
    path = save(tmp_path / "deep.png", Image.fromarray(values))
    assert (load_picture(path)[..., 1] == expected).all()
    assert (load_picture(values)[..., 2] == expected).all()


def test_floating_point_files_span_their_range(tmp_path):
    for top in (1.0, 255.0, 1000.0):
        image = Image.fromarray(np.array([[0, top / 2, top]], np.float32))
        grey = load_picture(save(tmp_path / "f.tiff", image))[0, :, 0]
        assert grey[0] == 0 and grey[2] == 255 and abs(int(grey[1]) - 128) <= 1


def test_one_bit_and_cmyk(tmp_path):
    assert load_picture(save(tmp_path / "1.png", Image.new("1", (3, 2), 1))).tolist() == [[[255] * 3] * 3] * 2
    cmyk = load_picture(save(tmp_path / "cmyk.jpg", Image.new("CMYK", (16, 8), (0, 255, 255, 0))))
    assert np.abs(cmyk.astype(int) - RED).max() < 8 and cmyk.shape == (8, 16, 3)


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_an_animation_gives_its_first_frame(tmp_path, kind):
    frames = [Image.new("RGB", (8, 6), colour) for colour in (RED, BLUE)]
    path = tmp_path / f"moving.{kind}"
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=50, **({"lossless": True} if kind == "webp" else {})
    )
    assert load_picture(path)[3, 3].tolist() == list(RED)


def test_bool_and_float_arrays():
    assert load_picture(np.array([[True, False]]))[0].tolist() == [[255] * 3, [0] * 3]
    assert load_picture(np.array([[[0.0, 0.5, 1.0]]]))[0, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((2, 3, 5), np.uint8),
        np.zeros((2,), np.uint8),
        np.full((2, 2), np.nan),
        np.full((2, 2), 1.5),
        np.zeros((2, 2), np.int64),
        np.zeros((1, 2, 3, 3), np.uint8),
    ],
)
def test_impossible_arrays_are_refused(array):
    refused(array)


def test_things_that_are_no_pictures(tmp_path):
    assert "not found" in refused(tmp_path / "absent.png")
    assert "folder" in refused(tmp_path)
    refused("nul\0byte")
    refused("a" * 5000)
    (tmp_path / "empty.png").write_bytes(b"")
    assert "0 bytes" in refused(tmp_path / "empty.png")
    (tmp_path / "words.png").write_text("not a picture")
    assert "not a picture" in refused(tmp_path / "words.png")
    assert "NoneType" in refused(None)
    os.mkfifo(tmp_path / "pipe.png")
    assert "ordinary" in refused(tmp_path / "pipe.png")


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "tiff", "bmp"])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.8])
def test_truncated_files_are_refused(tmp_path, kind, keep):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(buffer.getvalue()[: int(len(buffer.getvalue()) * keep)])
    refused(path)


@pytest.mark.parametrize(
    "size", [(16385, 1200), (1200, 16385), (12000, 9000), (60000, 60000), (17, 1), (1, 40), (0, 7)]
)
def test_sizes_out_of_range_are_refused_before_decoding(tmp_path, size):
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    path = tmp_path / "huge.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")
    )
    refused(path)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("size", [(1, 1), (1, 16), (16, 1), (2, 5)])
def test_tiny_and_thin_pictures_are_fine(size):
    assert load_picture(Image.new("L", size, 9)).shape == (size[1], size[0], 3)


def test_the_longest_side_is_allowed():
    assert load_picture(np.zeros((1024, MAX_SIDE), np.uint8)).shape == (1024, MAX_SIDE, 3)
