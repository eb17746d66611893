"""The pocket host in a process of its own, and inside this one; skipped with the reason where its Gradio is not there."""

import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
collect_ignore = ["launch.py", "modules"]


def missing() -> str:
    """Why it cannot run here, or nothing."""
    try:
        import gradio
        import pydantic
    except ImportError as error:
        return f"the pocket host's packages are not here ({error.name}): `make browser` has them"
    if not gradio.__version__.startswith("3.41") or not str(pydantic.VERSION).startswith("1."):
        return f"gradio {gradio.__version__} is not the hosts' 3.41: `make browser` has its own"
    return "" if (ROOT / "models" / "sticker-sd" / "unet").is_dir() else "models/sticker-sd is not there"


@dataclass(frozen=True)
class Running:
    """A pocket host that answers at `url`; `log` is what it said."""

    url: str
    log: Path

    def ask(self, path: str, body: Any = None, auth: str = "", timeout: float = 300) -> tuple[int, Any]:
        """Status and JSON of a request."""
        headers = {"Content-Type": "application/json"}
        if auth:
            headers["Authorization"] = f"Basic {base64.b64encode(auth.encode()).decode()}"
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url + path, data, headers), timeout=timeout
            ) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def paint(self, **body: Any) -> list[Image.Image]:
        """Pictures of words."""
        status, answer = self.ask("/sdapi/v1/txt2img", {"width": 128, "height": 64, "steps": 3, "seed": 5, **body})
        assert status == 200, answer
        return [Image.open(io.BytesIO(base64.b64decode(text))) for text in answer["images"]]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    """Start hosts with arguments; all end with the module."""
    if reason := missing():
        pytest.skip(reason)
    processes: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> Running:
        folder = tmp_path_factory.mktemp("pocket")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, str(HERE / "launch.py"), "--port", str(port), "--data-dir", str(folder), *arguments]
        with (folder / "log.txt").open("w") as log:
            processes.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=os.environ))
        running = Running(f"http://127.0.0.1:{port}", folder / "log.txt")
        _wait(running, processes[-1])
        return running

    yield begin
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(30)


def _wait(running: Running, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(180):
        if process.poll() is not None:
            raise RuntimeError(f"The pocket host ended at once:\n{running.log.read_text()}")
        try:
            running.ask("/sdapi/v1/progress", timeout=5)
            return
        except OSError:
            time.sleep(1)
    raise RuntimeError(f"The pocket host did not answer:\n{running.log.read_text()}")
