# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How clients log in: openstacksdk and the `openstack` command with Identity v2.0 and v3.

They speak to the whole service on a real central, which asks for a password. What
cannot be run here, fog as ManageIQ uses it, is replayed request by request.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from clients.command import Command, Program
from daemon.ovsdb import northd, short_folder, wait_until
from daemon.proxy import ProxyProcess, http, proxy_process

pytestmark = [
    pytest.mark.daemon,
    # What the clients warn of is not ours to mend.
    pytest.mark.filterwarnings("ignore"),
]

SECRET = "hunter2"
REGION = "RegionOne"
TENANT = "0" * 31 + "1"


@pytest.fixture(scope="module")
def process() -> Iterator[ProxyProcess]:
    """The service on a central of its own, for all tests of this module."""
    with (
        short_folder() as folder,
        northd(folder) as servers,
        proxy_process(folder, servers["nb"].remote, secret=SECRET) as running,
    ):
        yield running


# --- openstacksdk -------------------------------------------------------------


@pytest.fixture(scope="module")
def sdk() -> Any:
    """The package openstack; imported here, where its warnings are no errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("openstack")


PROJECT = {"project_name": "tenant"}
DOMAINS = {"user_domain_name": "Default", "project_domain_name": "Default"}
DOMAIN_IDS = {"user_domain_id": "default", "project_domain_id": "default"}

# Authentication type, path of the URL, more of what it is told, the version it then speaks.
LOGINS: Mapping[str, tuple[str, str, Mapping[str, Any], str]] = {
    "v2password": ("v2password", "/v2.0", {"tenant_name": "tenant"}, "v2.0"),
    "root": ("password", "", PROJECT, "v2.0"),
    "v2.0": ("password", "/v2.0", PROJECT, "v2.0"),
    "v3": ("password", "/v3", PROJECT, "v3"),
    "root, domains": ("password", "", {**PROJECT, **DOMAINS}, "v3"),
    "slash, domain ids": ("password", "/", {**PROJECT, **DOMAIN_IDS}, "v3"),
    "v3, domains": ("password", "/v3", {**PROJECT, **DOMAINS}, "v3"),
    "v3 slash, domain ids": ("password", "/v3/", {**PROJECT, **DOMAIN_IDS}, "v3"),
    "root, default domain": ("password", "", {**PROJECT, "default_domain_name": "Default"}, "v3"),
    "v3password": ("v3password", "/v3", {**PROJECT, **DOMAINS}, "v3"),
    "v3password, root": ("v3password", "", {**PROJECT, **DOMAINS}, "v3"),
    "profile as domain": (
        "v3password",
        "/v3",
        {**PROJECT, **DOMAINS, "username": "admin", "user_domain_name": "internal"},
        "v3",
    ),
    "user id": (
        "v3password",
        "/v3",
        {"username": None, "user_id": "admin@internal", "project_id": TENANT},
        "v3",
    ),
    "other project": ("v3password", "/v3", {**DOMAINS, "project_name": "other"}, "v3"),
    "domain scope": ("v3password", "/v3", {**DOMAINS, "domain_name": "Default"}, "v3"),
    "system scope": ("v3password", "/v3", {**DOMAINS, "system_scope": "all"}, "v3"),
    "no scope": ("v3password", "/v3", DOMAINS, "v3"),
    "unscoped": ("v3password", "/v3", {**DOMAINS, "unscoped": True}, "v3"),
}


def connect(sdk: Any, process: ProxyProcess, kind: str, path: str, **auth: Any) -> Any:
    """Return the SDK's connection to the service, which logs in when it is first used."""
    auth = {name: value for name, value in auth.items() if value is not None}
    return sdk.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_type=kind,
        auth={"auth_url": process.identity_url + path, **auth},
        region_name=REGION,
    )


def spoken(connection: Any) -> str:
    """Return the version of Identity that a connection logged in by."""
    version: str = connection.session.auth.get_access(connection.session).version
    return version


@pytest.mark.parametrize("login", LOGINS)
def test_sdk_logs_in_by_password(process: ProxyProcess, sdk: Any, login: str) -> None:
    """Whatever URL and domains the SDK is given, it logs in and manages networks."""
    kind, path, more, version = LOGINS[login]
    auth = {"username": "admin@internal", "password": SECRET, **more}
    with connect(sdk, process, kind, path, **auth) as connection:
        made = connection.network.create_network(name=login)
        listed = [network.id for network in connection.network.networks()]
        connection.network.delete_network(made, ignore_missing=False)

        assert [made.id] == listed
        assert version == spoken(connection)
        assert "admin@internal" == connection.current_user_id
        assert TENANT == connection.current_project_id
        assert (2, 0) == connection.network.get_endpoint_data().api_version


