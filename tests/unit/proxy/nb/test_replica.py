# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The replica after updates is the replica of a fresh dump, indexes and all.

Each case applies transactions in <table-updates2> form and compares every index,
and which rendered answers are left, with what a new replica would hold.
"""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.replica import Replica
from ovirt_ovn_proxy.nb.rows import DhcpOptions, Nat, RouterPort, Row
from ovirt_ovn_proxy.nb.schema import ACL, DHCP, NAT, NB_GLOBAL, PORT_GROUP, ROUTER_PORT, SWITCH
from ovirt_ovn_proxy.nb.schema import PORT as PORT_TABLE
from ovirt_ovn_proxy.nb.usage import Usage
from ovirt_ovn_proxy.nb.values import encode, encode_set
from unit.proxy.plans import (
    DEFAULT,
    GROUP,
    GROUP2,
    MAC,
    MAC2,
    NB,
    NET,
    OTHER_NET,
    OWN_ROW,
    PORT,
    PORT2,
    ROUTER_SIDE,
    RULE,
    SUBNET,
    a_group,
    a_localnet,
    a_network,
    a_port,
    a_router_port,
    a_rule,
    a_subnet,
    nb_global,
    replica_of,
    row_id,
)

Updates = dict[str, dict[str, dict[str, Any]]]


def inserted(*rows: Row) -> Updates:
    """Return the update that inserts these rows."""
    updates: Updates = {}
    for row in rows:
        columns = {name: encode(row.table, name, value) for name, value in row.columns().items()}
        updates.setdefault(row.table, {})[row.uuid] = {"insert": columns}
    return updates


def modified(table: str, uuid: str, **columns: Any) -> Updates:
    """Return the update of single-valued columns of a row, in OVSDB notation."""
    return {table: {uuid: {"modify": columns}}}


def deleted(*rows: tuple[str, str]) -> Updates:
    """Return the update that deletes rows."""
    updates: Updates = {}
    for table, uuid in rows:
        updates.setdefault(table, {})[uuid] = {"delete": None}
    return updates


def toggled(network_id: str, *port_uuids: str) -> Updates:
    """Return the update in which a switch gains or loses ports."""
    return modified(SWITCH, network_id, ports=encode_set(port_uuids, is_reference=True))


def together(*updates: Updates) -> Updates:
    """Return one transaction of several updates, in the order of their tables."""
    merged: Updates = {}
    for update in updates:
        for table, rows in update.items():
            for uuid, change in rows.items():
                merged.setdefault(table, {}).setdefault(uuid, {}).update(change)
    return merged


def indexes(replica: Replica) -> dict[str, Any]:
    """Return everything that the replica can be asked, as plain values."""
    tables, known = replica.tables, replica.indexes
    return {
        "rows": {
            (table, uuid): row.columns()
            for table, rows in tables.items()
            for uuid, row in rows.items()
        },
        "parents": {port.uuid: port.switch for port in tables.ports.values()},
        "names": {name: port.uuid for name, port in known.ports_by_name.items()},
        "port groups": {name: row.uuid for name, row in known.port_groups_by_name.items()},
        "devices": {key: {row.uuid for row in rows} for key, rows in known.ports_by_device.items()},
        "subnets": {key: set(rows) for key, rows in known.subnets_by_network.items()},
        "options": {key: set(rows) for key, rows in known.options_by_port.items()},
        "localnets": {key: set(ports) for key, ports in known.localnets_by_switch.items()},
        "router sides": {key: set(ports) for key, ports in known.router_sides_by_switch.items()},
        "floating IPs": {key: port.uuid for key, port in known.floating_ips.items()},
        "foreign NAT": set(known.foreign_nat),
        "macs": {
            switch.uuid: dict(known.usage_of(switch).macs) for switch in tables.switches.values()
        },
        "addresses": {
            (switch.uuid, version): sorted(known.usage_of(switch).of(version)._counts.items())
            for switch in tables.switches.values()
            for version in (4, 6)
        },
        "router ports": {
            port.uuid: getattr(known.router_port_of(port), "uuid", None)
            for port in tables.ports.values()
        },
    }


def assert_as_fresh(replica: Replica) -> None:
    """Assert that a new dump of the same rows gives the same replica."""
    fresh = replica_of(*(row for rows in replica.tables.values() for row in rows.values()))

    assert indexes(fresh) == indexes(replica)


def used(replica: Replica) -> Usage:
    """Return what is taken on the network."""
    return replica.indexes.usage_of(replica.tables.switches[NET])


def render(replica: Replica) -> None:
    """Pretend that every answer has been rendered."""
    for switch in replica.tables.switches.values():
        switch.rendered, switch.is_rendered = b"{}", True
    for port in replica.tables.ports.values():
        port.rendered = b"{}"


def forgotten(replica: Replica) -> set[str]:
    """Return the uuids of the rows without a rendered answer."""
    switches = {row.uuid for row in replica.tables.switches.values() if not row.is_rendered}
    return switches | {row.uuid for row in replica.tables.ports.values() if row.rendered is None}


VM = a_port(f"{MAC} 10.0.0.5 fd00::5", external_ids={keys.DEVICE_ID: "vm"})
VM2 = a_port(f"{MAC2} 10.0.0.6", PORT2, external_ids={keys.DEVICE_ID: "vm"})
NETS = (a_network(PORT), a_network(PORT2, uuid=OTHER_NET))
# Rows of a database with everything, to change one thing of.
SITE: tuple[Row, ...] = (
    nb_global(),
    *NETS,
    VM,
    VM2,
    a_subnet(),
    DhcpOptions.new(OWN_ROW, cidr="10.0.0.0/24", external_ids={keys.PORT_OF_OPTIONS: PORT}),
    a_group(RULE),
    a_rule(),
    a_group(uuid=DEFAULT, name="Default"),
)
EVERYTHING = {NET, PORT, OTHER_NET, PORT2}


def test_loaded() -> None:
    """A dump in any order of its rows gives the same indexes."""
    expected = indexes(replica_of(*SITE))

    assert expected["names"] == {PORT: PORT, PORT2: PORT2}
    assert expected["parents"] == {PORT: NET, PORT2: OTHER_NET}
    assert expected["devices"] == {"vm": {PORT, PORT2}}
    assert expected["subnets"] == {NET: {SUBNET}}
    assert expected["options"] == {PORT: {OWN_ROW}}
    assert expected["macs"] == {NET: {MAC: 1}, OTHER_NET: {MAC2: 1}}
    assert expected["addresses"][NET, 4] == [(0x0A000005, 1)]
    assert expected["addresses"][NET, 6] == [(0xFD << 120 | 5, 1)]
    for rows in itertools.islice(itertools.permutations(SITE), 0, 5040, 97):
        assert expected == indexes(replica_of(*rows))


@pytest.mark.parametrize("order", list(itertools.permutations([SWITCH, PORT_TABLE, DHCP])))
def test_insert_in_any_order_of_tables(order: tuple[str, ...]) -> None:
    """A transaction that inserts a network, its port and its subnet is read in any order."""
    updates = inserted(a_network(PORT), VM, a_subnet())
    replica = Replica()
    replica.loaded()
    replica.apply({table: updates[table] for table in order})

    assert indexes(replica_of(a_network(PORT), VM, a_subnet())) == indexes(replica)
    assert {NET, PORT} == forgotten(replica)


@pytest.mark.parametrize("order", [(SWITCH, PORT_TABLE), (PORT_TABLE, SWITCH)])
def test_port_joins(order: tuple[str, str]) -> None:
    """A new port on an old network is found, and only that network is rendered again."""
    replica = replica_of(a_network(), a_network(PORT2, uuid=OTHER_NET), VM2)
    render(replica)
    updates = together(inserted(VM), toggled(NET, PORT))
    replica.apply({table: updates[table] for table in order})

    assert_as_fresh(replica)
    assert replica.tables.ports[PORT].switch == NET
    assert {NET, PORT} == forgotten(replica)


def test_first_search_waits_for_nothing() -> None:
    """What is taken is in order before anybody asks what is free."""
    replica = replica_of(*SITE)
    replica.settle()

    assert used(replica).v4._sorted == used(replica).v4.in_order() != []
    assert used(replica).v6._sorted == used(replica).v6.in_order() != []


@pytest.mark.parametrize("order", [(SWITCH, PORT_TABLE), (PORT_TABLE, SWITCH)])
def test_port_leaves(order: tuple[str, str]) -> None:
    """A deleted port gives back its name, device and addresses."""
    replica = replica_of(*SITE)
    render(replica)
    updates = together(toggled(NET, PORT), deleted((PORT_TABLE, PORT)))
    replica.apply({table: updates[table] for table in order})

    assert_as_fresh(replica)
    assert PORT not in replica.indexes.ports_by_name
    assert used(replica).macs == {}
    assert {NET} == forgotten(replica)


@pytest.mark.parametrize("order", [(NET, OTHER_NET), (OTHER_NET, NET)])
def test_port_moves(order: tuple[str, str]) -> None:
    """A port that moves to another switch takes its addresses along."""
    replica = replica_of(*SITE)
    render(replica)
    both = together(toggled(NET, PORT), toggled(OTHER_NET, PORT))
    replica.apply({SWITCH: {network: both[SWITCH][network] for network in order}})

    assert_as_fresh(replica)
    assert replica.tables.ports[PORT].switch == OTHER_NET
    assert {NET, OTHER_NET, PORT} == forgotten(replica)


@pytest.mark.parametrize("is_deleted_first", [True, False])
def test_port_moves_from_a_deleted_switch(is_deleted_first: bool) -> None:
    """A port that outlives its switch belongs to the new one."""
    replica = replica_of(*SITE)
    gone = deleted((SWITCH, NET))
    gain = toggled(OTHER_NET, PORT)
    replica.apply(together(gone, gain) if is_deleted_first else together(gain, gone))

    assert_as_fresh(replica)
    assert replica.tables.ports[PORT].switch == OTHER_NET


def test_switch_is_deleted() -> None:
    """A network goes with its ports and leaves nothing in the indexes."""
    replica = replica_of(*SITE)
    replica.apply(deleted((SWITCH, NET), (PORT_TABLE, PORT), (DHCP, SUBNET), (DHCP, OWN_ROW)))

    assert_as_fresh(replica)
    assert replica.indexes.ports_by_device == {"vm": (replica.tables.ports[PORT2],)}
    assert (replica.indexes.subnets_by_network, replica.indexes.options_by_port) == ({}, {})


def test_name_changes_hands() -> None:
    """A name that a deleted port had belongs to the new one, whatever the order."""
    twin = a_port(f"{MAC} 10.0.0.5", row_id(70), name=PORT)
    for first, second in itertools.permutations(
        [(PORT, {"delete": None}), (row_id(70), inserted(twin)[PORT_TABLE][row_id(70)])]
    ):
        replica = replica_of(*SITE)
        updates = {PORT_TABLE: dict([first, second]), **toggled(NET, PORT, row_id(70))}
        replica.apply(updates)

        assert_as_fresh(replica)
        assert replica.indexes.ports_by_name[PORT].uuid == row_id(70)


def test_address_changes_hands() -> None:
    """An address that one port gives and another takes in one transaction is in use once."""
    one, two = a_port(f"{MAC} 10.0.0.5"), a_port(f"{MAC2} 10.0.0.6", PORT2)
    replica = replica_of(a_network(PORT, PORT2), one, two)
    swap = {
        PORT: {"modify": {"addresses": ["set", [f"{MAC} 10.0.0.5", f"{MAC} 10.0.0.6"]]}},
        PORT2: {"modify": {"addresses": ["set", [f"{MAC2} 10.0.0.6", f"{MAC2} 10.0.0.7"]]}},
    }
    replica.apply({PORT_TABLE: swap})

    assert_as_fresh(replica)
    assert replica.tables.ports[PORT].addresses == (f"{MAC} 10.0.0.6",)


def test_router_side_changes() -> None:
    """What the router's side says is what its switch port answers to."""
    port, router_side = a_router_port()
    replica = replica_of(a_network(PORT, port.uuid), VM, port, router_side)
    render(replica)
    replica.apply(modified(ROUTER_PORT, ROUTER_SIDE, networks=["set", ["10.0.0.254/24"]]))

    assert_as_fresh(replica)
    # The difference of a set with one element toggles: now it has both.
    assert used(replica).v4.has_any(0x0A0000FE, 0x0A0000FE)
    assert {NET, port.uuid} == forgotten(replica)


