# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two proxies that change security groups at once leave nothing double, dangling or unfiltered."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from daemon.ovsdb import OvsdbServer
from daemon.proxy import Answer, Api, path_of, running_api
from daemon.wire_tap import WireTap
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.view import View
from ovirt_ovn_proxy.wire.security_group import groups_of_port, is_stateful
from ovirt_ovn_proxy.wire.security_group_rule import rule_key

pytestmark = pytest.mark.daemon


class Pair(NamedTuple):
    """A proxy whose plans wait until another one has done something, and that one."""

    one: Api
    tap: WireTap
    other: Api

    def race(self, request: tuple[str, str, Any], action: Callable[[], object]) -> Answer:
        """Send a request; between its plan and its transaction the other proxy acts."""
        self.tap.before_next_write(action)
        answer = self.one(*request)
        check_rows(self.other)
        return answer


@pytest.fixture
def pair(nb: OvsdbServer) -> Iterator[Pair]:
    """Two proxies on one server, the first behind a tap."""
    with WireTap(nb) as tap, running_api(tap.server) as one, running_api(nb) as other:
        yield Pair(one, tap, other)


def check_rows(api: Api) -> None:
    """Every row is as its neighbours say: ports and groups, rules and groups."""
    networks = api.get("networks")["networks"]
    replica = api.connection.replica
    assert replica is not None
    with replica.lock:
        view = View(replica)
        groups = {group.name: group for group in view.security_groups()}
        drop = view.port_group(keys.DROP_GROUP)
        for port in view.ports():
            named = set(groups_of_port(port, view))
            joined = {group.uuid for group in groups.values() if port.uuid in group.ports}
            assert named == joined
            assert bool(port.port_security) == (drop is not None and port.uuid in drop.ports)
            assert 1 >= len({is_stateful(view.security_group(one)) for one in named})  # type: ignore[arg-type]
        if drop is not None:
            assert 4 == len(drop.acls)
        # No ACL without a group, none of a group that is gone, none twice, all of one kind.
        owned = {uuid for group in replica.tables.port_groups.values() for uuid in group.acls}
        assert owned == set(replica.tables.acls)
        for group in groups.values():
            rules = view.rules_of(group)
            assert {group.name} == {
                rule.external_ids[keys.RULE_GROUP] for rule in rules
            } or not rules
            action = "allow-related" if is_stateful(group) else "allow-stateless"
            for rule in rules:
                remote = rule.external_ids.get(keys.RULE_REMOTE_GROUP)
                assert remote is None or remote in groups
                assert action == rule.action
                assert 1 == sum(rule.match == each.match for each in rules)
    assert networks == api.get("networks")["networks"]
    rules = api.get("security-group-rules")["security_group_rules"]
    own = [(rule["security_group_id"], rule_key(rule)) for rule in rules]
    assert len(own) == len(set(own))


class Scene:
    """Two groups, a port in neither, a router, and the requests that fight over them."""

    def __init__(self, api: Api) -> None:
        self.network_id = api.create("network", name="red", port_security_enabled=True)["id"]
        api.create("subnet", network_id=self.network_id, cidr="10.0.0.0/24", ip_version=4)
        self.router = api.create("router")["id"]
        self.one = api.create("security_group", name="one")["id"]
        self.two = api.create("security_group", name="two")["id"]
        self.port = self.new_port(api, [])
        self.rule = self.new_rule(api, self.one, protocol="gre")

    def new_port(self, api: Api, groups: list[str]) -> str:
        values = {"network_id": self.network_id, "security_groups": groups}
        return str(api.create("port", **values)["id"])

    def new_rule(self, api: Api, group_id: str, **values: Any) -> str:
        return str(api.create("security_group_rule", **self.rule_of(group_id, **values))["id"])

    def becomes_an_interface(self) -> tuple[str, str, Any]:
        """Return the request that makes the port the router's."""
        return "PUT", f"routers/{self.router}/add_router_interface", {"port_id": self.port}

    @staticmethod
    def rule_of(group_id: str, **values: Any) -> dict[str, Any]:
        return {"security_group_id": group_id, "direction": "ingress", **values}


def post_rule(group_id: str, **values: Any) -> tuple[str, str, Any]:
    """Return the request for a rule."""
    rule = Scene.rule_of(group_id, **values)
    return "POST", "security-group-rules", {"security_group_rule": rule}


def put(kind: str, object_id: str, **values: Any) -> tuple[str, str, Any]:
    """Return the request for a change."""
    return "PUT", f"{path_of(kind)}/{object_id}", {kind: values}


def delete(kind: str, object_id: str) -> tuple[str, str, Any]:
    """Return the request for the end of an object."""
    return "DELETE", f"{path_of(kind)}/{object_id}", None


OFF = {"port_security_enabled": False, "security_groups": []}


