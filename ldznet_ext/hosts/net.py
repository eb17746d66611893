"""Asking a server with the standard library: where the network is switched off not at all, and with no token for strangers."""

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from ldznet_ext import __version__
from ldznet_ext.errors import NetworkError

TIMEOUT = 30.0
"""Seconds of silence after which a server is left."""
SWITCHES = ("LDZNET_OFFLINE", "HF_HUB_OFFLINE")
OFF = ("", "0", "false", "no", "off")
MOST_JSON = 1 << 26
"""Bytes of an answer that is read as a whole."""


def check_online() -> None:
    """NetworkError where the network is switched off for us."""
    for name in SWITCHES:
        if os.environ.get(name, "").strip().lower() not in OFF:
            raise NetworkError(
                f"The network is switched off ({name} is set); expected it on to download, so unset {name}."
            )


def get_json(url: str, token: str | None = None, *, timeout: float = TIMEOUT) -> Any:
    """The answer of a web service; NetworkError in a sentence."""
    check_online()
    check_address(url)
    try:
        with open_url(url, {}, token, timeout) as answer:
            return json.loads(answer.read(MOST_JSON))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NetworkError(
            f"{url} could not be read ({reason_of(error)}); expected an answer, so check the name and the network and try again."
        ) from error


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects within the web without taking a token to another host, and from an encrypted connection to such alone."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if new.scheme not in ("https", "http") or (old.scheme == "https" and new.scheme == "http"):
            raise urllib.error.HTTPError(
                req.full_url, code, "it points to an unencrypted address, or to none of the web", headers, fp
            )
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        token = req.get_header("Authorization") or req.unredirected_hdrs.get("Authorization")
        if made is not None and token and old.netloc == new.netloc:
            made.add_unredirected_header("Authorization", token)
        return made


def open_url(url: str, headers: dict[str, str], token: str | None, timeout: float) -> Any:
    """The answer to a GET, redirects followed; use it as a context manager. token: sent to this host and no other."""
    request = urllib.request.Request(url, headers={"User-Agent": f"ldznet/{__version__}", **headers})
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        return urllib.request.build_opener(_Redirects()).open(request, timeout=timeout)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        raise
    except OSError as error:  # of the connection, after the request was sent: urllib lets it through
        raise urllib.error.URLError(error) from error


def check_address(url: str) -> None:
    """NetworkError for what is no address of the web."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NetworkError(f"The address is '{url}'; expected one that begins with https://, so check it.")


def reason_of(error: BaseException) -> str:
    """Why a request failed, as the middle of a sentence."""
    if isinstance(error, urllib.error.HTTPError):
        about = {401: ", log in with HF_TOKEN", 403: ", accept its licence there and set HF_TOKEN"}.get(error.code, "")
        return f"the server says {error.code} {error.reason}{about}"
    inner = getattr(error, "reason", error)
    return str(inner).rstrip(".") or type(error).__name__