def test_router_side_comes_and_goes() -> None:
    """A switch port is in the indexes before and after the router has its side."""
    port, router_side = a_router_port()
    replica = replica_of(a_network(port.uuid), port)
    assert used(replica).macs == {}

    replica.apply(inserted(router_side))
    assert_as_fresh(replica)
    assert used(replica).macs == {MAC2: 1}

    render(replica)
    replica.apply(deleted((ROUTER_PORT, ROUTER_SIDE)))
    assert_as_fresh(replica)
    assert {NET, port.uuid} == forgotten(replica)


def test_router_side_is_replaced() -> None:
    """A router's side under the same name takes over in one transaction."""
    port, router_side = a_router_port()
    replica = replica_of(a_network(port.uuid), port, router_side)
    new = RouterPort.new(row_id(71), name="lrp1", mac=MAC, networks=("10.0.0.9/24",))
    replica.apply(together(deleted((ROUTER_PORT, ROUTER_SIDE)), inserted(new)))

    assert_as_fresh(replica)
    assert used(replica).macs == {MAC: 1}


def test_router_port_is_deleted_with_its_router_side() -> None:
    """Both sides may go at once."""
    port, router_side = a_router_port()
    replica = replica_of(a_network(port.uuid), port, router_side)
    gone = deleted((ROUTER_PORT, ROUTER_SIDE), (PORT_TABLE, port.uuid))
    replica.apply(together(gone, toggled(NET, port.uuid)))

    assert_as_fresh(replica)
    assert used(replica).macs == {}


