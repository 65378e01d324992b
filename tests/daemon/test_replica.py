# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A replica that followed changes is the same as one that was loaded after them."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from daemon.northbound import within
from daemon.ovsdb import OvsdbServer
from daemon.proxy import Api, running_api
from ovirt_ovn_proxy.listing import render_ports
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.ops import Operation
from ovirt_ovn_proxy.nb.replica import Replica

pytestmark = pytest.mark.daemon

ROUTER = "Logical_Router"
TRANSACTIONS = 100
_ELEMENTS = [f"02:00:00:00:01:0{number} 10.0.0.{number}" for number in range(1, 4)]


class Author:
    """Composes random transactions, as any client of the database might send them.

    Keeps in mind which rows there are; `choose` decides everything.
    """

    def __init__(self, choose: random.Random) -> None:
        self._choose = choose
        self._members: dict[str, set[str]] = {}
        self._names: dict[str, str] = {}
        self._special: dict[str, str] = {}
        self._dhcp: list[str] = []
        self._router = ""
        self._router_ports: list[str] = []
        self._groups: dict[str, list[str]] = {}
        self._count = 0
        self._used: set[tuple[str, str]] = set()

    def begin(self) -> list[Operation]:
        """Return the first transaction: NB_Global and a router."""
        self._router = self._uuid()
        return [
            ops.insert(schema.NB_GLOBAL, self._uuid(), {}),
            {"op": "insert", "table": ROUTER, "uuid": self._router, "row": {"name": "r"}},
        ]

    def transaction(self) -> list[Operation]:
        """Return a transaction of some changes; none touches what another one does."""
        self._used = set()
        operations: list[Operation] = []
        changes: Sequence[Callable[[], list[Operation]]] = (
            self._insert_switch,
            self._insert_port,
            self._insert_port,
            self._insert_port,
            self._change_port,
            self._change_port,
            self._change_port,
            self._move_port,
            self._move_port,
            self._swap_names,
            self._remove_port,
            self._change_switch,
            self._insert_dhcp,
            self._change_dhcp,
            self._change_dhcp,
            self._delete_dhcp,
            self._insert_router_port,
            self._change_router_port,
            self._delete_router_port,
            self._insert_group,
            self._change_members,
            self._change_members,
            self._add_acl,
            self._remove_acl,
            self._delete_group,
            self._count_up,
        )
        for _ in range(self._choose.randint(1, 4)):
            operations += self._choose.choice(changes)()
        if self._choose.random() < 0.08:
            operations += self._delete_switch()
        return operations

    # --- choices ----------------------------------------------------------

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._choose.getrandbits(128), version=4))

    def _fresh(self, kind: str, candidates: Sequence[str]) -> str | None:
        """Return one that this transaction has not touched, None if there is none."""
        free = [each for each in candidates if (kind, each) not in self._used]
        if not free:
            return None
        chosen = self._choose.choice(free)
        self._used.add((kind, chosen))
        return chosen

    def _name(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def _mac(self) -> str:
        return f"02:00:00:00:00:{self._choose.randrange(16):02x}"

    def _ip(self) -> str:
        network = self._choose.choice(["10.0.0.", "10.0.1.", "fd00::"])
        return f"{network}{self._choose.randrange(1, 10)}"

    def _cidr(self) -> str:
        return self._choose.choice(
            ["10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/29", "fd00::/64", "nonsense"]
        )

    def _columns(self) -> dict[str, Any]:
        """Return random columns of an ordinary port."""
        addresses = self._choose.choice(
            [
                (f"{self._mac()} {self._ip()}",),
                (f"{self._mac()} {self._ip()} {self._ip()}",),
                (self._mac(),),
                (f"{self._mac()} dynamic",),
                ("dynamic",),
                ("unknown",),
                (f"{self._mac()} {self._ip()}", "unknown"),
                self._choose.sample(_ELEMENTS, 2),
                self._choose.sample(_ELEMENTS, 2),
                ("nonsense",),
                (),
            ]
        )
        return {
            "addresses": addresses,
            "dynamic_addresses": self._choose.choice([None, f"{self._mac()} {self._ip()}"]),
            "enabled": self._choose.choice([None, True, False]),
            "up": self._choose.choice([None, True, False]),
            "tag": self._choose.choice([None, 5, 6]),
            "external_ids": self._port_ids(),
        }

    def _port_ids(self) -> dict[str, str]:
        ids = {keys.NIC_NAME: self._choose.choice("abc")} if self._choose.random() < 0.9 else {}
        if self._choose.random() < 0.5:
            ids[keys.DEVICE_ID] = f"vm{self._choose.randrange(3)}"
        if self._choose.random() < 0.3:
            ids[keys.DEVICE_OWNER] = "oVirt"
        return ids

    def _dhcp_ids(self) -> dict[str, str]:
        owner = self._choose.random()
        if owner < 0.7 and self._members:
            network = self._choose.choice([*self._members, self._uuid()])
            return {keys.SUBNET_NETWORK: network, keys.SUBNET_NAME: self._choose.choice("abc")}
        if owner < 0.9 and self._names:
            return {keys.PORT_OF_OPTIONS: self._choose.choice(list(self._names.values()))}
        return {}

    # --- switches and ports -----------------------------------------------

    def _insert_switch(self) -> list[Operation]:
        if len(self._members) > 5:
            return []
        row = self._uuid()
        self._members[row] = set()
        self._used.add(("switch", row))
        return [ops.insert(schema.SWITCH, row, {"name": "s", "external_ids": self._switch_ids()})]

    def _switch_ids(self) -> dict[str, str]:
        return {keys.NETWORK_NAME: "n"} if self._choose.random() < 0.8 else {}

    def _change_switch(self) -> list[Operation]:
        row = self._fresh("switch", list(self._members))
        if row is None:
            return []
        return [ops.update(schema.SWITCH, row, {"external_ids": self._switch_ids()})]

    def _delete_switch(self) -> list[Operation]:
        """Delete a switch with its ports, but for one that moves away in the same transaction."""
        row = self._fresh("switch", list(self._members))
        if row is None or len(self._members) < 3:
            return []
        moves = self._move_port(row)
        for port in self._members.pop(row):
            self._forget(port)
        return [*moves, ops.delete(schema.SWITCH, row)]

    def _forget(self, port: str) -> None:
        del self._names[port]
        self._special.pop(port, None)

    def _insert_port(self) -> list[Operation]:
        if not self._members or len(self._names) > 40:
            return []
        switch = self._choose.choice(list(self._members))
        row, name = self._uuid(), self._name("p")
        self._members[switch].add(row)
        self._names[row] = name
        self._used |= {("port", row), ("switch", switch)}
        columns = {"name": name, **self._columns()}
        # A switch has one localnet port, a router port one port behind it.
        kind = self._choose.choice(["", "", "", "router", "localnet"])
        place = switch if kind == "localnet" else f"rp{self._choose.randrange(4)}"
        if kind and place not in self._special.values():
            self._special[row] = place
            columns["type"] = kind
            if kind == "router":
                columns.update(addresses=("router",), options={"router-port": place})
        return [
            ops.insert(schema.PORT, row, columns),
            ops.add_to_set(schema.SWITCH, switch, "ports", [row]),
        ]

    def _change_port(self) -> list[Operation]:
        row = self._fresh("port", list(self._names))
        if row is None:
            return []
        columns = self._columns()
        wanted = self._choose.sample(list(columns), self._choose.randint(1, 3))
        return [ops.update(schema.PORT, row, {column: columns[column] for column in wanted})]

    def _move_port(self, leaving: str | None = None) -> list[Operation]:
        """Move a port to another switch; `leaving`: a port of this switch."""
        localnets = {port for port, place in self._special.items() if place in self._members}
        movable = [port for port in self._names if port not in localnets]
        if leaving is not None:
            movable = [port for port in movable if port in self._members[leaving]]
        row = self._fresh("port", movable)
        if row is None or len(self._members) < 2:
            return []
        here = next(switch for switch, ports in self._members.items() if row in ports)
        there = self._choose.choice([switch for switch in self._members if switch != here])
        self._members[here].remove(row)
        self._members[there].add(row)
        self._used.add(("switch", there))
        moves = [
            ops.remove_from_set(schema.SWITCH, here, "ports", [row]),
            ops.add_to_set(schema.SWITCH, there, "ports", [row]),
        ]
        self._choose.shuffle(moves)
        return moves

    def _swap_names(self) -> list[Operation]:
        """Let two ports change their names: neither is ever there twice, or not at all."""
        rows = [self._fresh("port", list(self._names)) for _ in range(2)]
        if None in rows:
            return []
        one, two = (row for row in rows if row is not None)
        self._names[one], self._names[two] = self._names[two], self._names[one]
        return [ops.update(schema.PORT, row, {"name": self._names[row]}) for row in (one, two)]

    def _remove_port(self) -> list[Operation]:
        row = self._fresh("port", list(self._names))
        if row is None:
            return []
        switch = next(switch for switch, ports in self._members.items() if row in ports)
        self._members[switch].remove(row)
        self._forget(row)
        return [ops.remove_from_set(schema.SWITCH, switch, "ports", [row])]

    # --- subnets, routers, counters ---------------------------------------

    def _insert_dhcp(self) -> list[Operation]:
        row = self._uuid()
        self._dhcp.append(row)
        self._used.add(("dhcp", row))
        columns = {"cidr": self._cidr(), "external_ids": self._dhcp_ids()}
        return [ops.insert(schema.DHCP, row, columns)]

    def _change_dhcp(self) -> list[Operation]:
        row = self._fresh("dhcp", self._dhcp)
        if row is None:
            return []
        columns: list[dict[str, Any]] = [
            {"cidr": self._cidr()},
            {"external_ids": self._dhcp_ids()},
        ]
        return [ops.update(schema.DHCP, row, self._choose.choice(columns))]

    def _delete_dhcp(self) -> list[Operation]:
        row = self._fresh("dhcp", self._dhcp)
        if row is None:
            return []
        self._dhcp.remove(row)
        return [ops.delete(schema.DHCP, row)]

    def _router_port_columns(self) -> dict[str, Any]:
        networks = {f"{self._ip()}/24", f"{self._ip()}/24"}
        return {"mac": self._mac(), "networks": sorted(networks)}

    def _insert_router_port(self) -> list[Operation]:
        name = f"rp{len(self._router_ports)}"
        if len(self._router_ports) > 3:
            return []
        row = self._uuid()
        self._router_ports.append(row)
        self._used.add(("router port", row))
        columns = {"name": name, **self._router_port_columns()}
        return [
            ops.insert(schema.ROUTER_PORT, row, columns),
            self._router_mutation("insert", row),
        ]

    def _change_router_port(self) -> list[Operation]:
        row = self._fresh("router port", self._router_ports)
        if row is None:
            return []
        return [ops.update(schema.ROUTER_PORT, row, self._router_port_columns())]

    def _delete_router_port(self) -> list[Operation]:
        # The last one, so that names stay unique.
        row = self._fresh("router port", self._router_ports[-1:])
        if row is None:
            return []
        self._router_ports.remove(row)
        return [self._router_mutation("delete", row)]

    def _router_mutation(self, mutator: str, row: str) -> Operation:
        return {
            "op": "mutate",
            "table": ROUTER,
            "where": [["_uuid", "==", ["uuid", self._router]]],
            "mutations": [["ports", mutator, ["set", [["uuid", row]]]]],
        }

    def _insert_group(self) -> list[Operation]:
        if len(self._groups) > 3:
            return []
        row = self._uuid()
        self._groups[row] = []
        self._used.add(("group", row))
        members = self._choose.sample(list(self._names), min(3, len(self._names)))
        columns = {"name": f"g{self._name('')}", "ports": set(members)}
        return [ops.insert(schema.PORT_GROUP, row, columns)]

    def _change_members(self) -> list[Operation]:
        row = self._fresh("group", list(self._groups))
        if row is None:
            return []
        ports = self._choose.sample(list(self._names), min(2, len(self._names)))
        change = self._choose.choice([ops.add_to_set, ops.remove_from_set])
        return [change(schema.PORT_GROUP, row, "ports", ports)]

    def _add_acl(self) -> list[Operation]:
        row = self._fresh("group", list(self._groups))
        if row is None:
            return []
        acl = self._uuid()
        self._groups[row].append(acl)
        columns = {
            "direction": "to-lport",
            "priority": 1001,
            "match": self._name("m"),
            "action": "drop",
        }
        return [
            ops.insert(schema.ACL, acl, columns),
            ops.add_to_set(schema.PORT_GROUP, row, "acls", [acl]),
        ]

    def _remove_acl(self) -> list[Operation]:
        row = self._fresh("group", list(self._groups))
        if row is None or not self._groups[row]:
            return []
        return [ops.remove_from_set(schema.PORT_GROUP, row, "acls", [self._groups[row].pop()])]

    def _delete_group(self) -> list[Operation]:
        row = self._fresh("group", list(self._groups))
        if row is None or self._choose.random() < 0.5:
            return []
        del self._groups[row]
        return [ops.delete(schema.PORT_GROUP, row)]

    def _count_up(self) -> list[Operation]:
        key = f"{keys.SEQUENCE}{self._choose.randrange(3)}"
        value = self._choose.choice([None, self._name("")])
        mutations: list[Any] = [["external_ids", "delete", ["set", [key]]]]
        if value is not None:
            mutations.append(["external_ids", "insert", ["map", [[key, value]]]])
        return [{"op": "mutate", "table": schema.NB_GLOBAL, "where": [], "mutations": mutations}]


# --- comparing -----------------------------------------------------------------


def plain(value: Any) -> Any:
    """Return a column's value without what its kind leaves open: the order of sets."""
    return sorted(value) if isinstance(value, (tuple, set)) else value


def content(replica: Replica) -> dict[str, Any]:
    """Return everything that can be looked up in a replica, as values."""
    known = replica.indexes
    tables = {
        table: {
            row.uuid: {column: plain(getattr(row, column)) for column in schema.TABLES[table]}
            for row in rows.values()
        }
        for table, rows in replica.tables.items()
    }

    def grouped(index: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
        return {key: sorted(rows) for key, rows in index.items()}

    with replica.lock:  # the connection's thread may be counting
        usage = {
            switch.uuid: {
                "macs": dict(known.usage_of(switch).macs),
                "v4": _numbers(known.usage_of(switch).v4),
                "v6": _numbers(known.usage_of(switch).v6),
            }
            for switch in replica.tables.switches.values()
        }
    router_ports = {
        port.name: getattr(known.router_port_of(port), "uuid", None)
        for port in replica.tables.ports.values()
        if port.type == "router"
    }
    return {
        **tables,
        "ports by name": {name: row.uuid for name, row in known.ports_by_name.items()},
        "ports by device": {
            key: sorted(row.uuid for row in rows) for key, rows in known.ports_by_device.items()
        },
        "subnets by network": grouped(known.subnets_by_network),
        "options by port": grouped(known.options_by_port),
        "localnet by switch": {key: set(rows) for key, rows in known.localnets_by_switch.items()},
        "router sides": {key: set(rows) for key, rows in known.router_sides_by_switch.items()},
        "floating IPs": {key: row.uuid for key, row in known.floating_ips.items()},
        "foreign NAT": set(known.foreign_nat),
        "parents": {row.uuid: row.switch for row in replica.tables.ports.values()},
        "owners": known.owners,
        "router ports": router_ports,
        "usage": usage,
    }


def _numbers(used: Any) -> list[int]:
    """Return what is used, in order, by way of the search for what is free."""
    return [number for number in sorted(used._counts) if used.has_any(number, number)]


def listed(api: Api, replica: Replica) -> list[Any]:
    """Return the rendered list of all ports in order of ids."""
    body = b"".join(render_ports(replica, api.config))
    ports: list[Any] = sorted(json.loads(body)["ports"], key=lambda port: str(port["id"]))
    return ports


@pytest.fixture
def apis(nb: OvsdbServer) -> Iterator[tuple[Api, Api]]:
    """The application that is looked at, and one whose connection is the author's pen."""
    with running_api(nb) as api, running_api(nb) as pen:
        yield api, pen


@pytest.mark.parametrize("seed", range(3))
def test_same_as_fresh(apis: tuple[Api, Api], nb: OvsdbServer, seed: int) -> None:
    """After each transaction of any kind, every table, index and rendered list is as if loaded."""
    api, pen = apis
    author = Author(random.Random(seed))
    pen.connection.transact(author.begin(), within(5))
    most = 0
    for number in range(TRANSACTIONS):
        operations = author.transaction()
        pen.connection.transact(operations, within(5))
        api.connection.barrier(within(5))
        replica = api.connection.replica
        assert replica is not None
        rendered = listed(api, replica)
        with running_api(nb) as fresh:
            loaded = fresh.connection.replica
            assert loaded is not None
            expected = content(loaded)

            assert expected == content(replica), (number, operations)
            most = max(most, len(rendered))
            assert listed(fresh, loaded) == rendered, (number, operations)
        assert replica is api.connection.replica
    assert most > 5


def same(apis: tuple[Api, Api], nb: OvsdbServer, *transactions: Sequence[Operation]) -> bool:
    """Commit transactions; say whether the replica then is what a fresh one is."""
    api, pen = apis
    for operations in transactions:
        pen.connection.transact(operations, within(5))
    api.connection.barrier(within(5))
    with running_api(nb) as fresh:
        replica, loaded = api.connection.replica, fresh.connection.replica
        assert replica is not None
        assert loaded is not None
        return content(loaded) == content(replica)


NET, PORT, OTHER_PORT, ROW = (str(uuid.UUID(int=number, version=4)) for number in range(1, 5))


def switch_with(*ports: tuple[str, dict[str, Any]]) -> list[Operation]:
    """Return the operations that insert a switch with these ports."""
    inserts = [ops.insert(schema.PORT, row, {"name": row, **columns}) for row, columns in ports]
    switch = ops.insert(schema.SWITCH, NET, {"name": "s", "external_ids": {keys.NETWORK_NAME: "s"}})
    return [
        switch,
        *inserts,
        ops.add_to_set(schema.SWITCH, NET, "ports", [row for row, _ in ports]),
    ]


def test_elements_of_addresses(apis: tuple[Api, Api], nb: OvsdbServer) -> None:
    """Which of several elements of `addresses` counts does not depend on their history."""
    one, two, three = (f"02:00:00:00:00:0{number} 10.0.0.{number}" for number in (1, 2, 3))

    assert same(
        apis,
        nb,
        switch_with((PORT, {"addresses": [two, three]})),
        [ops.update(schema.PORT, PORT, {"addresses": [one, two]})],
    )


def test_second_localnet_port(apis: tuple[Api, Api], nb: OvsdbServer) -> None:
    """A localnet port that comes and goes beside another one leaves the network its own."""
    assert same(
        apis,
        nb,
        switch_with((PORT, {"type": "localnet"})),
        [
            ops.insert(schema.PORT, OTHER_PORT, {"name": "second", "type": "localnet"}),
            ops.add_to_set(schema.SWITCH, NET, "ports", [OTHER_PORT]),
        ],
        [ops.remove_from_set(schema.SWITCH, NET, "ports", [OTHER_PORT])],
    )


def test_renamed_router_port(apis: tuple[Api, Api], nb: OvsdbServer) -> None:
    """A port behind a router port that was renamed has no addresses any more."""
    columns = {"name": "old", "mac": "02:00:00:00:00:01", "networks": ["10.0.0.1/24"]}
    router = {"name": "r", "ports": ["uuid", ROW]}
    options = {"router-port": "old"}

    assert same(
        apis,
        nb,
        switch_with((PORT, {"type": "router", "addresses": ["router"], "options": options})),
        [
            {"op": "insert", "table": ROUTER, "row": router},
            ops.insert(schema.ROUTER_PORT, ROW, columns),
        ],
        [ops.update(schema.ROUTER_PORT, ROW, {"name": "new"})],
    )
