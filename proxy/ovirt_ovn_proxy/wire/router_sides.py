# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The ports of a router, both sides of each: Logical_Router_Port and Logical_Switch_Port.

Pure: reads rows, for encoders and planners alike. A router port without a REST port
behind it (another hand's) is no side; OVN still routes by it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple, Union, cast

from ..nb import keys
from ..nb.rows import Router, RouterPort, StaticRoute, SwitchPort
from .common import Lookup
from .subnet import Subnet, read_subnet

IpInterface = Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]


class Side(NamedTuple):
    """A router's port and the network's port behind it."""

    router_port: RouterPort
    port: SwitchPort
    network_id: str

    @property
    def ips(self) -> list[str]:
        """The router's addresses on the network."""
        return [network.partition("/")[0] for network in self.router_port.networks]

    @property
    def has_ipv4(self) -> bool:
        """Say whether the router has an IPv4 address on the network."""
        return any(":" not in ip for ip in self.ips)


class Route(NamedTuple):
    """A static route as the API has it."""

    destination: str
    nexthop: str


def sides_of(router: Router, lookup: Lookup) -> list[Side]:
    """Return a router's ports on networks, the external gateway's too."""
    sides = []
    for row in cast("list[RouterPort]", lookup.children(router, "ports")):
        port = lookup.port_behind(row)
        network_id = lookup.owner(port) if port is not None else None
        if port is not None and network_id is not None:
            sides.append(Side(row, port, network_id))
    return sides


def gateway_of(router: Router, lookup: Lookup) -> Side | None:
    """Return the port that is a router's external gateway."""
    port_id = router.external_ids.get(keys.ROUTER_GATEWAY)
    if not port_id:
        return None
    return next((side for side in sides_of(router, lookup) if side.port.name == port_id), None)


def interfaces_of(router: Router, lookup: Lookup) -> list[Side]:
    """Return a router's ports other than its external gateway."""
    gateway = router.external_ids.get(keys.ROUTER_GATEWAY)
    return [side for side in sides_of(router, lookup) if side.port.name != gateway]


def subnets_with(ips: Iterable[str], network_id: str, lookup: Lookup) -> list[Subnet]:
    """Return the subnets of a network that hold any of the addresses, oldest first."""
    found = list(ips)
    subnets = map(read_subnet, lookup.subnets_of(network_id))
    return [subnet for subnet in subnets if subnet is not None and any(map(subnet.holds, found))]


def subnets_on(side: Side, lookup: Lookup) -> list[Subnet]:
    """Return the subnets of the network that a router's port has an address in."""
    return subnets_with(side.ips, side.network_id, lookup)


def connected(router_ports: Iterable[RouterPort]) -> list[IpInterface]:
    """Return the addresses of router ports with their networks; malformed ones are left out."""
    found = []
    for text in (network for row in router_ports for network in row.networks):
        try:
            found.append(ipaddress.ip_interface(text))
        except ValueError:
            continue
    return found


def routes_of(router: Router, lookup: Lookup) -> list[StaticRoute]:
    """Return the static routes that a router's user sees, in order.

    Not those that come with its gateway, nor what the API has no words for.
    """
    rows = cast("list[StaticRoute]", lookup.children(router, "static_routes"))
    shown = [row for row in rows if not is_gateway_route(row) and row.policy != "src-ip"]
    return sorted(shown, key=lambda row: (row.ip_prefix, row.nexthop, row.uuid))


def route_of(row: StaticRoute) -> Route:
    """Return a route in the API's spelling, a malformed one as it is.

    ovirt-provider-ovn keeps what its clients wrote, host bits and all.
    """
    try:
        destination = ipaddress.ip_network(row.ip_prefix, strict=False)
        return Route(str(destination), str(ipaddress.ip_address(row.nexthop)))
    except ValueError:
        return Route(row.ip_prefix, row.nexthop)


def is_gateway_route(row: StaticRoute) -> bool:
    """Say whether a route comes and goes with its router's external gateway."""
    return keys.GATEWAY_ROUTE in row.external_ids