@pytest.mark.parametrize(
    ("request_", "action", "status"),
    [
        # a group goes while a rule of another group begins to name it
        (
            lambda s: delete("security_group", s.one),
            lambda s, api: s.new_rule(api, s.two, remote_group_id=s.one),
            204,
        ),
        (
            lambda s: post_rule(s.two, remote_group_id=s.one),
            lambda s, api: api.delete("security_group", s.one),
            404,
        ),
        # ... or a rule of its own
        (
            lambda s: delete("security_group", s.one),
            lambda s, api: s.new_rule(api, s.one, remote_group_id=s.one),
            204,
        ),
        (lambda s: post_rule(s.one), lambda s, api: api.delete("security_group", s.one), 404),
        # one rule comes twice, goes twice, or others come and go beside it
        (lambda s: post_rule(s.one), lambda s, api: s.new_rule(api, s.one), 409),
        (
            lambda s: post_rule(s.one, protocol=6),
            lambda s, api: s.new_rule(api, s.one, protocol="tcp"),
            409,
        ),
        (
            lambda s: post_rule(s.one),
            lambda s, api: s.new_rule(api, s.one, remote_group_id=s.one),
            201,
        ),
        (
            lambda s: post_rule(s.one, protocol="gre"),
            lambda s, api: api.delete("security_group_rule", s.rule),
            409,
        ),
        (
            lambda s: delete("security_group_rule", s.rule),
            lambda s, api: api.delete("security_group_rule", s.rule),
            404,
        ),
        (
            lambda s: delete("security_group_rule", s.rule),
            lambda s, api: api.delete("security_group", s.one),
            404,
        ),
        (
            lambda s: ("PUT", f"security-groups/{s.one}/tags/a", None),
            lambda s, api: s.new_rule(api, s.one),
            201,
        ),
        # a group goes while ports come
        (
            lambda s: delete("security_group", s.one),
            lambda s, api: s.new_port(api, [s.one]),
            409,
        ),
        (
            lambda s: delete("security_group", s.one),
            lambda s, api: api.update("port", s.port, security_groups=[s.one]),
            409,
        ),
        (
            lambda s: put("port", s.port, security_groups=[s.one]),
            lambda s, api: api.delete("security_group", s.one),
            404,
        ),
        (
            lambda s: (
                "POST",
                "ports",
                {"port": {"network_id": s.network_id, "security_groups": [s.one]}},
            ),
            lambda s, api: api.delete("security_group", s.one),
            404,
        ),
        # a port is moved by both
        (
            lambda s: put("port", s.port, security_groups=[s.one]),
            lambda s, api: api.update("port", s.port, security_groups=[s.two]),
            200,
        ),
        (
            lambda s: put("port", s.port, security_groups=[s.one]),
            lambda s, api: api.update("port", s.port, **OFF),
            400,
        ),
        (
            lambda s: put("port", s.port, **OFF),
            lambda s, api: api.update("port", s.port, security_groups=["Default"]),
            200,
        ),
        (
            lambda s: put("port", s.port, security_groups=[s.one]),
            lambda s, api: api.delete("port", s.port),
            404,
        ),
        (
            lambda s: s.becomes_an_interface(),
            lambda s, api: api.update("port", s.port, security_groups=[s.one]),
            200,
        ),
        (
            lambda s: put("port", s.port, security_groups=[s.one]),
            lambda s, api: api(*s.becomes_an_interface()),
            400,
        ),
        # a group becomes stateless
        (
            lambda s: put("security_group", s.one, stateful=False),
            lambda s, api: s.new_rule(api, s.one),
            200,
        ),
        (
            lambda s: post_rule(s.one),
            lambda s, api: api.update("security_group", s.one, stateful=False),
            201,
        ),
        (
            lambda s: put("security_group", s.one, stateful=False),
            lambda s, api: s.new_port(api, [s.one]),
            409,
        ),
        (
            lambda s: put("port", s.port, security_groups=[s.one, s.two]),
            lambda s, api: api.update("security_group", s.one, stateful=False),
            409,
        ),
        (
            lambda s: put("security_group", s.one, stateful=False),
            lambda s, api: api.delete("security_group_rule", s.rule),
            200,
        ),
    ],
)
def test_between_plan_and_transaction(
    pair: Pair,
    request_: Callable[[Scene], tuple[str, str, Any]],
    action: Callable[[Scene, Api], object],
    status: int,
) -> None:
    """Whatever another proxy does meanwhile, the answer is that of an order of the two."""
    scene = Scene(pair.other)
    pair.one.get("ports")

    answer = pair.race(request_(scene), lambda: action(scene, pair.other))

    assert status == answer.status, answer