def test_localnet_comes_and_goes() -> None:
    """The port of a physical network is found while it is there."""
    localnet = a_localnet()
    replica = replica_of(a_network())
    replica.apply(together(inserted(localnet), toggled(NET, localnet.uuid)))
    assert replica.indexes.localnets_by_switch == {
        NET: {localnet.uuid: replica.tables.ports[localnet.uuid]}
    }

    replica.apply(together(deleted((PORT_TABLE, localnet.uuid)), toggled(NET, localnet.uuid)))
    assert_as_fresh(replica)
    assert replica.indexes.localnets_by_switch == {}


def test_second_localnet() -> None:
    """Of two localnet ports, which somebody else made, the other is found when one goes."""
    one, two = a_localnet(5), a_localnet(6, uuid=row_id(77))
    replica = replica_of(a_network(one.uuid, two.uuid), one, two)
    gone = min(replica.indexes.localnets_by_switch[NET])
    replica.apply(together(deleted((PORT_TABLE, gone)), toggled(NET, gone)))

    assert_as_fresh(replica)


def test_nat_rules_change_hands() -> None:
    """A NAT rule of another hand is known as long as it is there and has no key of ours."""
    replica = replica_of(Nat.new(row_id(40)), Nat.new(row_id(41), external_ids={"x": "y"}))
    ours = encode(NAT, "external_ids", {keys.NAT_FLOATING_IP: "fip"})

    for update in (
        inserted(Nat.new(row_id(42))),
        modified(NAT, row_id(40), external_ids=ours),
        modified(NAT, row_id(42), external_ids=ours),
        modified(NAT, row_id(40), external_ids=ours),  # taken away again
        deleted((NAT, row_id(41)), (NAT, row_id(42))),
    ):
        replica.apply(update)
        assert_as_fresh(replica)

    assert {row_id(40)} == set(replica.indexes.foreign_nat)


