# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for external gateways: their ports, addresses, chassis, routes and SNAT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import ApiError
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.rows import (
    HaChassis,
    HaChassisGroup,
    Nat,
    Router,
    RouterPort,
    Row,
    StaticRoute,
    Switch,
    SwitchPort,
)
from unit.proxy.plans import (
    CREATED,
    LATER,
    NB,
    NET,
    SUBNET,
    SUBNET6,
    a_network,
    a_subnet6,
    assert_answered,
    put,
    put_by,
    row_id,
    row_uuid,
    rows_after,
    view_of,
)
from unit.proxy.routed import (
    CHASSIS,
    CONNECTED,
    EXT,
    EXT_SUBNET,
    GATEWAY_CHASSIS,
    GROUP,
    INSIDE_LRP,
    OUTSIDE,
    OUTSIDE_LRP,
    OUTSIDE_MAC,
    ROUTE,
    ROUTED,
    ROUTER,
    a_router,
    an_external_network,
    an_external_subnet,
    outside,
    with_rows,
)

LSP = row_uuid("router/gateway")
STAMP = {keys.CREATED_AT: LATER, keys.UPDATED_AT: LATER, keys.REVISION: "1"}
GROUPED = with_rows(ROUTED, *GATEWAY_CHASSIS)
HOP = {"destination": "10.9.0.0/16", "nexthop": "203.0.113.99"}

# The gateway as ovirt-provider-ovn makes it: on no chassis, and its default route unmarked.
PEER_ROUTE = StaticRoute.new(ROUTE, ip_prefix="0.0.0.0/0", nexthop="203.0.113.1", policy="dst-ip")
PEER = tuple(
    row
    for row in with_rows(
        CONNECTED,
        a_router(
            INSIDE_LRP,
            OUTSIDE_LRP,
            static_routes=(ROUTE,),
            external_ids={keys.ROUTER_GATEWAY: OUTSIDE},
        ),
        *outside(),
        PEER_ROUTE,
    )
    if row.uuid not in (GROUP, CHASSIS, row_id(80))
)


def gateway(info: Any, **options: Any) -> Any:
    """Return the planner that sets the gateway; `options` are the site's."""
    return put_by("routers", ROUTER, {"external_gateway_info": info}, **options)


def some(rows: Sequence[Row], kind: type[Row]) -> list[Any]:
    """Return the rows of a kind."""
    return [row for row in rows if isinstance(row, kind)]


def by_name(rows: Sequence[Row], name: str) -> RouterPort:
    """Return a router's port."""
    [row] = [row for row in some(rows, RouterPort) if row.name == name]
    assert isinstance(row, RouterPort)
    return row


def switch(rows: Sequence[Row], uuid: str = EXT) -> Switch:
    """Return a switch's row."""
    [row] = [row for row in some(rows, Switch) if row.uuid == uuid]
    assert isinstance(row, Switch)
    return row


# --- setting ---


def test_set_without_a_chassis() -> None:
    """Without chassis a gateway is what ovirt-provider-ovn makes, and SNAT is off."""
    plan = gateway({"network_id": EXT})(view_of(*ROUTED))
    after = assert_answered(plan, ROUTED, "routers")
    row = by_name(after, f"lrp{LSP}")
    [port] = [row for row in some(after, SwitchPort) if row.uuid == LSP]
    [router] = some(after, Router)
    [route] = some(after, StaticRoute)

    assert {
        "network_id": EXT,
        "enable_snat": False,
        "external_fixed_ips": [{"subnet_id": EXT_SUBNET, "ip_address": "203.0.113.2"}],
    } == plan.answer["router"]["external_gateway_info"]
    assert {
        "name": f"lrp{LSP}",
        "mac": row.mac,
        "networks": ("203.0.113.2/24",),
    } == row.columns()
    assert {
        "name": LSP,
        "type": "router",
        "addresses": ("router",),
        "enabled": True,
        "options": {"router-port": f"lrp{LSP}"},
        "external_ids": {
            **STAMP,
            keys.NIC_NAME: "",
            keys.DEVICE_ID: ROUTER,
            keys.DEVICE_OWNER: "network:router_gateway",
        },
    } == port.columns()
    assert {
        **CREATED,
        keys.UPDATED_AT: LATER,
        keys.REVISION: "2",
        keys.ROUTER_GATEWAY: LSP,
    } == router.external_ids
    assert {
        "ip_prefix": "0.0.0.0/0",
        "nexthop": "203.0.113.1",
        "output_port": f"lrp{LSP}",
        "external_ids": {keys.GATEWAY_ROUTE: "True"},
    } == route.columns()
    assert {"exclude_ips": "203.0.113.2"} == switch(after).other_config
    assert some(after, Nat) == []


