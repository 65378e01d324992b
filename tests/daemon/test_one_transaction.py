# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One request is one transaction: what each verb sends to the Northbound server."""

from __future__ import annotations

import json
import logging
import re
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from daemon.ovsdb import OvsdbServer
from daemon.proxy import Answer, Api, path_of, running_api
from daemon.routing import external_network
from daemon.wire_tap import Fault, Operations, Transact, WireTap

pytestmark = pytest.mark.daemon

NOBODY = "00000000-0000-4000-8000-000000000000"
KINDS = [
    "network",
    "subnet",
    "port",
    "security_group",
    "security_group_rule",
    "router",
    "floatingip",
]


def named(kind: str, text: str) -> dict[str, str]:
    """Return a change to a text that an object of the kind has; a rule has none to change."""
    if kind == "security_group_rule":
        return {}
    return {"description" if kind == "floatingip" else "name": text}


class Tapped(NamedTuple):
    """The application, and what it says to its server."""

    api: Api
    tap: WireTap
    database: str

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[Answer, list[Transact]]:
        """Send one request; return its answer and its transactions.

        They are all that it asks the server, but for the greeting of a new session.
        """
        self.tap.take()
        self.tap.take_others()
        sessions = self.tap.sessions
        answer = self.api(method, path, body)
        assert [] == self.tap.take_others() or sessions < self.tap.sessions
        return answer, self.tap.take()


@pytest.fixture
def tapped(nb: OvsdbServer) -> Iterator[Tapped]:
    """The application behind a tap, with the row that ovn-northd would have made."""
    with WireTap(nb) as tap, running_api(tap.server, gateway_chassis=("hv1",)) as api:
        api.create("network", name="makes the NB_Global row")
        yield Tapped(api, tap, str(nb.database))


def without_detours(operations: Operations) -> Operations:
    """Return operations with a single guard for each that asks whether a map lacks keys.

    Those come in, are looked for, and go out again.
    """
    kept = list(operations)
    for index in range(len(kept) - 2, 0, -1):
        before, guard, after = kept[index - 1 : index + 2]
        if (before["op"], guard["op"], after["op"]) == ("mutate", "wait", "mutate"):
            column, _, marks = before["mutations"][0]
            names = ["set", [key for key, _ in marks[1]]] if marks[0] == "map" else None
            if (
                before["mutations"] == [[column, "insert", marks]]
                and guard["where"] == [*before["where"], [column, "includes", marks]]
                and after["mutations"] == [[column, "delete", names]]
            ):
                kept[index - 1 : index + 2] = [guard]
    return kept


def comments(transact: Transact) -> list[str]:
    """Return the comments of a transaction."""
    return [
        operation["comment"] for operation in transact.operations if operation["op"] == "comment"
    ]


def kinds(transact: Transact) -> set[str]:
    """Return the kinds of operations of a transaction."""
    return {operation["op"] for operation in transact.operations}


class Objects(NamedTuple):
    """One object of each resource, with what makes, changes and names it."""

    network: Any
    subnet: Any
    port: Any
    security_group: Any
    security_group_rule: Any
    router: Any
    floatingip: Any
    external_id: str


def make_objects(api: Api, name: str) -> Objects:
    """Create an object of each kind, and an external network for those that need one."""
    external_id = external_network(api)["id"]
    network = api.create("network", name=name)
    subnet = api.create(
        "subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4, name=name
    )
    port = api.create("port", network_id=network["id"], name=name)
    group = api.create("security_group", name=name)
    of_group = {"security_group_id": group["id"], "direction": "ingress"}
    return Objects(
        network,
        subnet,
        port,
        group,
        api.create("security_group_rule", **of_group),
        api.create("router", name=name),
        api.create("floatingip", floating_network_id=external_id, description=name),
        external_id,
    )


def posts(
    number: int, network_id: str = NOBODY, group_id: str = NOBODY, external_id: str = NOBODY
) -> dict[str, dict[str, Any]]:
    """Return the values of a new object of each kind; `number` keeps subnets and rules apart.

    Ports have port security, so that with the first one come the groups that it is in.
    """
    rule = {"direction": "egress", "protocol": number, "remote_group_id": group_id}
    return {
        "router": {"name": f"r{number}", "external_gateway_info": {"network_id": external_id}},
        "floatingip": {"floating_network_id": external_id},
        "network": {"name": f"n{number}"},
        "subnet": {"network_id": network_id, "cidr": f"10.1.{number}.0/24", "ip_version": 4},
        "port": {"network_id": network_id, "name": f"p{number}", "port_security_enabled": True},
        "security_group": {"name": f"g{number}"},
        "security_group_rule": {"security_group_id": group_id, **rule},
    }


