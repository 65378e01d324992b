# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What follows from a router's ports and their networks, planned anew after any change.

Default routes and SNAT of the external gateway, options of Logical_Router_Ports, and
router advertisements. Pure. Whatever another hand has added to a router stays.
Source: ovn-nb(5), "Logical_Router_Port", "NAT", "Logical_Router_Static_Route".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ..nb import keys
from ..nb.rows import Nat, Router, RouterPort, StaticRoute, Switch
from ..wire.network import asked_mtu
from ..wire.router import has_snat
from ..wire.router_sides import (
    Side,
    connected,
    gateway_of,
    interfaces_of,
    is_gateway_route,
    routes_of,
    sides_of,
    subnets_on,
)
from .chassis import is_placed
from .common import updated
from .draft import Draft

DEFAULT_ROUTE = {4: "0.0.0.0/0", 6: "::/0"}
_SMALLEST_V6_MTU = 1280


def lock(draft: Draft, router: Router) -> None:
    """Hold the plan to the router as it is now: its ports, routes, NAT and keys."""
    row = draft.view.router(router.uuid)
    if row is not None:
        draft.rest_on(row, "ports", "static_routes", "nat", "external_ids")


def count_change(draft: Draft, router: Router) -> None:
    """Plan a later revision of a router."""
    row = draft.current(router)
    draft.update(row.copy(external_ids=updated(row.external_ids, draft.context)))


def routers_on(draft: Draft, switch: Switch) -> list[Router]:
    """Return the routers of ours that have a port on a network."""
    ids = {
        draft.view.owner(router_port)
        for port in draft.view.router_sides(switch)
        for router_port in [draft.view.router_port_of(port)]
        if router_port is not None
    }
    found = [draft.router(router_id) for router_id in sorted(filter(None, ids))]
    return [router for router in found if router is not None]


def floating_rules(draft: Draft, router: Router) -> list[Nat]:
    """Return a router's rules that work for floating IPs."""
    rows = cast("list[Nat]", draft.children(router, "nat"))
    return [row for row in rows if keys.NAT_FLOATING_IP in row.external_ids]


def refresh_router(draft: Draft, router: Router) -> None:
    """Plan what follows from all ports of a router."""
    lock(draft, router)
    router = draft.current(router)
    gateway = gateway_of(router, draft)
    for side in sides_of(router, draft):
        # Its MTU, and whether it is on a physical network, make a difference here.
        row = draft.view.network(side.network_id)
        if row is not None:
            draft.rest_on(row, "external_ids")
    _refresh_routes(draft, router, gateway)
    _refresh_snat(draft, router, gateway)
    _refresh_options(draft, router, gateway)


def refresh_routes(draft: Draft, router: Router) -> None:
    """Plan the default routes of a router's gateway, one for each IP version.

    A default route that the user gave wins: side by side, OVN would use both in turn.
    """
    lock(draft, router)
    router = draft.current(router)
    _refresh_routes(draft, router, gateway_of(router, draft))


# --- what the external gateway brings ---


def _refresh_routes(draft: Draft, router: Router, gateway: Side | None) -> None:
    wanted: dict[str, StaticRoute] = {}
    given = {row.ip_prefix for row in routes_of(router, draft)}
    for subnet in subnets_on(gateway, draft) if gateway is not None else ():
        prefix = DEFAULT_ROUTE[subnet.version]
        if gateway is None or subnet.gateway_ip is None or prefix in given or prefix in wanted:
            continue
        wanted[prefix] = StaticRoute.new(
            draft.context.row_uuid(f"{router.uuid}/default/{prefix}/{subnet.gateway_ip}"),
            ip_prefix=prefix,
            nexthop=subnet.gateway_ip,
            # A gateway need not be in its subnet (and a link-local one never is).
            output_port=gateway.router_port.name,
            external_ids={keys.GATEWAY_ROUTE: "True"},
        )
    for row in cast("list[StaticRoute]", draft.children(router, "static_routes")):
        if is_gateway_route(row):
            new = wanted.get(row.ip_prefix)
            if new is not None and not row.difference(new):
                del wanted[row.ip_prefix]
            else:
                draft.delete_from(router, "static_routes", row)
    for row in wanted.values():
        draft.insert_into(router, "static_routes", row)


