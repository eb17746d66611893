"""Who is let in."""

import base64

import pytest

from ldznet_ext.api.access import allowed, as_pairs, credentials_of

LET_IN = {"ann": "fox", "bob": "owl:2", "zoë": "füchse"}


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.parametrize("name, password", LET_IN.items())
def test_those_who_are_named_are_let_in(name: str, password: str) -> None:
    assert allowed(basic(name, password), LET_IN)
    assert allowed(basic(name, password).replace("Basic", "basic"), LET_IN)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ????",
        "Basic /w==",
        basic("ann", "owl:2"),
        basic("ann", ""),
        basic("", ""),
        basic("ANN", "fox"),
        basic("eve", "fox"),
        basic("ann", "fox").replace("Basic", "Bearer"),
        "Basic " + base64.b64encode(b"ann").decode(),
    ],
)
def test_others_are_not(header: str | None) -> None:
    assert not allowed(header, LET_IN)
    assert allowed(header, None), "an open host is open"
    assert not allowed(header, {}), "a lock without a key is shut"


def test_credentials_are_read_as_the_hosts_write_them() -> None:
    assert credentials_of("ann:fox,bob:owl:2") == {"ann": "fox", "bob": "owl:2"}
    assert credentials_of("ann:, eve, bob:owl,") == {"ann": "", "bob": "owl"}
    assert as_pairs([("ann", "fox"), ("eve",), ("bob", ""), ("", "x")]) == {"ann": "fox", "bob": ""}


def test_an_empty_password_is_a_password() -> None:
    assert allowed(basic("ann", ""), {"ann": ""})
    assert not allowed(None, {"ann": ""}) and not allowed(basic("ann", "x"), {"ann": ""})
