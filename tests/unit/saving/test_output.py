"""Files appear together or not at all."""

import errno
import os
from pathlib import Path

import pytest

from ldznet_ext.errors import OutputError
from ldznet_ext.saving.output import OutputFolder, stem_of


def tree(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_nothing_is_there_until_all_is(tmp_path):
    with OutputFolder(tmp_path / "a" / "b") as out:
        assert out.write("one.txt", b"1") == "one.txt"
        out.write("sub/two.txt", b"2")
        assert not (tmp_path / "a/b/one.txt").exists()
    assert tree(tmp_path) == {"a/b/one.txt": "1", "a/b/sub/two.txt": "2"}


def test_a_second_file_of_a_name_replaces_the_first(tmp_path):
    with OutputFolder(tmp_path) as out:
        out.write("one.txt", b"first")
        out.write("one.txt", b"second")
    assert tree(tmp_path) == {"one.txt": "second"}


def fill(folder: Path, **files: bytes) -> None:
    with OutputFolder(folder) as out:
        for name, content in files.items():
            out.write(name, content)


def interrupted(folder: Path, name: str, error: type[BaseException]) -> None:
    with OutputFolder(folder) as out:
        out.write(name, b"new")
        out.remove(name)
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_what_was_there(tmp_path, error):
    (tmp_path / "one.txt").write_text("old")
    with pytest.raises(error):
        interrupted(tmp_path, "one.txt", error)
    assert tree(tmp_path) == {"one.txt": "old"}
    with pytest.raises(error):
        interrupted(tmp_path / "new" / "folder", "sub/x.txt", error)
    assert [p.name for p in tmp_path.iterdir()] == ["one.txt"]


def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    written = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if len(data) > 3:
            written(self, data[:2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        fill(tmp_path / "out", small=b"1", large=b"12345")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_found_before_anything_is_moved(tmp_path):
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        fill(tmp_path, a=b"1", b=b"2")
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_removed_files_go_with_the_move(tmp_path):
    (tmp_path / "stale.png").write_text("old")
    with OutputFolder(tmp_path) as out:
        out.remove("stale.png")
        out.remove("never there")
        assert (tmp_path / "stale.png").exists()
    assert tree(tmp_path) == {}


def test_stems():
    assert stem_of("a/b.c/photo.tar.png") == "photo.tar" and stem_of("x" * 300 + ".png") == "x" * 200


def test_what_is_to_last_is_on_the_disk_before_it_is_in_place(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((tmp_path / "deep/one.txt").exists()))
    with OutputFolder(tmp_path) as out:
        out.write("one.txt", b"1")
    assert synced == []
    with OutputFolder(tmp_path / "deep", lasting=True) as out:
        out.write("one.txt", b"1")
        assert synced == [False]
    assert synced == [False, True]  # the file before it is in place, the folder after
