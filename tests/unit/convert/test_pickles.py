"""Tensors out of torch's files; what else a pickle asks for is never done."""

import copyreg
import functools
import importlib
import os
import pickle
import runpy
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
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


def test_what_training_frameworks_leave_in_a_file_is_passed_over(tmp_path: Path) -> None:
    """A module's own dictionary brings attributes; numpy's numbers, types and arrays call functions of numpy's."""
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    left = {"best": np.float64(0.5), "kind": np.dtype("int16"), "losses": np.arange(4), "device": torch.device("cpu")}
    left |= {"size": torch.Size([2]), "rates": {1, 2}, "path": PurePosixPath("a/b"), "type": torch.float16}
    torch.save({"state_dict": module.state_dict(), "callbacks": left, "optimizer_states": [left]}, tmp_path / "x.ckpt")
    found = read(tmp_path / "x.ckpt")
    assert set(found) == set(module.state_dict())
    assert torch.equal(found["0.weight"], module[0].weight)


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


GADGETS: dict[str, Callable[[str], Any]] = {
    "a shell": lambda trap: Calls(subprocess.Popen, ["touch", trap]),
    "a program in text": lambda trap: Calls(exec, f"open({trap!r}, 'w')"),
    "an import by name": lambda trap: Calls(importlib.import_module, "antigravity"),
    "a pickle in the pickle": lambda trap: Calls(pickle.loads, pickle.dumps(Calls(os.mkdir, trap))),
    "a file that is run": lambda trap: Calls(runpy.run_path, trap),
    "an attribute of an attribute": lambda trap: Calls(
        getattr, Calls(importlib.import_module, "antigravity"), "geohash"
    ),
    "a call that is put together": lambda trap: Calls(functools.partial(os.mkdir, trap)),
    "a setter of state": lambda trap: SetsState(trap),
    "an object that is filled": lambda trap: Filled(trap),
}


class SetsState:
    """Names a function that is to be called with the object and its state."""

    def __init__(self, trap: str) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[Any, ...]:
        return Settings, (), self.trap, None, None, _touch


class Filled(list[Any]):
    """A list of a foreign class, whose `extend` would be called."""

    def __init__(self, trap: str = "") -> None:
        super().__init__([trap])

    def extend(self, trap: Any) -> None:
        _touch(self, *trap)

    def append(self, trap: Any) -> None:
        _touch(self, trap)


def _touch(_: object, trap: str) -> None:
    Path(trap).touch()


@pytest.mark.parametrize("name", GADGETS)
def test_no_gadget_acts(tmp_path: Path, name: str) -> None:
    trap, path = tmp_path / "sprung", tmp_path / "x.ckpt"
    gadget = GADGETS[name](str(trap))
    torch.save({"state_dict": {"a": torch.ones(2), "b": gadget}, "hooks": [gadget]}, path)
    trap.unlink(missing_ok=True)  # writing the file may have set it off
    before = set(sys.modules)
    assert list(read(path)) == ["a"]
    assert not trap.exists()
    assert not (set(sys.modules) - before) & {"antigravity", "runpy"}


def test_the_gadgets_would_act(tmp_path: Path) -> None:
    """Else the test above could not fail: read as Python reads pickles, each of these springs its trap."""
    for number, name in enumerate(
        ("a program in text", "a pickle in the pickle", "a setter of state", "an object that is filled")
    ):
        trap = tmp_path / str(number)
        pickle.loads(pickle.dumps(GADGETS[name](str(trap))))
        assert trap.exists(), name


def test_no_module_is_imported_for_a_name_in_the_file(tmp_path: Path) -> None:
    sys.modules.pop("wave", None)
    path = program(b"\x80\x02cwave\nopen\nX\x03\x00\x00\x00foxq\x00\x85R.", tmp_path / "x.ckpt")
    with TensorFile(path) as file, pytest.raises(HeadError, match="holds no dictionary"):
        file.references()
    assert "wave" not in sys.modules


_TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ"
    b"K\x00K\x01\x85K\x01\x85tR"
)
"""A program's words for a tensor of one number."""
HOSTILE = {
    "an endless nest": b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
    "a program cut short": b"\x80\x02}q\x00(X\x01",
    "no pickle": b"fox",
    "a set that takes for ever to hash": b"\x80\x04\x8f()" + b"2\x86" * 60 + b"\x90.",
    "a frozen one": b"\x80\x04()" + b"2\x86" * 60 + b"\x91.",
    "a bytearray longer than any memory": b"\x80\x05\x96" + (1 << 36).to_bytes(8, "little") + b"x0}.",
    "a storage of another kind": pickle.dumps({}, 2)[:-1] + b"(X\x03\x00\x00\x00fox\x86Q.",
}
HARMLESS = {
    "a memo of gigabytes": b"\x80\x02}r\xff\xff\xff\x7f.",
    "a key that takes for ever to hash": b"\x80\x02})" + b"2\x86" * 60 + b"Ns.",
    "many such": b"\x80\x02}()" + b"2\x86" * 60 + b"Nu.",
    "a dictionary made of such": b"\x80\x02()" + b"2\x86" * 60 + b"Nd.",
    "an ordered one": b"\x80\x02ccollections\nOrderedDict\n])" + b"2\x86" * 60 + b"N\x86a\x85R.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_end_in_a_sentence(tmp_path: Path, name: str) -> None:
    with TensorFile(program(HOSTILE[name], tmp_path / "x.ckpt")) as file, pytest.raises(HeadError, match=r"x\.ckpt"):
        file.references()


@pytest.mark.parametrize("name", HARMLESS)
def test_costly_programs_cost_nothing(tmp_path: Path, name: str) -> None:
    with TensorFile(program(HARMLESS[name], tmp_path / "x.ckpt")) as file:
        assert file.references() == {}


@pytest.mark.parametrize(
    "more", [b"", b"}X\x05\x00\x00\x00shapeX\x03\x00\x00\x00foxsb", b"N}X\x05\x00\x00\x00shapeNs\x86b"]
)
def test_a_tensor_cannot_be_rewritten(tmp_path: Path, more: bytes) -> None:
    opening = b"\x80\x02}X\x01\x00\x00\x00a"
    with TensorFile(program(opening + _TENSOR + more + b"s.", tmp_path / "x.ckpt")) as file:
        assert file.references()["a"].shape == (1,)


def test_a_class_registered_under_a_number_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copyreg.add_extension("os", "mkdir", 77)
    monkeypatch.setitem(copyreg._extension_cache, 77, os.mkdir)  # type: ignore[attr-defined]
    trap = str(tmp_path / "sprung").encode()
    called = b"\x80\x02\x82\x4dX" + len(trap).to_bytes(4, "little") + trap + b"\x85R."
    try:
        with TensorFile(program(called, tmp_path / "x.ckpt")) as file, pytest.raises(HeadError):
            file.references()
    finally:
        copyreg.remove_extension("os", "mkdir", 77)
    assert not (tmp_path / "sprung").exists()


def test_what_stands_for_torchs_functions_cannot_be_written_into(tmp_path: Path) -> None:
    """A function of ours would keep new default arguments for the next file."""
    wanted = b"ctorch._utils\n_rebuild_tensor_v2\nN}X\x0c\x00\x00\x00__defaults__K\x01\x85s\x86b"
    opening = b"\x80\x02" + wanted + b"0}X\x01\x00\x00\x00a"
    with TensorFile(program(opening + _TENSOR + b"s.", tmp_path / "x.ckpt")) as file:
        assert list(file.references()) == ["a"]


def test_tensors_that_share_a_storage_are_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TensorFile(file) as opened:
        found = opened.references()
        opened.tensor(found["a"])
        monkeypatch.setattr(opened, "_read_exactly", None)
        assert torch.equal(opened.tensor(found["shared"]), torch.arange(15.0).reshape(3, 5).t()[1:3])


def test_a_byte_that_has_changed_is_noticed(file: Path) -> None:
    content = file.read_bytes()
    place = content.index(torch.arange(15.0).numpy().tobytes())
    file.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    with TensorFile(file) as opened, pytest.raises(HeadError, match="missing or cut short"):
        opened.tensor(opened.references()["a"])


def test_whole_numbers_at_the_top(file: Path) -> None:
    with TensorFile(file) as opened:
        assert (opened.number("step"), opened.number("callbacks"), opened.number("no")) == (7, None, None)


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
