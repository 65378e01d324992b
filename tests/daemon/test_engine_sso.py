# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugins that ask the engine, over HTTPS to a stand-in of its single sign-on."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from webob import Request

from daemon.engine_sso import GROUP_NAME, NETWORK_ADMIN, PASSWORD, SECRET, EngineSso, User
from daemon.ovsdb import free_port
from ovirt_ovn_proxy.auth import AuthPlugin, Identity, authorize
from ovirt_ovn_proxy.auth.ovirt import (
    AuthorizationByGroup,
    AuthorizationByRole,
    AuthorizationByUserName,
)
from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.errors import (
    ApiError,
    BadGateway,
    Forbidden,
    GatewayTimeout,
    Unauthorized,
    Unavailable,
)
from ovirt_ovn_proxy.identity import IdentityApi
from ovirt_ovn_proxy.wsgi import Application

pytestmark = pytest.mark.daemon

ADMIN = "admin@internal"
PLUGINS: list[type[Any]] = [AuthorizationByUserName, AuthorizationByGroup, AuthorizationByRole]


def settings(sso: EngineSso, engine_pki: Path, **changes: Any) -> Config:
    """Return the configuration of a proxy that asks this engine."""
    options = {
        "ovirt_host": sso.url,
        "ovirt_ca_file": str(engine_pki / "ca.pem"),
        "ovirt_sso_client_secret": SECRET,
        "ovirt_auth_timeout_s": 5.0,
        **changes,
    }
    return Config(**options)


@pytest.fixture
def config(sso: EngineSso, engine_pki: Path) -> Config:
    """The configuration of a proxy that asks the engine of the test."""
    return settings(sso, engine_pki)


@pytest.mark.parametrize("make", PLUGINS)
def test_good_user(sso: EngineSso, config: Config, make: type[Any]) -> None:
    """Who has the name, the group or the role gets a token, which is good for requests."""
    plugin: AuthPlugin = make(config)

    token = plugin.create_token(ADMIN, PASSWORD)

    assert token.id in sso.tokens
    assert (None, ADMIN) == (token.expires, token.user)
    assert Identity(ADMIN) == plugin.validate_token(token.id)


@pytest.mark.parametrize("make", PLUGINS)
def test_other_user(sso: EngineSso, config: Config, make: type[Any]) -> None:
    """A user whom the engine knows, without name, group and role, is forbidden to enter."""
    plugin: AuthPlugin = make(config)

    with pytest.raises(Forbidden, match="joe@internal may not"):
        plugin.create_token("joe@internal", "joe's")
    with pytest.raises(Forbidden):
        plugin.validate_token(sso.new_token("joe@internal"))


@pytest.mark.parametrize("make", PLUGINS)
@pytest.mark.parametrize(
    ("user", "password"),
    [
        (ADMIN, "wrong"),
        (ADMIN, ""),
        ("admin@nosuchprofile", PASSWORD),
        ("", ""),
        ("\udcff", PASSWORD),
        (ADMIN, "\udcff"),
    ],
)
def test_bad_credentials(config: Config, make: type[Any], user: str, password: str) -> None:
    """A wrong password, user or profile is unauthorized, and nothing else is."""
    with pytest.raises(Unauthorized):
        make(config).create_token(user, password)


@pytest.mark.parametrize("name", ["a@b@profile", "üser@internal", "joe smith@internal"])
def test_names_of_all_kinds(sso: EngineSso, engine_pki: Path, name: str) -> None:
    """Names that hold a second @, a blank or other letters are taken as they are."""
    sso.users[name] = User("x", groups=({GROUP_NAME: "NetAdmin"},), roles=(NETWORK_ADMIN,))
    config = settings(sso, engine_pki, ovirt_admin_user_names=("first@internal", name))

    for make in PLUGINS:
        plugin: AuthPlugin = make(config)
        token = plugin.create_token(name, "x")

        assert Identity(name) == plugin.validate_token(token.id)


