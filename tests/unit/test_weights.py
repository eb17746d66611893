"""The head's file and the headers of safetensors: round trips, and a sentence for everything that can be wrong."""

import json
import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ldznet_ext.errors import HeadError, ModelError, OutputError
from ldznet_ext.segmenters.familiarity import fit_familiarity
from ldznet_ext.segmenters.presence import fit_presence
from ldznet_ext.tensors import read_header
from ldznet_ext.weights import (
    HeadInfo,
    cache_folder,
    find_heads,
    find_model,
    fingerprint,
    load_head,
    model_folders,
    read_info,
    save_head,
    sha256_of,
)
from tests.tiny import head_info, write_head


@pytest.fixture
def head_file(tmp_path: Path) -> Path:
    return write_head(tmp_path / "head.safetensors")


def test_metadata_round_trip() -> None:
    calibration = fit_presence(np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 2)
    info = head_info(timestep=350, found_threshold=0.125, calibration=calibration, recipe="head.toml", commit="abc")
    metadata = info.to_metadata()
    assert all(isinstance(value, str) for value in metadata.values())
    assert HeadInfo.from_metadata(metadata) == info


def test_a_head_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    statistics = fit_familiarity(np.random.default_rng(0).normal(size=(50, 6)))
    path = write_head(tmp_path / "head.safetensors", familiarity=statistics, found_threshold=0.25)
    head, info, loaded = load_head(path, family="sticker")
    assert info.found_threshold == 0.25 and info.taps == head.taps
    assert loaded is not None and loaded.limit == pytest.approx(statistics.limit)
    stored = load_file(path)
    assert all(torch.equal(value, stored[name]) for name, value in head.state_dict().items())
    assert not head.training and not any(p.requires_grad for p in head.parameters())


def test_weights_are_saved_in_half_precision_and_statistics_in_full(tmp_path: Path) -> None:
    statistics = fit_familiarity(np.random.default_rng(0).normal(size=(50, 6)))
    state = {"out": torch.ones(2, 3)}
    stored = load_file(save_head(tmp_path / "head.safetensors", state, head_info(), statistics))
    assert stored["out"].dtype == torch.float16
    assert stored["familiarity.mean"].dtype == torch.float32


def test_a_head_of_another_family_is_refused(head_file: Path) -> None:
    with pytest.raises(HeadError, match="family 'sticker'; expected one for 'sd1'"):
        load_head(head_file, family="sd1")


@pytest.mark.parametrize(
    ("change", "said"),
    [("missing", "lacks time_embed.0.bias"), ("misshaped", "has time_embed.0.bias of another shape")],
)
def test_missing_and_misshaped_keys_are_named(head_file: Path, change: str, said: str) -> None:
    state = load_file(head_file)
    bias = state.pop("time_embed.0.bias")
    if change == "misshaped":
        state["time_embed.0.bias"] = torch.zeros(len(bias) + 1)
    with pytest.raises(HeadError, match=said):
        load_head(save_head(head_file, state, head_info()))


def test_a_tensor_too_many_is_named(head_file: Path) -> None:
    state = {**load_file(head_file), "stranger": torch.zeros(2)}
    with pytest.raises(HeadError, match="has stranger, which this network does not"):
        load_head(save_head(head_file, state, head_info()))


def test_a_file_that_is_no_head_is_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(HeadError, match="is not a head"):
        read_info(tmp_path / "other.safetensors")


def test_damaged_metadata_is_refused(tmp_path: Path) -> None:
    metadata = {**head_info().to_metadata(), "taps": "["}
    save_file({"x": torch.zeros(2)}, tmp_path / "head.safetensors", metadata=metadata)
    with pytest.raises(HeadError, match="damaged metadata"):
        read_info(tmp_path / "head.safetensors")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            (name, value)
            for name in ("found_threshold", "mask_threshold")
            for value in ("0", "1", "NaN", "-0.5", '"x"')
        ),
        *(("timestep", value) for value in ("-1", "1000", "400.5", "true", '"400"')),
        *(("native_grid", value) for value in ("[4, 2.5]", "[0]", '"84"', "7")),
        *(("taps", value) for value in ('["zzz"]', "[3]", "null")),
        *(("overrides", value) for value in ("[1]", "3")),
        *(("calibration", value) for value in ('{"statistics": ["a"]}', "[1]", "true")),
    ],
)
def test_metadata_out_of_range_is_refused(field: str, value: str) -> None:
    with pytest.raises(HeadError, match=r"^h\.safetensors has damaged metadata \(.*; expected a head's, so "):
        HeadInfo.from_metadata({**head_info().to_metadata(), field: value}, "h.safetensors")


