"""The API inside a web UI: the routes of `api/` on the host's own FastAPI application, for whom the host lets in.

With `--api-auth` its names and passwords are asked for, as by the host's own API. Without it, where the interface is locked by
`--gradio-auth`, those of the interface are: an extension must not be the open door beside a locked one. Where nothing is locked
nothing is asked.
"""

import functools
import os
import sys
from collections.abc import Callable, Mapping

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from ldznet_ext.api.access import CHALLENGE, REFUSAL, allowed, as_pairs, credentials_of
from ldznet_ext.api.web import Guard, add_routes
from ldznet_ext.api.web import remove_routes as unmount
from ldznet_ext.ui.desk import Desk

__all__ = ["host_credentials", "mount", "unmount"]

Credentials = Callable[[], "dict[str, str] | None"]
"""Names and passwords that are let in at this moment; None where everyone is."""


def mount(app: FastAPI, desk: Callable[[], Desk], credentials: Credentials | None = None) -> None:
    """Add the routes; those of an earlier call on the same application are replaced. credentials: None for the host's."""
    add_routes(app, desk, _guard(credentials or host_credentials))


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


def _guard(credentials: Credentials) -> Guard:
    def refuse(headers: Mapping[str, str]) -> Response | None:
        if allowed(headers.get("authorization"), credentials()):
            return None
        return JSONResponse(REFUSAL, 401, headers=CHALLENGE)

    return refuse
