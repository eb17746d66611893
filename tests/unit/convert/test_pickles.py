"""Tensors out of torch's files; what else a pickle asks for is never done."""

import os
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ldznet_ext.convert.pickles import TensorFile
from ldznet_ext.errors import HeadError, ModelError


class Calls:
    """Asks the unpickler to call something."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.how = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.how


class Settings:
    """Some object of a training framework."""

    def __init__(self) -> None:
        self.rates = [0.1, 0.2]


def read(path: Path) -> dict[str, torch.Tensor]:
    with TensorFile(path) as file:
        return {name: file.tensor(reference) for name, reference in file.references().items()}


def repacked(path: Path, change: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """The same file with entries (by the end of their names) replaced."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    target = path.with_name("changed.ckpt")
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, next((new for end, new in change.items() if name.endswith(end)), data))
    return target


def program(content: Any, path: Path) -> Path:
    """A checkpoint whose pickle is this object."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content if isinstance(content, bytes) else pickle.dumps(content, 2))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    state = OrderedDict(a=torch.arange(15.0).reshape(3, 5).t(), b=torch.nn.Parameter(torch.ones(2)))
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool):
        state[str(dtype)] = torch.tensor([1, 0, 1]).to(dtype)
    state["scalar"], state["empty"] = torch.tensor(3, dtype=torch.int32), torch.zeros(0, 4)
    state["shared"] = state["a"][1:3]
    torch.save({"state_dict": state, "callbacks": {Settings: Settings()}, "step": 7}, tmp_path / "x.ckpt")
    return tmp_path / "x.ckpt"


def test_tensors_come_as_torch_itself_reads_them(file: Path) -> None:
    expected = torch.load(file, weights_only=False)["state_dict"]
    found = read(file)
    assert list(found) == list(expected)
    for name, tensor in found.items():
        assert tensor.dtype == expected[name].dtype
        torch.testing.assert_close(tensor, expected[name].detach(), rtol=0, atol=0)


def test_a_file_without_a_state_dict_is_one(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2, 3), "note": "fox"}, tmp_path / "x.pth")
    assert {name: list(tensor.shape) for name, tensor in read(tmp_path / "x.pth").items()} == {"a": [2, 3]}


@pytest.mark.parametrize("depth", ["value", "key", "state_dict"])
def test_nothing_that_a_pickle_calls_is_called(tmp_path: Path, depth: str) -> None:
    trap = tmp_path / "sprung"
    evil = [Calls(os.system, f"touch {trap}"), Calls(eval, f"open({str(trap)!r}, 'w')"), Calls(os.mkdir, str(trap))]
    tensor = torch.ones(2)
    content = {
        "value": {"state_dict": {"a": tensor}, "callbacks": evil},
        "key": {"state_dict": {"a": tensor}, Calls(os.getcwd): 1},
        "state_dict": {"state_dict": {"a": tensor, "b": evil[0]}},
    }[depth]
    path = tmp_path / "x.ckpt"
    torch.save(content, path)
    assert list(read(path)) == ["a"]
    assert not trap.exists()


def test_no_module_is_imported_for_a_name_in_the_file(tmp_path: Path) -> None:
    sys.modules.pop("wave", None)
    path = program(b"\x80\x02cwave\nopen\nX\x03\x00\x00\x00foxq\x00\x85R.", tmp_path / "x.ckpt")
    with TensorFile(path) as file, pytest.raises(HeadError, match="holds no dictionary"):
        file.references()
    assert "wave" not in sys.modules


HOSTILE = {
    "a memo of gigabytes": b"\x80\x02}r\xff\xff\xff\x7f.",
    "an endless nest": b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
    "a program cut short": b"\x80\x02}q\x00(X\x01",
    "no pickle": b"fox",
    "a storage of another kind": pickle.dumps({}, 2)[:-1] + b"(X\x03\x00\x00\x00fox\x86Q.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_end_in_a_sentence(tmp_path: Path, name: str) -> None:
    with TensorFile(program(HOSTILE[name], tmp_path / "x.ckpt")) as file, pytest.raises(HeadError, match=r"x\.ckpt"):
        file.references()


def test_a_tensor_never_reaches_beyond_its_storage(file: Path) -> None:
    small = repacked(file, {"data/0": b"\0" * 12})
    with TensorFile(small) as opened, pytest.raises(HeadError, match="12 bytes instead of 60"):
        opened.tensor(opened.references()["a"])


@pytest.mark.parametrize("shape, stride", [((5, 3), (1, 6)), ((1 << 40,), (0,)), ((4, 4), (1, 1))])
def test_extents_are_checked_before_anything_is_read(
    file: Path, shape: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    with TensorFile(file) as opened:
        reference = replace(opened.references()["a"], shape=shape, stride=stride)
        with pytest.raises(HeadError, match="beyond its storage"):
            opened.tensor(reference)


def test_packed_entries_and_other_byte_orders_are_refused(file: Path) -> None:
    with pytest.raises(HeadError, match="compressed"):
        TensorFile(repacked(file, {}, zipfile.ZIP_DEFLATED))
    with pytest.raises(HeadError, match="byte order"):
        TensorFile(repacked(file, {"byteorder": b"big"}))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00."])
def test_other_files_are_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.ckpt cannot be converted"):
        TensorFile(tmp_path / "x.ckpt", ModelError)
    with pytest.raises(HeadError, match="does not exist"):
        TensorFile(tmp_path / "missing.ckpt")
