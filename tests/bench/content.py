# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Northbound of a given size, as the proxy would have written it.

Networks, subnets and a port of each kind are made by the proxy itself, and their rows are
the patterns for all others, which go to the database in bulk.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bench.raw import CheckError, Ovsdb, exchange, request
from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.nb import keys, ops
from ovirt_ovn_proxy.nb.schema import PORT, PORT_GROUP, SWITCH

_BATCH = 1000
HOSTS = ("host-a.example.com", "host-b.example.com")
# Of an engine's port that is not up lists do not say where it is.
LISTED_HOSTS = (*HOSTS, "")
_TENANT = Config().openstack_tenant_id
_STAMPS = ("created_at", "updated_at", "revision_number")

Row = dict[str, Any]


class Network(NamedTuple):
    """A network, and its subnet if it has one."""

    id: str
    subnet_id: str
    addresses: Iterator[Any]


class Port(NamedTuple):
    """A port of the engine; `id` is the one that the proxy chose, or would choose.

    `is_secured`: it has port security, as engine-setup asks for, and so is in port groups;
    `security_groups` are those of them that the API shows.
    """

    id: str
    network: Network
    mac: str
    ip: str
    device_id: str
    is_secured: bool = True
    security_groups: Sequence[str] = ()


class Content:
    """What is in the database: `networks`, and the `ports` that stay, all secured.

    `patterns` are the columns that are the same in all ports that are (not) secured.
    """

    def __init__(
        self, networks: Sequence[Network], groups: Sequence[str], patterns: Mapping[bool, Row]
    ) -> None:
        self.networks = networks
        self.ports: list[Port] = []
        self._groups = groups
        self._patterns = patterns
        self._numbers = itertools.count(1)

    def groups_of(self, port: Port) -> Sequence[str]:
        """Return the port groups that a port is in."""
        return self._groups if port.is_secured else ()

    def new_port(self, is_secured: bool = True) -> Port:
        """Return a port that is not in the database; the networks take turns."""
        number = next(self._numbers)
        network = self.networks[number % len(self.networks)]
        mac = "56:6f:" + ":".join(f"{byte:02x}" for byte in number.to_bytes(4, "big"))
        ip = str(next(network.addresses)) if network.subnet_id else ""
        # The first one is there to drop what no security group lets in.
        groups = self._groups[1:] if is_secured else ()
        return Port(str(uuid.uuid4()), network, mac, ip, str(uuid.uuid4()), is_secured, groups)

    def external_ids(self, port: Port, host: str) -> dict[str, str]:
        """Return the port's external_ids after it was announced on a host."""
        own = {keys.DEVICE_ID: port.device_id, keys.HOST_ID: host}
        return {**dict(self._patterns[port.is_secured]["external_ids"][1]), **own}

    def row(self, port: Port, host: str = HOSTS[0]) -> Row:
        """Return the port's row in OVSDB notation."""
        addresses = f"{port.mac} {port.ip}".strip()
        row = {
            **self._patterns[port.is_secured],
            "name": port.id,
            "addresses": addresses,
            "external_ids": ["map", sorted(self.external_ids(port, host).items())],
        }
        if port.is_secured:
            row["port_security"] = addresses
        if port.network.subnet_id:
            row["dhcpv4_options"] = ["uuid", port.network.subnet_id]
        return row

    def fill(self, ovsdb: Ovsdb, count: int) -> None:
        """Add running ports until there are `count`."""
        while len(self.ports) < count:
            batch = [self.new_port() for _ in range(min(_BATCH, count - len(self.ports)))]
            rows = [(port.id, {**self.row(port), "up": True}) for port in batch]
            inserts = [
                {"op": "insert", "table": PORT, "uuid": port_id, "row": row}
                for port_id, row in rows
            ]
            members = [port.id for port in batch]
            joins = [ops.add_to_set(PORT_GROUP, uuid, "ports", members) for uuid in self._groups]
            ovsdb.transact([*inserts, *_mutations(ops.add_to_set, batch), *joins])
            self.ports += batch

    def remove(self, ovsdb: Ovsdb, ports: Sequence[Port]) -> None:
        """Remove ports that do not stay."""
        if ports:
            ovsdb.transact(list(_mutations(ops.remove_from_set, ports)))


def _mutations(mutate: Any, ports: Sequence[Port]) -> Iterator[Mapping[str, Any]]:
    ids: dict[str, list[str]] = {}
    for port in ports:
        ids.setdefault(port.network.id, []).append(port.id)
    for network_id, members in ids.items():
        yield mutate(SWITCH, network_id, "ports", members)


