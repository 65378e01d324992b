# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The view shows our rows, in order, and nobody else's."""

from __future__ import annotations

import pytest

from ovirt_ovn_proxy.nb import keys, schema
from ovirt_ovn_proxy.nb.addresses import Addressing
from ovirt_ovn_proxy.nb.rows import (
    DhcpOptions,
    HaChassisGroup,
    Nat,
    PortGroup,
    Router,
    RouterPort,
    Switch,
    SwitchPort,
)
from unit.proxy.plans import (
    DEFAULT,
    DROP,
    FOREIGN,
    FOREIGN_NET,
    FOREIGN_PORT,
    GROUP,
    LOCALNET,
    NET,
    OTHER_NET,
    PORT,
    PORT2,
    RULE,
    RULE2,
    SUBNET,
    SUBNET6,
    a_group,
    a_localnet,
    a_network,
    a_port,
    a_router_port,
    a_rule,
    a_subnet,
    base_groups,
    nb_global,
    row_id,
    view_of,
)
from unit.proxy.routed import (
    CONNECTED,
    EXT,
    INSIDE,
    INSIDE_LRP,
    OUTSIDE,
    ROUTED,
    ROUTER,
    a_router,
    inside,
    with_rows,
)

PEER_NET = Switch.new(OTHER_NET, name="plain", external_ids={"ovirt_network_name": "plain"})


def test_networks() -> None:
    """A switch with any key of ours is a network, another manager's is none."""
    view = view_of(a_network(), PEER_NET, *FOREIGN)

    assert {NET, OTHER_NET} == {row.uuid for row in view.networks()}
    assert view.network(NET) is view.row(schema.SWITCH, NET)
    assert view.network(FOREIGN_NET) is None
    assert view.network("no such") is None


def test_localnet() -> None:
    """The port of a physical network is found by its switch, and is no REST port."""
    view = view_of(a_network(LOCALNET), a_localnet(), PEER_NET)
    switch, other = view.network(NET), view.network(OTHER_NET)

    assert switch is not None
    assert other is not None
    assert view.localnet(switch) is view.row(schema.PORT, LOCALNET)
    assert view.localnet(other) is None
    assert list(view.ports()) == []
    assert view.port(LOCALNET) is None


def test_ports() -> None:
    """Of all switch ports only ours on networks of ours are REST ports."""
    stranger = SwitchPort.new(PORT2, name="stranger", addresses=("unknown",))
    marked = a_port(uuid=row_id(50), name="marked")
    view = view_of(
        a_network(PORT, PORT2),
        a_port(name="given-name", external_ids={keys.DEVICE_ID: "vm"}),
        stranger,
        *FOREIGN,
        Switch.new(row_id(51), name="foreign too", ports={row_id(50)}),
        marked,
    )
    switch = view.network(NET)
    assert switch is not None

    assert [PORT] == [row.uuid for row in view.ports()]
    assert [PORT] == [row.uuid for row in view.ports_of(switch)]
    assert {PORT, PORT2} == {row.uuid for row in view.switch_ports(switch)}
    assert view.port("given-name") is view.row(schema.PORT, PORT)
    assert [PORT] == [row.uuid for row in view.ports_of_device("vm")]


@pytest.mark.parametrize("name", [PORT, FOREIGN_PORT, "pod", "stranger", "marked", "", "no such"])
def test_no_port(name: str) -> None:
    """A port is found by its name alone; a stranger's row is not found at all."""
    marked = a_port(uuid=row_id(50), name="marked")
    view = view_of(
        a_network(PORT, PORT2),
        a_port(name="given-name"),
        SwitchPort.new(PORT2, name="stranger"),
        *FOREIGN,
        Switch.new(row_id(51), ports={row_id(50)}),
        marked,
    )

    assert view.port(name) is None


def test_ports_of_device_of_strangers() -> None:
    """A device id on another manager's switch finds nothing."""
    port = a_port(external_ids={keys.DEVICE_ID: "vm"})
    view = view_of(Switch.new(FOREIGN_NET, ports={PORT}), port)

    assert list(view.ports_of_device("vm")) == []
    assert list(view.ports_of_device("")) == []


def test_addressing() -> None:
    """A router's port shows what stands on the router's side."""
    port, router_side = a_router_port()
    view = view_of(a_network(port.uuid), port, router_side)

    assert Addressing("02:00:00:00:00:02", ("10.0.0.1",)) == view.addressing(port)


