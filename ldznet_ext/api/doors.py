"""The doors of the stand-alone server, before its page and its API alike: this machine alone, or whoever has the token.

Without a token only this machine reaches the server, but a page of any address that is open in a browser here could try to
drive it: by a name of its own that it lets point at 127.0.0.1 (then Host is that name), or by requests across origins (then
Origin is its own). Both are refused.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from ldznet_ext.api.access import bears, is_loopback, same

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
COOKIE, QUERY = "ldznet_token", "token"
NO_TOKEN = (
    "The token is wrong or missing; expected the one the server was started with, so send it as Authorization: Bearer TOKEN, or "
    "open the page with ?token=TOKEN at its end."
)


class Doors:
    """ASGI middleware. token: what to ask for; None: only names of this machine are served."""

    def __init__(self, app: App, *, token: str | None = None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}
        if refused := self._foreign(headers):
            await _answer(scope, send, 403, refused)
        elif self.token is None or self._brings(headers):
            await self.app(scope, receive, send)
        elif (place := self._entry(scope)) is not None:
            cookie = f"{COOKIE}={quote(self.token, safe='')}; HttpOnly; SameSite=Strict; Path=/"
            await _answer(scope, send, 303, "", {"Location": place, "Set-Cookie": cookie})
        else:
            await _answer(scope, send, 401, NO_TOKEN, {"WWW-Authenticate": "Bearer"})

    def _foreign(self, headers: dict[str, str]) -> str:
        """Why a request is another page's, in a sentence; empty where it is not.

        A proxy in front may ask under a name of its own and say the browser's beside it, which no page can say for itself.
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.token is None and not is_loopback(_name_of(f"//{host}")):
            return f"The request asks for the host {host:.60}; expected localhost or 127.0.0.1, so use that address."
        own = {host.lower()} | ({headers.get("x-forwarded-host", host).lower()} if self.token else set())
        if origin is not None and _place_of(origin) not in own:
            return (
                f"The request comes from a page of {origin:.60}; expected one of this server, so call from elsewhere."
            )
        return ""

    def _brings(self, headers: dict[str, str]) -> bool:
        """Whether the token comes as a header or as the cookie that the page was given."""
        assert self.token is not None, "nothing is asked for"
        return bears(headers.get("authorization"), self.token) or same(_cookie(headers.get("cookie", "")), self.token)

    def _entry(self, scope: Scope) -> str | None:
        """Where to go on to from an address with the right token at its end; None where it is none."""
        assert self.token is not None, "nothing is asked for"
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if not any(name == QUERY and same(value, self.token) for name, value in pairs):
            return None
        rest = urlencode([pair for pair in pairs if pair[0] != QUERY])
        return "/" + quote(scope["path"].lstrip("/\\")) + (f"?{rest}" if rest else "")


def _name_of(address: str) -> str:
    """The host of an address without its port; empty where there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _place_of(origin: str) -> str | None:
    """Host and port of a page's origin, not in capitals; None where it is no address at all."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return unquote(found.value) if found else ""


async def _answer(scope: Scope, send: Send, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
    """A refusal as JSON, as the API's own are; a connection of the page is closed."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = json.dumps({"error": sentence}).encode("ascii") if sentence else b""
    kind = {"content-type": "application/json"} if sentence else {}
    listed = {**kind, "content-length": str(len(body)), **(headers or {})}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in listed.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