def test_set_rests_on_everything() -> None:
    """The plan is held to the router, both networks and the external one's addresses."""
    guards = [
        operation
        for operation in gateway({"network_id": EXT})(view_of(*ROUTED)).operations
        if operation["op"] == "wait"
    ]
    router = {
        "ports": (INSIDE_LRP,),
        "static_routes": (),
        "nat": (),
        "external_ids": CREATED,
    }

    for guard in (
        ops.wait_columns(schema.ROUTER, ROUTER, router),
        ops.wait_columns(schema.SWITCH, NET, {"external_ids": a_network().external_ids}),
        ops.wait_columns(schema.SWITCH, EXT, {"external_ids": an_external_network().external_ids}),
        ops.wait_key(schema.NB_GLOBAL, NB, "external_ids", keys.SEQUENCE + EXT, "7"),
    ):
        assert guard in guards


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (GROUPED, {}),
        (with_rows(ROUTED, GATEWAY_CHASSIS[0].copy(external_ids={}), GATEWAY_CHASSIS[1]), {}),
        (GROUPED, {"gateway_chassis": ("hv1",)}),
    ],
)
def test_set_on_the_sites_chassis(rows: tuple[Row, ...], options: Any) -> None:
    """With a group of chassis the gateway is on it, with SNAT, and announces its addresses."""
    plan = gateway({"network_id": EXT}, **options)(view_of(*rows))
    after = assert_answered(plan, rows, "routers")
    [port] = [row for row in some(after, SwitchPort) if row.uuid == LSP]
    [nat] = some(after, Nat)

    assert plan.answer["router"]["external_gateway_info"]["enable_snat"] is True
    assert GROUP == by_name(after, f"lrp{LSP}").ha_chassis_group
    assert "router" == port.options["nat-addresses"]
    assert {
        "type": "snat",
        "external_ip": "203.0.113.2",
        "logical_ip": "10.0.0.0/24",
        "external_ids": {keys.GATEWAY_SNAT: "True"},
    } == nat.columns()
    assert [(CHASSIS,)] == [row.ha_chassis for row in some(after, HaChassisGroup)]


def chassis(rows: Sequence[Row]) -> dict[str, int]:
    """Return the chassis with their priorities."""
    return {row.chassis_name: row.priority for row in some(rows, HaChassis)}


@pytest.mark.parametrize(
    ("rows", "names", "expected"),
    [
        (ROUTED, ("hv2", "hv1"), {"hv2": 2, "hv1": 1}),
        (GROUPED, ("hv2", "hv1"), {"hv2": 2, "hv1": 1}),
        (GROUPED, ("hv1", "hv2"), {"hv1": 2, "hv2": 1}),
        (GROUPED, ("hv3",), {"hv3": 1}),
        # An administrator's own group stays as it is.
        (
            with_rows(ROUTED, GATEWAY_CHASSIS[0].copy(external_ids={}), GATEWAY_CHASSIS[1]),
            ("hv3",),
            {"hv1": 1},
        ),
    ],
)
def test_the_group_has_the_configured_chassis(
    rows: tuple[Row, ...], names: tuple[str, ...], expected: dict[str, int]
) -> None:
    """The group that the proxy makes has the configured chassis, the first one foremost."""
    plan = gateway({"network_id": EXT}, gateway_chassis=names)(view_of(*rows))
    after = assert_answered(plan, rows, "routers")
    [group] = some(after, HaChassisGroup)

    assert expected == chassis(after)
    assert set(group.ha_chassis) == {row.uuid for row in some(after, HaChassis)}
    assert "ovirt-gateways" == group.name
    assert group.uuid == by_name(after, f"lrp{LSP}").ha_chassis_group