@pytest.mark.parametrize("kind", KINDS)
def test_reads(tapped: Tapped, kind: str) -> None:
    """A GET is one empty transaction, whatever it asks for."""
    objects = make_objects(tapped.api, "red")
    own = f"{path_of(kind)}/{getattr(objects, kind)['id']}"
    for path in (
        path_of(kind),
        f"{path_of(kind)}?description=red&fields=id&sort_key=id&sort_dir=asc&limit=1",
        own,
        f"{own}/tags",
        "quotas/x/details",
    ):
        answer, sent = tapped("GET", path)

        assert 200 == answer.status, path
        assert [[]] == [transact.operations for transact in sent], path


@pytest.mark.parametrize("kind", KINDS)
def test_writes(tapped: Tapped, kind: str) -> None:
    """A write is one transaction: guards first, then changes, and the request's own comment."""
    api = tapped.api
    objects = make_objects(api, "red")
    ids = (objects.network["id"], objects.security_group["id"], objects.external_id)
    own = f"{path_of(kind)}/{getattr(objects, kind)['id']}"
    values = [posts(number, *ids)[kind] for number in range(4)]
    requests: list[tuple[str, str, Any, int]] = [
        ("POST", path_of(kind), {kind: values[0]}, 201),
        ("POST", path_of(kind), {f"{kind}s": values[1:]}, 201),
        ("PUT", own, {kind: named(kind, "blue")}, 200),
        ("POST", own, {kind: named(kind, "green")}, 200),
        ("PUT", f"{own}/tags", {"tags": ["a", "b"]}, 200),
        ("PUT", f"{own}/tags/c", None, 201),
        ("DELETE", f"{own}/tags/c", None, 204),
        ("DELETE", f"{own}/tags", None, 204),
    ]
    if kind == "network":
        requests.append(("DELETE", f"networks/{api.create('network', name='x')['id']}", None, 204))
    elif kind == "subnet":
        unused = api.create("subnet", **posts(9, *ids)["subnet"])
        requests.append(("DELETE", f"subnets/{unused['id']}", None, 204))
    else:
        requests.append(("DELETE", own, None, 204))
    if kind == "port":
        groups = {"port_security_enabled": True, "security_groups": [objects.security_group["id"]]}
        off = {"port_security_enabled": False, "security_groups": []}
        requests[-1:-1] = [("PUT", own, {kind: change}, 200) for change in (groups, off)]
    elif kind == "security_group":
        requests.insert(-1, ("PUT", own, {kind: {"stateful": False}}, 200))
    elif kind == "security_group_rule":
        # Of a rule nothing can change.
        requests = [
            one for one in requests if one[2] is None or set(one[2]) != {kind} or one[3] == 201
        ]
    for method, path, body, status in requests:
        answer, sent = tapped(method, path, body)

        assert status == answer.status, (method, path, answer)
        assert 1 == len(sent), (method, path, sent)
        request_id = answer.headers["X-Openstack-Request-Id"]
        assert [f"{request_id} {method} /v2.0/{path}"] == comments(sent[0])
        names = [operation["op"] for operation in without_detours(sent[0].operations)]
        assert "wait" not in names[names.count("wait") :], "guards come first"
        assert kinds(sent[0]) & {"insert", "update", "mutate", "delete"}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_change(tapped: Tapped, kind: str) -> None:
    """A PUT of what is there already is one empty transaction, and no new revision."""
    objects = make_objects(tapped.api, "red")
    own = f"{path_of(kind)}/{getattr(objects, kind)['id']}"
    before = tapped.api.get(own)
    for path, body in ((own, {kind: named(kind, "red")}), (f"{own}/tags", {"tags": []})):
        answer, sent = tapped("PUT", path, body)

        assert 200 == answer.status
        assert [[]] == [transact.operations for transact in sent]
    assert before == tapped.api.get(own)