def test_port_groups_swap_names() -> None:
    """Two port groups that change names in one transaction are found by the new ones."""
    replica = replica_of(*SITE)
    names = {uuid: replica.tables.port_groups[uuid].name for uuid in (GROUP, DEFAULT)}
    swapped = [
        modified(PORT_GROUP, one, name=names[other])
        for one, other in ((GROUP, DEFAULT), (DEFAULT, GROUP))
    ]
    replica.apply(together(*swapped))

    assert GROUP == replica.indexes.port_groups_by_name["Default"].uuid
    assert_as_fresh(replica)


@pytest.mark.parametrize(
    ("updates", "expected"),
    [
        # what the ports' answers rest on
        (modified(DHCP, SUBNET, cidr="10.1.0.0/24"), {NET, PORT}),
        (deleted((DHCP, SUBNET)), {NET, PORT}),
        (inserted(a_subnet(uuid=row_id(80), cidr="10.2.0.0/24")), {NET, PORT}),
        (
            modified(DHCP, SUBNET, external_ids=["map", [[keys.SUBNET_NETWORK, OTHER_NET]]]),
            {NET, PORT, OTHER_NET, PORT2},
        ),
        (modified(PORT_TABLE, PORT, up=True), {NET, PORT}),
        (modified(PORT_TABLE, PORT, external_ids=["map", [["k", "v"]]]), {NET, PORT}),
        (modified(PORT_TABLE, PORT2, dynamic_addresses=f"{MAC2} 10.0.0.7"), {OTHER_NET, PORT2}),
        (deleted((PORT_GROUP, DEFAULT)), EVERYTHING),
        (modified(PORT_GROUP, DEFAULT, name="other"), EVERYTHING),
        (
            together(
                deleted((PORT_GROUP, DEFAULT)), inserted(a_group(uuid=GROUP2, name="Default"))
            ),
            EVERYTHING,
        ),
        # what they do not rest on
        (modified(DHCP, SUBNET, options=["map", [["mtu", "9000"]]]), set()),
        (modified(DHCP, SUBNET, external_ids=["map", [[keys.SUBNET_NAME, "new"]]]), set()),
        (modified(DHCP, OWN_ROW, cidr="10.1.0.0/24"), set()),
        (deleted((DHCP, OWN_ROW)), set()),
        (modified(SWITCH, NET, external_ids=["map", [[keys.NETWORK_NAME, "new"]]]), set()),
        (modified(SWITCH, NET, other_config=["map", [["subnet", "10.0.0.0/24"]]]), set()),
        (modified(NB_GLOBAL, NB, external_ids=["map", [["k", "v"]]]), set()),
        (inserted(a_network(uuid=row_id(81))), {row_id(81)}),
        (inserted(RouterPort.new(ROUTER_SIDE, name="lrp9")), set()),
        (inserted(DhcpOptions.new(row_id(82), cidr="10.0.0.0/8")), set()),
        (modified(PORT_GROUP, DEFAULT, ports=["uuid", PORT]), set()),
        (modified(PORT_GROUP, DEFAULT, external_ids=["map", [["k", "v"]]]), set()),
        (modified(PORT_GROUP, GROUP, name="other"), set()),
        (inserted(a_group(uuid=GROUP2)), set()),
        (deleted((PORT_GROUP, GROUP), (ACL, RULE)), set()),
    ],
)
def test_rendered(updates: Updates, expected: set[str]) -> None:
    """A rendered answer is dropped exactly where something that it rests on changed."""
    replica = replica_of(*SITE)
    render(replica)
    replica.apply(updates)

    assert expected == forgotten(replica)
    assert_as_fresh(replica)


