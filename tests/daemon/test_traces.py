# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is deleted while a session is broken is told of as it was, by the traces of deletions.

One client's session breaks, and before the next one another client goes on with the object.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from daemon.northd import Northd
from daemon.ovsdb import OvsdbServer
from daemon.proxy import Answer, Api, path_of, running_api
from daemon.routing import assert_consistent, nbctl
from daemon.tapped import KINDS, Scene, Tapped, make_scene, new, tapped_apis
from daemon.wire_tap import Fault, WireTap
from ovirt_ovn_proxy.nb import keys, ops
from ovirt_ovn_proxy.plan import traces
from ovirt_ovn_proxy.plan.traces import Trace

pytestmark = pytest.mark.daemon

BREAKS = [fault for fault in Fault if fault is not Fault.CANCEL]
LOST = [fault for fault in BREAKS if fault is not Fault.CUT_AFTER]


@pytest.fixture
def tapped(nb: OvsdbServer) -> Iterator[Tapped]:
    """Two applications on one server, the first behind a tap."""
    with tapped_apis(nb) as found:
        yield found


def transact(nb: OvsdbServer, *operations: Any) -> list[Any]:
    """Send operations past any proxy; returns their results."""
    done = subprocess.run(
        ["ovsdb-client", "transact", nb.remote, json.dumps(["OVN_Northbound", *operations])],
        check=True,
        capture_output=True,
        timeout=10,
    )
    results: list[Any] = json.loads(done.stdout)
    assert not [result for result in results if "error" in result], results
    return results


def traces_in(nb: OvsdbServer) -> dict[str, str]:
    """Return the traces in the database, by the rows that are gone."""
    [result] = transact(nb, {"op": "select", "table": "NB_Global", "where": []})
    start = len(keys.DELETED)
    return {
        key[start:]: value
        for row in result["rows"]
        for key, value in row["external_ids"][1]
        if key.startswith(keys.DELETED)
    }


def meanwhile(tapped: Tapped, fault: Fault, action: Callable[[], Any], *request: Any) -> Answer:
    """Send a request whose session breaks, and do something before the next one."""
    tapped.tap.arm(fault)
    tapped.tap.before_next_session(action)
    answer = tapped.api(*request)
    assert not tapped.tap.is_armed
    tapped.tap.release()
    for late in tapped.tap.take_late():
        assert any("error" in (one or {}) for one in late), late
    return answer


# --- two deletions ---


@pytest.mark.parametrize("fault", BREAKS)
@pytest.mark.parametrize("kind", KINDS)
def test_two_deletions(tapped: Tapped, kind: str, fault: Fault) -> None:
    """Of two deletions of one object, one is told that it did it, and the other 404."""
    own = make_scene(tapped.api).own[kind]
    request = ("DELETE", f"{path_of(kind)}/{own['id']}")
    theirs: list[Answer] = []
    mine = meanwhile(tapped, fault, lambda: theirs.append(tapped.other(*request)), *request)

    expected = (204, 404) if fault is Fault.CUT_AFTER else (404, 204)
    assert expected == (mine.status, theirs[0].status)
    for answer in (mine, theirs[0]):
        assert (answer.status == 204) == tapped.changes_of(answer)
    assert own["id"] not in [row["id"] for row in tapped.rows()[f"{kind}s"]]


