# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Subnets: their attributes, and DHCP_Options rows as values and as JSON.

Pure. Source: Networking API v2.0 "Subnets"; ovn-nb(5), DHCP_Options.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import is_
from typing import Any, NamedTuple, Union, cast

from ..config import Config
from ..nb import keys
from ..nb.addresses import ip_number
from ..nb.rows import DhcpOptions
from . import readers
from .attributes import STANDARD, Attribute, AttributeTable
from .common import standard, stored_json

IpNetwork = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

STATEFUL, STATELESS, SLAAC = "dhcpv6-stateful", "dhcpv6-stateless", "slaac"
_MODE = readers.choice(STATEFUL, STATELESS, SLAAC)
_ROUTES = readers.routes(20, "HostRoutesExhausted")

SUBNET = AttributeTable(
    "subnet",
    "subnets",
    (
        *STANDARD,
        Attribute(
            "network_id",
            readers.identifier,
            put=False,
            required=True,
            is_filter=True,
            is_sortable=True,
        ),
        Attribute(
            "ip_version",
            readers.integer(4, 6),
            put=False,
            required=True,
            is_filter=True,
            is_sortable=True,
        ),
        Attribute("cidr", readers.cidr, put=False, required=True, is_filter=True, is_sortable=True),
        Attribute("gateway_ip", readers.gateway, null=None, is_filter=True, is_sortable=True),
        Attribute(
            "allocation_pools",
            readers.list_of(
                readers.record(
                    {"start": readers.address, "end": readers.address}, ("start", "end")
                ),
                limit=100,
            ),
        ),
        Attribute(
            "dns_nameservers",
            readers.list_of(readers.address, limit=5, error_type="DNSNameServersExhausted"),
            default=(),
            null=(),
        ),
        Attribute(
            "host_routes",
            _ROUTES,
            default=(),
            null=(),
        ),
        Attribute("enable_dhcp", readers.boolean, default=True, is_filter=True, is_sortable=True),
        Attribute(
            "ipv6_address_mode", _MODE, put=False, null=None, is_filter=True, is_sortable=True
        ),
        Attribute("ipv6_ra_mode", _MODE, put=False, null=None, is_filter=True, is_sortable=True),
    ),
)


class Range(NamedTuple):
    """The addresses of a subnet as integers, `first` to `last` inclusive."""

    subnet_id: str
    version: int
    first: int
    last: int

    def holds(self, number: tuple[int, int] | None) -> bool:
        """Say whether (IP version, address) lies inside; None, no address, does not."""
        return (
            number is not None
            and number[0] == self.version
            and self.first <= number[1] <= self.last
        )


@dataclass(frozen=True)
class Subnet:
    """A subnet as the API sees it. `pools` are (first, last) addresses as text."""

    id: str
    network_id: str
    network: IpNetwork
    gateway_ip: str | None
    pools: tuple[tuple[str, str], ...]
    dns_nameservers: tuple[str, ...]
    host_routes: tuple[tuple[str, str], ...]
    enable_dhcp: bool
    address_mode: str | None
    ra_mode: str | None

    @property
    def version(self) -> int:
        """IP version, 4 or 6."""
        return self.network.version

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The pools as integers, first and last address; without those that make no sense."""
        ends = ((ip_number(first), ip_number(last)) for first, last in self.pools)
        return tuple(
            (first[1], last[1])
            for first, last in ends
            if first and last and first[0] == last[0] == self.version and first <= last
        )

    def holds(self, ip: str) -> bool:
        """Say whether an address lies in the subnet; a malformed one does not."""
        number = ip_number(ip)
        if number is None or number[0] != self.version:
            return False
        first, last = self.network.network_address, self.network.broadcast_address
        return int(first) <= number[1] <= int(last)

    @property
    def is_auto(self) -> bool:
        """Whether hosts make their own addresses from their MACs (RFC 4862)."""
        return SLAAC in self._modes or STATELESS in self._modes

    @property
    def _modes(self) -> tuple[str | None, str | None]:
        return self.address_mode, self.ra_mode


def range_of(row: DhcpOptions) -> Range | None:
    """Return the addresses of a subnet's row, None if its CIDR is malformed."""
    limits = _limits(row.cidr)
    return Range(row.uuid, *limits) if limits is not None else None


def ranges_of(rows: Sequence[DhcpOptions]) -> list[Range]:
    """Return the addresses of each subnet that can be read."""
    return [found for found in map(range_of, rows) if found is not None]


@lru_cache(maxsize=4096)
def _network(cidr: str) -> IpNetwork | None:
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _limits(cidr: str) -> tuple[int, int, int] | None:
    network = _network(cidr)
    if network is None:
        return None
    return network.version, int(network.network_address), int(network.broadcast_address)


def eui64(network: IpNetwork, mac: str) -> str:
    """Return the address that a host with this MAC gives itself (RFC 4291 appendix A)."""
    octets = [int(octet, 16) for octet in mac.split(":")]
    octets[0] ^= 2
    identifier = int.from_bytes(bytes([*octets[:3], 0xFF, 0xFE, *octets[3:]]), "big")
    return str(ipaddress.IPv6Address(int(network.network_address) | identifier))


