"""`ldznet serve`: what is refused before anything starts, and a server that says where it is and ends with Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ldznet_ext.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
pytest.importorskip("uvicorn", reason="the app needs uvicorn: `make app` installs it")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--no-page", "--host", "0.0.0.0"], "there is no token"),
        (["--no-page", "--host", "0.0.0.0", "--token", "short"], "at least 8"),
        (["--no-page", "--port", "70000"], "cannot be had"),
        (["--no-page", "--port", "0", "--model", "no-such-model"], "does not exist"),
        (["--no-page", "--port", "0", "--device", "abacus"], None),
    ],
)
def test_what_cannot_be_is_a_sentence(
    arguments: list[str], said: str | None, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LDZNET_TOKEN", raising=False)
    monkeypatch.setattr("ldznet_ext.app.server.serve", lambda *given: None)
    code = main(["serve", "--no-browser", *arguments])

    assert code == (0 if said is None else 2)
    assert said is None or said in capsys.readouterr().err


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gradio" else find(name))

    assert main(["serve"]) == 2
    assert "The app needs gradio" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is another thing there")
def test_it_says_where_it_is_and_ends_cleanly(models: Path) -> None:
    command = [sys.executable, "-m", "ldznet_ext", "serve", "--no-page", "--no-browser", "--port", "0"]
    environment = {**os.environ, "LDZNET_MODELS": str(models), "PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
        assert address is not None
        assert b'"status":"ok"' in urllib.request.urlopen(f"{address[0]}ldznet/v1/health").read()
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
        assert "Traceback" not in server.communicate()[1]
    finally:
        server.kill()