def test_user_under_another_name(sso: EngineSso, config: Config) -> None:
    """Who logs in under another spelling is who the engine says that it is."""
    sso.users["ADMIN@internal"] = User("x", user_id=ADMIN)
    sso.users["alias@internal"] = User("x", user_id="joe@internal")
    plugin = AuthorizationByUserName(config)

    assert ADMIN == plugin.create_token("ADMIN@internal", "x").user
    with pytest.raises(Forbidden):
        plugin.create_token("alias@internal", "x")


def test_groups_of_a_directory(sso: EngineSso, engine_pki: Path) -> None:
    """Another attribute than the name, and values with commas as LDAP has them, may be listed."""
    dn = "cn=netadmins,ou=groups,dc=example,dc=com"
    sso.users["amy@ldap"] = User("x", groups=({"DN;java.lang.String;1": dn},))
    config = settings(
        sso,
        engine_pki,
        ovirt_admin_group_attribute_name="DN;java.lang.String;1",
        ovirt_admin_group_attribute_values=("cn=others", dn),
    )
    plugin = AuthorizationByGroup(config)

    assert "amy@ldap" == plugin.create_token("amy@ldap", "x").user
    with pytest.raises(Forbidden):
        plugin.create_token(ADMIN, PASSWORD)


def test_role_needs_a_token_for_the_api(sso: EngineSso, config: Config) -> None:
    """A token without the scope of the REST API cannot show a role."""
    token = sso.new_token(ADMIN)
    sso.tokens[token].scope = "openid"

    with pytest.raises(Forbidden):
        AuthorizationByRole(config).validate_token(token)


@pytest.mark.parametrize("make", PLUGINS)
def test_bad_tokens(sso: EngineSso, config: Config, make: type[Any]) -> None:
    """Unknown, ended and other clients' tokens are no good; none costs no call at all."""
    plugin: AuthPlugin = make(config)
    ended = sso.new_token(ADMIN, active=False)
    others = sso.new_token(ADMIN, client_id="other")

    assert [None] * 4 == [plugin.validate_token(t) for t in ("nonsense", ended, others, "\udcff")]
    sso.calls.clear()
    assert [None, None] == [plugin.validate_token(t) for t in ("", "x" * 100_000)]
    with pytest.raises(Unauthorized, match="carries no token"):
        authorize(plugin, None)
    assert not sso.calls


def test_expiry(sso: EngineSso, config: Config) -> None:
    """Where the engine gives a token an end, that is told."""
    plugin = AuthorizationByUserName(config)
    original = sso.new_token

    def new_token(*arguments: Any, **changes: Any) -> str:
        return original(*arguments, **{**changes, "exp": "1893456000123"})

    sso.new_token = new_token  # type: ignore[method-assign]

    moment = datetime(2030, 1, 1, 0, 0, 0, 123000, tzinfo=timezone.utc)
    assert moment == plugin.create_token(ADMIN, PASSWORD).expires


# --- how often the engine is asked ---


def test_one_call_for_an_operation(sso: EngineSso, config: Config) -> None:
    """A login under a listed name and requests with its token cost one call to the engine."""
    plugin = AuthorizationByUserName(config)

    token = plugin.create_token(ADMIN, PASSWORD)
    for _ in range(5):
        assert plugin.validate_token(token.id)

    assert {"token": 1} == dict(sso.calls)


@pytest.mark.parametrize("make", [AuthorizationByGroup, AuthorizationByRole])
def test_one_call_for_the_next_operations(sso: EngineSso, config: Config, make: type[Any]) -> None:
    """After a user was let in for a group or a role, further logins cost one call each."""
    plugin: AuthPlugin = make(config)
    plugin.create_token(ADMIN, PASSWORD)
    sso.calls.clear()

    token = plugin.create_token(ADMIN, PASSWORD)
    assert plugin.validate_token(token.id)

    assert {"token": 1} == dict(sso.calls)


def test_revoked_token(sso: EngineSso, engine_pki: Path) -> None:
    """A token that the engine has ended is refused once the remembered answer is too old."""
    plugin = AuthorizationByUserName(settings(sso, engine_pki, auth_cache_timeout_s=0.3))
    token = plugin.create_token(ADMIN, PASSWORD).id
    del sso.tokens[token]

    assert plugin.validate_token(token)
    time.sleep(0.35)
    assert plugin.validate_token(token) is None