TOKEN_LOGINS: Mapping[str, tuple[str, str, Mapping[str, Any], str]] = {
    "v2token": ("v2token", "/v2.0", {}, "v2.0"),
    "root": ("token", "", PROJECT, "v2.0"),
    "v3": ("token", "/v3", PROJECT, "v3"),
    "root, domain": ("token", "", {**PROJECT, "project_domain_name": "Default"}, "v3"),
    "v3token": ("v3token", "/v3", {**PROJECT, "project_domain_id": "default"}, "v3"),
    "v3token, no scope": ("v3token", "/v3", {}, "v3"),
}


@pytest.mark.parametrize("login", TOKEN_LOGINS)
def test_sdk_logs_in_by_token(process: ProxyProcess, sdk: Any, login: str) -> None:
    """A token that somebody has already is as good as a password."""
    kind, path, more, version = TOKEN_LOGINS[login]
    token = process.log_in()
    with connect(sdk, process, kind, path, token=token, **more) as connection:
        assert [] == list(connection.network.networks())
        assert version == spoken(connection)
        assert token == connection.auth_token


@pytest.mark.parametrize(
    ("kind", "path", "auth"),
    [
        ("v2password", "/v2.0", {"username": "admin@internal", "password": "sesame"}),
        ("password", "", {"username": "admin@internal", "password": "sesame", **DOMAINS}),
        ("v3password", "/v3", {"username": "admin@internal", "password": "sesame", **DOMAINS}),
        ("v3token", "/v3", {"token": "sesame"}),
        ("v3totp", "/v3", {"username": "admin@internal", "passcode": "sesame", **DOMAINS}),
        (
            "v3applicationcredential",
            "/v3",
            {"application_credential_id": "x", "application_credential_secret": "sesame"},
        ),
    ],
)
def test_sdk_is_refused(
    process: ProxyProcess, sdk: Any, kind: str, path: str, auth: Mapping[str, str]
) -> None:
    """Credentials that are wrong, or that nobody here can check, are told from an outage."""
    connection = connect(sdk, process, kind, path, **auth)
    with connection, pytest.raises(Exception, match=r"HTTP 401") as error:
        connection.authorize()

    assert "sesame" not in str(error.value)


def test_sdk_has_nothing_to_speak(process: ProxyProcess, sdk: Any) -> None:
    """A URL for v2.0 does not go with domains: the SDK says so itself."""
    auth = {"username": "admin@internal", "password": SECRET, **PROJECT, **DOMAINS}
    connection = connect(sdk, process, "password", "/v2.0", **auth)
    refusal = "Cannot use v2 authentication with domain scope"
    with connection, pytest.raises(Exception, match=refusal):
        connection.authorize()


@pytest.mark.parametrize("path", ["", "/v3"])
def test_sdk_looks_around(process: ProxyProcess, sdk: Any, path: str) -> None:
    """The SDK finds the project, the domain and the catalog in the Identity API."""
    auth = {"username": "admin@internal", "password": SECRET, **PROJECT, **DOMAINS}
    with connect(sdk, process, "password", path, **auth) as connection:
        identity = connection.identity

        (project,) = identity.projects()
        assert (TENANT, "tenant", "default", True) == (
            project.id,
            project.name,
            project.domain_id,
            project.is_enabled,
        )
        for wanted in ("tenant", TENANT):
            assert TENANT == identity.find_project(wanted, ignore_missing=False).id
            assert TENANT == identity.find_project(wanted, domain_id="default").id
        assert identity.find_project("nothing") is None
        assert [TENANT] == [found.id for found in identity.user_projects("admin@internal")]
        assert [] == list(identity.projects(is_enabled=False))
        assert [TENANT] == [found.id for found in identity.projects(limit=1)]
        assert 3 == len(list(identity.services(limit=1)))
        assert "default" == identity.find_domain("Default").id
        assert {"network", "identity", "compute"} == {entry.type for entry in identity.services()}
        assert {"public", "internal", "admin"} == {
            entry.interface for entry in identity.endpoints(service_id=TENANT)
        }
        assert [REGION] == [region.id for region in identity.regions()]
        assert "tenant" == connection.current_project.name
        assert "tenant" == connection.get_project("tenant").name


def test_sdk_can_do_without_the_catalog(process: ProxyProcess, sdk: Any) -> None:
    """A log-in that leaves the catalog out is smaller and otherwise the same."""
    auth = {"username": "admin@internal", "password": SECRET, **PROJECT, **DOMAINS}
    with connect(sdk, process, "v3password", "/v3", include_catalog=False, **auth) as connection:
        access = connection.session.auth.get_access(connection.session)

        assert not access.has_service_catalog()
        assert ["admin"] == access.role_names


# --- the `openstack` command --------------------------------------------------


