"""The stand-alone application: the API on a FastAPI of its own, behind its doors, with a page of documentation.

`ldznet serve` puts the app's page on the same application. Nothing here asks the network for anything.
"""

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

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
    """The API of a desk. token: asked of everyone; None: only this machine is served (see `access.check_token`)."""
    app = FastAPI(title="LD-ZNet", version=__version__, description=ABOUT, docs_url=None, redoc_url=None)
    add_routes(app, lambda: desk)
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
    said = {
        404: f"There is nothing at {request.url.path:.80}; expected one of the routes that /docs shows, so use one of them.",
        405: f"{request.method} is not what {request.url.path:.80} takes; expected what /docs shows, so use that.",
    }.get(error.status_code, str(error.detail))
    return JSONResponse({"error": said}, error.status_code, headers=getattr(error, "headers", None))
