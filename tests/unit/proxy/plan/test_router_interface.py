# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for the interfaces of routers, by their operations, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import ApiError
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.rows import (
    DhcpOptions,
    Nat,
    NbGlobal,
    PortGroup,
    RouterPort,
    Row,
    StaticRoute,
    SwitchPort,
)
from unit.proxy.plans import (
    CREATED,
    LATER,
    MAC,
    NB,
    NET,
    OWN_ROW,
    PORT,
    PORT2,
    SUBNET,
    SUBNET6,
    TENANT,
    a_localnet,
    a_network,
    a_port,
    a_subnet,
    a_subnet6,
    act,
    delete,
    put,
    row_id,
    row_uuid,
    rows_after,
    traces,
    view_of,
)
from unit.proxy.routed import (
    CONNECTED,
    EXT,
    INSIDE,
    INSIDE_LRP,
    NET2,
    NETWORKS,
    OUTSIDE,
    OUTSIDE_LRP,
    ROUTE,
    ROUTED,
    ROUTER,
    SUBNET2,
    a_router,
    an_external_network,
    inside,
    outside,
    with_rows,
)

STAMP = {keys.CREATED_AT: LATER, keys.UPDATED_AT: LATER, keys.REVISION: "1"}
CHANGED = {**CREATED, keys.UPDATED_AT: LATER, keys.REVISION: "2"}
LSP = row_uuid("interface")
LRP = row_uuid(f"{LSP}/router port")
OWNER = "network:router_interface"
BARE = with_rows(NETWORKS, a_router())
SNAT_ON = {keys.ROUTER_GATEWAY: OUTSIDE, keys.ROUTER_SNAT: "True"}


def add(**body: str) -> Any:
    """Return the planner that adds an interface."""
    return act("add_router_interface", ROUTER, body)


def remove(**body: str) -> Any:
    """Return the planner that removes an interface."""
    return act("remove_router_interface", ROUTER, body)


def only(rows: Sequence[Row], kind: type[Row]) -> Any:
    """Return the one row of a kind."""
    [row] = [row for row in rows if isinstance(row, kind)]
    return row


def subnet(rows: Sequence[Row], uuid: str = SUBNET) -> DhcpOptions:
    """Return a subnet's row."""
    [row] = [row for row in rows if row.uuid == uuid]
    assert isinstance(row, DhcpOptions)
    return row


def answer(port_id: str, network_id: str, *subnet_ids: str) -> dict[str, Any]:
    """Return what the API answers."""
    return {
        "id": ROUTER,
        "tenant_id": TENANT,
        "project_id": TENANT,
        "port_id": port_id,
        "network_id": network_id,
        "subnet_id": subnet_ids[-1] if subnet_ids else None,
        "subnet_ids": list(subnet_ids),
    }


# --- by subnet ---


def test_add_subnet() -> None:
    """An interface is a pair of ports with the subnet's gateway, behind all that it rests on."""
    plan = add(subnet_id=SUBNET)(view_of(*BARE))
    [mac] = [
        step["row"]["mac"] for step in plan.operations if step.get("table") == schema.ROUTER_PORT
    ]
    counter = keys.SEQUENCE + NET
    ids = {**subnet(BARE).external_ids, keys.SUBNET_GATEWAY_ROUTER: ROUTER}

    assert [
        ops.wait_columns(
            schema.ROUTER,
            ROUTER,
            {"ports": (), "static_routes": (), "nat": (), "external_ids": CREATED},
        ),
        ops.wait_columns(schema.SWITCH, NET, {"external_ids": a_network().external_ids}),
        ops.wait_key(schema.NB_GLOBAL, NB, "external_ids", counter, "7"),
        ops.wait_columns(schema.DHCP, SUBNET, {"external_ids": subnet(BARE).external_ids}),
        ops.wait_columns(schema.ROUTER, ROUTER, {"external_ids": CREATED}),
        ops.wait_exists(schema.SWITCH, NET),
        ops.wait_exists(schema.ROUTER, ROUTER),
        ops.set_key(schema.NB_GLOBAL, NB, "external_ids", counter, "8"),
        ops.insert(
            schema.PORT,
            LSP,
            {
                "name": LSP,
                "type": "router",
                "addresses": ("router",),
                "enabled": True,
                "options": {"router-port": f"lrp{LSP}"},
                "external_ids": {
                    **STAMP,
                    keys.NIC_NAME: "",
                    keys.DEVICE_ID: ROUTER,
                    keys.DEVICE_OWNER: OWNER,
                },
            },
        ),
        ops.insert(
            schema.ROUTER_PORT, LRP, {"name": f"lrp{LSP}", "mac": mac, "networks": ("10.0.0.1/24",)}
        ),
        ops.update(schema.DHCP, SUBNET, {"external_ids": ids}),
        ops.update(schema.ROUTER, ROUTER, {"external_ids": CHANGED}),
        ops.add_to_set(schema.SWITCH, NET, "ports", [LSP]),
        ops.add_to_set(schema.ROUTER, ROUTER, "ports", [LRP]),
    ] == plan.operations
    assert mac.startswith("02:")
    assert answer(LSP, NET, SUBNET) == plan.answer
    after = view_of(*rows_after(BARE, plan))
    assert plan.is_done(after)
    assert not plan.is_done(view_of(*BARE))
    port = after.port(LSP)
    assert port is not None
    assert (mac, ("10.0.0.1",)) == after.addressing(port)


