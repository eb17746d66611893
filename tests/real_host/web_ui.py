"""A running web UI over HTTP: what the programs in this folder and `benchmarks/webui_generation.py` ask of it."""

import base64
import io
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

TITLE = "ld-znet masks"
SMALL: dict[str, Any] = {
    "prompt": "a fox and a doughnut on snow",
    "width": 64,
    "height": 96,
    "steps": 3,
    "seed": 5,
    "cfg_scale": 5,
    "sampler_name": "Euler",
}
"""A picture that is painted in a second or two; a test changes what it is about."""


class RefusedError(Exception):
    """An answer of status 4xx or 5xx."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body[:300]}")
        self.status, self.body = status, body


@dataclass(frozen=True, kw_only=True)
class Painted:
    """What a generation gave. `pictures`: without the grid, masks and overlays behind them; `said`: our sentences."""

    pictures: tuple[Image.Image, ...]
    extras: tuple[Image.Image, ...]
    said: str
    info: dict[str, Any] = field(repr=False)

    @property
    def masks(self) -> tuple[Image.Image, ...]:
        """The grey ones among what comes behind the pictures; Forge has them as RGB."""
        return tuple(picture.convert("L") for picture in self.extras if _is_grey(picture))


def _is_grey(picture: Image.Image) -> bool:
    bands = [band.tobytes() for band in picture.split()[:3]]
    return all(band == bands[0] for band in bands)


class WebUi:
    """One address."""

    def __init__(self, address: str, seconds: float = 600) -> None:
        self.address, self.seconds = address.rstrip("/"), seconds

    def get(self, path: str) -> Any:
        """GET, as JSON."""
        return self._ask(urllib.request.Request(self.address + path))

    def post(self, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """POST of JSON, as JSON."""
        data = json.dumps({} if body is None else body).encode()
        head = {"Content-Type": "application/json", **(headers or {})}
        return self._ask(urllib.request.Request(self.address + path, data, head))

    def txt2img(self, job: Mapping[str, Any] | None = None, trick: str = "", **settings: Any) -> Painted:
        """Paint. `job`: the accordion's settings, None for closed; `trick`: what the saboteur does."""
        return self._paint("txt2img", {**SMALL, **settings}, job, trick)

    def img2img(
        self, picture: Image.Image, job: Mapping[str, Any] | None = None, trick: str = "", **settings: Any
    ) -> Painted:
        """Paint over a picture."""
        body = {**SMALL, "init_images": [encoded(picture)], "denoising_strength": 0.6, **settings}
        return self._paint("img2img", body, job, trick)

    def masks(self, picture: Image.Image | str, words: Any = "fox", **settings: Any) -> dict[str, Any]:
        """Our own route: the answer of the first picture."""
        image = picture if isinstance(picture, str) else encoded(picture)
        return self.post("/ldznet/v1/masks", {"images": [image], "words": words, **settings})["images"][0]

    def meanwhile(self, **settings: Any) -> "Meanwhile":
        """A longer generation in a thread of its own."""
        return Meanwhile(self, settings)

    def _paint(self, kind: str, body: dict[str, Any], job: Mapping[str, Any] | None, trick: str) -> Painted:
        scripts = {TITLE: {"args": [dict(job)]}} if job is not None else {}
        if trick:
            scripts["saboteur"] = {"args": [trick]}
        answer = self.post(f"/sdapi/v1/{kind}", {**body, "alwayson_scripts": scripts})
        images, info = [decoded(text) for text in answer["images"]], json.loads(answer["info"])
        first = info.get("index_of_first_image", 0)
        last = first + body.get("batch_size", 1) * body.get("n_iter", 1)
        said = info.get("extra_generation_params", {}).get("LD-ZNet said", "")
        return Painted(pictures=tuple(images[first:last]), extras=tuple(images[last:]), said=said, info=info)

    def _ask(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=self.seconds) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RefusedError(error.code, error.read().decode(errors="replace")) from None


class Meanwhile:
    """A generation that goes on while something else happens; `wait` gives what it painted."""

    def __init__(self, host: WebUi, settings: dict[str, Any]) -> None:
        self._painted: Painted | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, args=(host, settings), daemon=True)
        self._thread.start()

    def wait(self) -> Painted:
        """The result, or the exception."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._painted is not None
        return self._painted

    def _work(self, host: WebUi, settings: dict[str, Any]) -> None:
        try:
            self._painted = host.txt2img(**settings)
        except Exception as error:
            self._error = error


def _is_grey(picture: Image.Image) -> bool:
    red, green, blue = picture.convert("RGB").split()
    return red.tobytes() == green.tobytes() == blue.tobytes()


def encoded(picture: Image.Image, kind: str = "PNG") -> str:
    """A picture in base64."""
    stream = io.BytesIO()
    picture.save(stream, kind)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def decoded(text: str) -> Image.Image:
    """The other way round."""
    return Image.open(io.BytesIO(base64.b64decode(text.rpartition(",")[2])))