def test_another_group() -> None:
    """The site may name a group of its own."""
    plan = gateway({"network_id": EXT}, gateway_chassis_group="other")(view_of(*GROUPED))

    assert by_name(rows_after(GROUPED, plan), f"lrp{LSP}").ha_chassis_group is None


def test_set_without_snat() -> None:
    """SNAT can be off from the start; the gateway is on a chassis all the same."""
    info = {"network_id": EXT, "enable_snat": False}
    plan = gateway(info)(view_of(*GROUPED))
    after = assert_answered(plan, GROUPED, "routers")

    assert some(after, Nat) == []
    assert GROUP == by_name(after, f"lrp{LSP}").ha_chassis_group


@pytest.mark.parametrize(
    ("entries", "ips"),
    [
        (None, ["2001:db8::1", "203.0.113.2"]),
        ([], ["2001:db8::1", "203.0.113.2"]),
        ([{"subnet_id": EXT_SUBNET}], ["203.0.113.2"]),
        ([{"ip_address": "203.0.113.77"}], ["203.0.113.77"]),
        ([{"subnet_id": EXT_SUBNET, "ip_address": "203.0.113.77"}], ["203.0.113.77"]),
        ([{"subnet_id": row_id(40)}], ["2001:db8::1"]),
        (
            [{"subnet_id": EXT_SUBNET}, {"ip_address": "2001:db8::99"}],
            ["2001:db8::99", "203.0.113.2"],
        ),
    ],
)
def test_addresses(entries: Any, ips: list[str]) -> None:
    """A gateway has the addresses that are asked for, or one of each IP version."""
    v6 = a_subnet6(
        None,
        uuid=row_id(40),
        cidr="2001:db8::/64",
        external_ids={
            keys.SUBNET_NETWORK: EXT,
            keys.SUBNET_POOLS: "2001:db8::1-2001:db8::ff",
            keys.SUBNET_V6_GATEWAY: "fe80::1",
        },
    )
    rows = with_rows(GROUPED, v6)
    info = {"network_id": EXT, **({} if entries is None else {"external_fixed_ips": entries})}
    plan = gateway(info)(view_of(*rows))
    after = assert_answered(plan, rows, "routers")
    shown = plan.answer["router"]["external_gateway_info"]["external_fixed_ips"]

    assert ips == [entry["ip_address"] for entry in shown]
    hops = {"0.0.0.0/0": "203.0.113.1", "::/0": "fe80::1"}
    versions = {"::/0" if ":" in ip else "0.0.0.0/0" for ip in ips}
    assert {prefix: hops[prefix] for prefix in versions} == {
        row.ip_prefix: row.nexthop for row in some(after, StaticRoute)
    }
    v4 = [ip for ip in ips if ":" not in ip]
    assert ({"exclude_ips": v4[0]} if v4 else {}) == switch(after).other_config
    assert len(v4) == len(some(after, Nat))


