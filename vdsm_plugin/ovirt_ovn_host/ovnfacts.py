# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What OVN has on this host, from rows of the local Open_vSwitch database.

Pure. Keys are those of ovn-controller(8).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .links import OVS_INTERNAL, Link, pack

# The columns that `decode` needs, for localdb.read.
TABLES = {
    "Open_vSwitch": ["external_ids"],
    "Bridge": ["name", "ports"],
    "Port": ["_uuid", "interfaces", "external_ids"],
    "Interface": ["_uuid", "name", "type", "external_ids"],
}


class Interface(NamedTuple):
    """One interface of an Open vSwitch bridge."""

    bridge: str
    kind: str = ""  # its `type`: "" for a link of the system's, "internal", "patch", "geneve"
    is_vnic: bool = False  # a virtual machine's, by its iface-id
    is_localnet: bool = False  # OVN's patch to a physical network


class OvnFacts(NamedTuple):
    """The settings and links of OVN on this host."""

    encap_key: str = "ovn-encap-ip"  # the key of external_ids that counts for the addresses
    encap_value: str = ""  # and its value, as it stands there
    integration_bridge: str = "br-int"
    mappings: Mapping[str, str] = {}  # physical network -> bridge
    interfaces: Mapping[str, Interface] = {}  # by name, of all bridges

    @property
    def encap(self) -> tuple[bytes, ...]:
        """The tunnel addresses, packed."""
        return tuple(filter(None, map(pack, self.encap_value.split(","))))

    @property
    def vnics(self) -> list[str]:
        """The names of the virtual machines' links."""
        return [name for name, interface in self.interfaces.items() if interface.is_vnic]


def decode(tables: Mapping[str, Any]) -> OvnFacts | None:
    """Return the facts from rows as localdb.read gives them; None if OVN is not set up here."""
    settings = tables["Open_vSwitch"][0]["external_ids"] if tables["Open_vSwitch"] else {}
    if not any(key.startswith(("ovn-remote", "ovn-encap-ip")) for key in settings):
        return None
    chassis = settings.get("system-id", "")
    encap_key = _key(settings, "ovn-encap-ip", chassis)
    pairs = (
        pair.partition(":")
        for pair in settings.get(_key(settings, "ovn-bridge-mappings", chassis), "").split(",")
    )
    return OvnFacts(
        encap_key=encap_key,
        encap_value=settings.get(encap_key, ""),
        integration_bridge=settings.get(_key(settings, "ovn-bridge", chassis)) or "br-int",
        mappings={network.strip(): bridge.strip() for network, _, bridge in pairs if bridge},
        interfaces=_interfaces(tables),
    )


def _key(settings: Mapping[str, str], key: str, chassis: str) -> str:
    """Return which key counts: the one with the chassis' name behind it goes first."""
    own = f"{key}-{chassis}"
    return own if own in settings else key


def _interfaces(tables: Mapping[str, Any]) -> dict[str, Interface]:
    ports = {row["_uuid"]: row for row in tables["Port"]}
    rows = {row["_uuid"]: row for row in tables["Interface"]}
    return {
        row["name"]: Interface(
            bridge["name"],
            row["type"],
            is_vnic="iface-id" in row["external_ids"],
            is_localnet="ovn-localnet-port" in port["external_ids"],
        )
        for bridge in tables["Bridge"]
        for port in map(ports.__getitem__, _elements(bridge["ports"]))
        for row in map(rows.__getitem__, _elements(port["interfaces"]))
    }


def _elements(value: Any) -> list[Any]:
    # A set of one element is written as the element.
    return value if isinstance(value, list) else [value]


def add_to(links: Mapping[str, Link], facts: OvnFacts) -> dict[str, Link]:
    """Return the links with what only Open vSwitch knows: internal ports, and whose port is what.

    The kernel shows every port as one of "ovs-system", or (with the datapath in
    user space) as nobody's.
    """
    result = dict(links)
    for name, interface in facts.interfaces.items():
        if name in links:
            kind = OVS_INTERNAL if interface.kind == "internal" else links[name].kind
            result[name] = links[name]._replace(controller=interface.bridge, kind=kind)
    return result
