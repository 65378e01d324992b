# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Identity API v2.0 and the version documents, request by request."""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webob import Request

from ovirt_ovn_proxy.auth.static_token import MagicTokenPlugin
from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
    Unavailable,
)
from ovirt_ovn_proxy.identity import IdentityApi
from ovirt_ovn_proxy.wsgi import Application
from unit.proxy.identities import CONFIG, NOW, OneUser, call

TENANT = {"id": "0" * 31 + "1", "name": "tenant", "description": "tenant", "enabled": True}
V3 = {
    "id": "v3.14",
    "status": "stable",
    "links": [{"rel": "self", "href": "https://engine.example.com:35357/v3/"}],
}
V2 = {
    "id": "v2.0",
    "status": "CURRENT",
    "links": [{"rel": "self", "href": "https://engine.example.com:35357/v2.0/"}],
}


def password(user: str = "admin@internal", secret: object = "secret", **more: Any) -> object:
    """Return the body of a log-in."""
    return {"auth": {"passwordCredentials": {"username": user, "password": secret}, **more}}


@pytest.mark.parametrize(
    "path", ["/v2.0/tokens", "/v2.0//tokens", "//v2.0/tokens/", "/v3/tokens", "/v3//tokens"]
)
def test_token_by_password(path: str) -> None:
    """The whole answer to a log-in, as the engine and other clients need it.

    The engine posts it to `/v3/tokens` where its authentication URL ends in v3.
    """
    network = "https://engine.example.com:9696/"
    identity = "https://engine.example.com:35357/"

    response = call("POST", path, password())

    assert response.status_int == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert {
        "access": {
            "token": {
                "id": "t1",
                "expires": "2026-01-06T07:04:05Z",
                "issued_at": "2026-01-02T03:04:05Z",
                "tenant": TENANT,
            },
            "serviceCatalog": [
                service("network", "neutron", "1", network),
                service("identity", "keystone", "2", identity),
                service("compute", "nova", "3", network + "v2.1/"),
            ],
            "user": {
                "id": "admin@internal",
                "name": "admin@internal",
                "username": "admin@internal",
                "roles": [{"name": "admin"}],
                "roles_links": [],
            },
            "metadata": {"is_admin": 1, "roles": ["admin"]},
        }
    } == response.json_body


def service(kind: str, name: str, last_digit: str, url: str) -> object:
    """Return an entry of the catalog with its only endpoint."""
    endpoint = {
        "id": "0" * 31 + last_digit,
        "region": "RegionOne",
        "publicURL": url,
        "internalURL": url,
        "adminURL": url,
    }
    return {"type": kind, "name": name, "endpoints": [endpoint], "endpoints_links": []}


@pytest.mark.parametrize(
    "body",
    [
        password(tenantName="tenant"),
        password(tenantName="admin"),
        password(tenantName=None, tenantId=[5]),
        password(token=None),
        {"auth": {"token": {"id": "t1"}}},
        {"auth": {"token": {"id": "t1"}, "tenantName": "x", "passwordCredentials": None}},
    ],
)
def test_accepted_logins(body: object) -> None:
    """Any tenant is accepted, and a valid token instead of a password."""
    access = call("POST", "/v2.0/tokens", body).json_body["access"]

    assert access["token"]["id"] == "t1"
    assert access["user"]["name"] == "admin@internal"


@pytest.mark.parametrize(
    ("timeout_s", "expires", "told"),
    [
        (60, None, "2026-01-02T03:05:05Z"),
        (0, None, "2035-12-31T03:04:05Z"),
        (0x7FFFFFFF, None, "2094-01-20T06:18:12Z"),
        (60, NOW + timedelta(hours=1), "2026-01-02T04:04:05Z"),
        (60, datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2029-12-31T22:00:00Z"),
    ],
)
def test_expiry_is_always_a_date(timeout_s: int, expires: datetime | None, told: str) -> None:
    """The plugin's end is told in UTC, else the configured life, else one far away."""
    config = Config(auth_token_timeout_s=timeout_s)

    response = call("POST", "/v2.0/tokens", password(), config=config, expires=expires)

    assert told == response.json_body["access"]["token"]["expires"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (password(secret="wrong"), Unauthorized),
        (password("joe@internal"), Forbidden),
        (password("nobody@down"), Unavailable),
        ({"auth": {"token": {"id": "t2"}}}, Unauthorized),
        ({"auth": {"token": {"id": ""}}}, Unauthorized),
        (b"", BadRequest),
        (b"{", BadRequest),
        (b"\xff\xfe", BadRequest),
        (b'{"auth": "\xff"}', BadRequest),
        (b"[" * 500_000, BadRequest),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, BadRequest),
        (b"9" * 1_000_000, BadRequest),
        (None, BadRequest),
        ([], BadRequest),
        ("auth", BadRequest),
        ({}, BadRequest),
        ({"auth": None}, BadRequest),
        ({"auth": [password()]}, BadRequest),
        ({"auth": {}}, BadRequest),
        ({"auth": {"passwordCredentials": []}}, BadRequest),
        ({"auth": {"passwordCredentials": {"username": "admin@internal"}}}, BadRequest),
        (password(secret=5), BadRequest),
        (password(secret=None), BadRequest),
        (password(secret=["secret"]), BadRequest),
        ({"auth": {"token": "t1"}}, BadRequest),
        ({"auth": {"token": {"id": 5}}}, BadRequest),
    ],
)
def test_refused_logins(body: object, error: type[ApiError]) -> None:
    """Bad credentials and bad bodies have each their own answer."""
    with pytest.raises(error):
        call("POST", "/v2.0/tokens", body)


