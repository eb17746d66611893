"""Serving: a token beyond loopback, the next free port, one application with doors; the page for the token."""

import socket

import pytest

pytest.importorskip("httpx", reason="FastAPI's client for tests needs httpx")
from fastapi.testclient import TestClient

from ldznet_ext.app import server, strings
from ldznet_ext.app.page_guard import PageGuard
from ldznet_ext.errors import OptionError
from tests.unit.app.conftest import FakeDesk

HERE = {"base_url": "http://127.0.0.1:7870"}
TOKEN = "a-token-for-tests"


def test_beyond_loopback_a_token_is_needed() -> None:
    with pytest.raises(OptionError, match="there is no token"):
        server.Serving.checked("0.0.0.0", None, "", True, {})
    assert server.Serving.checked("0.0.0.0", None, "", True, {"LDZNET_TOKEN": TOKEN}).token == TOKEN
    assert server.Serving.checked("127.0.0.1", 1, "", False, {}) == server.Serving(port=1, page=False)


def test_the_next_port_is_taken_where_the_default_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(server, "PORT", taken.getsockname()[1])
        with server.bound("127.0.0.1", None) as found:
            assert taken.getsockname()[1] < found.getsockname()[1] < taken.getsockname()[1] + server.TRIES
        with pytest.raises(OptionError, match="cannot be had"):
            server.bound("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize("host, port", [("127.0.0.1", 99_999), ("no such host.invalid", 0), ("198.51.100.1", 0)])
def test_an_address_that_cannot_be_had_is_a_sentence(host: str, port: int) -> None:
    with pytest.raises(OptionError, match="cannot be had"):
        server.bound(host, port)


def test_the_api_is_there_without_a_page(desk: FakeDesk) -> None:
    with TestClient(server.application(desk, page=False), **HERE) as client:  # type: ignore[arg-type]
        assert client.get("/ldznet/v1/health").json()["model"] == "tiny"
        assert client.get("/").status_code == 404


def test_a_locked_desk_asks_people_for_the_token(desk: FakeDesk) -> None:
    app = server.application(desk, token=TOKEN, page=False)  # type: ignore[arg-type]
    app.add_middleware(PageGuard)
    with TestClient(app, **HERE) as client:
        page = client.get("/", headers={"accept": "text/html"})
        assert page.status_code == 401 and strings.LOGIN in page.text and strings.WRONG not in page.text
        assert strings.WRONG in client.get("/?token=wrong", headers={"accept": "text/html"}).text
        assert client.get("/ldznet/v1/health").json()["error"].startswith("The token is wrong or missing")
        client.get(f"/?token={TOKEN}", headers={"accept": "text/html"})
        assert client.get("/ldznet/v1/health").status_code == 200