@pytest.mark.parametrize(
    ("mode", "announced"),
    [
        ("slaac", {"address_mode": "slaac"}),
        ("dhcpv6-stateful", {"address_mode": "dhcpv6_stateful"}),
        ("dhcpv6-stateless", {"address_mode": "dhcpv6_stateless"}),
        (None, {}),
    ],
)
def test_announcements(mode: str | None, announced: dict[str, str]) -> None:
    """A router announces the subnet's mode, with MTU and DNS server, or nothing."""
    row = a_subnet6(mode).copy(options={"dns_server": "{fd00::53, fd00::54}"})
    rows = with_rows(BARE, row)
    plan = add(subnet_id=SUBNET6)(view_of(*rows))
    found = only(rows_after(rows, plan), RouterPort)

    assert ("fd00::/64",) == found.networks
    rest = {"send_periodic": "true", "mtu": "1442", "rdnss": "fd00::53"}
    assert ({**announced, **rest} if announced else {}) == found.ipv6_ra_configs


def test_second_ipv6_subnet() -> None:
    """Another IPv6 subnet of the network joins the port, and the older one's mode stays."""
    second = a_subnet6(None, uuid=row_id(40), cidr="fd01::/64", external_ids={"router": "fd01::1"})
    rows = with_rows(BARE, a_subnet6("slaac"), second)
    rows = tuple(rows_after(rows, add(subnet_id=SUBNET6)(view_of(*rows))))
    plan = act("add_router_interface", ROUTER, {"subnet_id": row_id(40)})(view_of(*rows))
    row = only(rows_after(rows, plan), RouterPort)

    assert ("fd00::/64", "fd01::1/64") == row.networks
    assert "slaac" == row.ipv6_ra_configs["address_mode"]
    assert answer(LSP, NET, row_id(40)) == plan.answer
    # Its port has one more address, which is a change of it.
    [port] = [row for row in rows_after(rows, plan) if row.uuid == LSP]
    assert "2" == port.external_ids[keys.REVISION]  # type: ignore[attr-defined]
    assert plan.is_done(view_of(*rows_after(rows, plan)))


def test_ipv4_beside_ipv6() -> None:
    """An IPv4 subnet gets a port of its own."""
    rows = with_rows(ROUTED, a_subnet6("slaac"))
    plan = add(subnet_id=SUBNET6)(view_of(*rows))
    found = [row for row in rows_after(rows, plan) if isinstance(row, RouterPort)]

    assert [("10.0.0.1/24",), ("fd00::/64",)] == sorted(row.networks for row in found)


