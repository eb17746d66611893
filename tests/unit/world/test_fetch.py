"""Downloads that resume and are checked, archives that cannot escape, stores that are drawn once."""

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.errors import DataError, NetworkError, OutputError
from ldznet_ext.world import art, download, unpack
from ldznet_ext.world import fetch as fetching
from ldznet_ext.world.concepts import concept
from ldznet_ext.world.packages import ART, Package
from tests.loopback import Loopback, serving

FOX, OWL = concept("fox"), concept("owl")


def _quiet(what: str, done: int, total: int) -> None:
    pass


def _tar(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, raw in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(raw)
            tar.addfile(entry, io.BytesIO(raw))
    return buffer.getvalue()


def _deb(files: dict[str, bytes]) -> bytes:
    """An `ar` archive by hand; the control member has an odd size, so a byte of padding follows it."""
    out = b"!<arch>\n"
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": _tar(files, "w:xz")}
    for name, raw in parts.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(raw):<10}`\n".encode() + raw + b"\n" * (len(raw) % 2)
    return out


def _webp(colour: tuple[int, int, int, int], size: tuple[int, int]) -> bytes:
    """A WebP of one colour inside a transparent border of 3 px; size is PIL's (width, height)."""
    picture = Image.new("RGBA", (size[0] + 6, size[1] + 6), (0, 0, 0, 0))
    picture.paste(Image.new("RGBA", size, colour), (3, 3))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


def _package(raw: bytes, url: str = "http://127.0.0.1:9/none", file: str = "art.tgz") -> Package:
    digest = hashlib.sha256(raw).hexdigest()
    about = {"name": "art", "version": "1", "licence": "MIT", "author": "us", "home": ""}
    return Package(size=len(raw), sha256=digest, urls=(url,), files=(file, f"packed-{file}"), **about)


RAW = bytes(range(256)) * 9


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """A mirror with one archive; what a download survives is in tests/unit/hosts/test_download.py."""
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("ldznet_ext.hosts.download.LONGEST_PAUSE", 0)
    with serving() as loopback:
        loopback.files["/art.tgz"] = loopback.files["/mirror/art.tgz"] = RAW
        yield loopback


def test_a_download_that_broke_continues_where_it_stopped(web: Loopback, tmp_path: Path):
    package = _package(RAW, f"{web.address}/art.tgz")
    web.tricks = ["cut 1000", *["code 500"] * 5]
    with pytest.raises(
        NetworkError,
        match=r"^art 1 could not be had; .* LDZNET_ART_SOURCE\. .*run the same command again to continue\.$",
    ):
        download.obtain(package, tmp_path, None, _quiet)
    assert (tmp_path / "art.tgz").read_bytes() == RAW[:1000]
    steps: list[tuple[str, int, int]] = []
    file = download.obtain(package, tmp_path, None, lambda *step: steps.append(step))
    assert file.read_bytes() == RAW
    assert web.ranges()[-1] == "bytes=1000-"
    assert steps[-1] == ("art", len(RAW), len(RAW))
    assert [p.name for p in tmp_path.iterdir()] == ["art.tgz"]


def test_another_address_continues_what_the_first_began(web: Loopback, tmp_path: Path):
    urls = tuple(f"{web.address}{path}" for path in ("/art.tgz", "/mirror/art.tgz"))
    web.tricks = ["cut 1000", *["code 500"] * 5]
    package = replace(_package(RAW), urls=urls)
    assert download.obtain(package, tmp_path, None, _quiet).read_bytes() == RAW
    assert (web.asked[-1][0], web.ranges()[-1]) == ("/mirror/art.tgz", "bytes=1000-")


def test_a_changed_file_is_refused_and_removed(web: Loopback, tmp_path: Path):
    package = _package(RAW[::-1], f"{web.address}/art.tgz")
    with pytest.raises(NetworkError, match="has the SHA-256"):
        download.obtain(package, tmp_path, None, _quiet)
    assert not list(tmp_path.iterdir())


def test_what_is_whole_is_not_asked_for(web: Loopback, tmp_path: Path):
    (tmp_path / "packed-art.tgz").write_bytes(RAW)
    found = download.obtain(_package(RAW, f"{web.address}/art.tgz"), tmp_path, None, _quiet)
    assert found == tmp_path / "packed-art.tgz" and not web.asked


def test_a_local_folder_comes_before_the_network_under_any_of_its_names(tmp_path: Path):
    raw = b"local"
    (tmp_path / "packed-art.tgz").write_bytes(raw)
    found = download.obtain(_package(raw), tmp_path / "cache", tmp_path, _quiet)
    assert found == tmp_path / "packed-art.tgz"
    assert not (tmp_path / "cache").exists()


def test_members_of_a_tgz_and_of_a_deb(tmp_path: Path):
    files = {"./usr/b.png": b"bb", "./usr/a.png": b"a", "./usr/c.png": b"c"}
    for name, raw in {"x.tgz": _tar(files), "x.deb": _deb(files)}.items():
        (tmp_path / name).write_bytes(raw)
        assert list(unpack.members(tmp_path / name, ["usr/a.png", "usr/b.png"])) == [
            ("usr/b.png", b"bb"),
            ("usr/a.png", b"a"),
        ]


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        link = tarfile.TarInfo("package/icons.json")
        link.type, link.linkname = tarfile.SYMTYPE, "../../../etc/hostname"
        tar.addfile(link)
    (tmp_path / "x.tgz").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"has no package/icons\.json"):
        list(unpack.members(tmp_path / "x.tgz", ["package/icons.json"]))


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("x.tgz", _tar({"a": bytes(5000)})[:60]),
        ("x.tgz", gzip.compress(b"not a tar" * 100)),
        ("x.tgz", b""),
        ("x.deb", _deb({"a": b"a"})[:70]),
        ("x.deb", b"PK\x03\x04" + bytes(100)),
        ("x.deb", _deb({"a": random.Random(0).randbytes(9000)})[:-3000]),
    ],
    ids=[
        "tgz cut",
        "no tar",
        "empty",
        "deb cut",
        "a zip",
        "deb without its end",
    ],  # bytes hold the hour they were made at
)
def test_damaged_archives_are_one_sentence(tmp_path: Path, name: str, raw: bytes):
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError, match=r"^x\.(tgz|deb) .*fetch"):
        list(unpack.members(tmp_path / name, ["a"]))


def test_an_absurdly_large_member_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unpack, "LARGEST_MEMBER", 4)
    (tmp_path / "x.tgz").write_bytes(_tar({"a": b"12345"}))
    with pytest.raises(DataError, match="a in x"):
        list(unpack.members(tmp_path / "x.tgz", ["a"]))


@pytest.fixture
def fluent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local source with a two-picture fluent package; the table knows fox and owl only."""
    source = tmp_path / "source"
    source.mkdir()
    pictures = {FOX: _webp((255, 120, 0, 255), (4, 9)), OWL: _webp((90, 60, 30, 255), (600, 300))}
    raw = _tar({f"package/assets/{thing.slugs['fluent']}.webp": picture for thing, picture in pictures.items()})
    (source / "art.tgz").write_bytes(raw)
    monkeypatch.setitem(ART, "fluent", (_package(raw),))
    monkeypatch.setattr(fetching, "concepts", lambda: (FOX, OWL))
    monkeypatch.setenv("LDZNET_ART_SOURCE", str(source))
    monkeypatch.delenv("LDZNET_ART", raising=False)
    monkeypatch.setenv("LDZNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "art" / "fluent.npz"


def test_fetch_fills_the_cache_that_art_reads(fluent: Path):
    told: list[tuple[str, int, int]] = []
    assert fetching.fetch(styles=["fluent"], progress=lambda *step: told.append(step)) == [fluent]
    assert art.available("fluent") == (FOX, OWL)
    fox = art.sprite("fluent", FOX)
    assert fox.shape == (9, 4, 4)  # trimmed: no transparent border left
    assert tuple(fox[4, 2]) == (255, 120, 0, 255)
    assert max(art.sprite("fluent", OWL).shape) <= art.LONGEST_SIDE
    assert told == [("drawing fluent", 1, 2), ("drawing fluent", 2, 2)]


def test_a_second_fetch_repeats_nothing_and_a_damaged_store_is_mended(fluent: Path):
    fetching.fetch(styles=["fluent"])
    told: list[str] = []
    fetching.fetch(styles=["fluent"], progress=lambda what, _done, _total: told.append(what))
    assert not told
    whole = fluent.read_bytes()
    fluent.write_bytes(whole[:-1])
    fetching.fetch(styles=["fluent"], progress=lambda what, _done, _total: told.append(what))
    assert told
    assert fluent.read_bytes() == whole


def test_another_package_means_drawing_again(fluent: Path, monkeypatch: pytest.MonkeyPatch):
    fetching.fetch(styles=["fluent"])
    before = json.loads((fluent.parent / art.MANIFEST).read_text())["fluent.npz"]["recipe"]
    monkeypatch.setattr(fetching, "RENDERING", fetching.RENDERING + 1)
    fetching.fetch(styles=["fluent"])
    assert json.loads((fluent.parent / art.MANIFEST).read_text())["fluent.npz"]["recipe"] != before


def test_an_unwritable_cache_is_one_sentence(fluent: Path, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot be written .*: free some space or set LDZNET_CACHE"):
        fetching.fetch(tmp_path / "file", styles=["fluent"])


def test_a_store_that_could_not_be_written_leaves_the_old_one(fluent: Path, monkeypatch: pytest.MonkeyPatch):
    fetching.fetch(styles=["fluent"])
    whole = fluent.read_bytes()
    monkeypatch.setattr(fetching, "RENDERING", fetching.RENDERING + 1)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        fetching.fetch(styles=["fluent"])
    monkeypatch.undo()
    assert fluent.read_bytes() == whole
    assert sorted(p.name for p in fluent.parent.iterdir()) == ["fluent.npz", art.MANIFEST]


def test_unknown_styles_are_refused_before_anything_is_downloaded(tmp_path: Path):
    with pytest.raises(DataError, match="no style 'oil'"):
        fetching.fetch(tmp_path, styles=["fluent", "oil"])
    assert not list(tmp_path.iterdir())


def test_icons_are_drawn_inside_their_view_box():
    pytest.importorskip("resvg_py")
    icons = {
        "width": 10,
        "height": 10,
        "icons": {"left-half": {"body": '<path fill="#ff0000" d="M0 0h5v10H0z"/>'}},
        "aliases": {"half": {"parent": "left-half"}},
    }
    picture = fetching.rasterise(fetching.svg(icons, "half"), 20)
    assert picture.shape == (20, 20, 4)
    np.testing.assert_array_equal(picture[:, 2], np.broadcast_to((255, 0, 0, 255), (20, 4)))
    assert not picture[:, 15, 3].any()


def test_square_takes_the_asked_side():
    picture = np.zeros((4, 10, 3), np.uint8)
    picture[:, 6:] = 250
    assert fetching.square(picture, 0.0, 4).max() == 0
    assert fetching.square(picture, 1.0, 4).min() == 250
    assert fetching.square(picture, 0.5, 4).shape == (4, 4, 3)


def test_every_pin_is_complete():
    for style, packages in ART.items():
        assert style in art.STYLES
        for package in packages:
            assert len(package.sha256) == 64
            assert package.size > 500_000
            assert package.version.rpartition(":")[2] in package.urls[0]
            assert package.urls[0].rpartition("/")[2] in package.files
