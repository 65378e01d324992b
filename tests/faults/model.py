# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A model of what the Networking API's objects are to each other, and of the rows they become.

Pure, and made from the API's reference rather than from the proxy: networks with IPv4
subnets, ports with one address, security groups, routers with interfaces. The questions
(`can_...`) give the status that a request has to get.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any


@dataclass
class Subnet:
    """A subnet; its gateway is its first address, its pool all others."""

    network_id: str
    cidr: IPv4Network

    @property
    def gateway(self) -> str:
        """The address that a router gets."""
        return str(self.cidr[1])

    @property
    def pool(self) -> set[str]:
        """The addresses that are given out."""
        return {str(ip) for ip in self.cidr.hosts()} - {self.gateway}

    def has_host(self, ip: str) -> bool:
        """Say whether a port may have this address."""
        return IPv4Address(ip) in set(self.cidr.hosts())


@dataclass
class Port:
    """A VM's port, or a router's interface (which is in no group)."""

    network_id: str
    name: str
    mac: str
    ip: str | None
    groups: frozenset[str] = frozenset()
    router_id: str = ""


@dataclass
class Model:
    """All objects by id; change it as requests succeed."""

    networks: dict[str, str] = field(default_factory=dict)  # their names
    subnets: dict[str, Subnet] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    routers: dict[str, str] = field(default_factory=dict)

    def ports_on(self, network_id: str) -> list[Port]:
        """Return the ports of a network, interfaces too."""
        return [port for port in self.ports.values() if port.network_id == network_id]

    def subnets_on(self, network_id: str) -> list[Subnet]:
        """Return the subnets of a network."""
        return [subnet for subnet in self.subnets.values() if subnet.network_id == network_id]

    def used(self, network_id: str) -> set[str]:
        """Return the addresses that are taken on a network."""
        return {port.ip for port in self.ports_on(network_id) if port.ip is not None}

    def interfaces(self, router_id: str) -> list[tuple[str, Subnet]]:
        """Return the interfaces of a router: port's id and subnet."""
        return [
            (port_id, self.subnets[self._subnet_of(port)])
            for port_id, port in self.ports.items()
            if port.router_id == router_id
        ]

    def _subnet_of(self, port: Port) -> str:
        assert port.ip is not None
        [found] = [
            subnet_id
            for subnet_id, subnet in self.subnets.items()
            if subnet.network_id == port.network_id and subnet.has_host(port.ip)
        ]
        return found

    # --- what a request has to get -------------------------------------------------

    def can_create_subnet(self, network_id: str, cidr: IPv4Network) -> int:
        """Subnets of a network do not overlap."""
        overlap = any(cidr.overlaps(other.cidr) for other in self.subnets_on(network_id))
        return 400 if overlap else 201

    def can_take(self, network_id: str, ip: str | None, success: int) -> int:
        """Say what becomes of a port that wants this address, or any where there is one."""
        subnets = self.subnets_on(network_id)
        used = self.used(network_id)
        if ip is None:
            free = set().union(*(subnet.pool for subnet in subnets)) - used
            return success if free or not subnets else 409
        if not any(subnet.has_host(ip) for subnet in subnets):
            return 400
        return 409 if ip in used else success

    def can_delete_network(self, network_id: str) -> int:
        """A network with ports stays."""
        return 409 if self.ports_on(network_id) else 204

    def can_delete_subnet(self, subnet_id: str) -> int:
        """A subnet whose addresses are in use stays."""
        subnet = self.subnets[subnet_id]
        return 409 if any(map(subnet.has_host, self.used(subnet.network_id))) else 204

    def can_delete_port(self, port_id: str) -> int:
        """A router's interface goes with the router's consent only."""
        return 409 if self.ports[port_id].router_id else 204

    def can_delete_group(self, group_id: str) -> int:
        """A group with ports stays."""
        return 409 if any(group_id in port.groups for port in self.ports.values()) else 204

    def can_delete_router(self, router_id: str) -> int:
        """A router with interfaces stays."""
        return 409 if self.interfaces(router_id) else 204

    def can_attach(self, router_id: str, subnet_id: str) -> int:
        """Subnets of a router do not overlap, and its address is the subnet's gateway."""
        subnet = self.subnets[subnet_id]
        if any(subnet.cidr.overlaps(other.cidr) for _, other in self.interfaces(router_id)):
            return 400
        return 409 if subnet.gateway in self.used(subnet.network_id) else 200

    def can_detach(self, router_id: str, subnet_id: str) -> int:
        """Only what is attached can be taken away."""
        subnets = [subnet for _, subnet in self.interfaces(router_id)]
        return 200 if self.subnets[subnet_id] in subnets else 404

    def delete_network(self, network_id: str) -> None:
        """A network's subnets go with it."""
        del self.networks[network_id]
        for subnet_id in [key for key, one in self.subnets.items() if one.network_id == network_id]:
            del self.subnets[subnet_id]

    # --- the rows ------------------------------------------------------------------

    def rows(self) -> dict[str, Any]:
        """Return what Northbound has to hold, in the form of `read_rows`."""
        vms = {port_id: port for port_id, port in self.ports.items() if not port.router_id}
        groups = {group_id: set[str]() for group_id in self.groups}
        for port_id, port in vms.items():
            for group_id in port.groups:
                groups[group_id].add(port_id)
        return {
            "switches": {
                network_id: (
                    name,
                    {p for p, one in self.ports.items() if one.network_id == network_id},
                )
                for network_id, name in self.networks.items()
            },
            "ports": {port_id: self._port_row(port) for port_id, port in self.ports.items()},
            "subnets": {key: (one.network_id, str(one.cidr)) for key, one in self.subnets.items()},
            "groups": groups,
            "dropped": set(vms),
            "routers": {
                router_id: {
                    f"{subnet.gateway}/{subnet.cidr.prefixlen}"
                    for _, subnet in self.interfaces(router_id)
                }
                for router_id in self.routers
            },
        }

    def _port_row(self, port: Port) -> tuple[str, str, str, str | None]:
        if port.router_id:
            return port.name, "router", "router", None
        address = f"{port.mac} {port.ip}" if port.ip else port.mac
        return port.name, "", address, self._subnet_of(port) if port.ip else None