@pytest.mark.parametrize(
    ("rows", "body", "status", "error_type"),
    [
        (BARE, {"subnet_id": row_id(99)}, 404, "SubnetNotFound"),
        (BARE, {"port_id": row_id(99)}, 404, "PortNotFound"),
        # Already there, or the address is.
        (ROUTED, {"subnet_id": SUBNET}, 400, "BadRequest"),
        (
            with_rows(BARE, a_port(f"{MAC} 10.0.0.1")),
            {"subnet_id": SUBNET},
            409,
            "IpAddressAlreadyAllocated",
        ),
        # No gateway, or none that could be an address there.
        (
            with_rows(BARE, a_subnet().copy(options={})),
            {"subnet_id": SUBNET},
            400,
            "BadRequest",
        ),
        (
            with_rows(BARE, a_subnet(options={"router": "192.0.2.1"})),
            {"subnet_id": SUBNET},
            400,
            "InvalidIpForSubnet",
        ),
        # Overlapping with an interface, and with the gateway's network.
        (
            with_rows(
                ROUTED,
                a_subnet(
                    uuid=SUBNET2,
                    cidr="10.0.0.128/25",
                    external_ids={keys.SUBNET_NETWORK: NET2},
                    options={"router": "10.0.0.129"},
                ),
            ),
            {"subnet_id": SUBNET2},
            400,
            "BadRequest",
        ),
        (
            with_rows(
                CONNECTED,
                a_subnet(
                    uuid=SUBNET2,
                    cidr="203.0.0.0/16",
                    external_ids={keys.SUBNET_NETWORK: NET2},
                    options={"router": "203.0.0.1"},
                ),
            ),
            {"subnet_id": SUBNET2},
            400,
            "BadRequest",
        ),
        # Ports that are somebody's, or have no address, or too many.
        (ROUTED, {"port_id": INSIDE}, 409, "PortInUse"),
        (
            with_rows(BARE, a_port(f"{MAC} 10.0.0.5", external_ids={keys.DEVICE_ID: "vm"})),
            {"port_id": PORT},
            409,
            "PortInUse",
        ),
        (
            with_rows(BARE, a_port(f"{MAC} 10.0.0.5", external_ids={keys.FLOATING_IPS: "x"})),
            {"port_id": PORT},
            409,
            "PortInUse",
        ),
        (with_rows(BARE, a_port(MAC)), {"port_id": PORT}, 400, "BadRequest"),
        (with_rows(BARE, a_port(f"{MAC} 10.99.0.5")), {"port_id": PORT}, 400, "BadRequest"),
        (with_rows(BARE, a_port("unknown")), {"port_id": PORT}, 400, "BadRequest"),
        (with_rows(BARE, a_port("nonsense 10.0.0.5")), {"port_id": PORT}, 400, "BadRequest"),
        (with_rows(BARE, a_port(f"{MAC} dynamic")), {"port_id": PORT}, 400, "BadRequest"),
        (
            with_rows(BARE, a_port(f"{MAC} 10.0.0.5 10.0.0.6")),
            {"port_id": PORT},
            400,
            "BadRequest",
        ),
        (ROUTED, {"port_id": PORT}, 400, "BadRequest"),
    ],
)
def test_add_refused(
    rows: tuple[Row, ...], body: dict[str, str], status: int, error_type: str
) -> None:
    """What cannot be an interface is refused with the API's own type."""
    with pytest.raises(ApiError) as refused:
        add(**body)(view_of(*rows))

    assert (status, error_type) == (refused.value.status, refused.value.error_type)


# --- by port ---


def test_add_port() -> None:
    """A port becomes the router's with its MAC and addresses, and gives up what VMs have."""
    port = a_port(
        f"{MAC} 10.0.0.5 fd00::5",
        port_security=(f"{MAC} 10.0.0.5 fd00::5",),
        dhcpv4_options=OWN_ROW,
        dhcpv6_options=SUBNET6,
        options={"requested-chassis": "hv1"},
        external_ids={
            keys.EXTRA_DHCP_OPTS: '[{"opt_name": "mtu", "opt_value": "1400", "ip_version": 4}]',
            keys.ADDRESS_PAIRS: '[{"ip_address": "10.0.0.9"}]',
            keys.SECURITY_GROUPS: "group",
        },
    )
    own = DhcpOptions.new(
        OWN_ROW,
        cidr="10.0.0.0/24",
        external_ids={keys.PORT_OF_OPTIONS: PORT, keys.SUBNET_IP_VERSION: "4"},
    )
    ours = PortGroup.new(row_id(50), name="g", ports={PORT, PORT2}, external_ids={"ovirt_x": "y"})
    theirs = PortGroup.new(row_id(51), name="h", ports={PORT})
    rows = with_rows(BARE, port, own, a_subnet6(), ours, theirs)
    plan = add(port_id=PORT)(view_of(*rows))
    after = rows_after(rows, plan)
    [found] = [row for row in after if row.uuid == PORT]
    assert isinstance(found, SwitchPort)

    assert answer(PORT, NET, SUBNET, SUBNET6) == plan.answer
    assert {
        "name": PORT,
        "type": "router",
        "addresses": ("router",),
        "enabled": True,
        "options": {"router-port": f"lrp{PORT}"},
        "external_ids": {
            **CHANGED,
            keys.NIC_NAME: "nic",
            keys.DEVICE_ID: ROUTER,
            keys.DEVICE_OWNER: OWNER,
        },
    } == found.columns()
    router_port = only(after, RouterPort)
    assert (f"lrp{PORT}", MAC, ("10.0.0.5/24", "fd00::5/64")) == (
        router_port.name,
        router_port.mac,
        router_port.networks,
    )
    assert OWN_ROW not in {row.uuid for row in after}
    assert [{PORT2}, {PORT}] == [row.ports for row in after if isinstance(row, PortGroup)]
    # It is not the gateway of its subnets.
    assert keys.SUBNET_GATEWAY_ROUTER not in subnet(after).external_ids
    assert plan.is_done(view_of(*after))