@pytest.mark.parametrize(
    ("rows", "info", "status", "error_type"),
    [
        (ROUTED, {"network_id": row_id(99)}, 404, "NetworkNotFound"),
        (ROUTED, {"network_id": NET}, 400, "BadRequest"),
        (ROUTED, {"network_id": EXT, "enable_snat": True}, 400, "BadRequest"),
        (
            ROUTED,
            {"network_id": EXT, "external_fixed_ips": [{"ip_address": "203.0.113.1"}]},
            400,
            "BadRequest",
        ),
        (
            ROUTED,
            {"network_id": EXT, "external_fixed_ips": [{"ip_address": "192.0.2.1"}]},
            400,
            "InvalidIpForNetwork",
        ),
        (
            ROUTED,
            {"network_id": EXT, "external_fixed_ips": [{"subnet_id": SUBNET}]},
            400,
            "InvalidInput",
        ),
        (
            ROUTED,
            {"network_id": EXT, "external_fixed_ips": [{"subnet_id": row_id(99)}]},
            404,
            "SubnetNotFound",
        ),
        # An external network without subnets has no address to give.
        (
            tuple(row for row in ROUTED if row.uuid != EXT_SUBNET),
            {"network_id": EXT},
            400,
            "BadRequest",
        ),
        # Full, or taken by another gateway.
        (
            with_rows(
                CONNECTED,
                an_external_subnet(external_ids={keys.SUBNET_POOLS: "203.0.113.2-203.0.113.2"}),
                Router.new(row_id(90), name="r2", external_ids=CREATED),
            ),
            {"network_id": EXT},
            409,
            "IpAddressGenerationFailure",
        ),
        # Inside and outside may not be the same.
        (
            with_rows(ROUTED, a_network(row_id(73), **{keys.NETWORK_EXTERNAL: "True"})),
            {"network_id": NET},
            400,
            "BadRequest",
        ),
    ],
)
def test_set_refused(rows: tuple[Row, ...], info: Any, status: int, error_type: str) -> None:
    """What cannot be a gateway is refused with the API's own type."""
    router = row_id(90) if any(row.uuid == row_id(90) for row in rows) else ROUTER
    with pytest.raises(ApiError) as refused:
        put("routers", router, external_gateway_info=info)(view_of(*rows))

    assert (status, error_type) == (refused.value.status, refused.value.error_type)


# --- changing and clearing ---


@pytest.mark.parametrize("info", [None, {}])
@pytest.mark.parametrize("rows", [CONNECTED, PEER])
def test_clear(rows: tuple[Row, ...], info: Any) -> None:
    """A gateway goes with its port, its default route and its address, the peer's too."""
    plan = gateway(info)(view_of(*rows))
    after = assert_answered(plan, rows, "routers")

    assert plan.answer["router"]["external_gateway_info"] is None
    assert plan.answer["router"]["routes"] == []
    assert not {OUTSIDE, OUTSIDE_LRP} & {row.uuid for row in after}
    assert some(after, StaticRoute) == []
    assert {} == switch(after).other_config
    assert keys.ROUTER_GATEWAY not in some(after, Router)[0].external_ids


def test_clear_with_snat() -> None:
    """The rules of SNAT go with the gateway, and those by hand stay."""
    rows = with_rows(GROUPED)
    rows = tuple(rows_after(rows, gateway({"network_id": EXT})(view_of(*rows))))
    by_hand = Nat.new(row_id(31), type="snat", external_ip="203.0.113.9", logical_ip="10.7.0.0/24")
    [router] = some(rows, Router)
    rows = with_rows(rows, router.copy(nat=(*router.nat, row_id(31))), by_hand)
    after = rows_after(rows, gateway(None)(view_of(*rows)))

    assert [row_id(31)] == [row.uuid for row in some(after, Nat)]
    assert keys.ROUTER_SNAT not in some(after, Router)[0].external_ids


def test_clear_needed_by_a_route() -> None:
    """A gateway stays as long as a route of the user's goes by it."""
    route = StaticRoute.new(ROUTE, ip_prefix="10.9.0.0/16", nexthop="203.0.113.99")
    rows = with_rows(
        CONNECTED,
        a_router(
            INSIDE_LRP,
            OUTSIDE_LRP,
            static_routes=(ROUTE, row_id(80)),
            external_ids={keys.ROUTER_GATEWAY: OUTSIDE},
        ),
        route,
    )
    with pytest.raises(ApiError) as refused:
        gateway(None)(view_of(*rows))

    assert "InvalidRoutes" == refused.value.error_type
    both = put_by("routers", ROUTER, {"external_gateway_info": None, "routes": []})
    assert both(view_of(*rows)).answer["router"]["external_gateway_info"] is None