def read_rows(tables: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the rows of a database, whole tables in OVSDB notation, in the model's terms."""
    router_ports = {_uuid(row): row["networks"] for row in tables["Logical_Router_Port"]}
    groups = {_uuid(row): row for row in tables["Port_Group"]}
    members = {key: _uuids(row["ports"]) for key, row in groups.items()}
    dropped = [key for key, row in groups.items() if row["name"] == "DropAll"]
    base = [key for key, row in groups.items() if row["name"] in ("DropAll", "Default")]
    routers = {
        _uuid(row): {router_ports.pop(key) for key in _uuids(row["ports"])}
        for row in tables["Logical_Router"]
    }
    assert not router_ports, "every router port is some router's"
    return {
        "switches": {
            _uuid(row): (dict(row["external_ids"][1])["ovirt_network_name"], _uuids(row["ports"]))
            for row in tables["Logical_Switch"]
        },
        "ports": {
            _uuid(row): (
                dict(row["external_ids"][1])["ovirt_nic_name"],
                row["type"],
                row["addresses"],
                next(iter(_uuids(row["dhcpv4_options"])), None),
            )
            for row in tables["Logical_Switch_Port"]
        },
        "subnets": {
            _uuid(row): (dict(row["external_ids"][1])["ovirt_network_id"], row["cidr"])
            for row in tables["DHCP_Options"]
        },
        "groups": {key: ports for key, ports in members.items() if key not in base},
        "dropped": set().union(*(members[key] for key in dropped)),
        "routers": routers,
    }


def _uuid(row: Mapping[str, Any]) -> str:
    return str(row["_uuid"][1])


def _uuids(value: Any) -> set[str]:
    """Return the uuids of a set column (RFC 7047 section 5.1)."""
    kind, content = value
    return {str(content)} if kind == "uuid" else {str(one[1]) for one in content}
