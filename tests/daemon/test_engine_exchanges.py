# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What oVirt's engine and other clients send, replayed from tests/data/engine-exchanges.json.

The requests go over sockets to the whole service, on a real central. `accept` is the
engine's client as it was measured: it is first tried on the recorded answers that
break or suit that client, then it judges ours.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from daemon.ovsdb import OvsdbServer, northd, short_folder, wait_until
from daemon.proxy import ProxyProcess, path_of, proxy_process

pytestmark = pytest.mark.daemon

RECORDED = json.loads(
    (Path(__file__).parents[1] / "data" / "engine-exchanges.json").read_text(encoding="utf-8")
)
ENGINE: Sequence[Any] = RECORDED["engine_exchanges"]
OTHERS: Sequence[Any] = RECORDED["other_client_exchanges"]
FLOWS: Mapping[str, Sequence[str]] = RECORDED["engine_flows"]

USER, SECRET = "admin@internal", "secret"
TENANT = "0" * 31 + "1"
CHASSIS = {"CHASSIS1": "host1.example.com", "CHASSIS2": "host2.example.com"}
VNIC = "6f1f2b9e-0a55-4a49-9a0e-7c6a1c0a0001"
MAC = "56:6f:1a:2b:00:01"

ENGINE_AGENT = "Apache-HttpClient/4.5.14 (Java/17.0.9)"
SDK_AGENT = "openstacksdk/4.22.0 keystoneauth1/5.18.1 python-requests/2.32 CPython/3.11"

# The statuses that the engine's client knows (JAX-RS); any other one crashes it.
_KNOWN_STATUSES = {200, 201, 202, 204, 301, 400, 401, 403, 404, 409, 412, 413, 429, 500, 501}
_KNOWN_STATUSES |= {502, 503, 504}
_SUCCESS = set(RECORDED["common"]["accepted_status"])


class Answer(NamedTuple):
    """What came back over a socket; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a JSON value; None where it is empty."""
        return json.loads(self.body) if self.body else None