@pytest.mark.parametrize("fault", BREAKS)
def test_two_removals(tapped: Tapped, fault: Fault) -> None:
    """The same holds for what a router is connected to, and for its routes."""
    api, other = tapped.api, tapped.other
    scene = make_scene(api)
    router = f"routers/{scene.own['router']['id']}"
    subnet = own_subnet(api, scene)
    is_first = fault is Fault.CUT_AFTER
    hop = {"router": {"routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]}}
    assert 200 == api("PUT", f"{router}/add_router_interface", subnet).status
    assert 200 == api("PUT", f"{router}/add_extraroutes", hop).status
    theirs: list[Answer] = []

    request: tuple[Any, ...] = ("PUT", f"{router}/remove_extraroutes", hop)
    mine = meanwhile(tapped, fault, lambda: theirs.append(other(*request)), *request)
    # To take away what is not there is no error, and changes nothing.
    assert (200, 200) == (mine.status, theirs[0].status)
    assert (is_first, not is_first) == tuple(map(tapped.changes_of, (mine, theirs[0])))

    request = ("PUT", f"{router}/remove_router_interface", subnet)
    mine = meanwhile(tapped, fault, lambda: theirs.append(other(*request)), *request)
    assert ((200, 404) if is_first else (404, 200)) == (mine.status, theirs[1].status)
    assert (is_first, not is_first) == tuple(map(tapped.changes_of, (mine, theirs[1])))
    assert_consistent(other)


def own_subnet(api: Api, scene: Scene) -> dict[str, str]:
    """Return the body that names the subnet of a scene's network."""
    [found] = api.get(f"subnets?network_id={scene.network['id']}&cidr=10.0.0.0/24")["subnets"]
    return {"subnet_id": found["id"]}


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
def test_deletion_past_the_proxies(tapped: Tapped, fault: Fault) -> None:
    """What another program deletes leaves no trace; who wanted that it goes hears that it did."""
    own = make_scene(tapped.api).own["port"]
    switch = tapped.api.get(f"ports/{own['id']}")["port"]["network_id"]

    def delete() -> None:
        if fault is Fault.CUT_BEFORE:
            mutations = [["ports", "delete", ["uuid", own["id"]]]]
            where = [["_uuid", "==", ["uuid", switch]]]
            table = "Logical_Switch"
            transact(
                tapped.nb,
                {"op": "mutate", "table": table, "where": where, "mutations": mutations},
            )

    answer = meanwhile(tapped, fault, delete, "DELETE", f"ports/{own['id']}")
    assert 204 == answer.status
    assert (own["id"] in traces_in(tapped.nb)) == (fault is Fault.CUT_AFTER)


# --- what is deleted as soon as it is made ---


def delete_new(tapped: Tapped, kind: str, known: set[str], most: int = 9) -> int:
    """Delete objects that are in the list now, and were not, by the second application."""
    found = [row["id"] for row in tapped.rows()[f"{kind}s"] if row["id"] not in known]
    for object_id in found[:most]:
        tapped.other.delete(kind, object_id)
    return len(found)


@pytest.mark.parametrize("kind", KINDS)
def test_created_and_deleted(tapped: Tapped, kind: str) -> None:
    """What is found in a list and deleted before its creator knows of it is not made again."""
    scene = make_scene(tapped.api)
    known = {row["id"] for row in tapped.rows()[f"{kind}s"]}
    several = [new(kind, scene, number) for number in (2, 3, 4)]
    bodies: list[tuple[Any, int]] = [
        ({kind: new(kind, scene, 1)}, 1),
        ({f"{kind}s": several}, 3),
        ({f"{kind}s": several}, 1),
    ]
    for body, most in bodies:
        counts: list[int] = []
        answer = meanwhile(
            tapped,
            Fault.CUT_AFTER,
            lambda most=most, counts=counts: counts.append(delete_new(tapped, kind, known, most)),  # type: ignore[misc]
            "POST",
            path_of(kind),
            body,
        )

        assert 201 == answer.status
        made = answer.json.get(f"{kind}s") or [answer.json[kind]]
        assert [len(made)] == counts
        left = {row["id"] for row in tapped.rows()[f"{kind}s"]} - known
        assert len(made) - most == len(left)
        assert left <= {row["id"] for row in made}
        tapped.changed_once(answer)


@pytest.mark.parametrize("is_bulk", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_created_late_and_deleted(tapped: Tapped, kind: str, is_bulk: bool) -> None:
    """A creation that comes late, and is deleted before the next attempt, is not made again."""
    tap = tapped.tap
    scene = make_scene(tapped.api)
    known = {row["id"] for row in tapped.rows()[f"{kind}s"]}
    counts: list[int] = []

    def come_late() -> None:
        tap.release()
        assert not any("error" in (one or {}) for late in tap.take_late() for one in late)
        counts.append(delete_new(tapped, kind, known))

    several = [new(kind, scene, number) for number in (2, 3, 4)]
    body = {f"{kind}s": several} if is_bulk else {kind: several[0]}
    # The next attempt has been planned when it meets this.
    action = lambda: tap.before_next_write(come_late)  # noqa: E731
    answer = meanwhile(tapped, Fault.HOLD, action, "POST", path_of(kind), body)

    assert 201 == answer.status
    assert [3 if is_bulk else 1] == counts
    assert known == {row["id"] for row in tapped.rows()[f"{kind}s"]}
    tapped.changed_once(answer)


def test_connected_and_disconnected(tapped: Tapped) -> None:
    """An interface, a gateway and an association that somebody takes away again were made once."""
    api, other = tapped.api, tapped.other
    scene = make_scene(api)
    router = f"routers/{scene.own['router']['id']}"
    subnet = own_subnet(api, scene)
    gateway = {"router": {"external_gateway_info": {"network_id": scene.external_id}}}
    floating = f"floatingips/{scene.own['floatingip']['id']}"
    hop = {"router": {"routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]}}

    def undone(path: str, body: Any, undo: str, undoing: Any) -> None:
        answers: list[Answer] = []
        action = lambda: answers.append(other("PUT", undo, undoing))  # noqa: E731
        answer = meanwhile(tapped, Fault.CUT_AFTER, action, "PUT", path, body)
        assert (200, 200) == (answer.status, answers[0].status), (path, answer, answers)
        assert (1, 1) == (tapped.changes_of(answer), tapped.changes_of(answers[0]))
        assert_consistent(other)

    add, remove = f"{router}/add_router_interface", f"{router}/remove_router_interface"
    undone(add, subnet, remove, subnet)
    undone(router, gateway, router, {"router": {"external_gateway_info": None}})
    assert 200 == api("PUT", add, subnet).status
    undone(f"{router}/add_extraroutes", hop, f"{router}/remove_extraroutes", hop)
    assert 200 == api("PUT", router, gateway).status
    to_port = {"floatingip": {"port_id": scene.own["port"]["id"]}}
    undone(floating, to_port, floating, {"floatingip": {"port_id": None}})


# --- what is changed, and deleted then ---


@pytest.mark.parametrize("fault", BREAKS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "security_group_rule"])
def test_changed_and_deleted(tapped: Tapped, kind: str, fault: Fault) -> None:
    """Whether an object that is gone had been changed before is not known, and told so."""
    own = make_scene(tapped.api).own[kind]
    path = f"{path_of(kind)}/{own['id']}"
    body = {kind: {"description": "green"}}
    answer = meanwhile(
        tapped, fault, lambda: tapped.other.delete(kind, own["id"]), "PUT", path, body
    )

    assert 503 == answer.status
    assert "outcome is unknown" in answer.json["NeutronError"]["message"]
    assert (1 if fault is Fault.CUT_AFTER else 0) == tapped.changes_of(answer)
    assert 404 == tapped.api("PUT", path, body).status


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
def test_rule_of_a_deleted_group(tapped: Tapped, fault: Fault) -> None:
    """A rule goes with its group without a trace: whether it was made is not known either."""
    group_id = make_scene(tapped.api).own["security_group"]["id"]
    body = {"security_group_rule": {"security_group_id": group_id, "direction": "ingress"}}
    action = partial(tapped.other.delete, "security_group", group_id)
    answer = meanwhile(tapped, fault, action, "POST", "security-group-rules", body)

    assert 503 == answer.status
    assert (1 if fault is Fault.CUT_AFTER else 0) == tapped.changes_of(answer)
    assert 404 == tapped.api("POST", "security-group-rules", body).status


# --- the traces themselves ---


@pytest.mark.parametrize("kind", KINDS)
def test_trace(tapped: Tapped, kind: str) -> None:
    """A deletion leaves traces, in its own transaction, by which its request can be found."""
    own = make_scene(tapped.api).own[kind]
    before = traces_in(tapped.nb)
    tapped.tap.take()
    answer = tapped.api("DELETE", f"{path_of(kind)}/{own['id']}")
    left = {row: value for row, value in traces_in(tapped.nb).items() if row not in before}

    assert 1 == len(tapped.tap.take())
    assert 1 <= len(left)
    # A floating IP is not named by its row.
    assert kind == "floatingip" or own["id"] in left
    request = answer.headers["X-Openstack-Request-Id"].partition("-")[2]
    assert {request} == {value.rpartition(" ")[2] for value in left.values()}


def test_traces_go(nb: OvsdbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traces that are old, and the older half of too many, go with the next deletion."""
    monkeypatch.setattr(traces, "_MOST", 6)
    monkeypatch.setattr(traces, "_AT_LEAST_FOR", timedelta())
    monkeypatch.setattr(traces, "_LOOKS", "")  # every deletion looks
    with running_api(nb) as api:
        network = api.create("network", name="red")["id"]
        ports = [api.create("port", network_id=network)["id"] for _ in range(20)]
        old = f"{keys.DELETED}{network}"
        value = "2020-01-01T00:00:00.000000Z 00000000-0000-0000-0000-000000000000"
        nbctl(nb, "set", "NB_Global", ".", f'external_ids:{old}="{value}"')
        assert [network] == list(traces_in(nb))
        counters = nbctl(nb, "get", "NB_Global", ".", f"external_ids:{keys.SEQUENCE}{network}")
        for number, port in enumerate(ports):
            api.delete("port", port)
            left = traces_in(nb)
            assert network not in left
            assert set(left) <= set(ports[: number + 1])
            assert set(ports[max(0, number - 2) : number + 1]) <= set(left)
            assert len(left) <= 6
        assert counters == nbctl(
            nb, "get", "NB_Global", ".", f"external_ids:{keys.SEQUENCE}{network}"
        )


def test_without_nb_global(nb: OvsdbServer) -> None:
    """Where there is no row to leave traces in, deletions do without, and make none."""
    with running_api(nb) as api:
        network = api.create("network", name="red")["id"]
        port = api.create("port", network_id=network)["id"]
        transact(nb, {"op": "delete", "table": "NB_Global", "where": []})
        api.delete("port", port)

        assert 404 == api("GET", f"ports/{port}").status
    assert {} == traces_in(nb)


def test_deletions_do_not_disturb(nb: OvsdbServer) -> None:
    """A counter's first value is taken once, whatever others leave traces of meanwhile."""
    with WireTap(nb) as tap, running_api(tap.server) as api, running_api(nb) as other:
        network = api.create("network", name="red")["id"]
        api.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)
        port = api.create("port", network_id=network)["id"]
        counter = f"external_ids:{keys.SEQUENCE}{network}"
        ips = set()
        for disturb, number in (
            (lambda: other.delete("port", port), 1),
            (lambda: ips.add(ip_of(other.create("port", network_id=network))), 2),
        ):
            # As on a network of ovirt-provider-ovn: nobody has counted there yet.
            nbctl(nb, "remove", "NB_Global", ".", "external_ids", counter.partition(":")[2])
            for proxy in (api, other):
                assert proxy("GET", f"networks/{network}").status == 200  # knows it from now on
            tap.take()
            tap.before_next_write(disturb)
            ips.add(ip_of(api.create("port", network_id=network)))
            assert number == len(tap.take())
        assert '"2"' == nbctl(nb, "get", "NB_Global", ".", counter)
        assert 3 == len(ips)


def ip_of(port: Any) -> str:
    """Return the address of a port."""
    return str(port["fixed_ips"][0]["ip_address"])


def test_northd(central: Mapping[str, OvsdbServer]) -> None:
    """Traces cost ovn-northd nothing beside the deletions that they tell of."""
    nb = central["nb"]
    northd = Northd(str(nb.folder / "northd.ctl"))
    number = 40
    with running_api(nb) as api:
        network = api.create("network", name="red")["id"]
        [row] = transact(nb, {"op": "select", "table": "NB_Global", "where": []})[0]["rows"]
        nb_global = row["_uuid"][1]
        deadline = time.monotonic() + 60

        def cost(is_traced: bool) -> int:
            ports = [api.create("port", network_id=network)["id"] for _ in range(number)]
            northd.settled()
            northd("inc-engine/clear-stats")
            for port in ports:
                operations = [ops.remove_from_set("Logical_Switch", network, "ports", [port])]
                if is_traced:
                    step = Trace(nb_global, "2026-01-02T03:04:05.000000Z", network, (port,), ())
                    operations += step.operations()
                api.connection.transact(operations, deadline)
                time.sleep(0.01)
            return northd.settled()

        # It may do several changes in one run, so the largest is what one change costs.
        plain = max(cost(is_traced=False) for _ in range(2))
        traced = min(cost(is_traced=True) for _ in range(2))

    assert 0 < plain
    assert traced <= 1.1 * plain