def make_content(proxy_port: int, ovsdb: Ovsdb, ports: int, switches: int, subnets: int) -> Content:
    """Have the proxy make networks, with room for `ports`; the first ones get a subnet."""
    # No address is used twice, and thousands of ports come and go.
    host_bits = max(8, ((4 * ports + 4000) // switches).bit_length())
    ranges = ipaddress.IPv4Network("10.0.0.0/8").subnets(new_prefix=32 - host_bits)
    networks = []
    for number in range(switches):
        network_id = _post(proxy_port, "network", name=f"net{number}")["id"]
        span = next(ranges)
        subnet_id = ""
        if number < subnets:
            wanted = {"name": "s", "cidr": str(span), "ip_version": 4, "enable_dhcp": True}
            made = _post(proxy_port, "subnet", network_id=network_id, **wanted)
            subnet_id = made["id"]
        # From the end: the proxy gives out addresses from the start.
        last = int(span.broadcast_address) - 1
        addresses = map(ipaddress.ip_address, itertools.count(last, -1))
        networks.append(Network(network_id, subnet_id, addresses))
    patterns = {kind: _pattern(proxy_port, ovsdb, networks[-1], kind) for kind in (True, False)}
    return Content(networks, _groups(ovsdb), patterns)


def _groups(ovsdb: Ovsdb) -> list[str]:
    """Return the groups of a port that names none, in the order in which the proxy joins them."""
    found = []
    for name in (keys.DROP_GROUP, keys.DEFAULT_GROUP):
        where = [["name", "==", name]]
        columns = ["_uuid"]
        select = {"op": "select", "table": PORT_GROUP, "where": where, "columns": columns}
        (answer,) = ovsdb.transact([select])
        found.append(answer["rows"][0]["_uuid"][1])
    return found


def _pattern(proxy_port: int, ovsdb: Ovsdb, network: Network, is_secured: bool) -> Row:
    """Return the columns of a port that the proxy makes, without those of its own."""
    port = Port("", network, "56:6f:00:00:00:00", "", str(uuid.uuid4()), is_secured)
    port_id = _post(proxy_port, "port", **port_values(port))["id"]
    where = [["name", "==", port_id]]
    (found,) = ovsdb.transact([{"op": "select", "table": PORT, "where": where}])
    exchange(proxy_port, request("DELETE", f"/v2.0/ports/{port_id}"))
    empty = (["set", []], ["map", []], "")
    skipped = {"_uuid", "_version", "name", "addresses", "port_security", "dhcpv4_options"}
    return {
        column: value
        for column, value in found["rows"][0].items()
        if column not in skipped and value not in empty
    }


def port_values(port: Port) -> Mapping[str, Any]:
    """Return what the engine posts for a vNIC."""
    values = {
        "name": "nic1",
        "mac_address": port.mac,
        "network_id": port.network.id,
        "device_id": port.device_id,
        "device_owner": "oVirt",
        "admin_state_up": True,
        "binding:host_id": HOSTS[0],
    }
    return values if port.is_secured else {**values, "port_security_enabled": False}


def is_shown(port: Port, element: Mapping[str, Any], hosts: Sequence[str]) -> bool:
    """Say whether an element of an answer is a port as it has to be, in all its attributes.

    `hosts` are those that it may have been announced on; "" stands for none.
    """
    host = element.get("binding:host_id")
    is_up = element.get("status") == "ACTIVE"
    fixed_ip = {"subnet_id": port.network.subnet_id, "ip_address": port.ip}
    return host in hosts and element == {
        "id": port.id,
        "name": "nic1",
        "tenant_id": _TENANT,
        "project_id": _TENANT,
        "description": "",
        **{name: element.get(name) or "missing" for name in _STAMPS},
        "tags": [],
        "network_id": port.network.id,
        "admin_state_up": True,
        "mac_address": port.mac,
        "fixed_ips": [fixed_ip] if port.ip else [],
        "device_id": port.device_id,
        "device_owner": "oVirt",
        "status": "ACTIVE" if is_up else "DOWN",
        "security_groups": [*port.security_groups],
        "port_security_enabled": port.is_secured,
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "binding:host_id": host,
        "binding:vnic_type": "normal",
        "binding:profile": {},
        "binding:vif_type": "ovs" if host else "unbound",
        "binding:vif_details": {},
    }


def _post(proxy_port: int, kind: str, **values: Any) -> Any:
    message = request("POST", f"/v2.0/{kind}s", {kind: values}, proxy_port)
    answer = exchange(proxy_port, message, keep=True)
    if answer.status != 201:
        raise CheckError(f"POST {kind}: {answer.status} {answer.body!r:.300}")
    return json.loads(answer.body)[kind]
