"""Safetensors files written piece by piece: what the library reads back, and that a failure leaves nothing."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ldznet_ext.convert import streaming
from ldznet_ext.convert.streaming import Stored, Written, write_files
from ldznet_ext.errors import HeadError, OutputError

TENSORS = {
    "b": torch.arange(15.0).reshape(3, 5).t(),
    "a": torch.tensor(2.5),
    "ü.half": torch.arange(3).half(),
    "brain": torch.tensor([[1.0, -2.0]]).bfloat16(),
    "places": torch.arange(4)[None],
    "none": torch.zeros(0, 4),
}


def stored(tensor: torch.Tensor) -> Stored:
    return Stored(shape=tuple(tensor.shape), dtype=str(tensor.dtype).removeprefix("torch."), read=lambda: tensor)


def written(target: Path, **more: Stored) -> Written:
    tensors = {name: stored(tensor) for name, tensor in TENSORS.items()}
    return Written(target=target, tensors={**tensors, **more}, metadata={"format": "x", "about": "fox"})


def test_the_library_reads_it_back(tmp_path: Path) -> None:
    told: list[int] = []
    file = written(tmp_path / "new" / "x.safetensors")
    write_files([file], told.append)
    assert file.target.stat().st_size == file.nbytes
    assert sum(told) == sum(tensor.nbytes for tensor in TENSORS.values())
    found = load_file(file.target)
    assert set(found) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)
    with safe_open(file.target, "pt") as opened:
        assert opened.metadata() == {"format": "x", "about": "fox"}
    assert file.target.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in file.target.parent.iterdir()] == ["x.safetensors"]


def test_numbers_are_written_in_the_type_that_is_wanted(tmp_path: Path) -> None:
    one = Stored(shape=(2,), dtype="float16", read=lambda: torch.tensor([1.0, 0.1]))
    write_files([Written(target=tmp_path / "x.safetensors", tensors={"a": one}, metadata={})])
    assert torch.equal(load_file(tmp_path / "x.safetensors")["a"], torch.tensor([1.0, 0.1]).half())


def fails(error: BaseException) -> Stored:
    def read() -> torch.Tensor:
        raise error

    return Stored(shape=(2,), dtype="float32", read=read)


@pytest.mark.parametrize("error", [HeadError("torn"), KeyboardInterrupt(), SystemExit(143), MemoryError()])
def test_what_fails_leaves_the_old_files_and_no_others(tmp_path: Path, error: BaseException) -> None:
    old = tmp_path / "x.safetensors"
    old.write_text("old")
    with pytest.raises(type(error)):
        write_files([written(old), written(tmp_path / "y.safetensors", zz=fails(error))])
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"] and old.read_text() == "old"


def test_too_little_room_is_told_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file alone would fit."""
    file = written(tmp_path / "x.safetensors", zz=fails(AssertionError()))
    monkeypatch.setattr(streaming.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, file.nbytes + 5))
    with pytest.raises(OutputError, match="expected room"):
        write_files([file, file])
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' /dev/full")
def test_a_disk_that_fills_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = streaming.os.fdopen

    def onto_a_full_disk(handle: int, mode: str) -> object:
        opened(handle, mode).close()
        return Path("/dev/full").open(mode)

    monkeypatch.setattr(streaming.os, "fdopen", onto_a_full_disk)
    with pytest.raises(OutputError, match="No space left"):
        write_files([written(tmp_path / "x.safetensors")])
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="could not be written"):
        write_files([written(tmp_path / "file" / "x.safetensors")])