def test_subnets() -> None:
    """Subnets are the rows with a network of ours, oldest first; rows of single ports are none."""
    older = a_subnet(uuid=SUBNET6, external_ids={keys.CREATED_AT: "2025-01-01T00:00:00Z"})
    peer = DhcpOptions.new(row_id(60), cidr="10.9.0.0/24", external_ids={"ovirt_network_id": NET})
    own = DhcpOptions.new(row_id(61), external_ids={keys.PORT_OF_OPTIONS: PORT})
    foreign = DhcpOptions.new(row_id(62), external_ids={"owner": "k8s"})
    stray = DhcpOptions.new(row_id(63), external_ids={keys.SUBNET_NETWORK: FOREIGN_NET})
    gone = DhcpOptions.new(row_id(64), external_ids={keys.SUBNET_NETWORK: row_id(99)})
    view = view_of(a_network(), a_subnet(), older, peer, own, foreign, stray, gone, *FOREIGN)

    assert [row_id(60), SUBNET6, SUBNET] == [row.uuid for row in view.subnets_of(NET)]
    assert {row_id(60), SUBNET6, SUBNET} == {row.uuid for row in view.subnets()}
    assert view.subnet(SUBNET) is view.row(schema.DHCP, SUBNET)
    assert [None] * 5 == [view.subnet(row_id(number)) for number in (61, 62, 63, 64, 65)]
    assert [row_id(61)] == [row.uuid for row in view.options_of(PORT)]
    assert view.options_of(PORT2) == []


def test_security_groups() -> None:
    """Port groups of ours are security groups, but for the one that drops; their ACLs are rules."""
    theirs = a_rule(row_id(60)).copy(external_ids={"owner": "k8s"})
    elsewhere = a_rule(row_id(61))
    group = a_group(RULE, RULE2, theirs.uuid, row_id(62))
    foreign = PortGroup.new(row_id(63), name="pods", acls=(row_id(61),), external_ids={"k": "v"})
    rules = (a_rule(), a_rule(RULE2), theirs, elsewhere)
    view = view_of(group, *rules, foreign, *base_groups())

    assert {GROUP, DEFAULT} == {row.uuid for row in view.security_groups()}
    assert view.security_group(GROUP) is view.row(schema.PORT_GROUP, GROUP)
    assert [None] * 3 == [view.security_group(uuid) for uuid in (DROP, row_id(63), "no such")]
    assert {RULE, RULE2} == {row.uuid for row in view.rules()}
    assert {RULE, RULE2} == {row.uuid for row in view.rules_of(group)}
    assert view.rule(RULE) is view.row(schema.ACL, RULE)
    assert [None] * 4 == [
        view.rule(uuid) for uuid in (theirs.uuid, elsewhere.uuid, row_id(100), "no such")
    ]
    assert view.group_of(rules[0]) is view.security_group(GROUP)
    assert view.group_of(elsewhere) is None


def test_port_groups_by_name() -> None:
    """A port group is found by its name whoever made it; a security group, if it is one."""
    foreign = PortGroup.new(row_id(63), name="pods", external_ids={"k": "v"})
    view = view_of(foreign, *base_groups())

    names = ("Default", "DropAll", "pods", "no such")
    found = [view.port_group(name) for name in names]
    assert [DEFAULT, DROP, row_id(63), None] == [getattr(row, "uuid", None) for row in found]
    found = [view.security_group_named(name) for name in names]
    assert [DEFAULT, None, None, None] == [getattr(row, "uuid", None) for row in found]


# A router as ovirt-provider-ovn leaves one: no key of its own, `enabled` always set.
BARE = Router.new(ROUTER, name="r", enabled=True)


@pytest.mark.parametrize(
    ("router", "is_ours"),
    [
        (a_router(), True),
        (BARE, True),
        (BARE.copy(enabled=False), True),
        (BARE.copy(static_routes=(row_id(90),)), True),
        (BARE.copy(external_ids={keys.ROUTER_GATEWAY: OUTSIDE}), True),
        # By its port, whose other side names it.
        (BARE.copy(ports=(INSIDE_LRP,)), True),
        (BARE.copy(ports=(INSIDE_LRP,), enabled=None, external_ids={"by": "hand"}), True),
        # ovn-nbctl lr-add, and what other managers make.
        (BARE.copy(enabled=None), False),
        (BARE.copy(enabled=None, name="GR_node", options={"chassis": "x"}), False),
        (BARE.copy(external_ids={"k8s-cluster-router": "yes"}), False),
        (BARE.copy(name="neutron-x", external_ids={"neutron:router_name": "r"}), False),
        (BARE.copy(options={"mcast_relay": "true"}), False),
        (BARE.copy(ports=(row_id(91),)), False),
        (BARE.copy(nat=(row_id(92),)), False),
    ],
)
def test_routers(router: Router, is_ours: bool) -> None:
    """A router is ours by a key, by a port of ours, or by being as the peer leaves one."""
    theirs = RouterPort.new(row_id(91), name="theirs", networks=("10.0.0.254/24",))
    nat = Nat.new(row_id(92), type="snat", external_ip="192.0.2.1", logical_ip="10.0.0.0/24")
    view = view_of(*with_rows(ROUTED, router, theirs, nat))

    assert ([ROUTER] if is_ours else []) == [row.uuid for row in view.routers()]
    assert (view.router(ROUTER) is not None) == is_ours
    assert view.router(row_id(99)) is None