def test_snat_by_hand_is_enough() -> None:
    """A rule that somebody has added for an internal network is not doubled."""
    by_hand = Nat.new(row_id(31), type="snat", external_ip="203.0.113.9", logical_ip="10.0.0.0/24")
    [router] = some(GROUPED, Router)
    rows = with_rows(GROUPED, router.copy(nat=(row_id(31),)), by_hand)
    after = assert_answered(gateway({"network_id": EXT})(view_of(*rows)), rows, "routers")

    assert [row_id(31)] == [row.uuid for row in some(after, Nat)]
    assert "True" == some(after, Router)[0].external_ids[keys.ROUTER_SNAT]


def test_needed_by_a_floating_ip() -> None:
    """A gateway that a floating IP needs neither goes nor moves, nor is without IPv4."""
    rule = Nat.new(
        row_id(31),
        type="dnat_and_snat",
        external_ip="203.0.113.9",
        logical_ip="10.0.0.5",
        external_ids={keys.NAT_FLOATING_IP: row_id(30)},
    )
    other = a_network(uuid=row_id(91), **{keys.NETWORK_EXTERNAL: "True"})
    [router] = some(CONNECTED, Router)
    v6 = a_subnet6(None, cidr="2001:db8::/64", external_ids={keys.SUBNET_NETWORK: EXT})
    rows = with_rows(CONNECTED, router.copy(nat=(row_id(31),)), rule, other, v6)
    only_v6, both = (
        {"network_id": EXT, "external_fixed_ips": entries}
        for entries in (
            [{"subnet_id": SUBNET6}],
            [{"subnet_id": SUBNET6}, {"ip_address": "203.0.113.77"}],
        )
    )
    for info in (None, {"network_id": row_id(91)}, only_v6):
        with pytest.raises(ApiError) as refused:
            gateway(info)(view_of(*rows))

        assert "RouterExternalGatewayInUseByFloatingIp" == refused.value.error_type
    for info in ({"network_id": EXT}, both):
        assert gateway(info)(view_of(*rows)).steps


def test_move() -> None:
    """Another network takes the gateway over in one transaction, with a new port."""
    other = a_network(uuid=row_id(91), **{keys.NETWORK_EXTERNAL: "True"})
    subnet = an_external_subnet(
        external_ids={
            keys.SUBNET_NETWORK: row_id(91),
            keys.SUBNET_POOLS: "198.51.100.7-198.51.100.9",
        },
        router="198.51.100.1",
    ).copy(cidr="198.51.100.0/24")
    subnet.uuid = row_id(92)
    rows = with_rows(CONNECTED, other, subnet)
    plan = gateway({"network_id": row_id(91), "enable_snat": False})(view_of(*rows))
    after = assert_answered(plan, rows, "routers")

    assert {} == switch(after).other_config
    assert {"exclude_ips": "198.51.100.7"} == switch(after, row_id(91)).other_config
    assert ["198.51.100.1"] == [row.nexthop for row in some(after, StaticRoute)]
    assert OUTSIDE_LRP not in {row.uuid for row in after}
    assert ("198.51.100.7/24",) == by_name(after, f"lrp{LSP}").networks


@pytest.mark.parametrize(
    ("info", "is_on"),
    [
        ({"network_id": EXT}, True),
        ({"network_id": EXT, "enable_snat": True}, True),
        ({"network_id": EXT, "enable_snat": False}, False),
    ],
)
def test_snat_alone(info: Any, is_on: bool) -> None:
    """SNAT goes on and off, and the port keeps its place and address."""
    for start in (CONNECTED, tuple(rows_after(CONNECTED, gateway(info)(view_of(*CONNECTED))))):
        plan = gateway(info)(view_of(*start))
        after = assert_answered(plan, start, "routers")

        assert [is_on] == [
            router.external_ids.get(keys.ROUTER_SNAT) == "True" for router in some(after, Router)
        ]
        assert is_on == bool(some(after, Nat))
        assert ("203.0.113.2/24",) == by_name(after, f"lrp{OUTSIDE}").networks
    assert plan.steps == ()


