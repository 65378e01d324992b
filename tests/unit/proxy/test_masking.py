# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Secrets are found in requests and taken out of texts; paths fit into a line."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webob import Request

from ovirt_ovn_proxy.masking import mask, printable_path, request_secrets, traceback_text


def secrets_of(path: str, body: Any = b"", **headers: str) -> set[str]:
    """Return the secrets of a POST request; a body that is not bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return set(request_secrets(Request.blank(path, method="POST", headers=fields, body=raw)))


def test_secrets_in_headers() -> None:
    """Tokens are secrets, whichever header has them and whatever is asked for."""
    assert secrets_of(
        "/v2.0/ports", X_Auth_Token="a", X_Subject_Token="b", Authorization="Bearer c"
    ) == {"a", "b", "Bearer", "c"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"auth": {"passwordCredentials": {"username": "u", "password": "p"}}}, {"p"}),
        ({"auth": {"tenantName": "t", "token": {"id": "i"}}}, {"i"}),
        (
            {
                "auth": {
                    "identity": {
                        "methods": ["password", "token"],
                        "password": {"user": {"name": "u", "password": "p"}},
                        "token": {"id": "i"},
                    },
                    "scope": {"project": {"name": "x"}},
                }
            },
            {"u", "p", "i"},
        ),
        ({"auth": {"token": ["a", {"b": ["c"]}]}}, {"a", "c"}),
        ({"auth": {"password": 5}}, set()),
        ("p", set()),
        (b'{"auth": {"password": "p"', set()),
        (b"\xff", set()),
        (b"", set()),
        (b'{"auth": {"password": ' + b"[" * 500 + b'"p"' + b"]" * 500 + b"}}", {"p"}),
        (b"[" * 500_000, set()),
    ],
)
def test_secrets_in_bodies(body: Any, expected: set[str]) -> None:
    """What stands below a telling name in a request for a token is a secret."""
    assert expected == secrets_of("/v3/auth/tokens", body)
    assert secrets_of("/v2.0/networks", body) == set()


@given(
    before=st.text(),
    secret=st.text(min_size=1).filter(lambda text: "*" not in text),
    after=st.text(),
)
def test_mask(before: str, secret: str, after: str) -> None:
    """A secret is not found in what is left, in none of the forms that it is quoted in."""
    for form in (secret, repr(secret), json.dumps(secret)):
        masked = mask(f"{before}{form}{after}", [secret])
        assert secret not in masked
        assert "***" in masked


def test_mask_longest_first() -> None:
    """A secret within a longer one does not leave the rest of that."""
    assert mask("the secret-token", ["secret", "secret-token", ""]) == "the ***"


def test_mask_takes_no_time() -> None:
    """A body full of secrets costs hardly more than one with a few."""
    body = {"auth": {"token": [f"{number}" for number in range(100_000)]}}
    request = Request.blank("/v2.0/tokens", method="POST", body=json.dumps(body).encode())
    started = time.process_time()
    mask("text" * 1000, request_secrets(request))
    assert time.process_time() - started < 1


def test_traceback_text() -> None:
    """A traceback is told with its causes, as text."""
    try:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("outer") from error
    except ValueError as error:
        text = traceback_text(error)

    assert text.startswith("Traceback (most recent call last):\n")
    assert "KeyError: 'inner'" in text
    assert text.endswith("ValueError: outer")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ""),
        ("/v2.0/ports", "/v2.0/ports"),
        ("/a b\n", "/a%20b%0A"),
        ("/\xc5\xbe", "/%C5%BE"),
        ("/%0A", "/%250A"),
        ('/"', "/%22"),
        ("/" + "x" * 1000, "/" + "x" * 199),
        ("/v2.0/tokens", "/v2.0/tokens"),
        ("/v2.0/tokens/abc", "/v2.0/tokens/***"),
        ("/v2.0//tokens//a/b", "/v2.0//tokens//***/b"),
    ],
)
def test_printable_path(path: str, expected: str) -> None:
    """A path in a log is quoted, and not longer than a line should be."""
    assert expected == printable_path({"PATH_INFO": path})
