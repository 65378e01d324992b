# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A model of the Networking API's objects, and of who is where.

Pure, and made from the API's reference rather than from the proxy: networks with IPv4
and IPv6 subnets, ports with several addresses, security groups, routers with interfaces
and external gateways, floating IPs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Optional, Union

IpNetwork = Union[IPv4Network, IPv6Network]
Entries = Optional[Sequence[Mapping[str, str]]]
Reasons = set[str]

STATEFUL, STATELESS, SLAAC = "dhcpv6-stateful", "dhcpv6-stateless", "slaac"


def eui64(cidr: IpNetwork, mac: str) -> str:
    """Return the address that a host with this MAC makes itself (RFC 4291 appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(cidr[int.from_bytes(identifier, "big")])


def overlaps(cidr: IpNetwork, others: Iterable[Subnet]) -> bool:
    """Say whether any of the subnets has an address of the CIDR."""
    return any(cidr.overlaps(other.cidr) for other in others if other.version == cidr.version)


@dataclass
class Network:
    """A network; ports on an external one can be gateways and floating IPs."""

    name: str
    is_external: bool = False


@dataclass
class Subnet:
    """A subnet; what is given out are all addresses of hosts but its first gateway.

    `born` orders the subnets of a network: the oldest one comes first.
    """

    network_id: str
    cidr: IpNetwork
    born: int
    gateway: str | None
    address_mode: str | None = None
    ra_mode: str | None = None

    def __post_init__(self) -> None:
        self._first_gateway = self.gateway

    @property
    def version(self) -> int:
        """IP version, 4 or 6."""
        return self.cidr.version

    @property
    def is_auto(self) -> bool:
        """Whether hosts make their own addresses."""
        return bool({SLAAC, STATELESS} & {self.address_mode, self.ra_mode})

    @property
    def has_leases(self) -> bool:
        """Whether a DHCP server answers its hosts."""
        return self.version == 4 or self.address_mode in (STATEFUL, STATELESS)

    def holds(self, ip: str) -> bool:
        """Say whether an address lies inside."""
        return ip_address(ip) in self.cidr

    def has_host(self, ip: str) -> bool:
        """Say whether a port may have this address."""
        ends = {str(self.cidr[0]), str(self.cidr[-1])} if self.version == 4 else ()
        return self.holds(ip) and ip not in ends

    def gives(self, ip: str) -> bool:
        """Say whether the address is one of those that are given out."""
        return self.has_host(ip) and ip not in (self._first_gateway, str(self.cidr[0]))

    def room(self, taken: Iterable[str]) -> int:
        """Return how many addresses there are to give out."""
        size = self.cidr.num_addresses - (2 if self.version == 4 else 1)
        gateway = self._first_gateway
        if gateway is not None and self.has_host(gateway) and gateway != str(self.cidr[0]):
            size -= 1
        return size - sum(map(self.gives, taken))


@dataclass
class Port:
    """A VM's port, or a router's interface or gateway (which is in no group)."""

    network_id: str
    name: str
    mac: str
    ips: tuple[str, ...]
    groups: frozenset[str] = frozenset()
    router_id: str = ""
    is_gateway: bool = False

    @property
    def v4(self) -> list[str]:
        """Its IPv4 addresses."""
        return [ip for ip in self.ips if ":" not in ip]


@dataclass
class Router:
    """A router; its ports are among the ports."""

    name: str
    has_snat: bool = False


@dataclass
class FloatingIp:
    """A floating IP; a port of its own holds the address. The last three go together."""

    network_id: str
    ip: str
    holder: str
    mac: str
    port_id: str | None = None
    fixed_ip: str | None = None
    router_id: str | None = None


@dataclass
class Model:
    """All objects by id; change it as requests succeed."""

    networks: dict[str, Network] = field(default_factory=dict)
    subnets: dict[str, Subnet] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)  # their names
    routers: dict[str, Router] = field(default_factory=dict)
    floating_ips: dict[str, FloatingIp] = field(default_factory=dict)

    # --- who is where --------------------------------------------------------------

    def ports_on(self, network_id: str) -> dict[str, Port]:
        """Return the ports of a network, those of routers too."""
        return {key: one for key, one in self.ports.items() if one.network_id == network_id}

    def floating_on(self, network_id: str) -> list[FloatingIp]:
        """Return the floating IPs of an external network."""
        return [one for one in self.floating_ips.values() if one.network_id == network_id]

    def subnets_on(self, network_id: str) -> dict[str, Subnet]:
        """Return the subnets of a network, oldest first."""
        found = ((k, one) for k, one in self.subnets.items() if one.network_id == network_id)
        return dict(sorted(found, key=lambda item: item[1].born))

    def used(self, network_id: str) -> set[str]:
        """Return the addresses that are taken on a network."""
        taken = {ip for port in self.ports_on(network_id).values() for ip in port.ips}
        return taken | {one.ip for one in self.floating_on(network_id)}

    def macs(self, network_id: str) -> set[str]:
        """Return the MACs that are taken on a network."""
        macs = {port.mac for port in self.ports_on(network_id).values()}
        return macs | {one.mac for one in self.floating_on(network_id)}

    def subnets_with(self, port: Port) -> dict[str, Subnet]:
        """Return the subnets that a port has an address in, oldest first."""
        on = self.subnets_on(port.network_id).items()
        return {key: subnet for key, subnet in on if any(map(subnet.holds, port.ips))}

    def automatic(self, network_id: str, mac: str) -> set[str]:
        """Return the addresses that a host with this MAC makes itself on a network."""
        on = self.subnets_on(network_id).values()
        return {eui64(subnet.cidr, mac) for subnet in on if subnet.is_auto}

    def gateway(self, router_id: str) -> Port | None:
        """Return the port that is a router's external gateway."""
        ports = self.ports.values()
        return next((one for one in ports if one.router_id == router_id and one.is_gateway), None)

    def interfaces(self, router_id: str) -> dict[str, Port]:
        """Return the interfaces of a router."""
        return {
            port_id: port
            for port_id, port in self.ports.items()
            if port.router_id == router_id and not port.is_gateway
        }

    def served_by(self, router_id: str) -> list[FloatingIp]:
        """Return the floating IPs that a router works for."""
        return [one for one in self.floating_ips.values() if one.router_id == router_id]

    def of_port(self, port_id: str) -> list[FloatingIp]:
        """Return the floating IPs of a port."""
        return [one for one in self.floating_ips.values() if one.port_id == port_id]
