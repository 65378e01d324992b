# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows of a site with a router, for tests of what is planned around routers.

A network NET with 10.0.0.0/24 and a VM's port, an external network EXT with
203.0.113.0/24, and the router ROUTER, with or without an interface and a gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.rows import (
    DhcpOptions,
    HaChassis,
    HaChassisGroup,
    Router,
    RouterPort,
    Row,
    StaticRoute,
    Switch,
    SwitchPort,
)
from unit.proxy.plans import (
    CREATED,
    MAC,
    NET,
    PORT,
    a_network,
    a_port,
    a_subnet,
    counted,
    row_id,
)

EXT, EXT_SUBNET, ROUTER = row_id(70), row_id(71), row_id(72)
INSIDE, INSIDE_LRP, OUTSIDE, OUTSIDE_LRP = map(row_id, range(73, 77))
GROUP, CHASSIS, ROUTE, DEFAULT_ROUTE = map(row_id, range(77, 81))
INSIDE_MAC, OUTSIDE_MAC = "02:00:00:00:00:11", "02:00:00:00:00:12"
NET2, SUBNET2 = row_id(81), row_id(82)


def an_external_network(*port_uuids: str, **external_ids: str) -> Switch:
    """Return the external network."""
    ids = {keys.NETWORK_EXTERNAL: "True", **external_ids}
    return a_network(*port_uuids, uuid=EXT, **ids)


def an_external_subnet(**changes: Any) -> DhcpOptions:
    """Return 203.0.113.0/24 with the gateway 203.0.113.1."""
    return a_subnet(
        uuid=EXT_SUBNET,
        cidr="203.0.113.0/24",
        external_ids={
            keys.SUBNET_NETWORK: EXT,
            keys.SUBNET_POOLS: "203.0.113.2-203.0.113.254",
            **changes.pop("external_ids", {}),
        },
        options={"router": "203.0.113.1", "server_id": "203.0.113.1", **changes},
    )


def a_router(*port_uuids: str, **changes: Any) -> Router:
    """Return the router with these ports; `external_ids` are added."""
    external_ids = {**CREATED, **changes.pop("external_ids", {})}
    columns = {"name": "r1", "enabled": True, "ports": tuple(port_uuids), **changes}
    return Router.new(ROUTER, external_ids=external_ids, **columns)


def a_side(
    uuid: str, router_side: str, mac: str, *networks: str, owner: str, **columns: Any
) -> tuple[SwitchPort, RouterPort]:
    """Return both sides of a port of the router."""
    name = f"lrp{uuid}"
    ids = {**CREATED, keys.NIC_NAME: "", keys.DEVICE_ID: ROUTER, keys.DEVICE_OWNER: owner}
    port = a_port("router", uuid, type="router", options={"router-port": name}, external_ids=ids)
    return port, RouterPort.new(router_side, name=name, mac=mac, networks=networks, **columns)


def inside(*networks: str, **columns: Any) -> tuple[SwitchPort, RouterPort]:
    """Return the router's interface on NET, which is the gateway of 10.0.0.0/24."""
    owner = "network:router_interface"
    found = networks or ("10.0.0.1/24",)
    return a_side(INSIDE, INSIDE_LRP, INSIDE_MAC, *found, owner=owner, **columns)


def outside(*networks: str, **columns: Any) -> tuple[SwitchPort, RouterPort]:
    """Return the router's gateway port on EXT."""
    owner = "network:router_gateway"
    found = networks or ("203.0.113.2/24",)
    return a_side(OUTSIDE, OUTSIDE_LRP, OUTSIDE_MAC, *found, owner=owner, **columns)


GATEWAY_ROUTE = StaticRoute.new(
    DEFAULT_ROUTE,
    ip_prefix="0.0.0.0/0",
    nexthop="203.0.113.1",
    output_port=f"lrp{OUTSIDE}",
    external_ids={keys.GATEWAY_ROUTE: "True"},
)
GATEWAY_CHASSIS = (
    HaChassisGroup.new(GROUP, name="ovirt-gateways", ha_chassis=(CHASSIS,), external_ids=CREATED),
    HaChassis.new(CHASSIS, chassis_name="hv1", priority=1),
)

# Networks, subnets and a VM's port; no router yet.
NETWORKS: tuple[Row, ...] = (
    counted(NET, EXT, NET2),
    a_network(PORT),
    a_subnet(),
    a_port(f"{MAC} 10.0.0.5"),
    a_network(uuid=NET2),
    a_subnet(
        uuid=SUBNET2,
        cidr="10.2.0.0/24",
        external_ids={keys.SUBNET_NETWORK: NET2, keys.SUBNET_POOLS: "10.2.0.2-10.2.0.254"},
        options={"router": "10.2.0.1", "server_id": "10.2.0.1"},
    ),
    an_external_network(),
    an_external_subnet(),
)


def with_rows(rows: Sequence[Row], *others: Row) -> tuple[Row, ...]:
    """Return the rows with others instead of those of the same table and UUID, or more."""
    new = {(row.table, row.uuid): row for row in others}
    old = {(row.table, row.uuid): row for row in rows}
    return tuple({**old, **new}.values())


ROUTED = with_rows(
    NETWORKS,
    a_network(PORT, INSIDE),
    a_subnet(external_ids={keys.SUBNET_GATEWAY_ROUTER: ROUTER}),
    a_router(INSIDE_LRP),
    *inside(),
)
# The router has a gateway as well, on a chassis and with SNAT off.
CONNECTED = with_rows(
    ROUTED,
    an_external_network(OUTSIDE).copy(other_config={"exclude_ips": "203.0.113.2"}),
    a_router(
        INSIDE_LRP,
        OUTSIDE_LRP,
        static_routes=(DEFAULT_ROUTE,),
        external_ids={keys.ROUTER_GATEWAY: OUTSIDE},
    ),
    *outside(ha_chassis_group=GROUP),
    GATEWAY_ROUTE,
    *GATEWAY_CHASSIS,
)