@pytest.fixture(scope="module")
def command(process: ProxyProcess, openstack_program: Program) -> Command:
    """The `openstack` command, led to the service by variables as an rc file sets them."""
    variables = {
        "OS_AUTH_URL": process.identity_url,
        "OS_USERNAME": "admin@internal",
        "OS_PASSWORD": SECRET,
        "OS_PROJECT_NAME": "tenant",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
    }
    return Command(openstack_program, {}, variables)


def test_command_tokens(command: Command, process: ProxyProcess) -> None:
    """`openstack token issue` tells the token, which works and can be given back."""
    issued = command.json("token", "issue")

    assert (TENANT, "admin@internal") == (issued["project_id"], issued["user_id"])
    headers = {"X-Auth-Token": issued["id"]}
    assert 200 == http("GET", f"{process.networking_url}/v2.0/networks", headers=headers).status
    assert "" == command("token", "revoke", issued["id"])
    by_profile = command.json(
        "token",
        "issue",
        OS_AUTH_URL=f"{process.identity_url}/v3",
        OS_USERNAME="admin",
        OS_USER_DOMAIN_NAME="internal",
    )
    assert "admin@internal" == by_profile["user_id"]


def test_command_projects(command: Command) -> None:
    """`openstack project` and `openstack domain` show the only ones."""
    assert [{"ID": TENANT, "Name": "tenant"}] == command.json("project", "list")
    assert [{"ID": TENANT, "Name": "tenant"}] == command.json("project", "list", "--my-projects")
    shown = command.json("project", "show", "tenant", "--domain", "Default")
    assert (TENANT, "default", True) == (shown["id"], shown["domain_id"], shown["enabled"])
    assert "default" == command.json("domain", "show", "Default")["id"]


def test_command_networks(command: Command) -> None:
    """`openstack network` with the project named, and its quota."""
    made = command.json("network", "create", "cli", "--project=tenant")
    assert TENANT == made["project_id"]
    assert [made["id"]] == [row["ID"] for row in command.json("network", "list")]
    assert "" == command("network", "delete", "cli")
    quota = {row["Resource"]: row["Limit"] for row in command.json("quota", "show", "--network")}
    assert (-1, TENANT) == (quota["networks"], quota["project_id"])
    named = command.json("quota", "show", "--network", "tenant")
    assert -1 == {row["Resource"]: row["Limit"] for row in named}["ports"]


def test_command_catalog(command: Command, process: ProxyProcess) -> None:
    """`openstack catalog`, `endpoint` and `versions` show what there is, and once."""
    catalog = {row["Type"]: row["Endpoints"] for row in command.json("catalog", "list")}
    assert {"network", "identity", "compute"} == set(catalog)
    expected = [(name, f"{process.networking_url}/") for name in ("public", "internal", "admin")]
    assert expected == [(entry["interface"], entry["url"]) for entry in catalog["network"]]
    listed = command.json("endpoint", "list", "--service=network", "--interface=public")
    assert [f"{process.networking_url}/"] == [row["URL"] for row in listed]
    versions = command.json("versions", "show")
    assert {
        ("network", "2.0", f"{process.networking_url}/v2.0/"),
        ("identity", "2.0", f"{process.identity_url}/v2.0/"),
        ("identity", "3.14", f"{process.identity_url}/v3/"),
    } <= {(row["Service Type"], row["Version"], row["Endpoint"]) for row in versions}


def test_command_tells_that_the_password_is_wrong(command: Command) -> None:
    """A wrong password is called that."""
    with pytest.raises(AssertionError, match=r"The user name or the password is wrong"):
        command("network", "list", OS_PASSWORD="wrong")


# --- fog, as ManageIQ uses it -------------------------------------------------


def _fog_v2(process: ProxyProcess, tenant: str) -> tuple[str, Mapping[str, str]]:
    credentials = {"username": "admin@internal", "password": SECRET}
    body = {"auth": {"passwordCredentials": credentials, "tenantName": tenant}}
    answer = http("POST", f"{process.identity_url}/v2.0/tokens", body)
    assert answer.status == 200, answer
    access = answer.json["access"]
    assert access["token"]["expires"]
    urls = {}
    for service in access["serviceCatalog"]:
        (endpoint,) = service["endpoints"]
        urls[service["type"]] = endpoint["publicURL"]
    return access["token"]["id"], urls