def test_without_memory(sso: EngineSso, engine_pki: Path) -> None:
    """With the memory off every request asks, and an ended token is refused at once."""
    plugin = AuthorizationByUserName(settings(sso, engine_pki, auth_cache_timeout_s=0.0))
    token = plugin.create_token(ADMIN, PASSWORD).id

    assert plugin.validate_token(token)
    assert plugin.validate_token(token)
    assert {"token": 1, "token-info": 2} == dict(sso.calls)
    sso.tokens[token].active = False
    assert plugin.validate_token(token) is None


def test_connections_are_reused(sso: EngineSso, config: Config) -> None:
    """Calls one after the other share a connection, also after the engine closed it."""
    plugin = AuthorizationByGroup(config)
    for _ in range(5):
        plugin.create_token(ADMIN, PASSWORD)

    assert 1 == sso.connections
    sso.behaviour = "hang_up"
    with pytest.raises(Unavailable):
        plugin.create_token(ADMIN, PASSWORD)
    sso.behaviour = "well"
    plugin.create_token(ADMIN, PASSWORD)


def test_many_at_once(sso: EngineSso, config: Config) -> None:
    """Many logins at the same time do not wait for each other."""
    plugin = AuthorizationByUserName(config)
    sso.delay_s = 0.2
    tokens: list[str] = []

    def log_in() -> None:
        tokens.append(plugin.create_token(ADMIN, PASSWORD).id)

    threads = [threading.Thread(target=log_in) for _ in range(20)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 20 == len(set(tokens))
    assert time.monotonic() - started < 20 * sso.delay_s


# --- an engine in trouble ---


@pytest.mark.parametrize("make", PLUGINS)
@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("starting", Unavailable),
        ("missing", Unavailable),
        ("hang_up", Unavailable),
        ("server_error", BadGateway),
        ("garbage", BadGateway),
        ("endless", BadGateway),
        ("redirect", BadGateway),
    ],
)
def test_engine_in_trouble(
    sso: EngineSso, config: Config, make: type[Any], behaviour: str, error: type[ApiError]
) -> None:
    """What is no refusal of the credentials is never told as one."""
    plugin: AuthPlugin = make(config)
    token = sso.new_token(ADMIN)
    sso.behaviour = behaviour

    with pytest.raises(error):
        plugin.create_token(ADMIN, PASSWORD)
    with pytest.raises(error):
        plugin.validate_token(token)


def test_slow_engine(sso: EngineSso, engine_pki: Path) -> None:
    """An engine that takes too long is given up, by login and token alike."""
    plugin = AuthorizationByUserName(settings(sso, engine_pki, ovirt_auth_timeout_s=0.3))
    sso.delay_s = 1.0

    for call in (lambda: plugin.create_token(ADMIN, PASSWORD), lambda: plugin.validate_token("t")):
        with pytest.raises(GatewayTimeout):
            call()


def test_silent_engine(engine_pki: Path) -> None:
    """A peer that accepts and says nothing, not even in TLS, is given up too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = Config(
            ovirt_host=f"https://127.0.0.1:{listener.getsockname()[1]}",
            ovirt_ca_file=str(engine_pki / "ca.pem"),
            ovirt_auth_timeout_s=0.3,
        )

        with pytest.raises(GatewayTimeout):
            AuthorizationByUserName(config).validate_token("t")


def test_engine_down(engine_pki: Path) -> None:
    """An engine that is not there is unavailable, and the message says where it was looked for."""
    config = Config(
        ovirt_host=f"https://127.0.0.1:{free_port()}", ovirt_ca_file=str(engine_pki / "ca.pem")
    )

    with pytest.raises(Unavailable, match="Connection refused"):
        AuthorizationByUserName(config).validate_token("t")


@pytest.mark.parametrize(
    ("ca_file", "reason"),
    [
        ("otherca.pem", "TLS with the engine fails"),
        ("missing.pem", "missing.pem"),
        ("engine.key", "TLS|certificate"),
    ],
)
def test_engine_that_cannot_be_trusted(
    sso: EngineSso, engine_pki: Path, ca_file: str, reason: str
) -> None:
    """An engine whose certificate is not the authority's gets no password."""
    plugin = AuthorizationByUserName(
        settings(sso, engine_pki, ovirt_ca_file=str(engine_pki / ca_file))
    )

    with pytest.raises(BadGateway, match=reason):
        plugin.create_token(ADMIN, PASSWORD)
    assert not sso.calls