def test_add_port_of_ovns_choice() -> None:
    """A port whose address OVN chose keeps it as the router's, if it is that still."""
    port = a_port(f"{MAC} dynamic", dynamic_addresses=f"{MAC} 10.0.0.7")
    rows = with_rows(BARE, port)
    plan = add(port_id=PORT)(view_of(*rows))
    guard = ops.wait_columns(schema.PORT, PORT, {"dynamic_addresses": f"{MAC} 10.0.0.7"})

    assert guard in plan.operations
    assert ("10.0.0.7/24",) == only(rows_after(rows, plan), RouterPort).networks


def test_add_port_with_the_gateways_address() -> None:
    """A port that has the subnet's gateway is noted as such for ovirt-provider-ovn."""
    rows = with_rows(BARE, a_port(f"{MAC} 10.0.0.1"))
    after = rows_after(rows, add(port_id=PORT)(view_of(*rows)))

    assert ROUTER == subnet(after).external_ids[keys.SUBNET_GATEWAY_ROUTER]


# --- removing ---


@pytest.mark.parametrize(
    "body",
    [{"subnet_id": SUBNET}, {"port_id": INSIDE}, {"port_id": INSIDE, "subnet_id": SUBNET}],
)
def test_remove(body: dict[str, str]) -> None:
    """An interface goes on both sides, and leaves everything as it was before."""
    plan = remove(**body)(view_of(*ROUTED))
    after = rows_after(ROUTED, plan)

    assert answer(INSIDE, NET, SUBNET) == plan.answer
    assert not {INSIDE, INSIDE_LRP} & {row.uuid for row in after}
    assert keys.SUBNET_GATEWAY_ROUTER not in subnet(after).external_ids
    assert plan.is_done(view_of(*after))
    ids = subnet(ROUTED).external_ids
    assert [
        ops.wait_columns(
            schema.ROUTER,
            ROUTER,
            {"ports": (INSIDE_LRP,), "static_routes": (), "nat": (), "external_ids": CREATED},
        ),
        ops.wait_columns(schema.DHCP, SUBNET, {"external_ids": ids}),
        ops.wait_columns(schema.ROUTER, ROUTER, {"external_ids": CREATED}),
        ops.wait_exists(schema.ROUTER_PORT, INSIDE_LRP),
        ops.wait_exists(schema.PORT, INSIDE),
        ops.update(
            schema.DHCP,
            SUBNET,
            {"external_ids": {k: v for k, v in ids.items() if k != keys.SUBNET_GATEWAY_ROUTER}},
        ),
        ops.update(schema.ROUTER, ROUTER, {"external_ids": CHANGED}),
        ops.remove_from_set(schema.ROUTER, ROUTER, "ports", [INSIDE_LRP]),
        ops.remove_from_set(schema.SWITCH, NET, "ports", [INSIDE]),
        traces(INSIDE_LRP, INSIDE),
    ] == plan.operations


