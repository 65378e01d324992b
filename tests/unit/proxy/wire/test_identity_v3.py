# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who logs in by the body of an Identity v3 log-in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import BadRequest, Unauthorized
from ovirt_ovn_proxy.wire.identity import PasswordLogin, TokenLogin
from ovirt_ovn_proxy.wire.identity_v3 import decode_login


def body(identity: Any, **more: Any) -> bytes:
    """Return a body with this `identity` and further members of `auth`."""
    return json.dumps({"auth": {"identity": identity, **more}}).encode()


def password(**user: Any) -> Any:
    """Return the `identity` of a log-in by the password "s"."""
    return {"methods": ["password"], "password": {"user": {"password": "s", **user}}}


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ({"name": "admin@internal"}, "admin@internal"),
        ({"name": "admin@internal", "domain": None}, "admin@internal"),
        ({"name": "admin@internal", "domain": {}}, "admin@internal"),
        ({"name": "admin@internal", "domain": {"id": "default"}}, "admin@internal"),
        ({"name": "admin@internal", "domain": {"name": "Default"}}, "admin@internal"),
        # As the engine and fog split it.
        ({"name": "admin", "domain": {"name": "internal"}}, "admin@internal"),
        ({"name": "admin", "domain": {"name": "internal", "id": "x"}}, "admin@internal"),
        ({"name": "admin", "domain": {"name": "default"}}, "admin"),
        ({"name": "admin", "domain": {"name": "Default"}}, "admin"),
        ({"name": "admin", "domain": {"name": ""}}, "admin"),
        ({"name": "admin", "domain": {"name": None}}, "admin"),
        ({"name": "admin", "domain": {"id": "internal"}}, "admin"),
        ({"name": "joe@example.com", "domain": {"name": "ad"}}, "joe@example.com"),
        ({"name": "joe@example.com@ad", "domain": {"name": "ad"}}, "joe@example.com@ad"),
        ({"id": "admin@internal"}, "admin@internal"),
        ({"id": "admin", "domain": {"name": "internal"}}, "admin"),
        ({"id": "admin@internal", "name": "joe"}, "admin@internal"),
        ({"id": None, "name": "joe"}, "joe"),
        ({"name": "\u00e9\ud800"}, "\u00e9\ud800"),
    ],
)
def test_users(user: Any, name: str) -> None:
    """A user is called `user@profile`, whichever members say so."""
    assert PasswordLogin(name, "s") == decode_login(body(password(**user)))


@pytest.mark.parametrize(
    "scope",
    [
        None,
        "unscoped",
        {},
        5,
        {"project": {"id": "x"}},
        {"project": {"name": "other", "domain": {"name": "other"}}},
        {"domain": {"id": "default"}},
        {"system": {"all": True}},
        {"OS-TRUST:trust": {"id": "x"}},
    ],
)
def test_scopes_are_not_looked_at(scope: Any) -> None:
    """There is one project: every scope means it."""
    assert PasswordLogin("a", "s") == decode_login(body(password(name="a"), scope=scope))


def test_token() -> None:
    """A token can take the place of a password; other members are not looked at."""
    identity = {"methods": ["token", "token"], "token": {"id": "t1"}, "password": None}

    assert TokenLogin("t1") == decode_login(body(identity, scope="unscoped"))


def test_a_login_does_not_show_its_secret() -> None:
    """Neither a password nor a token is in what a log or a traceback would print."""
    logins = [PasswordLogin("joe", "hunter2"), TokenLogin("hunter2")]

    assert ["PasswordLogin(user='joe')", "TokenLogin()"] == [repr(login) for login in logins]


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (None, "auth.identity must be an object."),
        ([], "auth.identity must be an object."),
        ({}, "auth.identity.methods must be a list of strings."),
        ({"methods": "password"}, "auth.identity.methods must be a list of strings."),
        ({"methods": {"password": 1}}, "auth.identity.methods must be a list of strings."),
        ({"methods": ["password", 5]}, "auth.identity.methods must be a list of strings."),
        ({"methods": [["password"]]}, "auth.identity.methods must be a list of strings."),
        ({"methods": ["password"]}, "auth.identity.password must be an object."),
        ({"methods": ["password"], "token": {}}, "auth.identity.password must be an object."),
        (
            {"methods": ["password"], "password": {"user": "joe"}},
            "auth.identity.password.user must be an object.",
        ),
        (password(), "auth.identity.password.user.name must be a string."),
        (password(name=5), "auth.identity.password.user.name must be a string."),
        (password(id=5, name="a"), "auth.identity.password.user.id must be a string."),
        (password(name="a", domain="b"), "auth.identity.password.user.domain must be an object."),
        (
            password(name="a", domain={"name": 5}),
            "auth.identity.password.user.domain.name must be a string.",
        ),
        (
            password(name="a", password=None),
            "auth.identity.password.user.password must be a string.",
        ),
        (
            {"methods": ["password"], "password": {"user": {"id": "a"}}},
            "auth.identity.password.user.password must be a string.",
        ),
        ({"methods": ["token"]}, "auth.identity.token must be an object."),
        ({"methods": ["token"], "token": "t"}, "auth.identity.token must be an object."),
        ({"methods": ["token"], "token": {}}, "auth.identity.token.id must be a string."),
        (
            {"methods": ["token"], "token": {"id": ["t"]}},
            "auth.identity.token.id must be a string.",
        ),
        (
            {"methods": ["token"], "token": {"id": "a b"}},
            "auth.identity.token.id must be at most 8192 visible ASCII characters.",
        ),
    ],
)
def test_what_is_wrong_is_named(identity: Any, message: str) -> None:
    """A member that is missing or of the wrong type is named, its value is not."""
    with pytest.raises(BadRequest) as error:
        decode_login(body(identity))

    assert message == error.value.message


@pytest.mark.parametrize(
    "methods",
    [
        [],
        ["totp"],
        ["application_credential"],
        ["external"],
        ["oauth1"],
        ["Password"],
        ["password", "token"],
        ["password", "totp"],
    ],
)
def test_other_ways_to_log_in(methods: list[str]) -> None:
    """Credentials that nobody here can check are no good, as keystone says it: 401."""
    identity = {**password(name="a"), "token": {"id": "t1"}, "methods": methods}

    with pytest.raises(Unauthorized, match='The methods are "password" and "token"'):
        decode_login(body(identity))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"null", b"[]", b"5", b'{"auth": []}', b"[" * 500_000]
)
def test_bodies_that_are_no_login(content: bytes) -> None:
    """What is no JSON object with an `auth` is refused."""
    with pytest.raises(BadRequest):
        decode_login(content)