def test_engine_of_another_name(sso: EngineSso, engine_pki: Path) -> None:
    """An engine whose certificate is the authority's, but another one's, gets no password."""
    url = sso.url.replace("127.0.0.1", "localhost")
    plugin = AuthorizationByUserName(settings(sso, engine_pki, ovirt_host=url))

    with pytest.raises(BadGateway, match="TLS with the engine fails"):
        plugin.create_token(ADMIN, PASSWORD)
    assert not sso.calls


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"ovirt_sso_client_secret": "wrong"}, "it refuses ovirt-sso-client-secret"),
        ({"ovirt_sso_client_id": "nobody"}, "it does not know ovirt-sso-client-id"),
    ],
)
def test_client_credentials(
    sso: EngineSso, engine_pki: Path, changes: dict[str, str], problem: str | None
) -> None:
    """Wrong credentials of this service are found by the check, and are no fault of a client."""
    plugin = AuthorizationByUserName(settings(sso, engine_pki, **changes))

    assert problem == plugin.sso.check_client(time.monotonic() + 5)
    plugin.sso.check_status(time.monotonic() + 5)
    if problem:
        with pytest.raises(BadGateway):
            plugin.validate_token(sso.new_token(ADMIN))


def test_timeout_of_old_files(
    sso: EngineSso, engine_pki: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The time-out in files of old, longer than the engine waits, is not used."""
    plugin = AuthorizationByUserName(settings(sso, engine_pki, ovirt_auth_timeout_s=110.0))

    assert 10.0 == plugin.timeout_s
    assert "110 is longer than the engine waits" in caplog.text


# --- through the API ---


@pytest.mark.parametrize(
    ("behaviour", "body", "status"),
    [
        ("well", {"username": ADMIN, "password": PASSWORD}, 200),
        ("well", {"username": ADMIN, "password": "guess-that"}, 401),
        ("well", {"username": "joe@internal", "password": "joe's"}, 403),
        ("starting", {"username": ADMIN, "password": PASSWORD}, 503),
        ("server_error", {"username": ADMIN, "password": PASSWORD}, 502),
    ],
)
def test_login_by_http(
    sso: EngineSso,
    config: Config,
    caplog: pytest.LogCaptureFixture,
    behaviour: str,
    body: dict[str, str],
    status: int,
) -> None:
    """The status codes are those that the engine's client acts on, and no log has a secret."""
    caplog.set_level(logging.DEBUG)
    application = Application(
        IdentityApi(config, AuthorizationByUserName(config)), ApiError.identity_body
    )
    sso.behaviour = behaviour
    request = Request.blank("/v2.0/tokens", method="POST")
    request.body = json.dumps({"auth": {"passwordCredentials": body}}).encode()

    response = request.get_response(application)

    assert status == response.status_int
    answer = response.text  # with which the answer is over, and the request's line written
    assert "POST /v2.0/tokens" in caplog.messages[-1]
    written = caplog.text + (answer if status != 200 else "")
    for secret in (body["password"], SECRET, *sso.tokens):
        assert secret not in written


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "a;b=\xe9"]
)
def test_content_type_means_nothing(sso: EngineSso, config: Config, kind: str) -> None:
    """A body is JSON, whatever its header calls it; what is no JSON is no log-in under any name."""
    application = Application(
        IdentityApi(config, AuthorizationByUserName(config)), ApiError.identity_body
    )
    credentials = {"username": ADMIN, "password": PASSWORD}
    good = json.dumps({"auth": {"passwordCredentials": credentials}}).encode()
    for body, status in ((good, 200), (b"username=admin%40internal&password=x", 400)):
        request = Request.blank("/v2.0/tokens", method="POST")
        request.environ["CONTENT_TYPE"] = kind
        request.body = body

        response = request.get_response(application)

        assert (status, "application/json") == (response.status_int, response.content_type)
    assert {"token": 1} == dict(sso.calls)
