"""The routes on a FastAPI application, as a web UI has one."""

import base64
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ldznet_ext.api import limits
from ldznet_ext.api.examples import ANSWERS, REQUESTS
from ldznet_ext.api.routes import GETS, POSTS
from ldznet_ext.api.tables import MASKS
from ldznet_ext.errors import ModelError
from tests.unit.api.conftest import TinyDesk, desk, received, sent

fastapi = pytest.importorskip("fastapi", reason="fastapi is not installed: the web UIs bring it")
pytest.importorskip("httpx", reason="httpx is not installed: fastapi's test client needs it")

from fastapi.testclient import TestClient  # noqa: E402

from ldznet_ext.api import web  # noqa: E402
from ldznet_ext.hosts.webui import api as webui_api  # noqa: E402

__all__ = ["desk"]

BODY = {"images": [sent()], "words": "fox"}
PATHS = {f"/ldznet/v1/{name}" for name in (*POSTS, *GETS, "jobs/{job}")}
Serve = Callable[..., TestClient]


@pytest.fixture
def serve(desk: TinyDesk) -> Serve:
    """A client of an application that has our routes, open or locked."""

    def start(app: Any = None, **credentials: str) -> TestClient:
        app = app or fastapi.FastAPI()
        webui_api.mount(app, lambda: desk, (lambda: credentials) if credentials else None)
        return TestClient(app)

    return start


def test_masks_come_as_json(serve: Serve) -> None:
    answer = serve().post("/ldznet/v1/masks", json={**BODY, "grow": 2})
    assert answer.status_code == 200, answer.text
    mask = answer.json()["images"][0]["masks"][0]
    assert (mask["words"], received(mask["mask"]).mode) == ("fox", "L")


@pytest.mark.parametrize("path, key", [("methods", "methods"), ("models", "heads"), ("health", "status")])
def test_what_there_is_can_be_asked(serve: Serve, path: str, key: str) -> None:
    answer = serve().get(f"/ldznet/v1/{path}")
    assert answer.status_code == 200
    assert answer.json()[key]


