# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""After every request the model of the networking state and Northbound agree, refusals included."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bench.raw import Ovsdb
from daemon.ovsdb import ovsdb_server
from daemon.proxy import Answer, path_of, running_api
from faults.model import Model, Port, Subnet, read_rows

pytestmark = pytest.mark.daemon

TABLES = (
    "Logical_Switch",
    "Logical_Switch_Port",
    "DHCP_Options",
    "Port_Group",
    "Logical_Router",
    "Logical_Router_Port",
)
CIDRS = [IPv4Network(text) for text in ("10.0.0.0/29", "10.0.0.8/29", "10.0.0.0/28", "10.1.0.0/29")]
ADDRESSES = [
    None,
    None,
    None,
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "10.0.0.7",
    "10.1.0.4",
    "1.2.3.4",
]
NAMES = st.sampled_from(["", "a", "b", "ü", "x" * 255])
NOWHERE = "12345678-1234-4234-8234-123456789abc"


class Machine(RuleBasedStateMachine):
    """Sends requests to a proxy, and has the model say what has to come of them."""

    networks: Bundle[str] = Bundle("networks")
    subnets: Bundle[str] = Bundle("subnets")
    ports: Bundle[str] = Bundle("ports")
    groups: Bundle[str] = Bundle("groups")
    routers: Bundle[str] = Bundle("routers")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.nb = self.stack.enter_context(ovsdb_server())
        self.api = self.stack.enter_context(running_api(self.nb))
        self.model = Model()

    def teardown(self) -> None:
        self.stack.close()

    def send(self, expected: int, method: str, path: str, body: Any = None) -> Answer | None:
        """Send a request that has to get this status; return the answer of a success."""
        return self.send_any({expected}, method, path, body)

    def send_any(
        self, expected: set[int], method: str, path: str, body: Any = None
    ) -> Answer | None:
        """The same where several things are wrong, each with a status of its own."""
        answer = self.api(method, path, body)
        assert answer.status in expected, (expected, method, path, body, answer)
        return answer if answer.status < 300 else None

    def create(self, expected: int, kind: str, **values: Any) -> Any:
        """Create an object; return it, or None if it had to be refused."""
        answer = self.send(expected, "POST", path_of(kind), {kind: values})
        return answer.json[kind] if answer else None

    def _make(self, kind: str, store: dict[str, str], name: str) -> str:
        made = self.create(201, kind, name=name)
        store[made["id"]] = name
        return str(made["id"])

    def delete(self, expected: int, kind: str, object_id: str) -> bool:
        """Delete an object; say whether it is gone."""
        gone = self.send(expected, "DELETE", f"{path_of(kind)}/{object_id}") is not None
        self.send(404 if gone else 200, "GET", f"{path_of(kind)}/{object_id}")
        return gone

    # --- networks and subnets -------------------------------------------------------

    @initialize(target=networks)
    def begin_with_a_network(self) -> str:
        return self._make("network", self.model.networks, "a")

    @initialize(target=groups)
    def begin_with_a_group(self) -> str:
        return self._make("security_group", self.model.groups, "a")

    @initialize(target=routers)
    def begin_with_a_router(self) -> str:
        return self._make("router", self.model.routers, "a")

    @rule(target=networks, name=NAMES)
    def create_network(self, name: str) -> str:
        return self._make("network", self.model.networks, name)

    @rule(network_id=networks, name=NAMES)
    def rename_network(self, network_id: str, name: str) -> None:
        there = network_id in self.model.networks
        body = {"network": {"name": name}}
        if self.send(200 if there else 404, "PUT", f"networks/{network_id}", body):
            self.model.networks[network_id] = name

    @rule(network_id=networks)
    def delete_network(self, network_id: str) -> None:
        there = network_id in self.model.networks
        expected = self.model.can_delete_network(network_id) if there else 404
        if not there:
            self.send(404, "DELETE", f"networks/{network_id}")
        elif self.delete(expected, "network", network_id):
            self.model.delete_network(network_id)

    @rule(target=subnets, network_id=networks, cidr=st.sampled_from(CIDRS))
    def create_subnet(self, network_id: str, cidr: IPv4Network) -> Any:
        there = network_id in self.model.networks
        expected = self.model.can_create_subnet(network_id, cidr) if there else 404
        values = {"network_id": network_id, "cidr": str(cidr), "ip_version": 4}
        made = self.create(expected, "subnet", **values)
        if made is None:
            return multiple()
        self.model.subnets[made["id"]] = Subnet(network_id, cidr)
        return made["id"]

    @rule(subnet_id=subnets)
    def delete_subnet(self, subnet_id: str) -> None:
        if subnet_id not in self.model.subnets:
            self.send(404, "DELETE", f"subnets/{subnet_id}")
        elif self.delete(self.model.can_delete_subnet(subnet_id), "subnet", subnet_id):
            del self.model.subnets[subnet_id]

    # --- ports and groups -------------------------------------------------------------

    @rule(
        target=ports,
        network_id=networks,
        name=NAMES,
        ip=st.sampled_from(ADDRESSES),
        group_ids=st.sets(groups, max_size=2),
    )
    def create_port(self, network_id: str, name: str, ip: str | None, group_ids: set[str]) -> Any:
        expected = {404}
        if network_id in self.model.networks:
            expected = {self.model.can_take(network_id, ip, 201)}
            if not group_ids <= set(self.model.groups):
                expected = {404} | expected - {201}
        values: dict[str, Any] = {"network_id": network_id, "name": name}
        if ip is not None:
            values["fixed_ips"] = [{"ip_address": ip}]
        values.update(port_security_enabled=True, security_groups=sorted(group_ids))
        answer = self.send_any(expected, "POST", "ports", {"port": values})
        if answer is None:
            return multiple()
        made = answer.json["port"]
        addresses = [entry["ip_address"] for entry in made["fixed_ips"]]
        assert bool(self.model.subnets_on(network_id)) == bool(addresses)
        for address in addresses:
            assert address not in self.model.used(network_id)
            assert ip in (None, address)
        self.model.ports[made["id"]] = Port(
            network_id=network_id,
            name=name,
            mac=made["mac_address"],
            ip=addresses[0] if addresses else None,
            groups=frozenset(group_ids),
        )
        return made["id"]

    @rule(network_id=networks, count=st.integers(2, 4))
    def create_more_ports_than_there_is_room_for(self, network_id: str, count: int) -> None:
        """All of a bulk request is refused with its last element."""
        subnets = self.model.subnets_on(network_id)
        one = {"network_id": network_id, "port_security_enabled": True}
        bad = {**one, "fixed_ips": [{"ip_address": "1.2.3.4"}]}
        expected = {400, 409} if subnets else {400}
        if network_id not in self.model.networks:
            expected = {404}
        self.send_any(expected, "POST", "ports", {"ports": [*([one] * count), bad]})

    @rule(port_id=ports, name=NAMES, ip=st.sampled_from(ADDRESSES))
    def update_port(self, port_id: str, name: str, ip: str | None) -> None:
        port = self.model.ports.get(port_id)
        values: dict[str, Any] = {"name": name}
        expected = 404
        if port is not None:
            expected = 200
            if ip is not None and ip != port.ip:
                expected = self.model.can_take(port.network_id, ip, 200)
            if ip is not None:
                values["fixed_ips"] = [{"ip_address": ip}]
        if self.send(expected, "PUT", f"ports/{port_id}", {"port": values}) and port is not None:
            port.name, port.ip = name, ip or port.ip

    @rule(port_id=ports, group_ids=st.sets(groups, max_size=2))
    def move_port(self, port_id: str, group_ids: set[str]) -> None:
        port = self.model.ports.get(port_id)
        expected = 200 if port is not None and group_ids <= set(self.model.groups) else 404
        body = {"port": {"security_groups": sorted(group_ids)}}
        if self.send(expected, "PUT", f"ports/{port_id}", body) and port is not None:
            port.groups = frozenset(group_ids)

    @rule(port_id=consumes(ports))
    def delete_port(self, port_id: str) -> None:
        if self.delete(self.model.can_delete_port(port_id), "port", port_id):
            del self.model.ports[port_id]

    @rule(target=groups, name=NAMES)
    def create_group(self, name: str) -> str:
        return self._make("security_group", self.model.groups, name)

    @rule(group_id=groups)
    def delete_group(self, group_id: str) -> None:
        if group_id not in self.model.groups:
            self.send(404, "DELETE", f"security-groups/{group_id}")
        elif self.delete(self.model.can_delete_group(group_id), "security_group", group_id):
            del self.model.groups[group_id]

    # --- routers ------------------------------------------------------------------------

    @rule(target=routers, name=NAMES)
    def create_router(self, name: str) -> str:
        return self._make("router", self.model.routers, name)

    @rule(router_id=routers, subnet_id=subnets)
    def attach(self, router_id: str, subnet_id: str) -> None:
        there = router_id in self.model.routers and subnet_id in self.model.subnets
        expected = self.model.can_attach(router_id, subnet_id) if there else 404
        body = {"subnet_id": subnet_id}
        answer = self.send(expected, "PUT", f"routers/{router_id}/add_router_interface", body)
        if answer is not None:
            subnet = self.model.subnets[subnet_id]
            made = self.api.get(f"ports/{answer.json['port_id']}")["port"]
            self.model.ports[made["id"]] = Port(
                network_id=subnet.network_id,
                name=made["name"],
                mac=made["mac_address"],
                ip=subnet.gateway,
                router_id=router_id,
            )
            self.send(409, "DELETE", f"ports/{made['id']}")

    @rule(router_id=routers, subnet_id=subnets)
    def detach(self, router_id: str, subnet_id: str) -> None:
        there = router_id in self.model.routers and subnet_id in self.model.subnets
        expected = self.model.can_detach(router_id, subnet_id) if there else 404
        body = {"subnet_id": subnet_id}
        answer = self.send(expected, "PUT", f"routers/{router_id}/remove_router_interface", body)
        if answer is not None:
            del self.model.ports[answer.json["port_id"]]

    @rule(router_id=routers)
    def delete_router(self, router_id: str) -> None:
        if router_id not in self.model.routers:
            self.send(404, "DELETE", f"routers/{router_id}")
        elif self.delete(self.model.can_delete_router(router_id), "router", router_id):
            del self.model.routers[router_id]

    # --- what must hold -------------------------------------------------------------------

    @precondition(lambda self: self.model.networks)
    @rule(name=NAMES)
    def crash(self, name: str) -> None:
        """The server dies between two requests; the second one waits for it, no more."""
        self.nb.kill()
        self.nb.start()
        self.rename_network(min(self.model.networks), name)

    @invariant()
    def agrees(self) -> None:
        """Northbound holds the rows that follow from the model, and no others."""
        with closing(Ovsdb(self.nb.socket)) as session:
            selects = [{"op": "select", "table": table, "where": []} for table in TABLES]
            results = session.transact(selects)
        tables = {table: result["rows"] for table, result in zip(TABLES, results)}
        assert self.model.rows() == read_rows(tables)


def test_model() -> None:
    """Whatever is asked for, the status and the rows are those of the model."""
    is_shallow = os.environ.get("TESTS_DEPTH") == "shallow"
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=6 if is_shallow else 25,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
