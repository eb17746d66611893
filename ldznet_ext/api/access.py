"""Who may call: names and passwords of HTTP Basic, or a token, compared so that the time it takes tells nothing."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from hmac import compare_digest
from ipaddress import ip_address

from ldznet_ext.errors import OptionError

SHORTEST = 8
"""Characters of a token."""

CHALLENGE = {"WWW-Authenticate": "Basic"}
REFUSAL = {
    "error": "Name and password are wrong or missing; expected those of --api-auth, or else those of the interface, so send them."
}


def allowed(header: str | None, credentials: Mapping[str, str] | None) -> bool:
    """Whether an Authorization header names someone who is let in: None for an open door; with nobody on the list nobody is."""
    if credentials is None:
        return True
    kind, _, encoded = (header or "").strip().partition(" ")
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return False
    right = False
    for known, secret in credentials.items():  # all of them, whoever is named
        same = compare_digest(known.encode(), name.encode()) & compare_digest(secret.encode(), password.encode())
        right = right or same
    return kind.lower() == "basic" and bool(colon) and right


def credentials_of(option: str) -> dict[str, str]:
    """Names and passwords as the hosts write them on their command line; an empty password is one.

    >>> credentials_of("ann:fox, bob:owl:2")
    {'ann': 'fox', 'bob': 'owl:2'}
    """
    return as_pairs(pair.strip().split(":", 1) for pair in option.split(","))


def as_pairs(pairs: Iterable[Sequence[str]]) -> dict[str, str]:
    """Pairs as a mapping, without those that are none: a name alone lets nobody in."""
    return {str(pair[0]): str(pair[1]) for pair in pairs if len(pair) == 2 and pair[0]}


def bears(header: str | None, token: str) -> bool:
    """Whether an Authorization header brings the token: "Bearer TOKEN"."""
    kind, _, given = (header or "").strip().partition(" ")
    return kind.lower() == "bearer" and same(given.strip(), token)


def same(one: str, other: str) -> bool:
    """Whether two secrets are alike, in a time that tells nothing of how much of them is."""
    return compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address to listen at.

    >>> [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "192.168.0.2", "")]
    [True, True, True, False, False, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_token(host: str, token: str | None) -> None:
    """Refuse to listen where others reach it without a token, and a token that can be guessed or cannot be sent."""
    if token is None and not is_loopback(host):
        raise OptionError(
            f"The address {host:.60} can be reached by others and there is no token; expected one there, so give --token or "
            "LDZNET_TOKEN, or listen at 127.0.0.1."
        )
    if token is not None and (len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token):
        raise OptionError(
            f"The token has {len(token)} characters; expected at least {SHORTEST} of plain ASCII without blanks, so choose a "
            "longer one, for example by `openssl rand -hex 16`."
        )