def test_remove_one_of_several_subnets() -> None:
    """A port with several subnets gives up the one, and keeps the others."""
    rows = with_rows(
        ROUTED,
        a_subnet6("slaac"),
        *inside("10.0.0.1/24", "fd00::/64", ipv6_ra_configs={"address_mode": "slaac"}),
    )
    plan = remove(subnet_id=SUBNET6)(view_of(*rows))
    after = rows_after(rows, plan)
    row = only(after, RouterPort)

    assert answer(INSIDE, NET, SUBNET6) == plan.answer
    assert (("10.0.0.1/24",), {}) == (row.networks, row.ipv6_ra_configs)
    [port] = [row for row in after if row.uuid == INSIDE]
    assert "2" == port.external_ids[keys.REVISION]  # type: ignore[attr-defined]
    assert ROUTER == subnet(after).external_ids[keys.SUBNET_GATEWAY_ROUTER]
    whole = remove(port_id=INSIDE)(view_of(*rows))
    assert answer(INSIDE, NET, SUBNET, SUBNET6) == whole.answer


def a_floating_rule(**changes: Any) -> Nat:
    """Return the rule of a floating IP for 10.0.0.5."""
    columns = {
        "type": "dnat_and_snat",
        "external_ip": "203.0.113.9",
        "logical_ip": "10.0.0.5",
        "external_ids": {keys.NAT_FLOATING_IP: row_id(30)},
        **changes,
    }
    return Nat.new(row_id(31), **columns)


@pytest.mark.parametrize(
    ("rows", "body", "status", "error_type"),
    [
        (ROUTED, {"subnet_id": row_id(99)}, 404, "SubnetNotFound"),
        (ROUTED, {"subnet_id": SUBNET2}, 404, "RouterInterfaceNotFoundForSubnet"),
        (ROUTED, {"port_id": PORT}, 404, "RouterInterfaceNotFound"),
        (ROUTED, {"port_id": row_id(99)}, 404, "RouterInterfaceNotFound"),
        (CONNECTED, {"port_id": OUTSIDE}, 404, "RouterInterfaceNotFound"),
        (ROUTED, {"port_id": INSIDE, "subnet_id": SUBNET2}, 400, "SubnetMismatchForPort"),
        (
            with_rows(
                ROUTED,
                a_router(INSIDE_LRP, static_routes=(ROUTE,)),
                StaticRoute.new(ROUTE, ip_prefix="10.9.0.0/16", nexthop="10.0.0.9"),
            ),
            {"subnet_id": SUBNET},
            409,
            "RouterInterfaceInUseByRoute",
        ),
        (
            with_rows(ROUTED, a_router(INSIDE_LRP, nat=(row_id(31),)), a_floating_rule()),
            {"port_id": INSIDE},
            409,
            "RouterInterfaceInUseByFloatingIP",
        ),
    ],
)
def test_remove_refused(
    rows: tuple[Row, ...], body: dict[str, str], status: int, error_type: str
) -> None:
    """What is no interface, or is needed, is refused with the API's own type."""
    with pytest.raises(ApiError) as refused:
        remove(**body)(view_of(*rows))

    assert (status, error_type) == (refused.value.status, refused.value.error_type)


def test_a_rule_by_hand_is_no_floating_ip() -> None:
    """NAT that somebody added by hand keeps no interface, and stays."""
    rows = with_rows(
        ROUTED, a_router(INSIDE_LRP, nat=(row_id(31),)), a_floating_rule(external_ids={})
    )
    after = rows_after(rows, remove(subnet_id=SUBNET)(view_of(*rows)))

    assert row_id(31) == only(after, Nat).uuid


# --- what follows ---


def snat(rows: Sequence[Row]) -> set[tuple[str, str]]:
    """Return the SNAT rules as (network, address)."""
    found = [row for row in rows if isinstance(row, Nat)]
    assert all(row.type == "snat" and keys.GATEWAY_SNAT in row.external_ids for row in found)
    return {(row.logical_ip, row.external_ip) for row in found}


