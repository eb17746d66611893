"""A server on this machine that serves files as the web does, and misbehaves as the web does: it cuts, stalls, lies and moves."""

import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass
class Loopback:
    """What it serves, and how. `tricks` are used up from the left, one an answer; then it behaves.

    cut N: closes after N bytes. stall N: falls silent after N bytes. drip: a byte now and then. short: says it has fewer bytes.
    more: sends more than it says. shifted: continues in another place. whole: ignores what is asked of it. page: a web page.
    changed: the file is another one from now on. code N: an error. to URL: a redirect.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    tricks: list[str] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    address: str = ""

    def ranges(self) -> list[str | None]:
        """What part was asked for, request by request."""
        return [headers.get("Range") for _, headers in self.asked]


@contextmanager
def serving() -> Iterator[Loopback]:
    """A server for the time of the body."""
    loopback = Loopback()
    handler = type("Handler", (_Handler,), {"loopback": loopback})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        loopback.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield loopback
        server.shutdown()


def hub_files(loopback: Loopback, model: str, files: dict[str, bytes], commit: str = "c0ffee") -> None:
    """Serve a model as a hub does: a list of its files with sizes and sums, and each under the commit."""
    siblings = []
    for path, raw in files.items():
        git = hashlib.sha1(f"blob {len(raw)}\0".encode() + raw).hexdigest()
        entry: dict[str, object] = {"rfilename": path, "size": len(raw), "blobId": git}
        if path.endswith((".safetensors", ".bin")):
            entry["lfs"] = {"sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw), "pointerSize": 134}
            entry["blobId"] = "0" * 40
        siblings.append(entry)
        loopback.files[f"/{model}/resolve/{commit}/{path}"] = raw
    listing = json.dumps({"id": model, "sha": commit, "siblings": siblings}).encode()
    loopback.files[f"/api/models/{model}/revision/main"] = listing


class _Handler(http.server.BaseHTTPRequestHandler):
    loopback: Loopback
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.loopback.asked.append((path, dict(self.headers.items())))
        trick, _, number = (self.loopback.tricks.pop(0) if self.loopback.tricks else "").partition(" ")
        self.close_connection = True
        if trick == "code":
            return self._answer(int(number), b"")
        if trick == "to":
            return self._answer(302, b"", Location=number)
        if trick == "page":
            return self._answer(200, b"<html>Log in</html>", **{"Content-Type": "text/html; charset=utf-8"})
        if trick == "changed":
            self.loopback.files[path] = bytes(reversed(self.loopback.files[path]))
        if path not in self.loopback.files:
            return self._answer(404, b"")
        return self._file(self.loopback.files[path], trick, int(number or 0))

    def _file(self, raw: bytes, trick: str, number: int) -> None:
        state = f'"{hashlib.sha256(raw).hexdigest()[:8]}"'
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if trick == "whole" or (condition and condition != state):
            start = 0
        if start >= len(raw) and start:
            return self._answer(416, b"", **{"Content-Range": f"bytes */{len(raw)}"})
        more = {"ETag": state, "Content-Type": "application/octet-stream"}
        if start:
            said = start + 1 if trick == "shifted" else start
            more["Content-Range"] = f"bytes {said}-{len(raw) - 1}/{len(raw)}"
        length = len(raw) - start - (7 if trick == "short" else 0)
        body = raw[start:] + (b"more" if trick == "more" else b"")
        return self._answer(206 if start else 200, body, length, trick, number, **more)

    def _answer(
        self, code: int, body: bytes, length: int | None = None, trick: str = "", number: int = 0, **headers: str
    ) -> None:
        self.send_response(code)
        if trick != "more":  # else its own library would not read on
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if trick in ("cut", "stall"):
            body = body[:number]
        if trick == "drip":
            for at in range(40):
                self.wfile.write(body[at : at + 1])
                time.sleep(0.04)
            return
        self.wfile.write(body)
        self.wfile.flush()
        if trick == "stall":
            time.sleep(2.0)

    def log_message(self, *_: object) -> None:
        pass