def test_initial() -> None:
    """Rows that a monitor condition brings into sight later are new rows."""
    replica = Replica()
    replica.loaded()
    row = inserted(a_network(PORT))[SWITCH][NET]["insert"]
    replica.apply({SWITCH: {NET: {"initial": row}}, PORT_TABLE: inserted(VM)[PORT_TABLE]})

    assert indexes(replica_of(a_network(PORT), VM)) == indexes(replica)


def test_values_of_one_row_are_its_own() -> None:
    """A change of one row never shows in another that had the same value."""
    replica = replica_of(a_network(), a_network(uuid=OTHER_NET))
    replica.apply(modified(SWITCH, NET, other_config=["map", [["k", "v"]]]))

    assert replica.tables.switches[NET].other_config == {"k": "v"}
    assert replica.tables.switches[OTHER_NET].other_config == {}


PORTS = [row_id(number) for number in range(100, 104)]
NETWORKS = [NET, OTHER_NET]
ADDRESS = st.sampled_from([MAC, f"{MAC} 10.0.0.5", f"{MAC2} 10.0.0.6 fd00::6", "unknown"])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_sequence(data: st.DataObject) -> None:
    """After any transactions the replica is what a fresh dump would give."""
    replica = replica_of(*(a_network(uuid=uuid) for uuid in NETWORKS))
    for _ in range(data.draw(st.integers(1, 12))):
        updates: Updates = {}
        for uuid in data.draw(st.sets(st.sampled_from(PORTS), max_size=3)):
            _change_port(data, replica, uuid, updates)
        replica.apply(updates)
        assert_as_fresh(replica)


