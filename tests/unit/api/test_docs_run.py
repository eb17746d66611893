"""The examples of docs/api.md are run as they stand: Python and curl, against a server of the tiny model."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from ldznet_ext.hosts.desk import StandaloneDesk
from tests.served import served
from tests.tiny import picture

pytest.importorskip("uvicorn", reason="uvicorn is not installed: the app brings it")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")

from ldznet_ext.api.server import application  # noqa: E402

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text("utf-8")
PORT = "127.0.0.1:7870"


def blocks(kind: str) -> list[str]:
    """The examples in a language, in their order."""
    return re.findall(rf"```{kind}\n(.*?)```", DOCS, re.DOTALL)


@pytest.fixture
def address(models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Where the tiny model is served, and a folder with a fox to be in."""
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    monkeypatch.setenv("LDZNET_TOKEN", "a-long-token")
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture()).save("fox.png")
    with served(application(StandaloneDesk())) as address:
        yield address


def test_python_as_it_stands(address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    requests: Any = ModuleType("requests")  # it may not be here; httpx answers the same
    for method in ("get", "post", "delete"):
        monkeypatch.setattr(requests, method, with_patience(method), raising=False)
    monkeypatch.setitem(sys.modules, "requests", requests)
    codes = blocks("python")
    assert len(codes) >= 5
    known: dict[str, Any] = {}
    for code in codes:
        exec(compile(code.replace(PORT, address), "docs/api.md", "exec"), known)
    said = capsys.readouterr().out
    assert "pieces like it" in said and "painting, step" in said
    sizes = {name: Image.open(name).size for name in ("fox_mask.png", "painted.png", "edited.png")}
    assert sizes == {"fox_mask.png": (130, 90), "painted.png": (128, 128), "edited.png": (130, 90)}


def with_patience(method: str) -> Any:
    """httpx gives up after five seconds, `requests` never does."""
    return lambda *args, **given: getattr(httpx, method)(*args, timeout=60, **given)


@pytest.mark.skipif(not all(map(shutil.which, ("sh", "curl", "base64"))), reason="no curl")
def test_curl_as_it_stands(address: str) -> None:
    scripts = [block for block in blocks("sh") if "curl" in block]
    assert len(scripts) >= 2
    for script in scripts:
        code = script.replace(PORT, address).replace("python3", sys.executable)
        done = subprocess.run(["sh", "-ec", code], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0 and '"error"' not in done.stdout, done.stdout + done.stderr
    assert Image.open("mask.png").size == (130, 90)
    assert '"status":"ok"' in done.stdout
