# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for other addresses of routers' ports, by PUT of the ports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import ApiError
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.rows import DhcpOptions, Nat, Router, RouterPort, Row, StaticRoute
from unit.proxy.plans import (
    MAC,
    MAC2,
    NET,
    PORT,
    PORT2,
    SUBNET,
    SUBNET6,
    a_network,
    a_port,
    a_subnet,
    a_subnet6,
    assert_answered,
    put,
    row_id,
    view_of,
)
from unit.proxy.routed import (
    CONNECTED,
    EXT_SUBNET,
    INSIDE,
    INSIDE_LRP,
    OUTSIDE,
    OUTSIDE_LRP,
    ROUTE,
    ROUTED,
    ROUTER,
    SUBNET2,
    a_router,
    inside,
    with_rows,
)

SNAT_ON = {keys.ROUTER_GATEWAY: OUTSIDE, keys.ROUTER_SNAT: "True"}
SECOND = a_subnet(
    uuid=row_id(90),
    cidr="10.0.1.0/24",
    external_ids={keys.SUBNET_POOLS: "10.0.1.2-10.0.1.254"},
    options={"router": "10.0.1.1"},
)


def readdress(port_id: str, *entries: Any) -> Any:
    """Return the planner that gives a router's port these addresses."""
    return put("ports", port_id, fixed_ips=list(entries))


def rows_of(rows: Sequence[Row], kind: type[Row]) -> list[Any]:
    """Return the rows of a kind."""
    return [row for row in rows if isinstance(row, kind)]


def revision(rows: Sequence[Row], uuid: str) -> str:
    """Return how often a row has been changed."""
    [row] = [row for row in rows if row.uuid == uuid]
    return str(row.external_ids[keys.REVISION])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("entries", "networks", "gateways"),
    [
        ([{"ip_address": "10.0.0.9"}], ("10.0.0.9/24",), set()),
        ([{"subnet_id": SUBNET, "ip_address": "10.0.0.9"}], ("10.0.0.9/24",), set()),
        ([{"subnet_id": SUBNET}, {"subnet_id": SUBNET6}], ("10.0.0.1/24", "fd00::1/64"), {SUBNET}),
        # An interface makes no address from its MAC, and may be the gateway of all its subnets.
        ([{"ip_address": "10.0.0.9"}, {"ip_address": "fd00::"}], None, {SUBNET6}),
        # A subnet is left for another one.
        ([{"ip_address": "10.0.1.1"}], ("10.0.1.1/24",), {SECOND.uuid}),
    ],
)
def test_interface(entries: Any, networks: tuple[str, ...] | None, gateways: set[str]) -> None:
    """An interface takes other addresses, and all that follows from them, in one transaction."""
    rows = with_rows(ROUTED, a_subnet6("slaac"), SECOND)
    plan = readdress(INSIDE, *entries)(view_of(*rows))
    after = assert_answered(plan, rows, "ports")
    [row] = rows_of(after, RouterPort)
    subnets = rows_of(after, DhcpOptions)

    assert (networks or ("10.0.0.9/24", "fd00::/64")) == row.networks
    marks = {one.uuid: one.external_ids.get(keys.SUBNET_GATEWAY_ROUTER) for one in subnets}
    assert dict.fromkeys(gateways, ROUTER) == {uuid: mark for uuid, mark in marks.items() if mark}
    assert any(":" in network for network in row.networks) == bool(row.ipv6_ra_configs)
    assert ("2", "2") == (revision(after, INSIDE), revision(after, ROUTER))


