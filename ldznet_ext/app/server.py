"""One FastAPI application: the API, the app's own routes, Gradio's page on top; and the server that runs it until Ctrl-C."""

import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI

from ldznet_ext.app import routes
from ldznet_ext.app.example import Example
from ldznet_ext.app.guard import Guard, is_loopback
from ldznet_ext.app.room import Room
from ldznet_ext.errors import OptionError
from ldznet_ext.hosts.desk import StandaloneDesk

HOST, PORT = "127.0.0.1", 7870
TRIES = 50
"""Ports after the default that are tried where it is taken."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How to serve. port: None for the default, or the next that is free. token: asked for beyond loopback. page: with one."""

    host: str = HOST
    port: int | None = None
    token: str = ""
    page: bool = True


def application(desk: StandaloneDesk, *, token: str | None = None, page: bool = True) -> FastAPI:
    """Everything under one roof. token: None where nothing is asked. page: False for the API alone."""
    app = FastAPI(title="LD-ZNet", docs_url="/docs", redoc_url=None)
    if page:
        _with_page(app, desk)
    app.add_middleware(Guard, token=token)
    return app


def _with_page(app: FastAPI, desk: StandaloneDesk) -> None:
    from ldznet_ext.app.page import mount_page

    room, example = Room(desk), Example(desk)
    app.mount(f"{routes.PREFIX}/assets", routes.assets())
    app.include_router(routes.router(room))
    mount_page(app, room, example)
    example.start()


def checked(serving: Serving, environment: str = os.environ.get("LDZNET_TOKEN", "")) -> str | None:
    """The token to ask for, or None on loopback; OptionError where one is needed and none is given."""
    given = serving.token or environment
    if is_loopback(serving.host):
        return given or None
    if not given:
        raise OptionError(
            f"The address {serving.host} can be reached from other machines and no token is set; expected one, so give "
            f"--token, or LDZNET_TOKEN, for example {secrets.token_urlsafe(12)}."
        )
    return given


def bound(host: str, port: int | None) -> socket.socket:
    """A socket at that port; without one at the default, or the first free one after it. OptionError where there is none."""
    wanted = [port] if port is not None else range(PORT, PORT + TRIES)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    reason = ""
    for each in wanted:
        listening = socket.socket(family, socket.SOCK_STREAM)
        if os.name != "nt":  # there it would let two programs share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, each))
            return listening
        except (OSError, OverflowError) as error:
            listening.close()
            reason = getattr(error, "strerror", None) or str(error)
    raise OptionError(
        f"Port {wanted[0]} of {host} cannot be had ({reason}); expected a free one, so name another with --port."
    )


def serve(app: FastAPI, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Answer until Ctrl-C. ready: called once it answers."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: "list[socket.socket] | None" = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    Server(config).run(sockets=[listening])