@pytest.mark.parametrize(
    ("entries", "networks"),
    [
        ([{"ip_address": "203.0.113.2"}], ("203.0.113.2/24",)),
        ([{"subnet_id": EXT_SUBNET}], ("203.0.113.2/24",)),
        ([{"ip_address": "203.0.113.77"}], ("203.0.113.77/24",)),
        (
            [{"ip_address": "203.0.113.77"}, {"subnet_id": EXT_SUBNET}],
            ("203.0.113.2/24", "203.0.113.77/24"),
        ),
    ],
)
def test_readdress(entries: Any, networks: tuple[str, ...]) -> None:
    """A gateway takes other addresses on its network; those that it has stay."""
    info = {"network_id": EXT, "enable_snat": True, "external_fixed_ips": entries}
    plan = gateway(info)(view_of(*CONNECTED))
    after = assert_answered(plan, CONNECTED, "routers")
    row = by_name(after, f"lrp{OUTSIDE}")

    assert (OUTSIDE_MAC, networks) == (row.mac, row.networks)
    ips = " ".join(network.partition("/")[0] for network in networks)
    assert set(ips.split()) == set(switch(after).other_config["exclude_ips"].split())
    assert [networks[0].partition("/")[0]] == [row.external_ip for row in some(after, Nat)]


def test_the_peers_gateway_stays() -> None:
    """A gateway on no chassis stays that, as long as nobody asks for SNAT on it."""
    info = {
        "network_id": EXT,
        "enable_snat": False,
        "external_fixed_ips": [{"subnet_id": EXT_SUBNET, "ip_address": "203.0.113.2"}],
    }
    # The network that it is on need not be marked as external.
    unmarked = an_external_network(OUTSIDE).external_ids.copy()  # type: ignore[attr-defined]
    del unmarked[keys.NETWORK_EXTERNAL]
    rows = with_rows(PEER, switch(PEER).copy(external_ids=unmarked), *GATEWAY_CHASSIS)
    same = gateway(info)(view_of(*rows))
    snat = gateway({**info, "enable_snat": True})(view_of(*rows))
    after = assert_answered(snat, rows, "routers")

    assert same.steps == ()
    assert GROUP == by_name(after, f"lrp{OUTSIDE}").ha_chassis_group
    assert ["10.0.0.0/24"] == [row.logical_ip for row in some(after, Nat)]
    assert [ROUTE] == [row.uuid for row in some(after, StaticRoute)]


def test_a_chassis_by_hand_is_one() -> None:
    """A gateway that somebody has put on a chassis by hand stays there, and can have SNAT."""
    rows = with_rows(PEER, *outside(gateway_chassis=(row_id(95),)))
    plan = gateway({"network_id": EXT, "enable_snat": True})(view_of(*rows))
    after = assert_answered(plan, rows, "routers")
    row = by_name(after, f"lrp{OUTSIDE}")

    assert (None, (row_id(95),)) == (row.ha_chassis_group, row.gateway_chassis)
    assert [("203.0.113.2", "10.0.0.0/24")] == [
        (row.external_ip, row.logical_ip) for row in some(after, Nat)
    ]


def test_a_router_on_a_chassis_as_a_whole() -> None:
    """A router that somebody has made a gateway router by hand does NAT where it is."""
    [router] = some(PEER, Router)
    rows = with_rows(PEER, router.copy(options={"chassis": "hv7"}), *GATEWAY_CHASSIS)
    after = assert_answered(
        gateway({"network_id": EXT, "enable_snat": True})(view_of(*rows)), rows, "routers"
    )

    assert by_name(after, f"lrp{OUTSIDE}").ha_chassis_group is None
    assert ["10.0.0.0/24"] == [row.logical_ip for row in some(after, Nat)]
