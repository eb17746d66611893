"""One file from a server that cuts, stalls, lies and moves: it arrives whole and checked, or a sentence says why not."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldznet_ext.errors import NetworkError, OutputError
from ldznet_ext.hosts.download import download, note_of
from ldznet_ext.hosts.remote import Remote
from tests.loopback import Loopback, serving

RAW = bytes(range(256)) * 40
SUM = hashlib.sha256(RAW).hexdigest()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with serving() as loopback:
        loopback.files["/one.safetensors"] = RAW
        yield loopback


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "one.safetensors"


def fetch(web: Loopback, target: Path, **known: object) -> list[tuple[int, int]]:
    """Download with short patience; what was told."""
    told: list[tuple[int, int]] = []
    remote = Remote(url=f"{web.address}/one.safetensors", **known)  # type: ignore[arg-type]
    download(remote, target, tick=lambda done, total: told.append((done, total)), timeout=1.0, pause=0)
    return told


def test_a_whole_file(web: Loopback, target: Path) -> None:
    told = fetch(web, target, sha256=SUM, size=len(RAW))
    assert target.read_bytes() == RAW and told[-1] == (len(RAW), len(RAW))
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize(
    ("tricks", "asked"),
    [
        (["cut 1000", "cut 3000"], [None, "bytes=1000-", "bytes=4000-"]),
        (["stall 5000"], [None, "bytes=5000-"]),
        (["cut 1000", "whole"], [None, "bytes=1000-"]),  # a server that cannot continue begins anew
        (["cut 1000", "shifted"], [None, "bytes=1000-", None]),
        (["cut 1000", "changed"], [None, "bytes=1000-"]),
        (["code 503", "code 429"], [None, None, None]),
        (["cut 0", "cut 0"], [None, None, None]),
    ],
    ids=lambda given: given[0] if isinstance(given[0], str) else "",
)
def test_it_goes_on(web: Loopback, target: Path, tricks: list[str], asked: list[str | None]) -> None:
    changed = "changed" in tricks
    web.tricks = list(tricks)
    fetch(web, target)
    assert target.read_bytes() == (RAW[::-1] if changed else RAW)
    assert web.ranges() == asked and not web.tricks
    assert not note_of(target).exists()


def test_another_call_goes_on(web: Loopback, target: Path) -> None:
    web.tricks = ["cut 4000", *["code 500"] * 5]
    with pytest.raises(
        NetworkError, match=r"one\.safetensors stopped after 0\.0 of 0\.0 MB .*500.*again to continue\.$"
    ):
        fetch(web, target)
    assert target.read_bytes() == RAW[:4000] and json.loads(note_of(target).read_text())["size"] == len(RAW)
    fetch(web, target)
    assert target.read_bytes() == RAW and web.ranges()[-1] == "bytes=4000-"


def test_two_files_are_never_mixed(web: Loopback, target: Path) -> None:
    """What waits under the name is a part of another file, or another file of the same size, whole."""
    other = web.files["/two"] = bytes(reversed(RAW))
    web.tricks = ["cut 4000", *["code 500"] * 5]
    with pytest.raises(NetworkError):
        fetch(web, target, sha256=SUM)
    wanted = Remote(url=f"{web.address}/two", size=len(other), sha256=hashlib.sha256(other).hexdigest())
    download(wanted, target, timeout=1.0, pause=0)
    assert target.read_bytes() == other and web.ranges()[-1] is None
    fetch(web, target, sha256=SUM, size=len(RAW))
    assert target.read_bytes() == RAW and web.ranges()[-1] is None


def test_the_same_content_goes_on_from_another_address(web: Loopback, target: Path) -> None:
    web.tricks = ["cut 4000", *["code 500"] * 5]
    with pytest.raises(NetworkError):
        fetch(web, target, sha256=SUM)
    web.files["/mirror"] = RAW
    download(Remote(url=f"{web.address}/mirror", sha256=SUM), target, timeout=1.0, pause=0)
    assert target.read_bytes() == RAW and web.ranges()[-1] == "bytes=4000-"


def test_what_is_there_and_right_is_not_asked_for(web: Loopback, target: Path) -> None:
    fetch(web, target, sha256=SUM)
    web.asked.clear()
    fetch(web, target, sha256=SUM.upper())
    assert not web.asked


def test_a_fault_of_the_network_is_none_of_the_disk(
    web: Loopback, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most such errors are no ConnectionError: a route that is gone, TLS that breaks."""

    def gone(*_: object) -> bytes:
        raise OSError(113, "No route to host")

    with monkeypatch.context() as broken:
        broken.setattr("http.client.HTTPResponse.read1", gone)
        with pytest.raises(NetworkError, match=r"stopped .*No route to host"):
            fetch(web, target)
    with monkeypatch.context() as broken:
        broken.setattr("http.client.HTTPConnection.getresponse", gone)
        with pytest.raises(NetworkError, match=r"stopped .*No route to host"):
            fetch(web, target)


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/one.safetensors", "file:///etc/passwd"])
def test_redirects_stay_in_the_web(web: Loopback, target: Path, place: str) -> None:
    web.tricks = [f"to {place}"]
    with pytest.raises(NetworkError, match=r"none of the web|not allowed"):
        fetch(web, target)
    assert not target.exists()


