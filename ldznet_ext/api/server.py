"""The stand-alone application: the API on a FastAPI of its own, behind its doors, with a page of documentation.

`ldznet serve` puts the app's page on the same application. Nothing here asks the network for anything.
"""

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from ldznet_ext import __version__
from ldznet_ext.api.docs_page import page
from ldznet_ext.api.doors import Doors
from ldznet_ext.api.routes import PREFIX
from ldznet_ext.api.web import add_routes

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

ABOUT = (
    "Words and a picture to a mask, and an edit, by the diffusion model that is loaded. Pictures are base64 and nothing else: no "
    "path and no address is ever opened. The same routes are in the web UIs that have the extension."
)
BEARER = {"type": "http", "scheme": "bearer"}


def application(desk: "Desk", *, token: str | None = None) -> FastAPI:
    """The API of a desk. token: asked of everyone; None: only this machine is served (see `access.check_token`).

    `app.state.jobs` are the requests under way: who takes the server down stops them (`cancel_all`).
    """
    app = FastAPI(title="LD-ZNet", version=__version__, description=ABOUT, docs_url=None, redoc_url=None)
    app.state.jobs = add_routes(app, lambda: desk)
    app.add_middleware(Doors, token=token)
    app.add_exception_handler(HTTPException, _in_words)

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app, locked=token is not None)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """The routes, for people."""
        return HTMLResponse(page(app.openapi()))

    return app


def _described(app: FastAPI, *, locked: bool) -> dict[str, Any]:
    """OpenAPI of our routes alone, whatever else was put on the application."""
    ours = [each for each in app.routes if str(getattr(each, "path", "")).startswith(PREFIX + "/")]
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=ours)
    if locked:
        made.setdefault("components", {})["securitySchemes"] = {"token": BEARER}
        made["security"] = [{"token": []}]
    return made


async def _in_words(request: Request, error: Exception) -> Response:
    """What is not there, or not to be asked this way, as the API says everything else."""
    assert isinstance(error, HTTPException)
    status, path, headers = error.status_code, request.url.path, dict(getattr(error, "headers", None) or {})
    said = str(error.detail)
    if status == 404:
        said = f"There is nothing at {path:.80}; expected one of the routes that /docs shows, so use one of them."
    if status == 405:
        headers["Allow"] = ", ".join(_taken(request))
        said = f"{request.method} is not what {path:.80} takes; expected {headers['Allow']}, so use that."
    return JSONResponse({"error": said}, status, headers=headers)


def _taken(request: Request) -> list[str]:
    """Every method that an address takes, of all its routes; Starlette names those of the first alone."""
    fitting = [each for each in request.app.routes if each.matches(request.scope)[0] is Match.PARTIAL]
    return sorted({method for each in fitting for method in getattr(each, "methods", None) or ()})
