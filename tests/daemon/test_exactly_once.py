# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A write is done exactly once, also when the session with the server breaks in its midst."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from daemon.ovsdb import OvsdbServer, leader_of, raft_cluster, wait_until
from daemon.proxy import Answer, path_of, running_api
from daemon.routing import assert_consistent, nbctl
from daemon.tapped import KINDS, Tapped, make_scene, new, tapped_apis
from daemon.wire_tap import Fault
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.remote import Remote
from ovirt_ovn_proxy.resources import RESOURCES

pytestmark = pytest.mark.daemon


@pytest.fixture
def tapped(nb: OvsdbServer) -> Iterator[Tapped]:
    """Two applications on one server, the first behind a tap."""
    with tapped_apis(nb) as found:
        yield found


def test_every_resource() -> None:
    """No resource is left out of what follows."""
    assert set(RESOURCES) == {path_of(kind) for kind in KINDS}


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("kind", KINDS)
def test_broken_session(tapped: Tapped, kind: str, fault: Fault) -> None:
    """Wherever the session breaks, the client hears of success and the change is made once."""
    api, tap = tapped.api, tapped.tap
    scene = make_scene(api)
    before = scene.own[kind]
    path = f"{path_of(kind)}/{before['id']}"

    def send(method: str, where: str, body: Any = None) -> Answer:
        tap.arm(fault)
        answer = api(method, where, body)
        assert not tap.is_armed
        tap.release()
        late = tap.take_late()
        if fault is Fault.HOLD:
            # It came when all was done, and was refused.
            assert [True] == [any("error" in (one or {}) for one in each) for each in late]
        tapped.changed_once(answer)
        return answer

    count = len(tapped.rows()[f"{kind}s"])
    created = send("POST", path_of(kind), {kind: new(kind, scene, 1)})
    assert 201 == created.status
    several = [new(kind, scene, number) for number in (2, 3, 4)]
    bulk = send("POST", path_of(kind), {f"{kind}s": several})
    assert 201 == bulk.status
    wanted = [created.json[kind], *bulk.json[f"{kind}s"]]
    rows = tapped.rows()[f"{kind}s"]
    assert count + 4 == len(rows)
    for row in wanted:
        assert row in rows

    if kind != "security_group_rule":
        text = "description" if kind == "floatingip" else "name"
        changed = send("PUT", path, {kind: {text: "green"}})
        assert 200 == changed.status
        assert "green" == changed.json[kind][text]
        assert before["revision_number"] + 1 == changed.json[kind]["revision_number"]
        assert changed.json == tapped.other.get(path)

    if kind == "port":
        moved = {"port_security_enabled": True, "security_groups": [scene.group["id"]]}
        for groups in (moved, {"port_security_enabled": False, "security_groups": []}):
            answer = send("PUT", path, {kind: groups})
            assert answer.json == tapped.other.get(path)
            assert {**answer.json[kind], **groups} == answer.json[kind]

    for method, where, body, status, tags in (
        ("PUT", "tags/a", None, 201, ["a"]),
        ("PUT", "tags", {"tags": ["a", "b", "c"]}, 200, ["a", "b", "c"]),
        ("DELETE", "tags/b", None, 204, ["a", "c"]),
        ("DELETE", "tags", None, 204, []),
    ):
        assert status == send(method, f"{path}/{where}", body).status
        assert {"tags": tags} == tapped.other.get(f"{path}/tags")

    assert 204 == send("DELETE", path).status
    assert 404 == tapped.other("GET", path).status
    assert count + 3 == len(tapped.rows()[f"{kind}s"])


