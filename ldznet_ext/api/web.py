"""The routes on a FastAPI application, the same in a web UI and stand-alone: JSON to and fro, jobs, refusals.

Written for FastAPI from 0.94 on, whichever pydantic it has: bodies are read and checked by `schema.py`, not by models. Work is
done in threads of its own, so that whoever only asks how far it is never waits; who hangs up has their own work stopped.
"""

import functools
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from ldznet_ext.api import routes
from ldznet_ext.api.jobs import Job, Jobs
from ldznet_ext.api.limits import MAX_AT_ONCE, MAX_BODY, MediaTypeError, TooLargeError
from ldznet_ext.api.openapi import JOB_NAME, JSON, post_extra, responses
from ldznet_ext.errors import LdznetError, OptionError

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

log = logging.getLogger("ldznet_ext")

Guard = Callable[[Mapping[str, str]], "Response | None"]
"""Asked with a request's headers before anything else is read: None lets it in, an answer refuses it."""
RETRY_AFTER = {"Retry-After": "5"}
GUARDED, ASKED = (401, 403), (400, 409, 413, 415, 500, 503)


def add_routes(app: FastAPI, desk: "Callable[[], Desk]", guard: Guard | None = None) -> Jobs:
    """Add the routes; those of an earlier call on the same application ("Reload UI") are replaced, not doubled.

    desk: asked at each request, so that no answer comes from a desk that was taken down. guard: None where whoever reaches the
    routes is let in already. The requests under way are given back, for whoever takes the server down.
    """
    remove_routes(app)
    api = _Api(desk, guard or (lambda headers: None))
    router = APIRouter(prefix=routes.PREFIX, tags=["LD-ZNet"])
    for name, work in routes.POSTS.items():
        made = {"openapi_extra": post_extra(name), "responses": responses(name, *ASKED, *GUARDED)}
        _add(router, f"/{name}", "POST", name, work, functools.partial(api.post, work), **made)
    for name, ask in routes.GETS.items():
        _add(router, f"/{name}", "GET", name, ask, functools.partial(api.get, ask), responses=responses(name, *GUARDED))
    for method, act in (("GET", Jobs.get), ("DELETE", Jobs.cancel)):
        made = {"openapi_extra": {"parameters": [JOB_NAME]}, "responses": responses("jobs", 404, *GUARDED)}
        _add(router, "/jobs/{job}", method, "jobs", act, functools.partial(api.job, act), **made)
    app.router.routes.extend(router.routes)  # newer FastAPIs hide in one route what is included
    app.openapi_schema = None  # it is made once and kept
    return api.jobs


def remove_routes(app: FastAPI) -> None:
    """Take our routes off again."""
    ours = routes.PREFIX + "/"
    app.router.routes[:] = [each for each in app.router.routes if not str(getattr(each, "path", "")).startswith(ours)]


def _add(
    router: APIRouter,
    path: str,
    method: str,
    name: str,
    about: Callable[..., Any],
    answer: Callable[[Request], Awaitable[Response]],
    **documented: Any,
) -> None:
    async def endpoint(request: Request) -> Response:
        return await answer(request)

    router.add_api_route(
        path,
        endpoint,
        methods=[method],
        name=f"{name} ({method})",
        summary=name,
        description=about.__doc__,
        operation_id=f"ldznet_{method.lower()}_{name}",
        response_model=None,
        **documented,
    )


class _Api:
    """What the routes of one application share: the requests under way, and threads to work in."""

    def __init__(self, desk: "Callable[[], Desk]", guard: Guard) -> None:
        self.desk, self.guard = desk, guard
        self.jobs = Jobs()

    @functools.cached_property
    def threads(self) -> anyio.CapacityLimiter:
        """Made in the event loop, which older anyios want: the host's own few threads are not ours to fill."""
        return anyio.CapacityLimiter(MAX_AT_ONCE)

    async def post(self, work: routes.Work, request: Request) -> Response:
        """Do a piece of work as a job; its name goes back with whatever the answer is."""
        if refused := self.guard(request.headers):
            return refused
        try:
            with self.jobs.job(_owner(request), request.headers.get("x-request-id")) as job:
                _check_json(request)
                body = await _bounded(request)
                answer = await self._worked(request, job, lambda: _packed(work(self.desk(), _parsed(body), job.watch)))
                return Response(answer, 200, {"X-Request-Id": job.name}, JSON)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception as error:
            return _refused(error)

    async def get(self, ask: Callable[["Desk"], routes.Json], request: Request) -> Response:
        """Tell what there is; at once, but for a look into folders."""
        if refused := self.guard(request.headers):
            return refused
        try:
            return Response(await anyio.to_thread.run_sync(lambda: _packed(ask(self.desk()))), media_type=JSON)
        except Exception as error:
            return _refused(error)

    async def job(self, act: Callable[[Jobs, str, str], Job], request: Request) -> Response:
        """Tell how far a job of one's own is, or stop it."""
        if refused := self.guard(request.headers):
            return refused
        try:
            job = act(self.jobs, _owner(request), request.path_params["job"])
            return Response(_packed(job.to_mapping()), media_type=JSON)
        except Exception as error:
            return _refused(error)

    async def _worked(self, request: Request, job: Job, call: Callable[[], bytes]) -> bytes:
        """The call's answer, made in a thread; it is cancelled when the client hangs up."""
        ended: list[bytes | Exception] = []

        def work() -> None:
            try:
                ended.append(call())
            except Exception as error:  # a group of tasks would wrap it
                ended.append(error)

        async def listen() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            job.watch.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await anyio.to_thread.run_sync(work, limiter=self.threads)
                tasks.cancel_scope.cancel()
        except BaseException:
            job.watch.cancel()  # the server goes down: it need not wait for a painting
            raise
        if isinstance(ended[0], Exception):
            raise ended[0]
        return ended[0]


def _owner(request: Request) -> str:
    """Who calls, in a form that tells nobody their password."""
    return hashlib.sha256(request.headers.get("authorization", "").encode()).hexdigest()


def _check_json(request: Request) -> None:
    """Refuse all else: what a page of another address may send unasked is never of this type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise MediaTypeError(
            f"The request is {kind[:60] or 'of no type'}; expected {JSON}, so send it with that Content-Type."
        )


async def _bounded(request: Request) -> bytes:
    """A request's body, given up as soon as it is longer than is taken."""
    parts, length = [], 0
    async for part in request.stream():
        length += len(part)
        if length > MAX_BODY:
            raise TooLargeError(
                f"The request is longer than {MAX_BODY >> 20} MB; expected less, so send fewer or smaller pictures."
            )
        parts.append(part)
    return b"".join(parts)


def _parsed(body: bytes) -> Any:
    """JSON to the letter: neither NaN nor infinities."""

    def none_of_json(name: str) -> Any:
        raise ValueError(f"{name} is no number of JSON")

    try:
        return json.loads(body, parse_constant=none_of_json)
    except (ValueError, RecursionError) as error:
        raise OptionError(
            f"The request is no JSON object ({str(error)[:100]}); expected one as /docs shows, so send it."
        ) from None


def _packed(answer: Any) -> bytes:
    """JSON in plain ASCII: words may hold half a character, which nothing else could carry."""
    return json.dumps(answer, allow_nan=False, separators=(",", ":")).encode("ascii")


def _refused(error: Exception) -> Response:
    if not isinstance(error, LdznetError):
        log.error("A request to the API failed.", exc_info=error)
    status, body = routes.refusal(error)
    return Response(_packed(body), status, RETRY_AFTER if status == routes.BUSY else None, JSON)