def _fog_v3(process: ProxyProcess, tenant: str) -> tuple[str, Mapping[str, str]]:
    user = {"name": "admin@internal", "password": SECRET, "domain": {"id": "default"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    scope = {"project": {"name": tenant, "domain": {"id": "default"}}}
    body = {"auth": {"identity": identity, "scope": scope}}
    answer = http("POST", f"{process.identity_url}/v3/auth/tokens", body)
    assert answer.status == 201, answer
    token = answer.json["token"]
    assert token["expires_at"]
    assert {"id": "admin@internal", "name": "admin@internal"}.items() <= token["user"].items()
    urls = {}
    for service in token["catalog"]:
        (url,) = (
            endpoint["url"]
            for endpoint in service["endpoints"]
            if endpoint["interface"] == "public" and endpoint["region"] == REGION
        )
        urls[service["type"]] = url
    return answer.headers["X-Subject-Token"], urls


@pytest.mark.parametrize("log_in", [_fog_v2, _fog_v3])
@pytest.mark.parametrize("tenant", ["tenant", "admin"])
def test_fog_logs_in_and_finds_each_service_once(
    process: ProxyProcess, log_in: Any, tenant: str
) -> None:
    """Any tenant will do, also the "admin" of ManageIQ's probe; fog appends the versions."""
    token, urls = log_in(process, tenant)

    headers = {"X-Auth-Token": token}
    assert {"network", "identity", "compute"} == set(urls)
    assert "/" == urlsplit(urls["network"]).path == urlsplit(urls["identity"]).path
    listed = http("GET", f"{urls['network']}v2.0/networks", headers=headers)
    assert (200, {"networks": []}) == (listed.status, listed.json)
    root = urlsplit(urls["compute"])._replace(path="/").geturl()
    versions = http("GET", root, headers=headers)
    assert 200 == versions.status
    assert isinstance(versions.json["versions"], list)


def test_fog_lists_tenants(process: ProxyProcess) -> None:
    """ManageIQ asks each version for the tenants that the user may see."""
    token, urls = _fog_v2(process, "admin")
    headers = {"X-Auth-Token": token}

    tenants = http("GET", f"{urls['identity']}v2.0/tenants", headers=headers)
    query = "domain_id=default&user_id=admin%40internal"
    projects = http("GET", f"{urls['identity']}v3/projects?{query}", headers=headers)
    of_user = http("GET", f"{urls['identity']}v3/users/admin%40internal/projects", headers=headers)

    assert [(TENANT, "tenant")] == [(one["id"], one["name"]) for one in tenants.json["tenants"]]
    for answer in (projects, of_user):
        assert [(TENANT, "tenant")] == [(one["id"], one["name"]) for one in answer.json["projects"]]


# --- the wire -----------------------------------------------------------------


def test_tokens_are_looked_at_over_the_wire(process: ProxyProcess) -> None:
    """HEAD answers like GET without a body, DELETE with 204; nothing may be cached."""
    token = process.log_in()
    url = f"{process.identity_url}/v3/auth/tokens"
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}

    shown, checked, ended = (
        http(method, url, headers=headers) for method in ("GET", "HEAD", "DELETE")
    )

    assert [200, 200, 204] == [answer.status for answer in (shown, checked, ended)]
    assert token == shown.headers["X-Subject-Token"] == checked.headers["X-Subject-Token"]
    assert TENANT == shown.json["token"]["project"]["id"]
    assert checked.json is ended.json is None
    assert "no-store" == shown.headers["Cache-Control"]
    for wrong, status in (({"X-Subject-Token": "x"}, 404), ({"X-Auth-Token": "x"}, 401)):
        refused = http("GET", url, headers={**headers, **wrong})
        assert (status, status) == (refused.status, refused.json["error"]["code"])


def test_version_documents(process: ProxyProcess) -> None:
    """Both ports tell anybody their versions, as objects; networking looks at a token."""
    for url in (process.identity_url, process.networking_url):
        for path in ("/", "/v2.0", "/v2.0/"):
            answer = http("GET", url + path)
            assert (200, dict) == (answer.status, type(answer.json))
    headers = {"X-Auth-Token": process.log_in()}
    assert 200 == http("GET", f"{process.networking_url}/v2.0/", headers=headers).status
    headers = {"X-Auth-Token": "x"}
    assert 401 == http("GET", f"{process.networking_url}/v2.0/", headers=headers).status


def test_a_body_has_a_limit(process: ProxyProcess) -> None:
    """A body of more than a megabyte is refused unread, in the form of each API."""
    body = b'{"auth": "' + b"x" * 1_100_000 + b'"}'

    answer = http("POST", f"{process.identity_url}/v3/auth/tokens", body)
    assert (413, 413) == (answer.status, answer.json["error"]["code"])
    answer = http("POST", f"{process.networking_url}/v2.0/networks", body)
    assert 413 == answer.status
    assert "HTTPRequestEntityTooLarge" == answer.json["NeutronError"]["type"]


def test_the_log_holds_neither_passwords_nor_tokens(process: ProxyProcess) -> None:
    """What clients showed in this module is not in the service's log."""
    token = process.log_in()
    http("GET", f"{process.identity_url}/v3/last", headers={"X-Auth-Token": token})
    wait_until(lambda: "GET /v3/last 404" in process.log.read_text())

    log = process.log.read_text()
    assert "POST /v2.0/tokens 200" in log
    assert SECRET not in log
    assert token not in log