def host_limits(network: IpNetwork) -> tuple[int, int]:
    """Return the first and last address that a host may have.

    Of IPv4 not the network and the broadcast address (except /31, RFC 3021, and
    /32); of IPv6 not the subnet-router anycast address (RFC 4291 section 2.6.1).
    """
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.max_prefixlen - network.prefixlen < 2:
        return first, last
    return first + 1, last - 1 if network.version == 4 else last


def default_pools(network: IpNetwork, gateway_ip: str | None) -> tuple[tuple[str, str], ...]:
    """Return all host addresses but the gateway's, as one or two pools."""
    first, last = host_limits(network)
    gateway = ip_number(gateway_ip) if gateway_ip else None
    spans = [(first, last)]
    if gateway is not None and gateway[0] == network.version and first <= gateway[1] <= last:
        spans = [(first, gateway[1] - 1), (gateway[1] + 1, last)]
    make = type(network.network_address)
    return tuple((str(make(start)), str(make(end))) for start, end in spans if start <= end)


def read_subnet(row: DhcpOptions) -> Subnet | None:
    """Return what a row says, None if its CIDR is malformed.

    Of one and the same row it is read once: each port's plan asks for all of its network's.
    """
    columns = (row.cidr, row.options, row.external_ids)
    reading = getattr(row, "reading", None)
    # A column that changes gets another value, in rows of the replica as well.
    if reading is None or not all(map(is_, reading[0], columns)):
        reading = row.reading = (columns, _read(row))
    return cast("Subnet | None", reading[1])


def _read(row: DhcpOptions) -> Subnet | None:
    network = _network(row.cidr)
    if network is None:
        return None
    external_ids = row.external_ids
    if network.version == 4:
        gateway_ip = row.options.get("router")
        servers = row.options.get("dns_server", "")
    else:
        gateway_ip = external_ids.get(keys.SUBNET_V6_GATEWAY)
        servers = row.options.get("dns_server") or external_ids.get(keys.SUBNET_V6_DNS, "")
    if not _is_of(gateway_ip or "", network):
        gateway_ip = None
    nameservers = filter(ip_number, servers.strip("{} ").replace(",", " ").split())
    routes = stored_json(external_ids, keys.SUBNET_ROUTES, _ROUTES, [])
    return Subnet(
        id=row.uuid,
        network_id=external_ids.get(keys.SUBNET_NETWORK, ""),
        network=network,
        gateway_ip=gateway_ip or None,
        pools=_read_pools(external_ids.get(keys.SUBNET_POOLS), network, gateway_ip),
        dns_nameservers=tuple(nameservers),
        host_routes=tuple((route["destination"], route["nexthop"]) for route in routes),
        enable_dhcp=_has_dhcp(row),
        address_mode=_read_mode(external_ids.get(keys.SUBNET_ADDRESS_MODE)),
        ra_mode=_read_mode(external_ids.get(keys.SUBNET_RA_MODE)),
    )


def has_leases(row: DhcpOptions) -> bool:
    """Say whether OVN answers DHCP requests of a subnet's ports."""
    mode = _read_mode(row.external_ids.get(keys.SUBNET_ADDRESS_MODE))
    return _has_dhcp(row) and (":" not in row.cidr or mode in (STATEFUL, STATELESS))


def _has_dhcp(row: DhcpOptions) -> bool:
    return row.external_ids.get(keys.SUBNET_DHCP) != "False"


def encode_subnet(row: DhcpOptions, config: Config, is_engine: bool) -> dict[str, Any] | None:
    """Return a subnet as JSON values, None for a row that cannot be read.

    The engine's client fails on the whole list when one host route is an object.
    """
    subnet = read_subnet(row)
    if subnet is None:
        return None
    routes = [
        {"destination": destination, "nexthop": nexthop}
        for destination, nexthop in subnet.host_routes
    ]
    return {
        "id": row.uuid,
        **standard(row.external_ids, row.external_ids.get(keys.SUBNET_NAME, ""), config),
        "network_id": subnet.network_id,
        "ip_version": subnet.version,
        "cidr": str(subnet.network),
        "gateway_ip": subnet.gateway_ip,
        "allocation_pools": [{"start": start, "end": end} for start, end in subnet.pools],
        "dns_nameservers": list(subnet.dns_nameservers),
        "host_routes": [] if is_engine else routes,
        "enable_dhcp": subnet.enable_dhcp,
        "ipv6_address_mode": subnet.address_mode,
        "ipv6_ra_mode": subnet.ra_mode,
    }


def _read_pools(
    text: str | None, network: IpNetwork, gateway_ip: str | None
) -> tuple[tuple[str, str], ...]:
    """Return a subnet's pools, all addresses where none can be read; "" says that it has none."""
    pairs = [item.partition("-") for item in (text or "").split()]
    pools = tuple(
        (start, end) for start, _, end in pairs if _is_of(start, network) and _is_of(end, network)
    )
    return pools if pools or text == "" else default_pools(network, gateway_ip)


def _is_of(address: str, network: IpNetwork) -> bool:
    """Say whether a text is an address of a network's IP version."""
    number = ip_number(address)
    return number is not None and number[0] == network.version


def _read_mode(text: str | None) -> str | None:
    mode = (text or "").replace("_", "-")
    return mode if mode in (STATEFUL, STATELESS, SLAAC) else None
