"""What every answer of the server carries so that the page reaches nothing but it, and the page that asks people for the token.

Who may come in is settled by `api.doors`, for the page and the API alike.
"""

from html import escape
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ldznet_ext.app import strings
from ldznet_ext.app.routes import ASSETS

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'self'; "
    "base-uri 'self'; form-action 'self'"
)
"""Gradio writes scripts and styles into its page; none of them, and nothing else, may come from or go to another machine."""
HEADERS = {"content-security-policy": POLICY, "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}
LOCKED = 401
QUERY = "token"


class PageGuard:
    """Around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asks = scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")
        locked = False

        async def sending(message: Message) -> None:
            nonlocal locked
            if message["type"] == "http.response.start":
                locked = asks and message["status"] == LOCKED
                ours: list[Any] = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *ours]
            if not locked:
                await send(message)

        await self.app(scope, receive, sending)
        if locked:
            await HTMLResponse(_page(scope), LOCKED, HEADERS)(scope, receive, send)


def _page(scope: Scope) -> str:
    """A form for the token; it says so where one was given and is wrong."""
    wrong = f"{QUERY}=".encode() in scope.get("query_string", b"")
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