def test_what_an_interface_rests_on() -> None:
    """Whoever changes the router, its port or what is taken on the network plans again."""
    plan = readdress(INSIDE, {"ip_address": "10.0.0.9"})(view_of(*ROUTED))
    guards = [operation for operation in plan.operations if operation["op"] == "wait"]

    for table, uuid, columns in (
        (schema.ROUTER, ROUTER, ["ports", "static_routes", "nat", "external_ids"]),
        (schema.ROUTER_PORT, INSIDE_LRP, ["networks"]),
        (schema.PORT, INSIDE, ["external_ids"]),
    ):
        [row] = [row for row in ROUTED if row.uuid == uuid]
        seen = {column: getattr(row, column) for column in columns}
        assert ops.wait_columns(table, uuid, seen) in guards
    assert any("ovirt_sequence_" + NET in str(guard) for guard in guards)


def test_snat_follows() -> None:
    """SNAT is for the networks that the interface is on now."""
    router = a_router(INSIDE_LRP, OUTSIDE_LRP, external_ids=SNAT_ON)
    rows = with_rows(CONNECTED, router, SECOND)
    plan = readdress(INSIDE, {"subnet_id": SECOND.uuid})(view_of(*rows))

    assert [("10.0.1.0/24", "203.0.113.2")] == [
        (rule.logical_ip, rule.external_ip)
        for rule in rows_of(assert_answered(plan, rows, "ports"), Nat)
    ]


def test_gateway() -> None:
    """A gateway's port takes the addresses that the router's gateway would take."""
    router = a_router(INSIDE_LRP, OUTSIDE_LRP, static_routes=(row_id(80),), external_ids=SNAT_ON)
    rows = with_rows(CONNECTED, router)
    plan = readdress(OUTSIDE, {"ip_address": "203.0.113.77"})(view_of(*rows))
    after = assert_answered(plan, rows, "ports")
    by_port = {row.uuid: row.networks for row in rows_of(after, RouterPort)}

    assert ("203.0.113.77/24",) == by_port[OUTSIDE_LRP]
    assert ["203.0.113.77"] == [rule.external_ip for rule in rows_of(after, Nat)]
    assert ["203.0.113.1"] == [route.nexthop for route in rows_of(after, StaticRoute)]
    assert ("2", "2") == (revision(after, OUTSIDE), revision(after, ROUTER))
    [shown] = rows_of(after, Router)
    assert "True" == shown.external_ids[keys.ROUTER_SNAT]


@pytest.mark.parametrize(
    ("port_id", "entries"),
    [
        (INSIDE, [{"subnet_id": SUBNET, "ip_address": "10.0.0.1"}]),
        (INSIDE, [{"ip_address": "10.0.0.1"}]),
        (INSIDE, [{"subnet_id": SUBNET}]),
        (OUTSIDE, [{"subnet_id": EXT_SUBNET}]),
    ],
)
def test_the_same_again(port_id: str, entries: Any) -> None:
    """Who asks for what is there changes nothing."""
    assert () == readdress(port_id, *entries)(view_of(*CONNECTED)).steps


def with_a_route(nexthop: str) -> tuple[Row, ...]:
    """Return the routed network, with a static route by way of an address there."""
    return with_rows(
        ROUTED,
        SECOND,
        a_router(INSIDE_LRP, static_routes=(ROUTE,)),
        StaticRoute.new(ROUTE, ip_prefix="10.9.0.0/16", nexthop=nexthop),
    )


WITH_A_FLOATING_IP = with_rows(
    ROUTED,
    SECOND,
    a_router(INSIDE_LRP, nat=(row_id(31),)),
    Nat.new(
        row_id(31),
        type="dnat_and_snat",
        external_ip="203.0.113.9",
        logical_ip="10.0.0.5",
        external_ids={keys.NAT_FLOATING_IP: row_id(30)},
    ),
)


