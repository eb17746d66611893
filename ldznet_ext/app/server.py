"""One FastAPI application: the API and its doors, the app's own routes, Gradio's page on top; served until Ctrl-C."""

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldznet_ext.api.access import check_token
from ldznet_ext.errors import OptionError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ldznet_ext.hosts.desk import StandaloneDesk

HOST, PORT = "127.0.0.1", 7870
TRIES = 50
"""Ports after the default that are tried where it is taken."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How to serve. port: None for the default, or the next that is free. token: asked of everyone; None: of nobody, which only
    loopback allows. page: whether there is one beside the API.
    """

    host: str = HOST
    port: int | None = None
    token: str | None = None
    page: bool = True

    @classmethod
    def checked(
        cls, host: str, port: int | None, token: str, page: bool, environment: Mapping[str, str] = os.environ
    ) -> "Serving":
        """The same out of a command line; OptionError for a host beyond loopback without a token."""
        given = token or environment.get("LDZNET_TOKEN", "") or None
        check_token(host, given)
        return cls(host=host, port=port, token=given, page=page)


def application(desk: "StandaloneDesk", *, token: str | None = None, page: bool = True) -> "FastAPI":
    """Everything under one roof. token: None where nothing is asked. page: False for the API alone."""
    from ldznet_ext.api.server import application as api

    app = api(desk, token=token)
    if page:
        _add_page(app, desk)
    return app


def _add_page(app: "FastAPI", desk: "StandaloneDesk") -> None:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # it reads this when it is imported
    from ldznet_ext.app import routes
    from ldznet_ext.app.example import Example
    from ldznet_ext.app.page import mount_page
    from ldznet_ext.app.page_guard import PageGuard
    from ldznet_ext.app.room import Room

    room, example = Room(desk), Example(desk)
    app.mount(f"{routes.PREFIX}/assets", routes.assets())
    app.include_router(routes.router(room, example))
    mount_page(app, room, example)
    app.add_middleware(PageGuard)
    example.start()


def bound(host: str, port: int | None) -> socket.socket:
    """A socket at that port; without one at the default, or the first free one after it. OptionError where there is none."""
    wanted = [port] if port is not None else range(PORT, PORT + TRIES)
    reason = ""
    for each in wanted:
        try:
            return _listening(host, each)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
    raise OptionError(
        f"Port {wanted[0]} of {host:.60} cannot be had ({reason}); expected a free one, so name another with --port."
    )


def serve(app: "FastAPI", listening: socket.socket, ready: Callable[[], None]) -> None:
    """Answer until Ctrl-C. ready: called once it answers."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: "list[socket.socket] | None" = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

        async def shutdown(self, sockets: "list[socket.socket] | None" = None) -> None:
            app.state.jobs.cancel_all()  # else a painting would be waited for
            await super().shutdown(sockets)

    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn passes it on once it has closed everything
        Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # there it would let two programs share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen()  # two programs may be bound to one port before either listens
    except BaseException:
        made.close()
        raise
    return made
