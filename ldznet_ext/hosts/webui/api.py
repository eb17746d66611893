"""The API inside a web UI: `api/routes.py` under /ldznet/v1 on the host's own FastAPI application.

Who may call follows the host. With `--api-auth` its names and passwords are asked for, as by the host's own API. Without it,
where the interface is locked by `--gradio-auth`, those of the interface are: an extension must not be the open door beside a
locked one. Where nothing is locked nothing is asked. Written for FastAPI from 0.94 on, whichever pydantic it has.
"""

import functools
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from ldznet_ext.api import routes
from ldznet_ext.api.access import CHALLENGE, REFUSAL, allowed, as_pairs, credentials_of
from ldznet_ext.api.schema import EXAMPLE_ANSWER, EXAMPLE_REQUEST, MAX_BODY, TooLargeError, json_schema
from ldznet_ext.errors import LdznetError, OptionError
from ldznet_ext.ui.desk import Desk

log = logging.getLogger("ldznet_ext")

Credentials = Callable[[], "dict[str, str] | None"]
"""Names and passwords that are let in at this moment; None where everyone is."""
JSON = "application/json"
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": about, "content": {JSON: {"example": {"error": sentence}}}}
    for status, about, sentence in (
        (400, "The request is wrong", "Grow is 4000; expected a number from -256 to 256, so choose one of them."),
        (401, "Name and password are wanted", REFUSAL["error"]),
        (409, "The host cannot now", "No checkpoint is loaded; expected a Stable Diffusion one, so choose one."),
        (413, "Too much at once", "There are 20 images; expected at most 16, so send the others after."),
    )
}


def mount(app: FastAPI, desk: Callable[[], Desk], credentials: Credentials | None = None) -> None:
    """Add the routes; those of an earlier call on the same application ("Reload UI") are replaced, not doubled.

    desk: asked at each request, so that no answer comes from a desk that was taken down. credentials: None for the host's.
    """
    unmount(app)
    guard = _guarded(credentials or host_credentials)
    router = APIRouter(prefix=routes.PREFIX, tags=["LD-ZNet"], route_class=guard)

    def masks(body: dict[str, Any]) -> dict[str, Any]:
        """Masks of several words on several pictures. Base64 only: no path and no address is ever opened."""
        return routes.masks(desk(), body)

    def methods() -> dict[str, Any]:
        """The methods, and in a sentence why some cannot be used with the loaded checkpoint."""
        return routes.methods(desk())

    def models() -> dict[str, Any]:
        """The loaded checkpoint and the trained heads there are for it."""
        return routes.models(desk())

    def health() -> dict[str, Any]:
        """Who answers; loads nothing and waits for nobody."""
        return routes.health(desk())

    router.add_api_route(
        "/masks",
        masks,
        methods=["POST"],
        response_model=None,
        responses={200: {"content": {JSON: {"example": EXAMPLE_ANSWER}}}, **REFUSALS},
        openapi_extra={"requestBody": {"content": {JSON: {"schema": json_schema(), "example": EXAMPLE_REQUEST}}}},
    )
    for answer in (methods, models, health):
        router.add_api_route(
            f"/{answer.__name__}", answer, methods=["GET"], response_model=None, responses={401: REFUSALS[401]}
        )
    app.router.routes.extend(router.routes)  # newer FastAPIs hide in one route what is included
    app.openapi_schema = None  # it is made once and kept


def unmount(app: FastAPI) -> None:
    """Take our routes off again."""
    ours = routes.PREFIX + "/"
    app.router.routes[:] = [each for each in app.router.routes if not str(getattr(each, "path", "")).startswith(ours)]


def host_credentials() -> dict[str, str] | None:
    """Those of `--api-auth`, or else those that lock the interface, as the running host has them; None where nothing is locked.

    A lock that was asked for and has no pair in it that could be used stays shut.
    """
    options = getattr(sys.modules.get("modules.shared"), "cmd_opts", None)
    if given := getattr(options, "api_auth", None):
        return credentials_of(str(given))
    inline, path = getattr(options, "gradio_auth", None), getattr(options, "gradio_auth_path", None)
    if not (inline or path):
        return None
    about = os.stat(path) if path else None
    return _of_the_interface(inline, path, about and (about.st_mtime_ns, about.st_size))


@functools.lru_cache(maxsize=1)
def _of_the_interface(inline: str | None, path: str | None, state: tuple[int, int] | None) -> dict[str, str]:
    """As the host reads them: its file once for each state of it, not at every request."""
    from modules import initialize_util

    return as_pairs(initialize_util.get_gradio_auth_creds())


def _guarded(credentials: Credentials) -> type[APIRoute]:
    """A kind of route that asks who calls before it reads anything, bounds what it reads, and refuses in sentences."""

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                try:
                    if not allowed(request.headers.get("authorization"), credentials()):
                        return JSONResponse(REFUSAL, 401, headers=CHALLENGE)
                    bounded = _Bounded(request.scope, request.receive)
                    await bounded.body()  # here, for FastAPI would make any error in it one of its own
                    return await answer(bounded)
                except Exception as error:
                    return _refused(error)

            return guarded

    return Guarded


class _Bounded(Request):
    """A request whose body is given up as soon as it is longer than is taken."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            parts, length = [], 0
            async for part in self.stream():
                length += len(part)
                if length > MAX_BODY:
                    raise TooLargeError(
                        f"The request is longer than {MAX_BODY >> 20} MB; expected less, so send fewer or smaller pictures."
                    )
                parts.append(part)
            self._body = b"".join(parts)
        return self._body


def _refused(error: Exception) -> Response:
    if isinstance(
        error, (RequestValidationError, HTTPException)
    ):  # there is nothing else in a request that FastAPI reads
        error = OptionError(
            f"The request is no JSON object ({_complaint(error)}); expected one as /docs shows, so send it."
        )
    if not isinstance(error, LdznetError):
        log.error("A request to the API failed.", exc_info=error)
    status, body = routes.refusal(error)
    return JSONResponse(body, status)


def _complaint(error: RequestValidationError | HTTPException) -> str:
    if isinstance(error, HTTPException):
        return str(error.detail)
    return str(next(iter(error.errors()), {}).get("msg", "nothing was sent"))