@pytest.mark.parametrize("kind", KINDS)
def test_refusals(tapped: Tapped, kind: str) -> None:
    """What is refused is confirmed by one empty transaction, and nothing else is sent."""
    api = tapped.api
    objects = make_objects(api, "red")
    own = f"{path_of(kind)}/{getattr(objects, kind)['id']}"
    group_id = objects.security_group["id"]
    of_port = {"port_security_enabled": True, "security_groups": [objects.security_group["id"]]}
    api.update("port", objects.port["id"], **of_port)
    in_use = {
        "security_group": ("DELETE", own, None),
        "security_group_rule": (
            "POST",
            "security-group-rules",
            {"security_group_rule": {"security_group_id": group_id, "direction": "ingress"}},
        ),
        "network": ("DELETE", f"networks/{objects.network['id']}", None),
        "subnet": ("DELETE", f"subnets/{objects.subnet['id']}", None),
        "port": (
            "POST",
            "ports",
            {
                "port": {
                    "network_id": objects.network["id"],
                    "mac_address": objects.port["mac_address"],
                }
            },
        ),
        "router": (
            "PUT",
            f"routers/{objects.router['id']}/add_router_interface",
            {"port_id": objects.port["id"]},
        ),
        "floatingip": (
            "POST",
            "floatingips",
            {
                "floatingip": {
                    "floating_network_id": objects.external_id,
                    "floating_ip_address": objects.floatingip["floating_ip_address"],
                }
            },
        ),
    }
    api.update("port", objects.port["id"], device_id="somebody")
    requests: list[tuple[int, tuple[str, str, Any]]] = [
        (404, ("GET", f"{path_of(kind)}/{NOBODY}", None)),
        (404, ("PUT", f"{path_of(kind)}/{NOBODY}", {kind: named(kind, "blue")})),
        (404, ("DELETE", f"{path_of(kind)}/{NOBODY}", None)),
        (404, ("PUT", f"{path_of(kind)}/{NOBODY}/tags/a", None)),
        (404, ("DELETE", f"{own}/tags/a", None)),
        (409, in_use[kind]),
    ]
    if kind not in ("network", "security_group"):
        of_nobody = ("POST", path_of(kind), {kind: posts(1)[kind]})
        requests.append((400 if kind == "floatingip" else 404, of_nobody))
    for status, request in requests:
        answer, sent = tapped(*request)

        assert status == answer.status, (request, answer)
        assert [[]] == [transact.operations for transact in sent], request


