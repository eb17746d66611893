"""Who may call: names and passwords of HTTP Basic, compared so that the time it takes tells nothing."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from hmac import compare_digest

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
