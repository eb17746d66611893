"""Who reaches the stand-alone server: this machine's own names, no page of another address, and the token where one is asked."""

import pytest

from ldznet_ext.api.access import bears, check_token
from ldznet_ext.errors import OptionError

pytest.importorskip("starlette", reason="starlette is not installed: fastapi brings it")
pytest.importorskip("httpx", reason="httpx is not installed: starlette's test client needs it")

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from ldznet_ext.api.doors import Doors

TOKEN = "a-long-token+/%"


def client(token: str | None = None, address: str = "http://127.0.0.1:7860") -> TestClient:
    """A browser at an application behind the doors."""

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    routes = [Route("/{path:path}", lambda request: PlainTextResponse("in")), WebSocketRoute("/talk", talk)]
    made = TestClient(Doors(Starlette(routes=routes), token=token), base_url=address)
    made.follow_redirects = False
    return made


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost", "[::1]:7860", "[::1]", "LOCALHOST:1", "127.0.0.2"])
def test_this_machine_is_served(host: str) -> None:
    assert client().get("/", headers={"Host": host, "Origin": f"http://{host}"}).text == "in"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "192.168.0.7", "", "a b", "[::1"]
)
def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    answer = client().get("/", headers={"Host": host})
    assert answer.status_code == 403 and "expected localhost or 127.0.0.1, so " in answer.json()["error"]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:7860", "", "http://["]
)
@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_page_of_another_address_is_refused(origin: str, token: str | None) -> None:
    given = {"Origin": origin, "Authorization": f"Bearer {TOKEN}"}
    for method in ("GET", "POST", "OPTIONS"):
        answer = client(token).request(method, "/", headers=given)
        assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
        assert "expected one of this server, so " in answer.json()["error"]


def test_a_proxy_may_say_the_name_the_browser_knows_where_there_is_a_token() -> None:
    given = {"Origin": "https://fox.example", "X-Forwarded-Host": "fox.example", "Authorization": f"Bearer {TOKEN}"}
    assert client(TOKEN).get("/", headers=given).text == "in"
    assert client().get("/", headers=given).status_code == 403


def test_the_token_is_asked_for_under_every_name() -> None:
    far = client(TOKEN, "http://example.org")
    for header in (None, "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"):
        answer = far.get("/", headers={} if header is None else {"Authorization": header.encode("latin-1")})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), header
        assert "The token is wrong or missing; expected " in answer.json()["error"]
    assert far.get("/", headers={"Authorization": f"bearer {TOKEN}"}).text == "in"


def test_a_page_is_opened_by_the_token_at_its_end_and_keeps_it_in_a_cookie() -> None:
    browser = client(TOKEN, "http://example.org")
    answer = browser.get("/a b", params={"token": TOKEN, "x": "1 2"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/a%20b?x=1+2")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert browser.get("/a").text == "in"
    wrong = client(TOKEN, "http://example.org")
    assert wrong.get("/a", params={"token": "no"}).status_code == 401
    assert wrong.post("/a", params={"token": TOKEN}).status_code == 401
    wrong.cookies.set("ldznet_token", "no")
    assert wrong.get("/a").status_code == 401


def test_nobody_is_sent_on_to_another_address() -> None:
    browser = client(TOKEN, "http://example.org")
    answer = browser.get("http://example.org//evil.example/x", params={"token": TOKEN})
    assert answer.headers["location"] == "/evil.example/x"


def test_a_standing_connection_is_asked_too() -> None:
    with client().websocket_connect("ws://127.0.0.1:7860/talk") as socket:
        assert socket.receive_text() == "hello"
    for browser, headers in ((client(), {"Origin": "http://evil.example"}), (client(TOKEN), {})):
        with pytest.raises(WebSocketDisconnect), browser.websocket_connect("ws://127.0.0.1:7860/talk", headers=headers):
            pass


def test_others_are_let_in_with_a_token_alone() -> None:
    check_token("127.0.0.1", None)
    check_token("0.0.0.0", "12345678")
    for host, token in (
        ("0.0.0.0", None),
        ("fox.local", None),
        ("127.0.0.1", "short"),
        ("::1", "with a blank"),
        ("::1", "fuchs-füchse"),
    ):
        with pytest.raises(OptionError, match=r"; expected .*, so "):
            check_token(host, token)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic token-token", "token-token", "Bearer token-tokem"]
)
def test_other_headers_bring_no_token(header: str | None) -> None:
    assert not bears(header, "token-token") and bears("Bearer  token-token ", "token-token")