def test_snat_follows() -> None:
    """With SNAT on, each internal IPv4 network has a rule for as long as it has an interface."""
    rows: Sequence[Row] = with_rows(
        CONNECTED, a_router(INSIDE_LRP, OUTSIDE_LRP, external_ids=SNAT_ON), a_subnet6("slaac")
    )
    for request, networks in (
        (add(subnet_id=SUBNET2), {"10.0.0.0/24", "10.2.0.0/24"}),
        (add(subnet_id=SUBNET6), {"10.0.0.0/24", "10.2.0.0/24"}),
        (remove(subnet_id=SUBNET), {"10.2.0.0/24"}),
        (remove(subnet_id=SUBNET2), set()),
    ):
        # Each request has ids of its own; here all share one, so what is new is renamed.
        rows = renamed(rows_after(rows, request(view_of(*rows))))
        assert {(network, "203.0.113.2") for network in networks} == snat(rows)


def renamed(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with other UUIDs for those that the request `context()` made."""
    text = {LSP: row_id(next(_NUMBERS)), LRP: row_id(next(_NUMBERS))}
    found = []
    for row in rows:
        columns = {}
        for column in schema.TABLES[row.table]:
            value = getattr(row, column)
            if isinstance(value, str):
                value = _replaced(value, text)
            elif isinstance(value, tuple):
                value = tuple(sorted(_replaced(item, text) for item in value))
            elif isinstance(value, set):
                value = {_replaced(item, text) for item in value}
            elif isinstance(value, dict) and not isinstance(row, NbGlobal):
                value = {key: _replaced(item, text) for key, item in value.items()}
            columns[column] = value
        twin = row.copy(**columns)
        twin.uuid = text.get(row.uuid, row.uuid)
        found.append(twin)
    return found


_NUMBERS = iter(range(200, 300))


def _replaced(value: str, text: dict[str, str]) -> str:
    for old, new in text.items():
        value = value.replace(old, new)
    return value


def options_of(rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    """Return the options of the router's ports, by MAC."""
    found = [row for row in rows if isinstance(row, RouterPort)]
    return {row.mac: dict(row.options) for row in found}


WIRED = with_rows(
    CONNECTED,
    an_external_network(OUTSIDE, row_id(61)).copy(other_config={"exclude_ips": "203.0.113.2"}),
    a_localnet(uuid=row_id(61)),
)


def test_mtu_follows() -> None:
    """Where networks differ, the smaller ones check what comes from the larger ones."""
    big = a_network(INSIDE, PORT, mtu="9000")
    rows = with_rows(WIRED, big)
    plan = put("networks", NET, mtu=1300)(view_of(*rows))
    after = rows_after(rows, plan)

    assert {"02:00:00:00:00:11": {"gateway_mtu": "1300"}, "02:00:00:00:00:12": {}} == options_of(
        after
    )
    again = rows_after(after, put("networks", NET, mtu=9000)(view_of(*after)))
    assert {"02:00:00:00:00:11": {}, "02:00:00:00:00:12": {"gateway_mtu": "1442"}} == options_of(
        again
    )
    same = rows_after(again, put("networks", NET, mtu=1442)(view_of(*again)))
    assert {"02:00:00:00:00:11": {}, "02:00:00:00:00:12": {}} == options_of(same)
    assert all(row.external_ids == {} for row in same if isinstance(row, RouterPort))


def test_options_of_another_hand_stay() -> None:
    """An option that somebody has set on a router's port is neither changed nor removed."""
    by_hand = {"gateway_mtu": "1400", "redirect-type": "bridged"}
    rows = with_rows(CONNECTED, a_network(INSIDE, PORT, mtu="9000"), *outside(options=by_hand))
    for mtu in (9001, 1442):
        after = rows_after(rows, put("networks", NET, mtu=mtu)(view_of(*rows)))
        assert by_hand == options_of(after)["02:00:00:00:00:12"]


def test_announced_mtu_follows() -> None:
    """A network's new MTU is announced in the transaction that sets it."""
    configs = {"address_mode": "slaac", "send_periodic": "true", "mtu": "1442", "other": "x"}
    rows = with_rows(
        ROUTED, a_subnet6("slaac"), *inside("10.0.0.1/24", "fd00::/64", ipv6_ra_configs=configs)
    )
    after = rows_after(rows, put("networks", NET, mtu=1400)(view_of(*rows)))

    assert {**configs, "mtu": "1400"} == only(after, RouterPort).ipv6_ra_configs


@pytest.mark.parametrize(
    ("given", "announced"),
    [
        (
            {"dns_nameservers": ["fd00::54"]},
            {"address_mode": "dhcpv6_stateful", "rdnss": "fd00::54"},
        ),
        ({"enable_dhcp": False}, None),
    ],
)
def test_subnet_follows(given: Any, announced: dict[str, str] | None) -> None:
    """What a subnet becomes is announced in the same transaction."""
    configs = {"address_mode": "dhcpv6_stateful", "send_periodic": "true", "mtu": "1442"}
    rows = with_rows(
        ROUTED, a_subnet6(), *inside("10.0.0.1/24", "fd00::/64", ipv6_ra_configs=configs)
    )
    after = rows_after(rows, put("subnets", SUBNET6, **given)(view_of(*rows)))

    expected = {} if announced is None else {**configs, **announced}
    assert expected == only(after, RouterPort).ipv6_ra_configs


def test_a_gateway_that_is_a_routers_already() -> None:
    """A subnet whose new gateway a router has by a port is noted as that router's."""
    rows = with_rows(ROUTED, a_subnet(options={"router": "10.0.0.254"}), *inside("10.0.0.9/24"))
    values = {"gateway_ip": "10.0.0.9", "allocation_pools": []}
    after = rows_after(rows, put("subnets", SUBNET, **values)(view_of(*rows)))

    assert ROUTER == subnet(after).external_ids[keys.SUBNET_GATEWAY_ROUTER]


def test_external_gateway_follows() -> None:
    """Another gateway of the external subnet becomes the router's next hop at once."""
    values = {"gateway_ip": "203.0.113.254", "allocation_pools": []}
    plan = put("subnets", row_id(71), **values)(view_of(*CONNECTED))
    route = only(rows_after(CONNECTED, plan), StaticRoute)

    assert ("0.0.0.0/0", "203.0.113.254") == (route.ip_prefix, route.nexthop)


def test_physical_network_follows() -> None:
    """On a physical network traffic is routed where the router's gateway is."""
    provider = {"provider:network_type": "flat", "provider:physical_network": "phys2"}
    plan = put("networks", NET, **provider)(view_of(*WIRED))
    after = rows_after(WIRED, plan)

    assert {
        "02:00:00:00:00:11": {"reside-on-redirect-chassis": "true"},
        "02:00:00:00:00:12": {},
    } == options_of(after)
    overlay = {"provider:network_type": "geneve"}
    back = rows_after(after, put("networks", NET, **overlay)(view_of(*after)))
    assert {"02:00:00:00:00:11": {}, "02:00:00:00:00:12": {}} == options_of(back)


def test_external_network_without_a_wire() -> None:
    """What is for a gateway takes the tunnel to its chassis where no wire leads there."""
    overlay = {"provider:network_type": "geneve"}
    after = rows_after(WIRED, put("networks", EXT, **overlay)(view_of(*WIRED)))

    assert {
        "02:00:00:00:00:11": {},
        "02:00:00:00:00:12": {"centralize_routing": "true"},
    } == options_of(after)
    provider = {"provider:network_type": "flat", "provider:physical_network": "phys2"}
    back = rows_after(after, put("networks", EXT, **provider)(view_of(*after)))
    assert {"02:00:00:00:00:11": {}, "02:00:00:00:00:12": {}} == options_of(back)


def test_without_a_chassis_routing_stays_distributed() -> None:
    """A gateway that is on no chassis changes nothing on physical networks."""
    rows = with_rows(
        CONNECTED, a_network(PORT, INSIDE, row_id(60)), a_localnet(uuid=row_id(60)), *outside()
    )
    after = rows_after(rows, remove(subnet_id=SUBNET)(view_of(*rows)))

    assert {"02:00:00:00:00:12": {}} == options_of(after)


def test_deleting_another_subnet_keeps_reservations() -> None:
    """OVN forgets the addresses of a deleted subnet, not those of another one."""
    config = {"subnet": "10.0.0.0/24", "exclude_ips": "10.0.0.1 203.0.113.2"}
    rows = (
        a_network().copy(other_config=config),
        a_subnet(),
        NbGlobal.new(NB, external_ids={}),
    )
    after = rows_after(rows, delete("subnets", SUBNET)(view_of(*rows)))

    [switch] = [row for row in after if row.uuid == NET]
    assert {"exclude_ips": "203.0.113.2"} == switch.other_config  # type: ignore[attr-defined]