class Client:
    """Sends requests like the engine does: each over a connection of its own, left open."""

    def __init__(self, process: ProxyProcess, agent: str = ENGINE_AGENT) -> None:
        self._ports = {"network": process.networking_port, "identity": process.identity_port}
        self._agent = agent
        self._left_open: list[socket.socket] = []

    def send(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and read its answer."""
        content = b"" if body is None else json.dumps(body, indent=2).encode()
        fields = {
            "Accept": "application/json",
            **(headers or {}),
            "Host": f"127.0.0.1:{self._ports[service]}",
            "Connection": "Keep-Alive",
            "User-Agent": self._agent,
        }
        if content:
            fields["Content-Type"] = "application/json"
        if content or method == "DELETE":
            fields["Content-Length"] = str(len(content))
        lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in fields.items())]
        connection = socket.create_connection(("127.0.0.1", self._ports[service]), timeout=20)
        self._left_open.append(connection)
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + content)
        return _read_answer(connection)

    def close(self) -> None:
        """Do at last what the engine leaves to its garbage collection."""
        while self._left_open:
            self._left_open.pop().close()


def _read_answer(connection: socket.socket) -> Answer:
    """Read an answer to its announced end, which is not the end of the connection."""
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        headers: dict[str, str] = {}
        while line := stream.readline().decode("latin-1").strip():
            key, _, value = line.partition(":")
            headers[key.lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        return Answer(status, headers, stream.read(length))


# --- the engine's client ------------------------------------------------------


class ClientFailure(Exception):
    """The engine's client cannot use an answer."""


def accept(exchange: Mapping[str, Any], answer: Answer) -> Any:
    """Return what the engine reads from an answer; raises ClientFailure if it cannot."""
    if answer.status not in _KNOWN_STATUSES:
        raise ClientFailure(f"crash on status {answer.status}")
    if answer.status not in _SUCCESS:
        raise ClientFailure(f"error {answer.status}")
    method, path = exchange["request"]["method"], exchange["request"]["path"]
    if method == "DELETE":
        return None
    if path == "/v3/auth/tokens":
        # The body is not read at all.
        if not answer.headers.get("x-subject-token"):
            raise ClientFailure("no token")
        return None
    if not answer.body:
        if method == "PUT" or path == "/v2.0/":
            return None
        raise ClientFailure("null object")
    if not answer.headers.get("content-type", "").startswith("application/json"):
        raise ClientFailure("not JSON by its Content-Type")
    body = answer.json
    if not isinstance(body, dict):
        raise ClientFailure("no object at the root")
    _check_values(body)
    if path == "/v2.0/":
        return body
    return _unwrap(method, path, body)


def _unwrap(method: str, path: str, body: Mapping[str, Any]) -> Any:
    collection = path.split("/")[2]
    if method == "GET" and len(path.split("/")) == 3:
        if not isinstance(body.get(collection), list):
            raise ClientFailure("no list")
        return body[collection]
    wrapper = "access" if collection == "tokens" else collection[:-1]
    if set(body) != {wrapper}:
        raise ClientFailure(f"root keys {set(body)} in place of {wrapper}")
    if wrapper == "access":
        if "token" not in body[wrapper]:
            raise ClientFailure("no token")
        _check_date(body[wrapper]["token"].get("expires"))
    return body[wrapper]


def _check_values(value: Any) -> None:
    """Refuse what the client's classes have no room for, at any depth."""
    if isinstance(value, list):
        for element in value:
            _check_values(element)
    if not isinstance(value, dict):
        return
    for key, element in value.items():
        if key == "host_routes" and any(not isinstance(route, str) for route in element or ()):
            raise ClientFailure("host routes are objects")
        if key in ("binding:profile", "binding:vif_details"):
            if any(isinstance(item, (dict, list)) for item in (element or {}).values()):
                raise ClientFailure(f"{key} is nested")
        _check_values(element)


def _check_date(text: str | None) -> None:
    if text is None:
        return
    try:
        # Python 3.9 knows no "Z".
        datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise ClientFailure("expires is no date") from error


BY_ID: Mapping[str, Any] = {exchange["id"]: exchange for exchange in (*ENGINE, *OTHERS)}


@pytest.mark.parametrize("case", RECORDED["engine_answer_cases"], ids=lambda case: str(case["id"]))
def test_the_judge_is_the_measured_client(case: Mapping[str, Any]) -> None:
    """Answers that the engine's client was seen to refuse are refused here, others not."""
    recorded = case["answer"]
    body = recorded["body"]
    content = b"" if body in ("", None) else json.dumps(body).encode()
    headers = {"content-type": recorded["content_type"]} if recorded["content_type"] else {}
    is_accepted = True
    try:
        accept(BY_ID[case["exchange"]], Answer(recorded["status"], headers, content))
    except ClientFailure:
        is_accepted = False

    assert case["engine_client_outcome"].startswith("accepted") == is_accepted


# --- a site, and the engine on it ---------------------------------------------


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A short folder that all processes of this module share."""
    with short_folder() as path:
        yield path


@pytest.fixture(scope="module")
def central(folder: Path) -> Iterator[Mapping[str, OvsdbServer]]:
    """Northbound, Southbound and ovn-northd, for all tests of this module."""
    with northd(folder) as servers:
        yield servers


@pytest.fixture(scope="module")
def process(folder: Path, central: Mapping[str, OvsdbServer]) -> Iterator[ProxyProcess]:
    """The service, which asks for a token."""
    with proxy_process(folder, central["nb"].remote, "guarded", secret=SECRET) as running:
        yield running


class Engine:
    """The engine's provider class: it decides what to send from what it was answered.

    `sent` are the ids of the exchanges so far.
    """

    def __init__(self, process: ProxyProcess, agent: str = ENGINE_AGENT) -> None:
        self.client = Client(process, agent)
        self.sent: list[str] = []
        self.token = ""
        self.known: dict[str, str] = {**CHASSIS, "TENANT": TENANT, "PASSWORD": SECRET}

    def close(self) -> None:
        """Drop the connections."""
        self.client.close()

    def send(
        self, service: str, method: str, path: str, body: Any = None, token: bool = False
    ) -> Answer:
        """Send any request, with the token if `token`."""
        headers = {"X-Auth-Token": self.token} if token else {}
        return self.client.send(service, method, path, body, headers)

    def login(self) -> None:
        """Get a token."""
        body = {"auth": {"passwordCredentials": {"username": USER, "password": SECRET}}}
        answer = self.send("identity", "POST", "/v2.0/tokens", body)
        if answer.status == 200:
            self.token = answer.json["access"]["token"]["id"]

    def replay(self, exchange_id: str, **values: str) -> Answer:
        """Send a recorded request, its placeholders filled in; judge the answer."""
        exchange = BY_ID[exchange_id]
        request = _filled(exchange["request"], {**self.known, "TOKEN": self.token, **values})
        answer = self.client.send(
            request["service"],
            request["method"],
            request["path"],
            request["body"],
            request["headers"],
        )
        self.sent.append(exchange_id)
        check_requirements(exchange, answer)
        if exchange_id == "token-v2":
            self.token = answer.json["access"]["token"]["id"]
        return answer

    def allocate(
        self, host: str, groups: list[str] | None = None, *, is_migration: bool = False
    ) -> Any:
        """Do what precedes the start, the hotplug and the end of the migration of a vNIC.

        `groups`: the vNIC profile's SecurityGroups, None where it has no such property.
        """
        found = self.find_port()
        if found is None:
            self.replay("network-get")
            known = dict(zip(("SG1", "SG2"), groups or ()))
            variant = "port-create" if groups is None else "port-create-no-groups"
            variant = "port-create-groups" if known else variant
            return self.replay(variant, CHASSIS1=host, **known).json["port"]
        has_moved = found.get("binding:host_id") != host
        listed = set(found["security_groups"])
        is_regrouped = not listed if groups is None else listed != set(groups)
        if is_migration:
            is_regrouped = False
        if has_moved and is_regrouped:
            body = {"binding:host_id": host, "mac_address": MAC, "security_groups": groups}
            self._regroup(found["id"], body)
        elif has_moved:
            self.replay("port-update-host", PORT=found["id"], CHASSIS2=host)
        elif is_regrouped:
            self._regroup(found["id"], {"security_groups": groups})
        return found

    def _regroup(self, port_id: str, body: Any) -> None:
        path = f"/v2.0/ports/{port_id}"
        assert 200 == self.send("network", "PUT", path, {"port": body}, token=True).status
        self.sent.append("port-update-groups-host")

    def deallocate(self) -> None:
        """Do what follows the removal of a vNIC."""
        found = self.find_port()
        if found is not None:
            self.replay("port-delete", PORT=found["id"])

    def find_port(self) -> Any:
        """Return the vNIC's port from the list of all ports, None if there is none."""
        self.replay("token-v2")
        for port in self.replay("ports-list").json["ports"]:
            if (port["device_owner"], port["device_id"]) == ("oVirt", VNIC):
                return port
        return None


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    """Return a recorded value with its {NAME} placeholders filled in."""
    if isinstance(value, dict):
        return {key: _filled(element, known) for key, element in value.items()}
    if isinstance(value, list):
        return [_filled(element, known) for element in value]
    if isinstance(value, str):
        return re.sub(r"\{([A-Z0-9]+)\}", lambda match: known[match[1]], value)
    return value


@pytest.fixture
def engine(process: ProxyProcess) -> Iterator[Engine]:
    """The engine, logged in, on a service without any object."""
    with contextlib.closing(Engine(process)) as engine:
        engine.login()
        yield engine
        _clean(engine)


def _clean(engine: Engine) -> None:
    for router in _list(engine, "routers"):
        path = f"/v2.0/routers/{router['id']}/remove_router_interface"
        for port in _list(engine, "ports"):
            if port["device_id"] == router["id"]:
                body = {"port_id": port["id"]}
                assert 200 == engine.send("network", "PUT", path, body, token=True).status
    for kind in ("routers", "ports", "networks", "security-groups"):
        for element in _list(engine, kind):
            if element["name"] != "Default":
                path = f"/v2.0/{kind}/{element['id']}"
                assert 204 == engine.send("network", "DELETE", path, token=True).status


def prepare(engine: Engine, exchange: Mapping[str, Any], is_secured: bool = False) -> None:
    """Make the objects that a recorded request names, and no other.

    `is_secured`: on a network with port security.
    """
    text = json.dumps(exchange["request"])
    wanted = {name for name in ("NET", "SUBNET", "PORT") if f"{{{name}}}" in text}
    if wanted:
        values = {"name": "blue", "admin_state_up": True, "port_security_enabled": is_secured}
        engine.known["NET"] = _made(engine, "network", {"network": values})
    for name in ("SG1", "SG2"):
        if f"{{{name}}}" in text:
            group: Any = {"security_group": {"name": name}}
            engine.known[name] = _made(engine, "security_group", group)
    if "SUBNET" in wanted:
        body: Any = {"name": "s", "network_id": engine.known["NET"], "ip_version": 4}
        engine.known["SUBNET"] = _made(
            engine, "subnet", {"subnet": {**body, "cidr": "10.9.0.0/24"}}
        )
    if "PORT" in wanted:
        body = {"device_id": VNIC, "device_owner": "oVirt", "mac_address": MAC}
        body = {"port": {**body, "network_id": engine.known["NET"], "name": "nic1"}}
        engine.known["PORT"] = _made(engine, "port", body)
    if "{ROUTER}" in text:
        engine.known["ROUTER"] = _made(engine, "router", {"router": {"name": "r1"}})


def _made(engine: Engine, kind: str, body: Any) -> str:
    answer = engine.send("network", "POST", f"/v2.0/{path_of(kind)}", body, token=True)
    assert 201 == answer.status, answer
    return str(answer.json[kind]["id"])


# --- what an exchange requires ------------------------------------------------


def check_requirements(exchange: Mapping[str, Any], answer: Answer) -> None:
    """Check an answer against everything that its exchange requires."""
    requires = exchange["requires"]
    assert answer.status in requires["status"], answer
    value = accept(exchange, answer)
    if "content_type" in requires:
        assert requires["content_type"] == answer.headers["content-type"].partition(";")[0]
    if "only_root_key" in requires:
        assert {requires["only_root_key"]} == set(answer.json)
    for name in requires.get("must_have_header", ()):
        assert name.lower() in answer.headers
    for requirement in requires.get("must_have", ()):
        _check_has(requirement, answer.json)
    for prohibition in requires.get("must_not", ()):
        # `accept` refuses each of these; a new one needs a rule there.
        assert prohibition in (
            "expires that is no date",
            "host_routes with objects",
            "binding:profile or binding:vif_details with nested values",
        )
    for element in value if isinstance(value, list) else [value]:
        for name in requires.get("reads", ()):
            assert name == "provider:*" or name in element, (name, element)


def _check_has(requirement: str, body: Any) -> None:
    """Check "a.b.c", or "name (list ...)"."""
    path, _, remark = requirement.partition(" ")
    for key in path.split("."):
        body = body[key]
    if remark.startswith("(list"):
        assert isinstance(body, list)
    else:
        assert body, requirement


# --- every exchange of the engine ---------------------------------------------


@pytest.mark.parametrize("is_secured", [False, True])
@pytest.mark.parametrize(
    "exchange_id",
    # That one is for a provider without authentication, below.
    [exchange["id"] for exchange in ENGINE if exchange["id"] != "network-create-noauth"],
)
def test_an_exchange_of_the_engine(exchange_id: str, is_secured: bool, engine: Engine) -> None:
    """A request as the engine sends it gets an answer that the engine can use.

    With port security or without: the engine does not know which.
    """
    exchange = BY_ID[exchange_id]
    prepare(engine, exchange, is_secured)

    engine.replay(exchange_id)

    if "semantics" in exchange["requires"]:
        SEMANTICS[exchange_id](engine)


def test_a_provider_without_authentication(
    folder: Path, central: Mapping[str, OvsdbServer], process: ProxyProcess
) -> None:
    """Where no token is asked for, the engine sends none, and "oVirt" as the tenant."""
    with (
        proxy_process(folder, central["nb"].remote, "open") as open_process,
        contextlib.closing(Engine(open_process)) as engine,
    ):
        made = engine.replay("network-create-noauth").json["network"]
        engine.replay("network-delete", NET=made["id"], TOKEN="")

    assert "red" == made["name"]


def _list(engine: Engine, kind: str) -> list[Any]:
    answer = engine.send("network", "GET", f"/v2.0/{kind}", token=True)
    elements: list[Any] = answer.json[kind.replace("-", "_")]
    return elements


def _empty_gateway_is_none(engine: Engine) -> None:
    (subnet,) = _list(engine, "subnets")
    assert subnet["gateway_ip"] is None


def _subnets_went_with_the_network(engine: Engine) -> None:
    assert [] == _list(engine, "networks")


def _null_is_the_default_group(engine: Engine) -> None:
    (port,) = _list(engine, "ports")
    assert (VNIC, MAC) == (port["device_id"], port["mac_address"])
    expected = _default_group(engine) if port["port_security_enabled"] else []
    assert expected == port["security_groups"]


def _default_group(engine: Engine) -> list[str]:
    groups = _list(engine, "security-groups")
    return [group["id"] for group in groups if group["name"] == "Default"]


SEMANTICS: Mapping[str, Callable[[Engine], None]] = {
    "subnet-create-empty-gw": _empty_gateway_is_none,
    "network-delete": _subnets_went_with_the_network,
    "port-update-groups-null": _null_is_the_default_group,
}


# --- the engine's flows -------------------------------------------------------


def _with_network(engine: Engine) -> None:
    made = engine.replay("network-create-plain").json["network"]
    engine.known["NET"] = made["id"]
    engine.sent.clear()


def _with_port(engine: Engine) -> Any:
    _with_network(engine)
    engine.allocate(CHASSIS["CHASSIS1"], [])
    engine.sent.clear()


def _add_provider(engine: Engine) -> None:
    engine.sent.append("(bare TLS handshake on the provider url, no HTTP)")
    engine.replay("token-v2")
    engine.replay("test-connection")


def _import_networks(engine: Engine) -> None:
    _with_network(engine)
    engine.replay("token-v2")
    for network in engine.replay("networks-list").json["networks"]:
        engine.replay("token-v2")
        shown = engine.replay("network-get", NET=network["id"]).json["network"]
        assert network == shown


def _auto_sync(engine: Engine) -> None:
    engine.replay("token-v2")
    engine.replay("networks-list")


def _create_network_with_subnet(engine: Engine) -> None:
    engine.replay("token-v2")
    made = engine.replay("network-create-plain").json["network"]
    engine.known["NET"] = made["id"]
    engine.replay("token-v2")
    tenant = engine.replay("network-get").json["network"]["tenant_id"]
    subnet = engine.replay("subnet-create-v4", TENANT=tenant).json["subnet"]
    assert (made["id"], "10.0.0.1") == (subnet["network_id"], subnet["gateway_ip"])


def _show_subnets(engine: Engine) -> None:
    engine.replay("token-v2")
    engine.replay("subnets-list")


def _run_vm_first(engine: Engine) -> None:
    _with_network(engine)
    port = engine.allocate(CHASSIS["CHASSIS1"])
    assert (MAC, VNIC) == (port["mac_address"], port["device_id"])


def _run_vm_again_while_up(engine: Engine) -> None:
    _with_port(engine)
    _plug(engine)
    engine.allocate(CHASSIS["CHASSIS1"], [])


def _run_vm_again(engine: Engine) -> None:
    _with_port(engine)
    engine.allocate(CHASSIS["CHASSIS1"], [])


def _hotplug_refused(engine: Engine) -> None:
    _with_network(engine)
    engine.allocate(CHASSIS["CHASSIS1"])
    engine.deallocate()
    assert [] == _list(engine, "ports")


def _migrate(engine: Engine) -> None:
    _with_port(engine)
    _plug(engine)
    engine.sent.append("(VM moves)")
    engine.allocate(CHASSIS["CHASSIS2"], is_migration=True)
    assert [CHASSIS["CHASSIS2"]] == [port["binding:host_id"] for port in _list(engine, "ports")]


def _remove_vnic(engine: Engine) -> None:
    _with_port(engine)
    engine.deallocate()


def _remove_subnet(engine: Engine) -> None:
    prepare(engine, BY_ID["subnet-delete"])
    engine.replay("token-v2")
    engine.replay("subnet-delete")


def _remove_network(engine: Engine) -> None:
    prepare(engine, BY_ID["subnet-delete"])
    engine.replay("token-v2")
    engine.replay("network-delete")


def _expired_token(engine: Engine) -> None:
    engine.token = "expired"
    answer = engine.send("network", "GET", "/v2.0/networks", token=True)
    engine.sent.append(f"networks-list -> {answer.status}")
    engine.replay("token-v2")
    engine.replay("networks-list")


def _nothing(_engine: Engine) -> None:
    pass


SCENARIOS: Mapping[str, Callable[[Engine], None]] = {
    "add-provider-https": _add_provider,
    "import-networks": _import_networks,
    "auto-sync": _auto_sync,
    "create-network-with-subnet": _create_network_with_subnet,
    "show-subnets": _show_subnets,
    "create-vnic-on-stopped-vm": _nothing,
    "run-vm-first": _run_vm_first,
    "run-vm-again-same-host-echoed": _run_vm_again_while_up,
    "run-vm-again-host-not-echoed": _run_vm_again,
    "hotplug-existing-port": _run_vm_again,
    "hotplug-new-nic-refused-by-host": _hotplug_refused,
    "unplug": _nothing,
    "stop-vm": _nothing,
    "migrate": _migrate,
    "remove-vnic-or-vm-per-nic": _remove_vnic,
    "remove-subnet": _remove_subnet,
    "remove-network": _remove_network,
    "expired-token": _expired_token,
}


def _plug(engine: Engine) -> None:
    """Let a chassis claim the vNIC's port, and wait until it shows as up."""
    (port,) = _list(engine, "ports")
    control = ["ovn-sbctl", f"--db={engine.known['SOUTHBOUND']}"]
    chassis = ["--may-exist", "chassis-add", "chassis", "geneve", "127.0.0.1"]
    bind = ["--may-exist", "lsp-bind", port["id"], "chassis"]
    up = ["set", "Port_Binding", port["id"], "up=true"]
    waiting = ["wait-until", "Port_Binding", port["id"], f"logical_port={port['id']}"]
    subprocess.run([*control, *waiting], check=True, timeout=10)
    subprocess.run([*control, *chassis, "--", *bind, "--", *up], check=True, timeout=10)
    wait_until(lambda: "ACTIVE" == _list(engine, "ports")[0]["status"], what="the port is up")


@pytest.mark.parametrize("flow", FLOWS)
def test_a_flow_of_the_engine(
    flow: str, engine: Engine, central: Mapping[str, OvsdbServer]
) -> None:
    """What the engine decides to send, from our answers, is what was recorded."""
    engine.known["SOUTHBOUND"] = central["sb"].remote

    SCENARIOS[flow](engine)

    assert FLOWS[flow] == engine.sent


def test_a_profile_without_groups_sends_null_at_each_start(engine: Engine) -> None:
    """A port without groups gets `security_groups: null`, with the host or alone, and lives."""
    _with_network(engine)
    port = engine.allocate(CHASSIS["CHASSIS1"])
    engine.allocate(CHASSIS["CHASSIS1"])

    assert "port-update-groups-host" == engine.sent[-1]
    engine.replay("port-update-groups-null", PORT=port["id"])
    assert port["id"] == engine.allocate(CHASSIS["CHASSIS1"])["id"]


def test_the_groups_of_a_profile(engine: Engine) -> None:
    """A vNIC has the groups that its profile names, and what the profile changes to later."""
    values = {"name": "red", "port_security_enabled": True}
    engine.known["NET"] = _made(engine, "network", {"network": values})
    one, two = (_made(engine, "security_group", {"security_group": {}}) for _ in range(2))
    host = CHASSIS["CHASSIS1"]

    def listed() -> list[str]:
        (port,) = _list(engine, "ports")
        found: list[str] = port["security_groups"]
        return found

    assert {one, two} == set(engine.allocate(host, [one, two])["security_groups"])
    assert {one, two} == set(listed())
    engine.allocate(host, [two])
    assert [two] == listed()
    engine.allocate(host, [])
    assert [] == listed()
    # Without the property, groups that a port has are left alone, and none is the default one.
    engine.allocate(host)
    assert _default_group(engine) == listed()
    engine.allocate(host)
    assert "port-update-host" == engine.sent[-1]


def test_a_start_on_another_host_repairs_the_mac(engine: Engine) -> None:
    """A MAC that changed while the VM was down reaches the port with the next start."""
    _with_port(engine)
    (port,) = _list(engine, "ports")
    path = f"/v2.0/ports/{port['id']}"
    other = {"port": {"mac_address": "56:6f:1a:2b:00:99"}}
    assert 200 == engine.send("network", "PUT", path, other, token=True).status

    engine.allocate(CHASSIS["CHASSIS2"], [])

    assert [MAC] == [found["mac_address"] for found in _list(engine, "ports")]


# --- every exchange of other clients ------------------------------------------


@pytest.mark.parametrize("exchange_id", [exchange["id"] for exchange in OTHERS])
def test_an_exchange_of_another_client(exchange_id: str, process: ProxyProcess) -> None:
    """A request as SDK, command, Ansible and ManageIQ send it gets what they need."""
    exchange = BY_ID[exchange_id]
    request = exchange["request"]
    with contextlib.closing(Engine(process, SDK_AGENT)) as client:
        client.login()
        prepare(client, exchange)
        client.known["USER"] = USER
        client.known["NETWORK"] = process.networking_url
        client.known["IDENTITY"] = process.identity_url
        path, body = _filled([request["path"], request.get("body")], client.known)

        answer = client.send(
            request["service"], request["method"], path, body, token=request["token"]
        )

        _check_expected(_filled(exchange["expect"], client.known), answer)
        if "semantics" in exchange["expect"]:
            OTHER_SEMANTICS[exchange_id](client, answer)
        _clean(client)


def _check_expected(expect: Mapping[str, Any], answer: Answer) -> None:
    """Check an answer against everything that its exchange expects."""
    status = expect["status"]
    assert answer.status in (status if isinstance(status, list) else [status]), answer
    if answer.status < 300:
        assert "application/json" == answer.headers["content-type"].partition(";")[0]
    for name in expect.get("headers", ()):
        assert name.lower() in answer.headers
    if "json" in expect:
        assert _holds(answer.json, expect["json"]), answer.json
    for requirement in expect.get("must_have", ()):
        if requirement in MUST_HAVE:
            MUST_HAVE[requirement](answer.json)
        else:
            _check_has(
                f"{requirement} (list)" if "." not in requirement else requirement, answer.json
            )
    if "must_have_lists" in expect:
        (element,) = answer.json.values()
        assert [] == [
            name for name in expect["must_have_lists"] if not isinstance(element[name], list)
        ]
    if "body" in expect:
        assert "JSON object" == expect["body"]
        assert isinstance(answer.json, dict)


def _holds(value: Any, example: Any) -> bool:
    """Say whether a value has everything that an example of it has."""
    if isinstance(example, dict):
        return isinstance(value, dict) and all(
            key in value and _holds(value[key], element) for key, element in example.items()
        )
    if isinstance(example, list):
        return isinstance(value, list) and all(
            any(_holds(element, wanted) for element in value) for wanted in example
        )
    if example == "2036-01-01T00:00:00Z":
        _check_date(value)
        return value is not None
    return bool(value == example)


def _has_expiry(body: Any) -> None:
    assert body["access"]["token"]["expires"] is not None
    _check_date(body["access"]["token"]["expires"])


def _has_network_service(body: Any) -> None:
    (service,) = [
        service for service in body["access"]["serviceCatalog"] if service["type"] == "network"
    ]
    (endpoint,) = service["endpoints"]
    assert "RegionOne" == endpoint["region"]
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/", endpoint["publicURL"])


MUST_HAVE: Mapping[str, Callable[[Any], None]] = {
    "access.token.expires as a date": _has_expiry,
    "serviceCatalog entry type network, versionless URL, region": _has_network_service,
}


def _fields_are_a_projection(client: Engine, _answer: Answer) -> None:
    port = {"network_id": _made(client, "network", {"network": {"name": "n"}}), "name": "p"}
    _made(client, "port", {"port": port})
    path = BY_ID["cli-ports-fields"]["request"]["path"]
    (shown,) = client.send("network", "GET", path, token=True).json["ports"]
    assert {"id", "name", "mac_address", "fixed_ips", "status"} == set(shown)
    assert "p" == shown["name"]


def _the_marker_is_no_filter(client: Engine, answer: Answer) -> None:
    others = {"network_id": client.known["NET"]}
    ids = sorted([client.known["PORT"], *(_made(client, "port", {"port": others}) for _ in "12")])
    assert [] == answer.json["ports"]
    for index, marker in enumerate(ids):
        path = f"/v2.0/ports?marker={marker}&limit=1000"
        page = client.send("network", "GET", path, token=True).json["ports"]
        assert ids[index + 1 :] == [port["id"] for port in page]


def _the_parameter_is_ignored(client: Engine, _answer: Answer) -> None:
    network = _made(client, "network", {"network": {"name": "n"}})
    made = _made(client, "port", {"port": {"network_id": network}})
    answer = client.send("network", "GET", "/v2.0/ports?all_tenants=True", token=True)
    assert [made] == [port["id"] for port in answer.json["ports"]]


OTHER_SEMANTICS: Mapping[str, Callable[[Engine, Answer], None]] = {
    "cli-ports-fields": _fields_are_a_projection,
    "miq-page": _the_marker_is_no_filter,
    "miq-all-tenants": _the_parameter_is_ignored,
}


# --- where the engine differs from others -------------------------------------


def test_the_engine_never_sees_a_host_route(engine: Engine, process: ProxyProcess) -> None:
    """Host routes are objects to everybody but the engine, whose client they break."""
    routes = [{"destination": "192.0.2.0/24", "nexthop": "10.9.0.1"}]
    prepare(engine, BY_ID["subnet-delete"])
    path = f"/v2.0/subnets/{engine.known['SUBNET']}"
    with contextlib.closing(Engine(process, SDK_AGENT)) as other:
        other.token = engine.token
        put = other.send("network", "PUT", path, {"subnet": {"host_routes": routes}}, token=True)

        (listed,) = engine.replay("subnets-list").json["subnets"]
        assert [] == listed["host_routes"]
        assert routes == put.json["subnet"]["host_routes"]
        assert [routes] == [subnet["host_routes"] for subnet in _list(other, "subnets")]


def test_the_engine_sees_the_mtu_that_it_asked_for(engine: Engine, process: ProxyProcess) -> None:
    """The engine's MTU is echoed; where it named none it sees null, others what holds."""
    engine.replay("network-create-plain")
    engine.replay("network-create-mtu-ps")

    listed = engine.replay("networks-list").json["networks"]

    assert {None, 9000} == {network["mtu"] for network in listed}
    with contextlib.closing(Engine(process, SDK_AGENT)) as other:
        other.token = engine.token
        assert {1442, 9000} == {network["mtu"] for network in _list(other, "networks")}


def test_the_engine_names_no_gateway_and_gets_none(engine: Engine, process: ProxyProcess) -> None:
    """A subnet of the engine without a gateway has none; another client's has the first address."""
    prepare(engine, BY_ID["subnet-create-v6-min"])
    engine.replay("subnet-create-v6-min")
    with contextlib.closing(Engine(process, SDK_AGENT)) as other:
        other.token = engine.token
        made = {"network_id": engine.known["NET"], "cidr": "10.0.0.0/24", "ip_version": 4}
        _made(other, "subnet", {"subnet": made})

    gateways = {subnet["cidr"]: subnet["gateway_ip"] for subnet in _list(engine, "subnets")}

    assert {"fd00::/64": None, "10.0.0.0/24": "10.0.0.1"} == gateways


def test_the_provider_attributes_that_the_engine_reads(engine: Engine) -> None:
    """A VLAN network of the engine shows type, physical network and VLAN as asked for."""
    engine.replay("network-create-vlan")

    (network,) = engine.replay("networks-list").json["networks"]

    assert ("vlan", "physnet", 10) == (
        network["provider:network_type"],
        network["provider:physical_network"],
        network["provider:segmentation_id"],
    )


# --- the wire -----------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v2.0//tokens", "/v3/tokens", "/v3//tokens"])
def test_any_authentication_url(engine: Engine, path: str) -> None:
    """The authentication URL may end in a slash, and in v3: what is sent to it is v2.0."""
    body = _filled(BY_ID["token-v2"]["request"]["body"], engine.known)

    answer = engine.send("identity", "POST", path, body)

    check_requirements(BY_ID["token-v2"], answer)


def test_the_service_closes_what_the_engine_leaves_open(process: ProxyProcess) -> None:
    """A connection that asks to be kept alive is ended by the service after one answer."""
    with socket.create_connection(("127.0.0.1", process.networking_port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n")
        answer = _read_answer(connection)

        assert "close" == answer.headers["connection"]
        assert b"" == connection.recv(1)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v2.0/networks/red", None, 404),
        ("POST", "/v2.0/networks", {"network": {"mtu": "x"}}, 400),
        ("POST", "/v2.0/ports", {"port": {"network_id": VNIC}}, 404),
        ("DELETE", "/v2.0/ports/nothing", None, 404),
        ("PATCH", "/v2.0/networks", {}, 405),
    ],
)
def test_refusals_use_statuses_that_the_engine_knows(
    engine: Engine, method: str, path: str, body: Any, status: int
) -> None:
    """An error is one of the numbers that the engine's client does not crash on."""
    answer = engine.send("network", method, path, body, token=True)

    assert status == answer.status
    assert status in _KNOWN_STATUSES | {405}
    assert "application/json" == answer.headers["content-type"].partition(";")[0]


def test_bad_credentials_are_the_only_401(process: ProxyProcess) -> None:
    """A wrong password is 401 at once, and so is a token that is none; 401 ends auto-sync."""
    body = _filled(BY_ID["token-v2"]["request"]["body"], {"PASSWORD": "wrong"})
    other = Engine(process)
    other.token = "expired"
    with contextlib.closing(other):
        assert 401 == other.send("identity", "POST", "/v2.0/tokens", body).status
        assert 401 == other.send("network", "GET", "/v2.0/networks", token=True).status
        assert 401 == other.send("network", "GET", "/v2.0/", token=True).status
        assert 401 == other.send("network", "GET", "/v2.0/networks").status
        assert 200 == other.send("network", "GET", "/v2.0/").status