def _refresh_snat(draft: Draft, router: Router, gateway: Side | None) -> None:
    """Plan a rule for each internal IPv4 network, where the gateway has an IPv4 address."""
    wanted: dict[str, Nat] = {}
    addresses = connected([gateway.router_port]) if gateway is not None else []
    external = next((address for address in addresses if address.version == 4), None)
    if external is not None and has_snat(router):
        for internal in connected(side.router_port for side in interfaces_of(router, draft)):
            if internal.version == 4:
                network = str(internal.network)
                wanted[network] = Nat.new(
                    draft.context.row_uuid(f"{router.uuid}/snat/{network}/{external.ip}"),
                    type="snat",
                    external_ip=str(external.ip),
                    logical_ip=network,
                    external_ids={keys.GATEWAY_SNAT: "True"},
                )
    for row in cast("list[Nat]", draft.children(router, "nat")):
        if keys.GATEWAY_SNAT in row.external_ids:
            new = wanted.get(row.logical_ip)
            if new is not None and not row.difference(new):
                del wanted[row.logical_ip]
            else:
                draft.delete_from(router, "nat", row)
        elif row.type == "snat":
            # A rule by hand for the same network is enough.
            wanted.pop(row.logical_ip, None)
    for row in wanted.values():
        draft.insert_into(router, "nat", row)


# --- options of the router's ports ---


def _refresh_options(draft: Draft, router: Router, gateway: Side | None) -> None:
    sides = sides_of(router, draft)
    mtus = {side.network_id: mtu_of(draft, side.network_id) for side in sides}
    is_central = gateway is not None and is_placed(gateway)
    for side in sides:
        mtu = mtus[side.network_id]
        is_gateway = gateway is not None and side.port.name == gateway.port.name
        has_wire = is_physical(draft, side.network_id)
        wanted = {
            # Only where packets from another network can be too long: checking costs.
            "gateway_mtu": str(mtu) if mtu < max(mtus.values()) else None,
            # On a physical network every chassis would send with the router's MAC, and
            # its switches would see that move from port to port.
            "reside-on-redirect-chassis": "true"
            if is_central and not is_gateway and has_wire
            else None,
            # Where no wire leads to the gateway's chassis, packets for it are to take the
            # tunnel. OVN 24.09 has to be told; newer ones know, older ones cannot.
            "centralize_routing": "true" if is_central and is_gateway and not has_wire else None,
        }
        draft.update(_with_options(draft.current(side.router_port), wanted))


def _with_options(row: RouterPort, wanted: Mapping[str, str | None]) -> RouterPort:
    """Return a router port with our options; those that another hand has set win."""
    options, external_ids = dict(row.options), dict(row.external_ids)
    ours = set(external_ids.pop(keys.ROUTER_PORT_OPTIONS, "").split())
    for name, value in wanted.items():
        if name in options and name not in ours:
            continue
        ours.discard(name)
        options.pop(name, None)
        if value is not None:
            options[name] = value
            ours.add(name)
    if ours:
        external_ids[keys.ROUTER_PORT_OPTIONS] = " ".join(sorted(ours))
    return row.copy(options=options, external_ids=external_ids)


def mtu_of(draft: Draft, network_id: str) -> int:
    """Return the MTU in bytes that hosts of a network are told."""
    switch = draft.network(network_id)
    asked = asked_mtu(switch) if switch is not None else None
    return asked or draft.context.config.dhcp_mtu_bytes


def is_physical(draft: Draft, network_id: str) -> bool:
    """Say whether a network is joined to a physical one."""
    switch = draft.network(network_id)
    return switch is not None and draft.localnet(switch) is not None


# --- router advertisements ---


def refresh_announcements(draft: Draft, side: Side) -> None:
    """Plan what a router announces to the hosts of a network (RFC 4861).

    OVN knows one mode for each port: that of the oldest subnet with a mode decides.
    Without any, nothing is announced.
    """
    subnets = [subnet for subnet in subnets_on(side, draft) if subnet.version == 6]
    modes = [subnet.ra_mode or subnet.address_mode for subnet in subnets if subnet.enable_dhcp]
    mode = next(filter(None, modes), None)
    servers = [server for subnet in subnets for server in subnet.dns_nameservers]
    mtu = mtu_of(draft, side.network_id)
    row = draft.current(side.router_port)
    wanted = {
        "address_mode": mode.replace("-", "_") if mode else None,
        "send_periodic": "true" if mode else None,
        "mtu": str(mtu) if mode and mtu >= _SMALLEST_V6_MTU else None,
        "rdnss": servers[0] if mode and servers else None,
    }
    configs = {name: value for name, value in row.ipv6_ra_configs.items() if name not in wanted}
    configs.update({name: value for name, value in wanted.items() if value is not None})
    draft.update(row.copy(ipv6_ra_configs=configs))