def test_a_router_is_not_ours_by_another_ones_port() -> None:
    """A port of ours that names another router as its device makes this one nobody's."""
    port, router_port = inside()
    ids = {**port.external_ids, keys.DEVICE_ID: row_id(98)}
    router = BARE.copy(ports=(INSIDE_LRP,))
    view = view_of(*with_rows(ROUTED, router, port.copy(external_ids=ids), router_port))

    assert list(view.routers()) == []


def test_sides_of_routers() -> None:
    """Both sides of a router's port are found from each other, and by their network."""
    view = view_of(*CONNECTED)
    port, switch = view.port(INSIDE), view.network(NET)
    router, external = view.router(ROUTER), view.network(EXT)
    assert port is not None
    assert switch is not None
    assert router is not None
    assert external is not None
    router_port = view.router_port_of(port)
    assert router_port is not None

    assert INSIDE_LRP == router_port.uuid
    assert view.port_behind(router_port) is port
    assert {INSIDE, OUTSIDE} == {
        side.uuid for side in map(view.port_behind, view.router_ports(router)) if side
    }
    assert [[INSIDE], [OUTSIDE]] == [
        [side.name for side in view.router_sides(where)] for where in (switch, external)
    ]
    plain = view.port(PORT)
    assert plain is not None
    assert view.router_port_of(plain) is None
    assert view.port_behind(RouterPort.new(row_id(97), name="nothing")) is None


def test_chassis_groups() -> None:
    """A group of chassis is found by its name, whoever made it."""
    theirs = HaChassisGroup.new(row_id(90), name="theirs")
    view = view_of(*CONNECTED, theirs)

    assert view.chassis_group("theirs") is view.row(schema.HA_GROUP, row_id(90))
    assert view.chassis_group("ovirt-gateways") is not None
    assert view.chassis_group("nothing") is None


def test_port_groups_of_a_port() -> None:
    """Of the port groups that a port is in, ours are shown."""
    ours = PortGroup.new(row_id(50), name="g", ports={PORT}, external_ids={"ovirt_x": "y"})
    other = PortGroup.new(row_id(51), name="h", ports={PORT2}, external_ids={"ovirt_x": "y"})
    theirs = PortGroup.new(row_id(52), name="i", ports={PORT})
    view = view_of(a_network(PORT), a_port(), ours, other, theirs)
    port = view.port(PORT)
    assert port is not None

    assert [row_id(50)] == [row.uuid for row in view.port_groups_of(port)]


def test_floating_ips() -> None:
    """A floating IP is a port of ours with an address in its keys, found by its own id."""
    ids = {keys.DEVICE_ID: "fip", keys.FLOATING_ADDRESS: "203.0.113.9"}
    holder = a_port(external_ids=ids).copy(addresses=())
    vm = a_port(uuid=PORT2, external_ids={keys.DEVICE_ID: "vm"})
    stranger = SwitchPort.new(FOREIGN_PORT, name="x", external_ids={**ids, keys.DEVICE_ID: "y"})
    view = view_of(a_network(PORT, PORT2), holder, vm, FOREIGN[0], stranger)

    assert [PORT] == [row.uuid for row in view.floating_ips()]
    assert view.floating_ip("fip") is view.row(schema.PORT, PORT)
    assert [None] * 3 == [view.floating_ip(name) for name in ("vm", "y", PORT)]


def test_nb_global() -> None:
    """The row of NB_Global is None on a database that nobody has initialised."""
    found = view_of(nb_global(k="v")).nb_global

    assert found is not None
    assert found.external_ids == {"k": "v"}
    assert view_of().nb_global is None
