"""The app's own routes beside Gradio's: pictures of a work, quick actions, progress, files to take home.

Everything of a page lies under its handle, which nobody can guess; nothing is cached by anyone, and nothing is opened by name but
the app's own assets.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import UploadFile
from starlette.staticfiles import StaticFiles

from ldznet_ext.app import actions, asking, drawing, saves
from ldznet_ext.app.example import Example
from ldznet_ext.app.room import Room
from ldznet_ext.app.seen import seen
from ldznet_ext.app.work import Moment
from ldznet_ext.errors import LdznetError, OptionError
from ldznet_ext.saving.png import png

PREFIX = "/app"
ASSETS = Path(__file__).parent / "assets"
PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
NOT_DRAWN = ("v",)
"""What of an address only tells the browser that it is another picture."""
KINDS = {"png": "image/png", "json": "application/json", "ora": "image/openraster"}


def assets() -> StaticFiles:
    """Scripts, styles and the example: the same for everyone."""
    return StaticFiles(directory=ASSETS)


def router(room: Room, example: Example) -> APIRouter:
    """All routes of one room."""
    made = APIRouter(prefix=PREFIX, include_in_schema=False)

    def drawn(name: str, draw: Callable[[Moment, dict[str, str]], Any]) -> None:
        def answer(handle: str, request: Request) -> Response:
            given = {key: value for key, value in request.query_params.items() if key not in NOT_DRAWN}
            return _answer(lambda: _picture(draw(actions.now(room, handle), given)))

        made.add_api_route(f"/{{handle}}/{name}.png", answer, methods=["GET"])

    drawn("picture", lambda moment, _: seen(moment).picture)
    drawn("before", lambda moment, _: seen(moment).picture if moment.before is None else seen(moment).before)
    drawn("mask", drawing.shown_mask)
    drawn("heat", lambda moment, _: drawing.heat_of(seen(moment)))
    drawn("parts", lambda moment, _: drawing.parts_of(seen(moment)))

    @made.get("/{handle}/progress")
    def progress(handle: str) -> Response:
        watch = room.running.find(handle)
        done, what = watch.progress if watch is not None else (0.0, "")
        return JSONResponse({"busy": watch is not None, "done": done, "what": what}, headers=PRIVATE)

    @made.get("/{handle}/recipe.json")
    def recipe(handle: str) -> Response:
        text = lambda: saves.recipe_for(actions.now(room, handle)).to_text()  # noqa: E731
        return _answer(lambda: Response(text(), media_type="application/json", headers=PRIVATE))

    @made.get("/{handle}/save/{kind}")
    def save(handle: str, kind: str, pattern: str = "") -> Response:
        return _answer(lambda: _file(*saves.export(actions.now(room, handle), kind, pattern)))

    @made.post("/{handle}/open")
    async def open_picture(handle: str, request: Request, name: str = "") -> Response:
        content = await _body(request)
        return await run_in_threadpool(_answer, lambda: _told(actions.open_picture(room, handle, content, name)))

    @made.post("/{handle}/like-in")
    async def like_in(handle: str, request: Request) -> Response:
        form = await request.form(max_files=asking.MOST_PICTURES)
        sent = [each for _, each in form.multi_items() if isinstance(each, UploadFile)]
        # a little more than is taken: a file too large is refused and not read to its end
        files = [(each.filename or "", await each.read(actions.LARGEST + 1)) for each in sent]
        return await run_in_threadpool(_answer, lambda: _told(asking.like_in(room, handle, files)))

    @made.post("/{handle}/do/{what}")
    async def do(handle: str, what: str, request: Request) -> Response:
        given = _json(await _body(request))
        return await run_in_threadpool(_answer, lambda: _told(_done(room, example, handle, what, given)))

    return made


def _done(room: Room, example: Example, handle: str, what: str, given: Any) -> dict[str, Any]:
    """A quick action by its name; OptionError for one that there is not, or with other values than it takes."""
    quick: dict[str, Callable[..., dict[str, Any]]] = {
        "show": actions.show,
        "pick": actions.pick,
        "cut": actions.cut,
        "stroke": actions.stroke,
        "point": actions.point,
        "clear": actions.clear,
        "go": actions.go,
        "like": asking.like,
    }
    if what == "begin":
        return asking.begin(room, handle, example)
    if what == "cancel":
        asking.cancel(room, handle)
        return {}
    try:
        return quick[what](room, handle, **given)
    except (KeyError, TypeError) as error:
        raise OptionError(f"The page asked for {what:.40} in a way that is not known ({error}); reload it.") from error


def _answer(make: Callable[[], Response]) -> Response:
    """What was asked for, or a sentence with 404 or 400: a page that is told the former begins anew."""
    try:
        return make()
    except LdznetError as error:
        gone = "no longer kept" in str(error)
        return JSONResponse({"error": str(error)}, 404 if gone else 400, headers=PRIVATE)


def _told(answer: dict[str, Any]) -> Response:
    return JSONResponse(answer, headers=PRIVATE)


def _picture(array: Any) -> Response:
    return Response(png(array, quick=True), media_type="image/png", headers=PRIVATE)


def _file(name: str, content: bytes) -> Response:
    kind = KINDS.get(name.rpartition(".")[2], "application/octet-stream")
    told = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=kind, headers={**PRIVATE, "Content-Disposition": told})


def _json(content: bytes) -> Any:
    """What was sent; None, which no action takes, where it is no JSON."""
    try:
        return json.loads(content)
    except ValueError:
        return None


async def _body(request: Request) -> bytes:
    """What was sent; a little more than is taken at most, so that a picture too large is refused and not read to its end."""
    parts, length = [], 0
    async for part in request.stream():
        parts.append(part)
        length += len(part)
        if length > actions.LARGEST:
            break
    return b"".join(parts)