def test_refusal_names_the_member_and_not_its_value(caplog: pytest.LogCaptureFixture) -> None:
    """What is wrong is said without quoting or logging what was sent."""
    caplog.set_level(logging.DEBUG)
    body = {"auth": {"passwordCredentials": {"username": ["hunter2"], "password": "hunter2"}}}

    with pytest.raises(BadRequest) as error:
        call("POST", "/v2.0/tokens", body)

    assert str(error.value) == "auth.passwordCredentials.username must be a string."
    assert "hunter2" not in caplog.text


def test_tenants_need_a_token() -> None:
    """The one tenant is told to who shows a token, and to nobody else."""
    response = call("GET", "/v2.0/tenants", token="t1")

    assert response.json_body == {"tenants": [TENANT], "tenants_links": []}
    for token in (None, "", "t2"):
        with pytest.raises(Unauthorized):
            call("GET", "/v2.0/tenants/", token=token)


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("", {"versions": {"values": [V3, V2]}}),
        ("/", {"versions": {"values": [V3, V2]}}),
        ("/v2.0", {"version": V2}),
        ("/v2.0/", {"version": V2}),
        ("//v2.0//", {"version": V2}),
        ("/v3", {"version": V3}),
        ("/v3/", {"version": V3}),
    ],
)
def test_version_documents_are_anonymous(path: str, document: object) -> None:
    """Discovery works without a token."""
    response = call("GET", path)

    assert (200, document) == (response.status_int, response.json_body)


@pytest.mark.parametrize("path", ["/v2", "/v2.0/tokens/t1", "/v3/auth", "/\xff", "/v2.0/x"])
def test_unknown_paths(path: str) -> None:
    """What does not exist is not found, whatever bytes name it."""
    with pytest.raises(NotFound):
        call("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v2.0/tokens", ("POST",)),
        ("DELETE", "/v2.0/tokens", ("POST",)),
        ("POST", "/v2.0/tenants", ("GET",)),
        ("POST", "/", ("GET",)),
        ("PUT", "/v2.0", ("GET",)),
    ],
)
def test_wrong_methods(method: str, path: str, allowed: tuple[str, ...]) -> None:
    """A wrong verb is answered with the right one."""
    with pytest.raises(MethodNotAllowed) as error:
        call(method, path, b"")

    assert allowed == error.value.allowed


MEMBERS = st.sampled_from(
    [
        *("auth", "passwordCredentials", "username", "password", "token", "id", "tenantName"),
        *("identity", "methods", "user", "name", "domain"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from(["/v2.0/tokens", "/v3/auth/tokens"]),
    st.binary() | JSON.map(lambda document: json.dumps(document).encode()),
)
def test_any_body_has_an_answer(path: str, body: bytes) -> None:
    """Whatever is posted ends as an answer or as a client's error."""
    api = IdentityApi(CONFIG, MagicTokenPlugin(CONFIG))
    try:
        status = api(Request.blank(path, method="POST", body=body)).status_int
    except ApiError as error:
        status = error.status

    assert status in (200, 201, 400, 401)


@pytest.mark.parametrize(
    ("method", "path", "body", "user"),
    [
        ("POST", "/v2.0/tokens", password(), "admin@internal"),
        ("POST", "/v2.0/tokens", password(user="eve", secret="?"), "eve"),
        ("POST", "/v2.0/tokens", {"auth": {"token": {"id": "t1"}}}, "admin@internal"),
        ("POST", "/v2.0/tokens", {"auth": {"token": {"id": "?"}}}, "-"),
        ("GET", "/v2.0/tenants", None, "admin@internal"),
        ("GET", "/v3/auth/tokens", None, "admin@internal"),
        ("GET", "/v2.0", None, "-"),
    ],
)
def test_the_log_names_the_user(
    caplog: pytest.LogCaptureFixture, method: str, path: str, body: object, user: str
) -> None:
    """The line of a request says who wants to log in, or whose token was shown."""
    caplog.set_level(logging.INFO)
    request = Request.blank(
        path, method=method, headers={"X-Auth-Token": "t1"}, body=json.dumps(body).encode()
    )
    assert request.get_response(Application(IdentityApi(CONFIG, OneUser(), lambda: NOW))).body

    assert re.search(f" 0 ops {user}( |$)", caplog.messages[-1])