WRONG = {
    "a range": ({**BODY, "grow": 4000}, 400, "Grow is 4000"),
    "a path": ({**BODY, "images": ["/etc/hostname"]}, 400, "paths and addresses are never opened"),
    "a field that is none": ({**BODY, "pictures": []}, 400, 'no field "pictures"'),
    "no object": ([1], 400, "is of the type list; expected a JSON object"),
    "too many": ({**BODY, "images": [""] * 17}, 413, "There are 17 images"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refusals_are_one_sentence(serve: Serve, name: str) -> None:
    body, status, sentence = WRONG[name]
    answer = serve().post("/ldznet/v1/masks", json=body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"images": ', b"\xff"])
def test_what_is_no_json_is_refused(serve: Serve, content: bytes) -> None:
    answer = serve().post("/ldznet/v1/masks", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]


def test_a_host_that_cannot_now_says_so(serve: Serve, desk: TinyDesk) -> None:
    desk.error = ModelError("No checkpoint is loaded; expected one, so choose one.")
    answer = serve().post("/ldznet/v1/masks", json=BODY)
    assert (answer.status_code, answer.json()) == (409, {"error": str(desk.error)})
    desk.error = RuntimeError("out of memory")
    answer = serve().post("/ldznet/v1/masks", json=BODY)
    assert answer.status_code == 500
    assert "out of memory" in answer.json()["error"]


def test_a_body_is_given_up_when_it_is_too_long(serve: Serve, monkeypatch: pytest.MonkeyPatch, desk: TinyDesk) -> None:
    monkeypatch.setattr(web, "MAX_BODY", 1 << 20)
    read: list[int] = []

    def endless() -> Any:
        for number in range(64):
            read.append(number)
            yield b" " * (1 << 17)

    answer = serve().post("/ldznet/v1/masks", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert "longer than" in answer.json()["error"]
    assert desk.asked == []


def test_the_limit_lets_the_largest_allowed_request_in() -> None:
    assert limits.MAX_BODY > limits.MAX_MEGAPIXELS * 1_000_000 * 3 * 4 / 3 * 0.99, "one picture that packs badly"


def header(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize("path", ["masks", "methods", "models", "health"])
def test_a_locked_host_asks_before_it_reads_anything(serve: Serve, desk: TinyDesk, path: str) -> None:
    client = serve(ann="fox")
    for given in ({}, header("ann", "owl"), header("eve", "fox")):
        answer = client.request("POST" if path == "masks" else "GET", f"/ldznet/v1/{path}", json=[1], headers=given)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Basic"
        assert list(answer.json()) == ["error"]
    right = client.request(
        "POST" if path == "masks" else "GET", f"/ldznet/v1/{path}", json=BODY, headers=header("ann", "fox")
    )
    assert right.status_code == 200


@pytest.mark.parametrize(
    "options, let_in",
    [
        ({}, None),
        ({"api_auth": "ann:"}, {"ann": ""}),
        ({"api_auth": "ann"}, {}),
        ({"api_auth": "ann:fox,bob:owl"}, {"ann": "fox", "bob": "owl"}),
        ({"gradio_auth": "zoe:cat"}, {"zoe": "cat"}),
        ({"gradio_auth_path": __file__}, {"zoe": "cat"}),
        ({"api_auth": "ann:fox", "gradio_auth": "zoe:cat"}, {"ann": "fox"}),
    ],
)
def test_credentials_are_the_hosts(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, str], let_in: dict[str, str] | None
) -> None:
    started_with(monkeypatch, lambda: iter([("zoe", "cat")]), **options)
    assert webui_api.host_credentials() == let_in


def started_with(monkeypatch: pytest.MonkeyPatch, pairs: Callable[[], Any], **options: str) -> None:
    """A host with these options on its command line, which reads the interface's names and passwords by `pairs`."""
    given = {"api_auth": None, "gradio_auth": None, "gradio_auth_path": None, **options}
    shared, package, util = ModuleType("modules.shared"), ModuleType("modules"), ModuleType("modules.initialize_util")
    shared.cmd_opts = SimpleNamespace(**given)  # type: ignore[attr-defined]
    util.get_gradio_auth_creds = pairs  # type: ignore[attr-defined]
    package.initialize_util = util  # type: ignore[attr-defined]
    for name, module in {"modules": package, "modules.shared": shared, "modules.initialize_util": util}.items():
        monkeypatch.setitem(sys.modules, name, module)
    webui_api._of_the_interface.cache_clear()


def test_a_lock_without_a_usable_pair_lets_nobody_in(monkeypatch: pytest.MonkeyPatch, desk: TinyDesk) -> None:
    started_with(monkeypatch, lambda: iter(()), api_auth="ann")
    app = fastapi.FastAPI()
    webui_api.mount(app, lambda: desk)
    assert TestClient(app).get("/ldznet/v1/health").status_code == 401
    assert TestClient(app).get("/ldznet/v1/health", headers=header("ann", "")).status_code == 401


def test_the_file_of_the_interface_is_read_once_for_each_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names, read = tmp_path / "names.txt", []
    names.write_text("zoe:cat")

    def pairs() -> Any:
        read.append(names.read_text())
        yield tuple(read[-1].split(":"))

    started_with(monkeypatch, pairs, gradio_auth_path=str(names))
    assert webui_api.host_credentials() == webui_api.host_credentials() == {"zoe": "cat"} and len(read) == 1
    names.write_text("ann:stoat")
    assert webui_api.host_credentials() == {"ann": "stoat"} and len(read) == 2


def test_reload_ui_replaces_the_routes_and_the_desk(serve: Serve, desk: TinyDesk) -> None:
    app = fastapi.FastAPI()
    app.get("/sdapi/v1/progress")(lambda: {"host": "own"})
    serve(app)
    desk.name = "another desk"  # type: ignore[misc]
    client = serve(app)
    ours = [route.path for route in app.routes if getattr(route, "path", "").startswith("/ldznet/")]
    assert len(ours) == 10 and set(ours) == PATHS
    assert client.get("/ldznet/v1/health").json()["host"] == "another desk"
    assert client.get("/sdapi/v1/progress").json() == {"host": "own"}
    webui_api.unmount(app)
    assert client.get("/ldznet/v1/health").status_code == 404


def test_the_documentation_shows_fields_and_examples(serve: Serve) -> None:
    paths = serve().get("/openapi.json").json()["paths"]
    post = paths["/ldznet/v1/masks"]["post"]
    asked = post["requestBody"]["content"]["application/json"]
    assert tuple(asked["schema"]["properties"]) == tuple(each.name for each in MASKS)
    assert asked["example"] == REQUESTS["masks"]
    assert post["responses"]["200"]["content"]["application/json"]["example"] == ANSWERS["masks"]
    assert {"400", "401", "409", "413"} <= set(post["responses"])
    assert set(paths) == PATHS
