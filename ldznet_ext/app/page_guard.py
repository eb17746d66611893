"""Who may come in, and what the page may reach: nothing but this server.

Bound to loopback nothing is asked, but a browser must call this machine by its own name, so that no page of the web can speak to
the app under a name of theirs (DNS rebinding). Bound to anything else the token is asked for: by a page for people, by
`Authorization: Bearer` for programs.
"""

import hashlib
import hmac
from html import escape
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ldznet_ext.app import strings
from ldznet_ext.app.routes import ASSETS

COOKIE, ENTER = "ldznet", "/enter"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'self'; "
    "base-uri 'self'; form-action 'self'"
)
"""Gradio writes scripts and styles into its page; none of them, and nothing else, may come from or go to another machine."""
HEADERS = {"content-security-policy": POLICY, "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}
REFUSED = "The token is missing or wrong; expected the one that the app was started with, so send it as Authorization: Bearer."


def is_loopback(host: str) -> bool:
    """Whether a server bound to this address can be reached from its own machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    return host in ("localhost", "::1") or host.startswith("127.")


class Guard:
    """Around the whole application. token: None on loopback, where nothing is asked."""

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        refusal = self._stranger(request) if self.token is None else await self._locked(request)
        await (refusal or self.app)(scope, receive, _with_headers(send))

    def _stranger(self, request: Request) -> Response | None:
        """On loopback: a call by another name than this machine's own is refused."""
        host = request.headers.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if name.lower() in LOOPBACK or name.startswith("127."):
            return None
        return JSONResponse(
            {"error": "This desk answers on its own machine only; expected 127.0.0.1 in the address."}, 421
        )

    async def _locked(self, request: Request) -> Response | None:
        """With a token: a page to enter it for people, 401 for programs, nothing for who has it."""
        if request.url.path == ENTER:
            return await self._enter(request)
        if self._known(request):
            return None
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_page(), 401)
        return JSONResponse({"error": REFUSED}, 401, {"WWW-Authenticate": "Bearer"})

    def _known(self, request: Request) -> bool:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        bearer = kind.lower() == "bearer" and _same(given.strip(), str(self.token))
        return bearer or _same(request.cookies.get(COOKIE, ""), self._pass)

    @property
    def _pass(self) -> str:
        """What the cookie holds: it shows who has the token, and is not the token."""
        return hashlib.sha256(f"ldznet page {self.token}".encode()).hexdigest()

    async def _enter(self, request: Request) -> Response:
        form = parse_qs((await request.body())[:4096].decode("utf-8", "replace"))
        if request.method != "POST" or not _same(form.get("token", [""])[0].strip(), str(self.token)):
            return HTMLResponse(_page(wrong=request.method == "POST"), 401)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, self._pass, httponly=True, samesite="strict")
        return answer


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _with_headers(send: Send) -> Send:
    """The same, with our headers on every answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours: list[Any] = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message.get("headers", []), *ours]
        await send(message)

    return sending


def _page(*, wrong: bool = False) -> str:
    words = {
        "title": strings.LOGIN,
        "help": strings.LOGIN_HELP,
        "token": strings.TOKEN,
        "enter": strings.ENTER,
        "wrong": strings.WRONG if wrong else "",
    }
    page = (ASSETS / "enter.html").read_text(encoding="utf-8")
    for name, text in words.items():
        page = page.replace(f"[[{name}]]", escape(text))
    return page