def test_a_calibration_of_no_numbers_is_refused() -> None:
    whole = fit_presence(np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 2).to_dict()
    for change in ({"mean": [0, 0, 0, float("nan")]}, {"weights": [1, 2, 3]}, {"scale": [1, 0, 1, 1]}, {"bias": "x"}):
        text = json.dumps({**whole, **change})
        with pytest.raises(HeadError, match="damaged metadata"):
            HeadInfo.from_metadata({**head_info().to_metadata(), "calibration": text})


@pytest.mark.parametrize(
    "over",
    [
        {"model_channels": 33},
        {"model_channels": "wide"},
        {"channel_mult": 3},
        {"num_heads": 7},
        {"num_heads": 0},
        {"decoder_widths": [1]},
        {"taps": 3},
        {"magic": 1},
    ],
)
def test_settings_that_make_no_network(tmp_path: Path, over: dict[str, object]) -> None:
    path = save_head(tmp_path / "h.safetensors", {}, head_info(overrides=over))
    with pytest.raises(HeadError, match=r"; expected .*, so "):
        load_head(path)


def test_header_without_torch(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(2, 3)}, tmp_path / "a.safetensors", metadata={"kind": "test"})
    assert read_header(tmp_path / "a.safetensors") == ({"kind": "test"}, {"x": (2, 3)})


def with_header(header: object) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + b"\0" * 8


@pytest.mark.parametrize(
    "damage", ["cut", "empty", "text", "long", "entries", "nest", "metadata", "values", "shape", "offset"]
)
def test_damaged_files_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": torch.zeros(20, 3)}, path)
    whole = path.read_bytes()
    entry = {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}
    content = {
        "cut": whole[:-1],
        "empty": b"",
        "text": b"<html>not found</html>",
        "long": struct.pack("<Q", 2**60),
        "entries": with_header({"x": 3}),
        "nest": with_header(b"[" * 100_000),
        "metadata": with_header({"__metadata__": 5, "x": entry}),
        "values": with_header({"__metadata__": {"format": {}}, "x": entry}),
        "shape": with_header({"x": {**entry, "shape": [1, {}]}}),
        "offset": with_header({"x": {**entry, "data_offsets": [0, None]}}),
    }
    path.write_bytes(content[damage])
    with pytest.raises(ModelError, match=r"cut short|cannot be read"):
        read_header(path)


def test_missing_and_pickled_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        read_header(tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match="other formats can run code"):
        read_header(tmp_path / "model.ckpt")


def test_an_unwritable_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="could not be written"):
        save_head(tmp_path / "file" / "head.safetensors", {"x": torch.zeros(2)}, head_info())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_keeps_the_old_file(head_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = head_file.read_bytes()

    def full(tensors: object, path: Path, metadata: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OutputError, match="No space left"):
        save_head(head_file, {"x": torch.zeros(2)}, head_info())
    assert head_file.read_bytes() == before
    assert list(head_file.parent.iterdir()) == [head_file]


def test_folders_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    monkeypatch.setenv("LDZNET_MODELS", f"{first}{os.pathsep}{second}")
    monkeypatch.setenv("LDZNET_CACHE", str(tmp_path / "cache"))
    folders = model_folders()
    assert folders[:2] == (first, second)
    assert folders[2].name == "models" and folders[3] == tmp_path / "cache" / "models" == cache_folder() / "models"
    (second / "sticker-sd").mkdir(parents=True)
    (folders[3] / "sticker-sd").mkdir(parents=True)
    assert find_model("sticker-sd") == second / "sticker-sd"


def test_heads_are_found_by_family_and_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDZNET_MODELS", str(tmp_path))
    (tmp_path / "broken.safetensors").write_text("no")
    write_head(tmp_path / "a.safetensors")
    write_head(tmp_path / "b.safetensors", "znet")
    names = [path.name for path, _ in find_heads("sticker") if path.parent == tmp_path]
    assert names == ["a.safetensors", "b.safetensors"]
    assert find_heads("sticker", "znet")[0][0].name == "b.safetensors"
    assert find_heads("sd9") == []


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_fingerprint_reads_little_and_tells_files_apart(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    content = bytearray(bytes(range(256)) * 8192)  # 2 MiB, of which 256 KiB are read
    path.write_bytes(content)
    whole = fingerprint(path)
    assert re.fullmatch("[0-9a-f]{10}", whole) and fingerprint(path) == whole
    for at in (0, len(content) - 1):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert fingerprint(path) != whole
    path.write_bytes(content + b"x")
    assert fingerprint(path) != whole
    path.write_bytes(content[:5000])
    short = fingerprint(path)
    path.write_bytes(content[:2500] + b"x" + content[2501:5000])
    assert fingerprint(path) != short, "a short file is read whole"
