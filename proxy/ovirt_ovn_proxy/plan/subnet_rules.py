# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What makes a subnet valid (Networking API v2.0, "Subnets"). Pure."""

from __future__ import annotations

from typing import NoReturn

from ..errors import BadRequest, Conflict
from ..nb.addresses import ip_number
from ..nb.rows import Switch
from ..wire.network import asked_mtu
from ..wire.port import is_router_port
from ..wire.subnet import SLAAC, STATELESS, Subnet, host_limits, range_of
from .draft import Draft

# By IP version, RFC 791 and RFC 8200.
SMALLEST_MTU = {4: 68, 6: 1280}
_LONGEST_WITH_DHCP = {4: 30, 6: 126}


def check_new(draft: Draft, switch: Switch, subnet: Subnet, ip_version: int) -> None:
    """Check what concerns creation only: version, CIDR, modes, the network's other subnets."""
    network = subnet.network
    if ip_version not in (4, 6) or ip_version != subnet.version:
        _refuse(f"ip_version {ip_version} does not match cidr {network}")
    if network.prefixlen == 0:
        _refuse(f"0 is not allowed as prefix length in cidr {network}")
    # By numbers: a bulk request looks at each other subnet of its network for each of its own.
    first, last = int(network.network_address), int(network.broadcast_address)
    version = network.version
    for row in draft.subnets_of(switch.uuid):
        other = range_of(row)
        if other is None or other.version != version:
            continue
        if other.first <= last and first <= other.last:
            _refuse(
                f"Requested subnet with cidr: {network} for network: {switch.uuid} "
                f"overlaps with subnet {row.uuid} ({row.cidr})"
            )
    mtu = asked_mtu(switch)
    if mtu is not None and mtu < SMALLEST_MTU[subnet.version]:
        raise Conflict(
            "NetworkMTUSubnetConflict",
            f"A subnet of IPv{subnet.version} needs an MTU of "
            f"{SMALLEST_MTU[subnet.version]} at least, network {switch.uuid} has {mtu}.",
        )


def check_subnet(subnet: Subnet) -> None:
    """Check a subnet as a whole, new or changed."""
    _check_dhcp(subnet)
    _check_modes(subnet)
    for field, addresses in (
        ("gateway_ip", [subnet.gateway_ip] if subnet.gateway_ip else []),
        ("dns_nameservers", list(subnet.dns_nameservers)),
        ("host_routes", [part for route in subnet.host_routes for part in route]),
    ):
        for address in addresses:
            number = ip_number(address.partition("/")[0])
            if number is None or number[0] != subnet.version:
                _refuse(f"{field} {address} does not match the ip_version {subnet.version}")
    if len(set(subnet.dns_nameservers)) < len(subnet.dns_nameservers):
        _refuse(f"dns_nameservers {', '.join(subnet.dns_nameservers)} holds one twice")
    if len(set(subnet.host_routes)) < len(subnet.host_routes):
        routes = ", ".join(map(" via ".join, subnet.host_routes))
        _refuse(f"host_routes {routes} holds one twice")
    _check_gateway(subnet)
    _check_pools(subnet)


def check_gateway_unused(draft: Draft, switch: Switch, subnet: Subnet) -> None:
    """Refuse to move a gateway that a router of the network holds."""
    for port in draft.view.switch_ports(switch):
        if is_router_port(port) and subnet.gateway_ip in draft.addressing(port).ips:
            raise Conflict(
                "GatewayIpInUse",
                f"Current gateway ip {subnet.gateway_ip} already in use by port {port.name}. "
                "Unable to update.",
            )


def _refuse(reason: str) -> NoReturn:
    raise BadRequest("InvalidInput", f"Invalid input for operation: {reason}.")


def _check_dhcp(subnet: Subnet) -> None:
    if not subnet.enable_dhcp:
        return
    network = subnet.network
    if network.prefixlen > _LONGEST_WITH_DHCP[network.version]:
        _refuse(f"cidr {network} is too small for DHCP; set enable_dhcp to false")
    if network.is_multicast or network.is_loopback:
        _refuse(f"cidr {network} holds multicast or loopback addresses and has DHCP enabled")


def _check_modes(subnet: Subnet) -> None:
    modes = {"ipv6_address_mode": subnet.address_mode, "ipv6_ra_mode": subnet.ra_mode}
    given = {name: mode for name, mode in modes.items() if mode is not None}
    if not given:
        return
    names = " and ".join(given)
    if subnet.version == 4:
        _refuse(f"{names} must not be set for ip_version 4")
    if not subnet.enable_dhcp:
        _refuse(f"{names} cannot be set when enable_dhcp is false")
    if len(set(given.values())) > 1:
        _refuse(
            f"ipv6_ra_mode {subnet.ra_mode} and ipv6_address_mode {subnet.address_mode} "
            "are not the same"
        )
    if {SLAAC, STATELESS} & set(given.values()) and subnet.network.prefixlen != 64:
        _refuse(f"cidr {subnet.network} must be a /64 for {', '.join(set(given.values()))}")


def _check_gateway(subnet: Subnet) -> None:
    number = ip_number(subnet.gateway_ip) if subnet.gateway_ip else None
    if number is None:
        return
    network = subnet.network
    ends = (int(network.network_address), int(network.broadcast_address))
    first, last = host_limits(network)
    if network.version == 4 and number[1] in ends and not first <= number[1] <= last:
        _refuse(f"gateway_ip {subnet.gateway_ip} is not an address of a host in {network}")


def _check_pools(subnet: Subnet) -> None:
    first, last = host_limits(subnet.network)
    gateway = ip_number(subnet.gateway_ip) if subnet.gateway_ip else None
    spans: list[tuple[int, int, str]] = []
    for start, end in subnet.pools:
        name = f"{start}-{end}"
        low, high = ip_number(start), ip_number(end)
        if low is None or high is None or low[0] != high[0] or low[1] > high[1]:
            raise BadRequest("InvalidAllocationPool", f"The allocation pool {name} is not valid.")
        if low[0] != subnet.version or low[1] < first or high[1] > last:
            raise BadRequest(
                "OutOfBoundsAllocationPool",
                f"The allocation pool {name} spans beyond the subnet cidr {subnet.network}.",
            )
        if gateway is not None and gateway[0] == low[0] and low[1] <= gateway[1] <= high[1]:
            raise Conflict(
                "GatewayConflictWithAllocationPools",
                f"Gateway ip {subnet.gateway_ip} conflicts with allocation pool {name}.",
            )
        spans.append((low[1], high[1], name))
    spans.sort()
    for (_, end_number, name), (start_number, _, following) in zip(spans, spans[1:]):
        if start_number <= end_number:
            raise Conflict(
                "OverlappingAllocationPools",
                f"Found overlapping allocation pools: {name} {following} "
                f"for subnet {subnet.network}.",
            )
