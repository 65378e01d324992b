# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Identity API v3, request by request."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from webob import Request

from ovirt_ovn_proxy.auth.static_token import MagicTokenPlugin, NoAuthPlugin
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
from unit.proxy.identities import CONFIG, NOW, call

IDENTITY = "https://engine.example.com:35357/"
NETWORK = "https://engine.example.com:9696/"
TENANT = "0" * 31 + "1"
DOMAIN = {"id": "default", "name": "Default"}


def password(secret: str = "secret", **user: Any) -> Any:
    """Return the body of a log-in by password; as admin@internal unless `user` says who."""
    user = user or {"name": "admin@internal"}
    identity = {"methods": ["password"], "password": {"user": {"password": secret, **user}}}
    return {"auth": {"identity": identity}}


def by_token(token: str) -> Any:
    """Return the body of a log-in by token."""
    return {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}}


def service(kind: str, name: str, last_digit: str, url: str) -> Any:
    """Return an entry of the catalog with its endpoints."""
    service_id = "0" * 31 + last_digit
    endpoints = [
        {
            "id": f"{service_id}-{interface}",
            "interface": interface,
            "region": "RegionOne",
            "region_id": "RegionOne",
            "url": url,
        }
        for interface in ("public", "internal", "admin")
    ]
    return {"id": service_id, "type": kind, "name": name, "endpoints": endpoints}


CATALOG = [
    service("network", "neutron", "1", NETWORK),
    service("identity", "keystone", "2", IDENTITY),
    service("compute", "nova", "3", f"{NETWORK}v2.1/"),
]
TOKEN = {
    "methods": ["password"],
    "user": {
        "id": "admin@internal",
        "name": "admin@internal",
        "domain": DOMAIN,
        "password_expires_at": None,
    },
    "audit_ids": ["YotJ2W3N6XpDDdT1l3BYmQ"],
    "issued_at": "2026-01-02T03:04:05Z",
    "expires_at": "2026-01-06T07:04:05Z",
    "project": {"id": TENANT, "name": "tenant", "domain": DOMAIN},
    "is_domain": False,
    "roles": [{"id": "admin", "name": "admin"}],
    "catalog": CATALOG,
}


# --- tokens -------------------------------------------------------------------


def test_token_by_password() -> None:
    """The whole answer to a log-in: the token in a header, what it is good for in the body."""
    response = call("POST", "/v3/auth/tokens", password())

    assert 201 == response.status_int
    assert "t1" == response.headers["X-Subject-Token"]
    assert "application/json" == response.headers["Content-Type"]
    assert "no-store" == response.headers["Cache-Control"]
    assert {"token": TOKEN} == response.json_body


def test_token_by_token() -> None:
    """A valid token is given again, under the same audit id."""
    response = call("POST", "//v3/auth/tokens/", by_token("t1"))

    assert 201 == response.status_int
    assert "t1" == response.headers["X-Subject-Token"]
    assert {"token": {**TOKEN, "methods": ["token"]}} == response.json_body


@pytest.mark.parametrize(
    ("timeout_s", "expires_in_s", "told"),
    [
        (60, None, "2026-01-02T03:05:05Z"),
        (0, None, "2035-12-31T03:04:05Z"),
        (60, 3600, "2026-01-02T04:04:05Z"),
    ],
)
def test_expiry_is_always_a_date(timeout_s: int, expires_in_s: int | None, told: str) -> None:
    """The plugin's end is told, else the configured life, else one far away."""
    config = Config(auth_token_timeout_s=timeout_s)
    expires = None if expires_in_s is None else NOW + timedelta(seconds=expires_in_s)

    response = call("POST", "/v3/auth/tokens", password(), config=config, expires=expires)

    assert told == response.json_body["token"]["expires_at"]


def test_catalog_can_be_left_out() -> None:
    """A client that wants no catalog gets none."""
    for method, body in (("POST", password()), ("GET", None)):
        path = "/v3/auth/tokens?nocatalog"
        response = call(method, path, body, token="t1", subject="t1")
        assert "catalog" not in response.json_body["token"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (password("wrong"), Unauthorized),
        (password(name="joe@internal"), Forbidden),
        (password(name="nobody@down"), Unavailable),
        (by_token("t2"), Unauthorized),
        (by_token(""), Unauthorized),
        (by_token("t1\r\nX-Other: 1"), BadRequest),
        (b"{", BadRequest),
        ({}, BadRequest),
    ],
)
def test_refused_logins(body: object, error: type[ApiError]) -> None:
    """Bad credentials and bad bodies have each their own answer."""
    with pytest.raises(error):
        call("POST", "/v3/auth/tokens", body)