def test_routing(tapped: Tapped) -> None:
    """Each change of a router, its ports and its floating IPs is one transaction too."""
    api = tapped.api
    objects = make_objects(api, "red")
    router, floating = f"routers/{objects.router['id']}", f"floatingips/{objects.floatingip['id']}"
    second = api.create("port", network_id=objects.network["id"])["id"]
    port = {"port_id": objects.port["id"]}
    gateway = {"network_id": objects.external_id}
    hop = {"router": {"routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]}}
    subnet = {"subnet_id": objects.subnet["id"]}
    for method, path, body, status in (
        ("PUT", f"{router}/add_router_interface", subnet, 200),
        ("PUT", f"{router}/add_extraroutes", hop, 200),
        ("PUT", f"{router}/remove_extraroutes", hop, 200),
        ("PUT", router, {"router": {"external_gateway_info": gateway}}, 200),
        ("PUT", router, {"router": {"external_gateway_info": gateway, **hop["router"]}}, 200),
        (
            "PUT",
            router,
            {"router": {"external_gateway_info": {**gateway, "enable_snat": False}, "routes": []}},
            200,
        ),
        ("PUT", floating, {"floatingip": port}, 200),
        ("PUT", floating, {"floatingip": {"port_id": second}}, 200),
        ("PUT", floating, {"floatingip": {"port_id": None}}, 200),
        ("PUT", floating, {"floatingip": {"port_id": second}}, 200),
        ("PUT", f"networks/{objects.network['id']}", {"network": {"mtu": 1300}}, 200),
        ("DELETE", f"ports/{second}", None, 204),
        (
            "POST",
            "floatingips",
            {"floatingip": {"floating_network_id": objects.external_id, **port}},
            201,
        ),
        ("DELETE", f"ports/{port['port_id']}", None, 204),
        ("PUT", f"{router}/remove_router_interface", subnet, 200),
        ("DELETE", router, None, 204),
        ("DELETE", floating, None, 204),
    ):
        answer, sent = tapped(method, path, body)

        assert status == answer.status, (method, path, answer)
        assert 1 == len(sent), (method, path, sent)
        assert kinds(sent[0]) & {"insert", "update", "mutate", "delete"}, (path, body)


def test_bindings(tapped: Tapped) -> None:
    """Each change of a port's bindings is one transaction, and so is each look at them."""
    network_id = make_objects(tapped.api, "red").network["id"]
    values: Any = {"network_id": network_id, "binding:host_id": "hv1"}
    port = f"ports/{tapped.api.create('port', **values)['id']}"
    bindings = f"{port}/bindings"
    hv2, hv3 = ({"binding": {"host": host}} for host in ("hv2", "hv3"))
    changes: list[tuple[str, str, Any, int]] = [
        ("POST", bindings, hv2, 201),
        ("POST", bindings, hv3, 201),
        ("PUT", f"{bindings}/hv2", {"binding": {"profile": {"a": "b"}}}, 200),
        ("PUT", f"{bindings}/hv1", {"binding": {"profile": {"c": "d"}}}, 200),
        ("DELETE", f"{bindings}/hv3", None, 204),
        ("PUT", f"{bindings}/hv2/activate", None, 200),
        ("POST", bindings, hv3, 201),
        ("PUT", port, {"port": {"binding:host_id": "hv3"}}, 200),
    ]
    for method, path, body, status in changes:
        answer, sent = tapped(method, path, body)

        assert status == answer.status, (method, path, answer)
        assert 1 == len(sent), (method, path, sent)
        assert kinds(sent[0]) == {"wait", "update", "comment"}, (method, path)
        assert [f"{method} /v2.0/{path}"] == [text.partition(" ")[2] for text in comments(sent[0])]
    for method, path, body, status in (
        ("GET", bindings, None, 200),
        ("GET", f"{bindings}?status=ACTIVE&fields=host", None, 200),
        ("GET", f"{bindings}/hv3", None, 200),
        ("GET", f"{bindings}/hv2", None, 404),
        ("POST", bindings, hv3, 409),
        ("PUT", f"{bindings}/hv3", {"binding": {}}, 200),
        ("PUT", f"{bindings}/hv3/activate", None, 409),
        ("PUT", f"{bindings}/hv2/activate", None, 404),
        ("DELETE", f"{bindings}/hv3", None, 409),
        ("DELETE", f"{bindings}/hv2", None, 404),
        ("POST", f"ports/{NOBODY}/bindings", hv2, 404),
        ("GET", f"ports/{NOBODY}/bindings", None, 404),
    ):
        answer, sent = tapped(method, path, body)

        assert status == answer.status, (method, path, answer)
        assert [[]] == [transact.operations for transact in sent], (method, path)
    answer, sent = tapped("POST", bindings, {"binding": {"host": "a,b"}})
    assert (400, []) == (answer.status, sent)


def test_bad_requests(tapped: Tapped) -> None:
    """What cannot be understood is refused without a word to the server."""
    for method, path, body in (
        ("POST", "networks", b"{"),
        ("POST", "networks", {"network": {"mtu": "big"}}),
        ("PUT", f"ports/{NOBODY}", {"port": {"network_id": NOBODY}}),
        ("DELETE", f"ports/{NOBODY}", b"{}"),
        ("PATCH", f"ports/{NOBODY}", None),
        ("GET", "networks?limit=many", None),
        ("GET", "extensions", None),
        ("GET", "nothing", None),
    ):
        answer, sent = tapped(method, path, body)

        assert answer.status in (200, 400, 404, 405)
        assert [] == sent, path


def test_failed_guard(tapped: Tapped, nb: OvsdbServer) -> None:
    """A guard that fails costs one more transaction, and changes nothing by itself."""
    objects = make_objects(tapped.api, "red")
    with running_api(nb) as other:
        tapped.tap.take()
        # The plan is made before this change and arrives after it.
        tapped.tap.before_next_write(
            lambda: other.update("port", objects.port["id"], device_id="somebody")
        )
        answer = tapped.api("PUT", f"ports/{objects.port['id']}", {"port": {"name": "blue"}})

    sent = tapped.tap.take()
    assert 200 == answer.status
    assert 2 == len(sent)
    assert comments(sent[0]) == comments(sent[1])
    port = tapped.api.get(f"ports/{objects.port['id']}")["port"]
    assert ("blue", "somebody", 3) == (port["name"], port["device_id"], port["revision_number"])


def test_lost_session(tapped: Tapped) -> None:
    """A session that breaks costs one more transaction at the most, in the next session."""
    for fault, number in ((Fault.CUT_BEFORE, 2), (Fault.CUT_AFTER, 1)):
        tapped.tap.arm(fault)
        answer, sent = tapped("POST", "networks", {"network": {"name": "red"}})

        assert 201 == answer.status
        assert number == len(sent), fault


def test_write_barrier(nb: OvsdbServer) -> None:
    """With `read-barrier = write` a read is one write; where there is nothing to write to, 503."""
    with WireTap(nb) as tap:
        settings = {"read_barrier": "write", "request_timeout_s": 2}
        with running_api(tap.server, **settings) as api:
            unanswered = api("GET", "networks")
            tries = len(tap.take())
            api.create("network", name="makes the NB_Global row")
            tap.take()
            answer = api("GET", "networks")

            assert 503 == unanswered.status
            assert "NB_Global is empty" in unanswered.json["NeutronError"]["message"]
            assert tries < 50
            assert 200 == answer.status
            assert [{"mutate"}] == list(map(kinds, tap.take()))


@pytest.mark.parametrize("is_durable", [False, True])
def test_durable_commits(nb: OvsdbServer, is_durable: bool) -> None:
    """With `durable-commits` every change, and no read, waits for the server's disk."""
    durable = {"op": "commit", "durable": True}
    with WireTap(nb) as tap, running_api(tap.server, durable_commits=is_durable) as api:
        network = api.create("network", name="red")
        api.update("network", network["id"], name="blue")
        api.delete("network", network["id"])
        changes = tap.take()
        api.get("networks")
        reads = tap.take()

    assert [is_durable] * 3 == [durable in change.operations for change in changes]
    assert [[]] == [read.operations for read in reads]


def test_log(tapped: Tapped) -> None:
    """The database's own log names request id, verb and path of each change, and no reads."""
    answers = {}
    network, _ = tapped("POST", "networks", {"network": {"name": "red"}})
    answers["POST /v2.0/networks"] = network
    path = f"networks/{network.json['network']['id']}"
    answers[f"PUT /v2.0/{path}"], _ = tapped("PUT", path, {"network": {"name": "blue"}})
    read, _ = tapped("GET", path)
    same, _ = tapped("PUT", path, {"network": {"name": "blue"}})
    refused, _ = tapped("DELETE", f"networks/{NOBODY}")
    answers[f"DELETE /v2.0/{path}"], _ = tapped("DELETE", path)

    log = subprocess.run(
        ["ovsdb-tool", "show-log", "-m", tapped.database],
        check=True,
        capture_output=True,
        timeout=10,
    ).stdout.decode()
    for request, answer in answers.items():
        assert 1 == log.count(f'"{answer.headers["X-Openstack-Request-Id"]} {request}"'), request
    for answer in (read, same, refused):
        assert answer.headers["X-Openstack-Request-Id"] not in log
    assert "GET" not in log


def test_operations_in_the_log(tapped: Tapped, caplog: pytest.LogCaptureFixture) -> None:
    """The log's line of a request says how many operations were committed, comment apart."""
    caplog.set_level(logging.INFO)
    own = f"networks/{tapped.api.create('network', name='red')['id']}"
    numbers = []
    for method, path, body in (
        ("POST", "networks", {"networks": [{"name": "a"}, {"name": "b"}]}),
        ("PUT", own, {"network": {"name": "blue"}}),
        ("PUT", own, {"network": {"name": "blue"}}),
        ("GET", "networks", None),
        ("DELETE", own, None),
        ("DELETE", own, None),
    ):
        _, sent = tapped(method, path, body)
        told = re.search(r" ms ([0-9]+) ops admin( |$)", caplog.messages[-1])
        assert told is not None
        numbers.append(int(told[1]))
        assert numbers[-1] == sum(one["op"] != "comment" for one in sent[-1].operations)
    assert [bool(number) for number in numbers] == [True, True, False, False, True, False]


def test_transactions_in_the_log(tapped: Tapped, caplog: pytest.LogCaptureFixture) -> None:
    """At level DEBUG each transaction is logged as it was sent, and nothing of a read is."""
    caplog.set_level(logging.DEBUG, "ovirt_ovn_proxy.execute")
    for method, path, body in (
        ("POST", "networks", {"network": {"name": "red\nreq-1 forged"}}),
        ("GET", "networks", None),
    ):
        caplog.clear()
        _, sent = tapped(method, path, body)
        told = [record for record in caplog.records if record.name == "ovirt_ovn_proxy.execute"]
        assert [one.operations for one in sent if one.operations] == [
            json.loads(record.getMessage()) for record in told
        ]
        assert all(len(record.getMessage().splitlines()) == 1 for record in told)
