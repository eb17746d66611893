"""Stores of sprites: reading, refusing, shrinking, packing."""

import json
from pathlib import Path

import numpy as np
import pytest

from ldznet_ext.errors import DataError, OutputError
from ldznet_ext.world import art
from ldznet_ext.world.concepts import concept

FOX, OWL = concept("fox"), concept("owl")


def _rgba(height: int, width: int, value: int) -> np.ndarray:
    picture = np.full((height, width, 4), value, np.uint8)
    picture[..., 3] = 255
    return picture


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with fluent (fox, owl) and noto (fox) stores, named by the environment."""
    np.savez_compressed(tmp_path / "fluent.npz", **{"fluent/fox": _rgba(8, 4, 10), "fluent/owl": _rgba(3, 5, 20)})
    np.savez_compressed(tmp_path / "noto.npz", **{"noto/fox": _rgba(2, 6, 30)})
    monkeypatch.setenv("LDZNET_ART", str(tmp_path))
    return tmp_path


def test_sprite_and_available(folder: Path):
    assert art.sprite("fluent", OWL).shape == (3, 5, 4)
    assert art.sprite("noto", FOX)[0, 0, 0] == 30
    assert art.available("fluent") == (FOX, OWL)
    assert art.available("noto") == (FOX,)


def test_a_sprite_cannot_be_painted_over(folder: Path):
    with pytest.raises(ValueError, match="read-only"):
        art.sprite("fluent", FOX)[0, 0] = 0


def test_missing_art_says_what_to_do(folder: Path):
    with pytest.raises(DataError, match="art of style twemoji is not fetched: run `ldznet world fetch`"):
        art.available("twemoji")
    with pytest.raises(DataError, match="style noto has no picture of 'owl'"):
        art.sprite("noto", OWL)
    with pytest.raises(DataError, match="no style 'oil'; use one of fluent, noto"):
        art.sprite("oil", FOX)


def test_the_environment_is_read_at_every_call(folder: Path, tmp_path_factory, monkeypatch: pytest.MonkeyPatch):
    assert art.sprite("fluent", FOX)[0, 0, 0] == 10
    other = tmp_path_factory.mktemp("other")
    np.savez_compressed(other / "fluent.npz", **{"fluent/fox": _rgba(1, 2, 77)})
    monkeypatch.setenv("LDZNET_ART", str(other))
    assert art.sprite("fluent", FOX)[0, 0, 0] == 77


def test_a_store_that_does_not_match_the_manifest_is_refused(folder: Path):
    (folder / art.MANIFEST).write_text(json.dumps({"fluent.npz": {"sha256": "0" * 64}}))
    with pytest.raises(DataError, match=r"fluent\.npz is damaged"):
        art.sprite("fluent", FOX)
    assert art.sprite("noto", FOX).shape == (2, 6, 4)  # not in the manifest: nothing to compare with


def test_a_truncated_store_is_refused(folder: Path):
    raw = (folder / "noto.npz").read_bytes()
    (folder / "noto.npz").write_bytes(raw[:-30])
    with pytest.raises(DataError, match=r"noto\.npz is damaged"):
        art.sprite("noto", FOX)


def test_trim_cuts_to_what_can_be_seen():
    picture = np.zeros((5, 7, 4), np.uint8)
    picture[1:3, 2:6, 3] = 200
    picture[4, 0, 3] = art.FAINT  # a renderer's halo does not count
    assert art.trim(picture).shape == (2, 4, 4)
    with pytest.raises(DataError, match="without a visible pixel"):
        art.trim(np.zeros((3, 5, 4), np.uint8))


def test_shrink_keeps_the_colour_at_the_edge_of_what_is_visible():
    picture = np.zeros((8, 16, 4), np.uint8)
    picture[:, :8] = (200, 100, 50, 255)
    picture[:, 8:] = (0, 255, 0, 0)  # invisible green
    small = art.shrink(picture, 6)
    assert small.shape == (3, 6, 4)
    edge = small[small[..., 3] > 64]
    np.testing.assert_allclose(edge[:, :3].astype(int), np.broadcast_to((200, 100, 50), edge[:, :3].shape), atol=4)
    assert art.shrink(picture, 16) is picture


def test_a_pack_reads_like_the_folder_but_smaller(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = art.pack(tmp_path / "small.npz", size=4, styles=("fluent", "noto"))
    monkeypatch.setenv("LDZNET_ART", str(out))
    assert art.available("fluent") == (FOX, OWL)
    assert art.sprite("fluent", FOX).shape == (4, 2, 4)
    assert art.sprite("noto", FOX).shape == (1, 4, 4)
    with pytest.raises(DataError, match="style twemoji is not fetched"):
        art.available("twemoji")


def test_a_pack_needs_an_npz_name_and_fetched_art(folder: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"ends in \.npz"):
        art.pack(tmp_path / "small.zip")
    with pytest.raises(DataError, match="style flat is not fetched"):
        art.pack(tmp_path / "small.npz")
    assert not (tmp_path / "small.npz").exists()
    with pytest.raises(OutputError, match="cannot be written"):
        art.pack(tmp_path / "fluent.npz" / "small.npz", styles=("fluent",))


def test_photo_ground_is_a_function_of_the_generator(folder: Path):
    ramp = np.zeros((12, 12, 3), np.uint8) + np.arange(12, dtype=np.uint8)[None, :, None] * 20
    np.savez_compressed(folder / "photo.npz", **{"ground/a-0": ramp, "photo/fox": _rgba(2, 3, 1)})
    first, again, other = (art.photo_ground(np.random.default_rng(seed), 5) for seed in (1, 1, 2))
    assert first.shape == (5, 5, 3)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert art.available("photo") == (FOX,)