def test_nothing_that_was_sent_is_quoted_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What is wrong is said without passwords and tokens."""
    caplog.set_level(logging.DEBUG)
    bodies = [
        password("hunter2"),
        password(name=["hunter2"]),
        password(name="x", domain="hunter2"),
        by_token("hunter2"),
        by_token("hunter2 "),
        {"auth": {"identity": {"methods": ["hunter2"], "hunter2": "hunter2"}}},
        b"hunter2",
    ]
    for body in bodies:
        with pytest.raises(ApiError) as error:
            call("POST", "/v3/auth/tokens", body)
        assert b"hunter2" not in error.value.identity_body()
    with pytest.raises(NotFound) as not_found:
        call("GET", "/v3/auth/tokens", token="t1", subject="hunter2")

    assert "hunter2" not in str(not_found.value)
    assert "hunter2" not in caplog.text


def test_who_lets_everybody_in_takes_any_token_that_can_be_a_header() -> None:
    """Without authentication a token comes back as it came, and cannot add headers."""
    api = IdentityApi(CONFIG, NoAuthPlugin(CONFIG))

    def status_of(token: str) -> int:
        request = Request.blank("/v3/auth/tokens", method="POST", json=by_token(token))
        try:
            return int(api(request).status_int)
        except BadRequest as error:
            return error.status

    assert [201, 201, 201] == [status_of(token) for token in ("", "any", "~" * 8192)]
    assert [400] * 5 == [status_of(token) for token in (" ", "a\nb", "\xe9", "\ud800", "~" * 8193)]


def test_a_token_is_looked_at() -> None:
    """Who has a token may ask about one, by GET or HEAD."""
    response = call("GET", "/v3/auth/tokens", token="t1", subject="t1")

    assert 200 == response.status_int
    assert "t1" == response.headers["X-Subject-Token"]
    assert {"token": TOKEN} == response.json_body
    assert 200 == call("HEAD", "/v3/auth/tokens", token="t1", subject="t1").status_int


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize(
    ("token", "subject", "error"),
    [
        (None, "t1", Unauthorized),
        ("t2", "t1", Unauthorized),
        ("t1", "t2", NotFound),
        ("t1", "", NotFound),
        ("t1", None, NotFound),
    ],
)
def test_a_token_that_cannot_be_looked_at(
    method: str, token: str | None, subject: str | None, error: type[ApiError]
) -> None:
    """Who asks needs a token (401), and what is asked about must be one (404)."""
    with pytest.raises(error):
        call(method, "/v3/auth/tokens", token=token, subject=subject)


def test_a_token_can_be_given_back() -> None:
    """DELETE succeeds with nothing to say; the token is the plugin's, and stays good."""
    response = call("DELETE", "/v3/auth/tokens", token="t1", subject="t1")

    assert (204, b"") == (response.status_int, response.body)


# --- what there is to look at -------------------------------------------------

PROJECT = {
    "id": TENANT,
    "name": "tenant",
    "description": "tenant",
    "enabled": True,
    "domain_id": "default",
    "parent_id": "default",
    "is_domain": False,
    "tags": [],
    "options": {},
    "links": {"self": f"{IDENTITY}v3/projects/{TENANT}"},
}


@pytest.mark.parametrize(
    "path",
    [
        "/v3/projects",
        "/v3/auth/projects",
        "/v3/users/admin@internal/projects",
        "/v3/projects?name=tenant",
        "/v3/projects?domain_id=default&user_id=admin@internal",
        "/v3/projects?enabled=True&is_domain=false&parent_id=default",
        "/v3/projects?enabled=1&is_domain=0&limit=1000&marker=x&sort_key=name",
    ],
)
def test_the_project(path: str) -> None:
    """The one project is found in every way that clients look for it."""
    response = call("GET", path, token="t1")

    assert [PROJECT] == response.json_body["projects"]
    url = "http://localhost" + path.partition("?")[0]
    assert {"self": url, "previous": None, "next": None} == response.json_body["links"]