@pytest.mark.parametrize("fault", list(Fault))
def test_broken_session_while_routing(tapped: Tapped, fault: Fault) -> None:
    """Interfaces, routes, gateways and associations come and go once, wherever it breaks."""
    api, tap = tapped.api, tapped.tap
    scene = make_scene(api)
    own = {kind: one["id"] for kind, one in scene.own.items()}
    router, floating = f"routers/{own['router']}", f"floatingips/{own['floatingip']}"
    [first] = api.get(f"subnets?network_id={scene.network['id']}&cidr=10.0.0.0/24")["subnets"]
    gateway = {"network_id": scene.external_id}
    hop = {"router": {"routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]}}
    for path, body in (
        (f"{router}/add_router_interface", {"subnet_id": first["id"]}),
        (router, {"router": {"external_gateway_info": gateway}}),
        (f"{router}/add_extraroutes", hop),
        (floating, {"floatingip": {"port_id": own["port"]}}),
        (floating, {"floatingip": {"port_id": None}}),
        (f"{router}/remove_extraroutes", hop),
        (router, {"router": {"external_gateway_info": None}}),
        (f"{router}/remove_router_interface", {"subnet_id": first["id"]}),
    ):
        tap.arm(fault)
        answer = api("PUT", path, body)
        assert not tap.is_armed
        tap.release()
        tap.take_late()

        assert 200 == answer.status, (path, answer)
        tapped.changed_once(answer)
        assert_consistent(tapped.other)


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
def test_changed_meanwhile(tapped: Tapped, fault: Fault) -> None:
    """What others change before the outcome is known stays changed."""
    api, tap, other = tapped.api, tapped.tap, tapped.other
    own = make_scene(api).own
    path = f"ports/{own['port']['id']}"
    tap.arm(fault)
    # The next session's monitor request comes after this change, and so does the second look.
    tap.before_next_session(lambda: other.update("port", own["port"]["id"], device_id="somebody"))
    answer = api("PUT", path, {"port": {"name": "green"}})

    assert 200 == answer.status
    shown = other.get(path)["port"]
    assert ("green", "somebody") == (shown["name"], shown["device_id"])
    assert own["port"]["revision_number"] + 2 == shown["revision_number"]
    tapped.changed_once(answer)

    # What is undone already must not look as if it had never been there.
    assert 201 == api("PUT", f"{path}/tags/a").status
    tap.arm(fault)
    tap.before_next_session(lambda: other.update("port", own["port"]["id"], device_id="nobody"))
    answer = api("DELETE", f"{path}/tags/a")

    assert 204 == answer.status
    shown = other.get(path)["port"]
    assert ([], "nobody") == (shown["tags"], shown["device_id"])
    tapped.changed_once(answer)


def test_overwritten_meanwhile(tapped: Tapped) -> None:
    """What is written over a change before its outcome is known stays, and who wrote first."""
    api, tap, other = tapped.api, tapped.tap, tapped.other
    own = make_scene(api).own
    path = f"ports/{own['port']['id']}"

    def overwritten(fault: Fault, write: Callable[[], object]) -> Answer:
        tap.arm(fault)
        tap.before_next_session(write)
        answer = api("PUT", path, {"port": {"name": "mine"}})
        tapped.changed_once(answer)
        return answer

    def write() -> None:
        other.update("port", own["port"]["id"], name="theirs")

    def write_past_proxies() -> None:
        key = f"external_ids:{keys.NIC_NAME}=theirs"
        nbctl(tapped.nb, "set", "Logical_Switch_Port", own["port"]["id"], key)

    # Two changes of others would look the same.
    assert 503 == overwritten(Fault.CUT_AFTER, write).status
    assert "theirs" == other.get(path)["port"]["name"]
    assert 200 == overwritten(Fault.CUT_AFTER, write_past_proxies).status
    assert "theirs" == other.get(path)["port"]["name"]
    assert 200 == overwritten(Fault.CUT_BEFORE, write).status
    assert "mine" == other.get(path)["port"]["name"]


def test_broken_twice(tapped: Tapped) -> None:
    """Of two attempts without a reply the answer is that of the one which was committed."""
    api, tap, other = tapped.api, tapped.tap, tapped.other
    scene = make_scene(api)
    body = {"port": new("port", scene, 1)}
    first = api("POST", "ports", body).json["port"]["fixed_ips"][0]["ip_address"]
    taken: list[str] = []

    def take_the_next() -> None:
        port = other.create("port", network_id=scene.network["id"])
        taken.append(port["fixed_ips"][0]["ip_address"])
        tap.arm(Fault.CUT_AFTER)

    tap.arm(Fault.CUT_BEFORE)
    tap.before_next_session(take_the_next)
    answer = api("POST", "ports", body)

    assert 201 == answer.status
    port = answer.json["port"]
    assert port["fixed_ips"][0]["ip_address"] not in (first, *taken)
    assert {"port": port} == other.get(f"ports/{port['id']}")
    tapped.changed_once(answer)


def test_deadline(nb: OvsdbServer) -> None:
    """With a server that stands still each request ends at its deadline: 503, Retry-After."""
    with running_api(nb, request_timeout_s=1.0) as api:
        scene = make_scene(api)
        requests: list[tuple[str, str, Any]] = [("GET", "ports", None)]
        for kind in KINDS:
            own = f"{path_of(kind)}/{scene.own[kind]['id']}"
            late = {} if kind == "security_group_rule" else {"description": "late"}
            requests += [
                ("GET", own, None),
                ("POST", path_of(kind), {kind: new(kind, scene, 9)}),
                ("PUT", own, {kind: late}),
                ("DELETE", own, None),
            ]
        nb.signal(signal.SIGSTOP)
        try:
            start = time.monotonic()
            with ThreadPoolExecutor(len(requests)) as pool:
                answers = list(pool.map(lambda request: api(*request), requests))
            took_s = time.monotonic() - start
        finally:
            nb.signal(signal.SIGCONT)

        assert [503] * len(requests) == [answer.status for answer in answers]
        assert took_s < 2.5
        for answer in answers:
            assert int(answer.headers["Retry-After"]) > 0
            assert "ServiceUnavailable" == answer.json["NeutronError"]["type"]
        # What was under way may be done now, each at most once, and the service is back.
        assert 200 == api("GET", "ports").status
        for kind in KINDS:
            ids = [row["id"] for row in api.get(path_of(kind))[f"{kind}s"]]
            assert len(ids) == len(set(ids))


def test_cluster_that_executes_again() -> None:
    """What a cluster has committed, and then executed again itself and refused, counts as done.

    It gives a command up after twice the election timer (1 s), and executes it again, though
    the first may be committed yet: then guards fail on what this very request has done.
    """
    with contextlib.ExitStack() as stack:
        servers = stack.enter_context(raft_cluster())
        remotes = tuple(Remote("unix", str(server.socket)) for server in servers)
        settings: dict[str, Any] = {"ovn_remotes": remotes, "request_timeout_s": 60.0}
        api = stack.enter_context(running_api(servers[0], **settings))
        # An election takes long where many tests are at work, and 503 says nothing of this.
        api.connection._calls._patience_s = 60.0
        scene = make_scene(api)
        own = f"ports/{scene.own['port']['id']}"
        taken = {**new("port", scene, 1), "fixed_ips": [{"ip_address": "10.0.0.77"}]}
        requests: list[tuple[str, str, Any, int]] = [
            ("POST", "ports", {"port": taken}, 201),
            ("DELETE", own, None, 204),
            ("PUT", f"routers/{scene.own['router']['id']}", {"router": {"name": "x"}}, 200),
        ]
        for method, path, body, status in requests:
            wait_until(lambda: api.connection.ready)
            leader = leader_of(servers)
            followers = [server for server in servers if server is not leader]
            with ThreadPoolExecutor(1) as pool:
                for server in followers:
                    server.signal(signal.SIGSTOP)
                try:
                    answer = pool.submit(api, method, path, body)
                    time.sleep(2.2)
                finally:
                    for server in followers:
                        server.signal(signal.SIGCONT)
                assert status == answer.result().status, answer.result()

        assert 404 == api("GET", own).status
        assert 1 == len(api.get("ports?fixed_ips=ip_address%3D10.0.0.77")["ports"])


def test_slow_replies(tapped: Tapped) -> None:
    """Replies that take long are waited for: nothing is sent again."""
    scene = make_scene(tapped.api)
    tapped.tap.take()
    tapped.tap.delay_s = 0.2
    answer = tapped.api("POST", "ports", {"port": new("port", scene, 1)})
    tapped.tap.delay_s = 0.0

    assert 201 == answer.status
    assert 1 == len(tapped.tap.take())
    tapped.changed_once(answer)


def test_load(tapped: Tapped) -> None:
    """Sessions that break all the time, under load, neither lose nor double an object."""
    api, tap = tapped.api, tapped.tap
    scene = make_scene(api)
    faults = [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.OVERTAKE]
    stop = threading.Event()
    answers: list[tuple[Answer, Answer | None]] = []

    def breaker() -> None:
        for number in range(12):
            tap.arm(faults[number % len(faults)])
            if stop.wait(0.15):
                return

    def work(number: int) -> None:
        for index in range(12):
            created = api("POST", "ports", {"port": new("port", scene, number)})
            deleted = None
            if index % 2 and created.status == 201:
                deleted = api("DELETE", f"ports/{created.json['port']['id']}")
            answers.append((created, deleted))

    count = len(tapped.rows()["ports"])
    thread = threading.Thread(target=breaker)
    thread.start()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    stop.set()
    thread.join()

    assert {201} == {created.status for created, _ in answers}
    assert {204} == {deleted.status for _, deleted in answers if deleted is not None}
    kept = {created.json["port"]["id"] for created, deleted in answers if deleted is None}
    rows = tapped.rows()["ports"]
    assert count + len(kept) == len(rows)
    assert kept <= {row["id"] for row in rows}
    ips = [row["fixed_ips"][0]["ip_address"] for row in rows]
    assert len(ips) == len(set(ips))
    log = tapped.log()
    for created, deleted in answers:
        assert 1 == log.count(created.headers["X-Openstack-Request-Id"])
        if deleted is not None:
            assert 1 == log.count(deleted.headers["X-Openstack-Request-Id"])