@pytest.mark.parametrize(
    ("rows", "port_id", "entries", "status", "error_type"),
    [
        (ROUTED, INSIDE, [], 400, "BadRequest"),
        (CONNECTED, OUTSIDE, [], 400, "BadRequest"),
        (CONNECTED, OUTSIDE, [{"ip_address": "203.0.113.1"}], 400, "BadRequest"),
        (
            with_rows(ROUTED, SECOND),
            INSIDE,
            [{"ip_address": "10.0.0.1"}, {"ip_address": "10.0.1.1"}],
            400,
            "BadRequest",
        ),
        (ROUTED, INSIDE, [{"ip_address": "10.0.0.5"}], 409, "IpAddressAlreadyAllocated"),
        (ROUTED, INSIDE, [{"ip_address": "192.0.2.1"}], 400, "InvalidIpForNetwork"),
        (ROUTED, INSIDE, [{"subnet_id": SUBNET2}], 400, "InvalidInput"),
        (ROUTED, INSIDE, [{"subnet_id": row_id(99)}], 404, "SubnetNotFound"),
        # Another port of the router is on the subnet.
        (
            with_rows(
                ROUTED,
                SECOND,
                a_network(PORT, PORT2, INSIDE),
                a_router(INSIDE_LRP, row_id(91)),
                a_port(
                    "router",
                    PORT2,
                    type="router",
                    options={"router-port": "other"},
                    external_ids={keys.DEVICE_ID: ROUTER},
                ),
                RouterPort.new(row_id(91), name="other", mac=MAC2, networks=("10.0.1.1/24",)),
            ),
            INSIDE,
            [{"ip_address": "10.0.1.7"}],
            400,
            "BadRequest",
        ),
        # Routes and floating IPs need the subnet; a route does not lead to the router itself.
        (
            with_a_route("10.0.0.9"),
            INSIDE,
            [{"ip_address": "10.0.1.1"}],
            409,
            "RouterInterfaceInUseByRoute",
        ),
        (with_a_route("10.0.0.9"), INSIDE, [{"ip_address": "10.0.0.9"}], 400, "InvalidRoutes"),
        (
            with_rows(
                CONNECTED,
                a_router(
                    INSIDE_LRP,
                    OUTSIDE_LRP,
                    static_routes=(ROUTE,),
                    external_ids={keys.ROUTER_GATEWAY: OUTSIDE},
                ),
                StaticRoute.new(ROUTE, ip_prefix="10.9.0.0/16", nexthop="203.0.113.9"),
            ),
            OUTSIDE,
            [{"ip_address": "203.0.113.9"}],
            400,
            "InvalidRoutes",
        ),
        (
            WITH_A_FLOATING_IP,
            INSIDE,
            [{"ip_address": "10.0.1.1"}],
            409,
            "RouterInterfaceInUseByFloatingIP",
        ),
    ],
)
def test_refused(
    rows: tuple[Row, ...], port_id: str, entries: Any, status: int, error_type: str
) -> None:
    """What the router's port cannot have is refused with the API's type."""
    with pytest.raises(ApiError) as refused:
        readdress(port_id, *entries)(view_of(*rows))

    assert (status, error_type) == (refused.value.status, refused.value.error_type)


def test_within_a_subnet() -> None:
    """Routes and floating IPs stay where the interface keeps the subnet."""
    for rows in (with_a_route("10.0.0.9"), WITH_A_FLOATING_IP):
        plan = readdress(INSIDE, {"ip_address": "10.0.0.8"})(view_of(*rows))
        [row] = rows_of(assert_answered(plan, rows, "ports"), RouterPort)
        assert ("10.0.0.8/24",) == row.networks


def test_a_port_whose_router_is_not_ours() -> None:
    """A port of another manager's router keeps its addresses."""
    port, router_port = inside()
    rows = with_rows(
        (a_network(INSIDE), a_subnet(), a_port(f"{MAC} 10.0.0.5")),
        port.copy(external_ids={keys.NIC_NAME: ""}),
        router_port,
        Router.new(ROUTER, name="by-hand", ports=(INSIDE_LRP,)),
    )
    with pytest.raises(ApiError) as refused:
        readdress(INSIDE, {"ip_address": "10.0.0.9"})(view_of(*rows))

    assert (400, "BadRequest") == (refused.value.status, refused.value.error_type)