@pytest.mark.parametrize(
    "query",
    ["name=other", "domain_id=x", "enabled=false", "is_domain=true", "name=", "name=%ff"],
)
def test_filters_that_do_not_fit(query: str) -> None:
    """A project that is not there is not found, whatever bytes ask for it."""
    assert [] == call("GET", f"/v3/projects?{query}", token="t1").json_body["projects"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"projects/{TENANT}", PROJECT),
        ("domains/default", {**DOMAIN, "enabled": True}),
        ("roles/admin", {"id": "admin", "name": "admin", "domain_id": None}),
        (f"services/{TENANT}", {"type": "network", "name": "neutron", "enabled": True}),
        (
            f"endpoints/{TENANT}-admin",
            {"interface": "admin", "region_id": "RegionOne", "service_id": TENANT, "url": NETWORK},
        ),
        ("regions/RegionOne", {"parent_region_id": None}),
    ],
)
def test_members(path: str, expected: dict[str, Any]) -> None:
    """Each collection's members are shown one by one as in the list."""
    collection, _, document_id = path.partition("/")

    (shown,) = call("GET", f"/v3/{path}", token="t1").json_body.values()

    assert document_id == shown["id"]
    assert expected == {key: shown[key] for key in expected}
    assert {"self": f"{IDENTITY}v3/{path}"} == shown["links"]
    assert shown in call("GET", f"/v3/{collection}", token="t1").json_body[collection]
    for wrong in ("other", f"{document_id}x", "tenant", "default"):
        if wrong != document_id:
            with pytest.raises(NotFound):
                call("GET", f"/v3/{collection}/{wrong}", token="t1")


def test_every_endpoint_is_there_once() -> None:
    """A service has one endpoint for each interface, each with an id of its own."""
    endpoints = call("GET", "/v3/endpoints", token="t1").json_body["endpoints"]

    assert 9 == len(endpoints) == len({endpoint["id"] for endpoint in endpoints})
    assert 9 == len({(endpoint["service_id"], endpoint["interface"]) for endpoint in endpoints})
    found = call("GET", f"/v3/endpoints?service_id={TENANT}&interface=public", token="t1")
    assert [NETWORK] == [endpoint["url"] for endpoint in found.json_body["endpoints"]]


def test_pages_come_to_an_end() -> None:
    """Behind the last that a client has seen there is nothing, behind the first the rest."""
    ids = [one["id"] for one in call("GET", "/v3/services", token="t1").json_body["services"]]
    for index, marker in enumerate(ids):
        page = call("GET", f"/v3/services?limit=1&marker={marker}", token="t1")
        assert ids[index + 1 :] == [one["id"] for one in page.json_body["services"]]


def test_the_catalog() -> None:
    """The catalog can be had without a new token."""
    response = call("GET", "/v3/auth/catalog", token="t1")

    assert CATALOG == response.json_body["catalog"]


PATHS = [
    *("/v3/projects", f"/v3/projects/{TENANT}", "/v3/auth/projects", "/v3/auth/domains"),
    *("/v3/auth/catalog", "/v3/domains", "/v3/services", "/v3/endpoints", "/v3/regions"),
    *("/v3/roles", "/v3/users/x/projects", "/v3/projects/other"),
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", [None, "", "t2"])
def test_looking_needs_a_token(path: str, token: str | None) -> None:
    """Nothing but versions is told to whom nobody knows."""
    with pytest.raises(Unauthorized):
        call("GET", path, token=token)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(path: str, method: str) -> None:
    """Projects, users and the catalog are the site's, not a client's."""
    with pytest.raises(MethodNotAllowed) as error:
        call(method, path, {}, token="t1")

    assert ("GET",) == error.value.allowed


@pytest.mark.parametrize("path", ["/v3/users", "/v3/auth", "/v3/projects/a/b", "/v3/auth/system"])
def test_unknown_paths(path: str) -> None:
    """What is not offered is not found."""
    with pytest.raises(NotFound):
        call("GET", path, token="t1")


def test_magic_token() -> None:
    """With the plugin of test sites, the secret is the password, by v3 as well."""
    config = Config(magic_token="hunter2")
    api = IdentityApi(config, MagicTokenPlugin(config))

    response = api(
        Request.blank("/v3/auth/tokens", method="POST", json=password("hunter2", name="joe"))
    )

    assert "joe" == response.json_body["token"]["user"]["name"]
    assert "hunter2" not in response.headers["X-Subject-Token"]