def _change_port(data: st.DataObject, replica: Replica, uuid: str, updates: Updates) -> None:
    """Add a port that is not there; delete, move or change one that is."""
    port = replica.tables.ports.get(uuid)
    members: set[tuple[str, str]] = set()
    if port is None:
        device = {keys.DEVICE_ID: data.draw(st.sampled_from(["", "vm"]))}
        new = a_port(data.draw(ADDRESS), uuid, external_ids=device)
        updates.setdefault(PORT_TABLE, {}).update(inserted(new)[PORT_TABLE])
        members.add((data.draw(st.sampled_from(NETWORKS)), uuid))
    else:
        what = data.draw(st.sampled_from(["delete", "move", "change"]))
        if what == "delete":
            updates.setdefault(PORT_TABLE, {})[uuid] = {"delete": None}
            members.add((port.switch or "", uuid))
        elif what == "move":
            members.update((network, uuid) for network in NETWORKS)
        else:
            new_address = data.draw(ADDRESS.filter(lambda text: text not in port.addresses))
            addresses = ["set", [*port.addresses, new_address]]
            updates.setdefault(PORT_TABLE, {})[uuid] = {"modify": {"addresses": addresses}}
    for network, member in members:
        change = updates.setdefault(SWITCH, {}).setdefault(network, {"modify": {"ports": None}})
        ports = change["modify"]["ports"] or ["set", []]
        change["modify"]["ports"] = ["set", [*ports[1], ["uuid", member]]]


def test_a_reader_is_waited_for() -> None:
    """Who holds the lock sees a transaction whole or not at all: nothing is applied meanwhile."""
    replica = replica_of(a_network())
    update = threading.Thread(target=replica.apply, args=[inserted(a_port())], daemon=True)
    with replica.lock:
        update.start()
        update.join(0.1)
        assert PORT not in replica.tables.ports
    update.join(10)
    assert PORT in replica.tables.ports