@pytest.mark.parametrize(
    "action",
    [
        lambda api: api.create("network", name="blue", port_security_enabled=True),
        lambda api: api.create("security_group", name="red"),
        lambda api: api.create("port", network_id=api.get("networks")["networks"][0]["id"]),
    ],
)
@pytest.mark.parametrize("kind", ["network", "security_group", "port"])
def test_the_first_change_of_two(pair: Pair, kind: str, action: Callable[[Api], object]) -> None:
    """Two proxies that need the default group at once make one."""
    network = pair.other.create("network", name="old")
    pair.other.update("network", network["id"], port_security_enabled=True)
    pair.one.get("networks")
    assert [] == pair.one.get("security-groups")["security_groups"]
    values = {
        "network": {"port_security_enabled": True},
        "security_group": {},
        "port": {"network_id": network["id"]},
    }[kind]

    answer = pair.race(("POST", path_of(kind), {kind: values}), lambda: action(pair.other))

    assert 201 == answer.status
    groups = pair.other.get("security-groups")["security_groups"]
    assert ["Default"] == [group["name"] for group in groups if group["name"] not in ("", "red")]
    (default,) = (group for group in groups if group["name"] == "Default")
    assert 4 == len(default["security_group_rules"])


def _nbctl(nb: OvsdbServer, *command: str) -> str:
    done = subprocess.run(
        ["ovn-nbctl", f"--db={nb.remote}", *command], check=True, capture_output=True, timeout=10
    )
    return done.stdout.decode().strip()


def test_a_port_is_put_right_and_moved(pair: Pair, nb: OvsdbServer) -> None:
    """A port that somebody took out of its group is not put back once it names another one."""
    scene = Scene(pair.other)
    pair.other.update("port", scene.port, security_groups=[scene.one])
    _nbctl(nb, "set", "Port_Group", scene.one, "ports=[]")
    pair.one.get("ports")

    answer = pair.race(
        put("port", scene.port, security_groups=[scene.one]),
        lambda: pair.other.update("port", scene.port, security_groups=[scene.two]),
    )

    assert (200, [scene.one]) == (answer.status, answer.json["port"]["security_groups"])


def test_what_drops_is_completed_once(pair: Pair, nb: OvsdbServer) -> None:
    """Two proxies that find half of what drops do not both bring the other half."""
    scene, elsewhere = Scene(pair.other), Scene(pair.other)
    uuids = _nbctl(nb, "--bare", "--columns=_uuid", "find", "ACL", "action=allow").split()
    _nbctl(nb, "remove", "Port_Group", "DropAll", "acls", ",".join(uuids))
    pair.one.get("ports")
    port = {"port": {"network_id": scene.network_id}}

    answer = pair.race(("POST", "ports", port), lambda: elsewhere.new_port(pair.other, []))

    assert (2, 201) == (len(uuids), answer.status)


def test_a_crowd_of_first_ports(nb: OvsdbServer) -> None:
    """Many first ports at once, on many networks, by two proxies, are all made."""
    with running_api(nb) as one, running_api(nb) as two:
        networks = [one.create("network", port_security_enabled=False)["id"] for _ in range(20)]

        def first_port(number: int) -> int:
            port = {"network_id": networks[number], "port_security_enabled": True}
            return (one, two)[number % 2]("POST", "ports", {"port": port}).status

        with ThreadPoolExecutor(20) as pool:
            assert [201] * 20 == list(pool.map(first_port, range(20)))
        check_rows(one)
        (default,) = one.get("security-groups")["security_groups"]
        ports = one.get(f"ports?security_groups={default['id']}")["ports"]
        assert 20 == len(ports)


def test_under_load(nb: OvsdbServer) -> None:
    """Any changes by both at once leave every row as its neighbours say."""
    with running_api(nb) as one, running_api(nb) as two:
        network_id = one.create("network", name="red", port_security_enabled=True)["id"]
        groups = [one.create("security_group")["id"] for _ in range(4)]
        ports = [one.create("port", network_id=network_id)["id"] for _ in range(4)]

        def work(seed: int) -> set[int]:
            api, dice = (one, two)[seed % 2], random.Random(seed)
            statuses = set()
            for _ in range(40):
                at = dice.randrange(4)
                group, other = groups[at], dice.choice(groups)
                port = dice.choice(ports)
                rule = {"protocol": dice.choice([6, 17, None]), "remote_group_id": other}
                requests: list[tuple[str, str, Any]] = [
                    post_rule(group, **rule),
                    post_rule(group, **rule),
                    put("port", port, security_groups=dice.sample(groups, dice.randint(0, 2))),
                    put("port", port, **OFF),
                    put("port", port, port_security_enabled=True),
                    put("security_group", group, stateful=dice.random() < 0.5),
                    delete("security_group", group),
                ]
                answer = api(*dice.choice(requests))
                statuses.add(answer.status)
                if answer.status == 204:
                    groups[at] = api.create("security_group")["id"]
            return statuses

        with ThreadPoolExecutor(6) as pool:
            statuses = set().union(*pool.map(work, range(6)))
        assert statuses <= {200, 201, 204, 400, 404, 409}
        assert {200, 201, 409} <= statuses
        check_rows(one)
        check_rows(two)