def test_a_server_that_drips_is_left(web: Loopback, target: Path) -> None:
    web.tricks = ["drip"]
    fetch(web, target)
    assert target.read_bytes() == RAW and len(web.asked) == 2


@pytest.mark.parametrize(
    ("tricks", "known", "said"),
    [
        ([], {"sha256": "0" * 64}, "has the SHA-256 [0-9a-f]{64} instead of 0{64} and was deleted"),
        ([], {"git": "0" * 40}, "is not the content that the hub lists and was deleted"),
        ([], {"size": 99}, "the server has 10,240 bytes instead of 99"),
        (["more"], {"size": len(RAW)}, "sent more than the 10,240 bytes"),
        (["page"], {}, "answered with a web page"),
        (["code 404"], {}, "the server says 404"),
        (["code 401"], {}, "401 Unauthorized, log in with HF_TOKEN"),
        (["cut 0"] * 9, {}, "the connection closed early"),
    ],
)
def test_lies_are_not_believed(
    web: Loopback, target: Path, tricks: list[str], known: dict[str, object], said: str
) -> None:
    web.tricks = list(tricks)
    with pytest.raises(NetworkError, match=said) as caught:
        fetch(web, target, **known)
    assert "; expected" in str(caught.value) and "\n" not in str(caught.value)
    assert not target.exists() or target.read_bytes() == b""


def test_a_file_that_says_it_is_shorter(web: Loopback, target: Path) -> None:
    """Without a size or a sum nobody can tell; with one it is refused."""
    web.tricks = ["short"]
    with pytest.raises(NetworkError, match="has 10,233 bytes instead of 10,240"):
        fetch(web, target, size=len(RAW), sha256=SUM)


@pytest.mark.parametrize("switch", ["LDZNET_OFFLINE", "HF_HUB_OFFLINE"])
def test_the_switch(web: Loopback, target: Path, monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    monkeypatch.setenv(switch, "1")
    with pytest.raises(NetworkError, match=f"switched off \\({switch} is set\\)"):
        fetch(web, target)
    assert not web.asked and not target.parent.exists()
    monkeypatch.setenv(switch, "0")
    fetch(web, target)


def test_a_token_stays_with_its_host(web: Loopback, target: Path) -> None:
    with serving() as other:
        other.files["/elsewhere"] = RAW
        web.tricks = [f"to {web.address}/two", f"to {other.address}/elsewhere"]
        fetch(web, target, token="secret")
    assert [headers.get("Authorization") for _, headers in web.asked] == ["Bearer secret"] * 2
    assert other.asked[0][1].get("Authorization") is None and target.read_bytes() == RAW


def test_two_at_once(web: Loopback, target: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="no such locks here")
    target.parent.mkdir()
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NetworkError, match="being downloaded already"):
            fetch(web, target)


def test_no_room(web: Loopback, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(OutputError, match=r"needs 0\.00 GB more"):
        fetch(web, target)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://x/y.safetensors", "https://", "nowhere"])
def test_other_addresses(address: str, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(NetworkError, match="expected one that begins with https://"):
        download(Remote(url=address), target)


def test_an_interrupt_leaves_what_is_there(web: Loopback, target: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(Remote(url=f"{web.address}/one.safetensors"), target, tick=interrupt)
    held = target.stat().st_size
    assert 0 < held <= len(RAW) and note_of(target).exists()
    fetch(web, target)
    assert target.read_bytes() == RAW
