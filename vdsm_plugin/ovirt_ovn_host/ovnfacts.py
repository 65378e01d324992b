# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What OVN has on this host, from rows of the local Open_vSwitch database.

Pure. Keys are those of ovn-controller(8).
"""

from __future__ import annotations

from .links import OVS_INTERNAL, Link, pack
from .snapshot import DEFAULT_BRIDGE, as_map, key_in_use, plugged
from .value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

# The tables and columns that `decode` needs.
TABLES = {
    "Open_vSwitch": ["external_ids"],
    "Bridge": ["name", "ports"],
    "Port": ["_uuid", "interfaces", "external_ids"],
    "Interface": ["_uuid", "name", "type", "external_ids"],
}


class Interface(Value):
    """One interface of an Open vSwitch bridge."""

    bridge: str
    kind: str = ""  # its `type`: "" for a link of the system's, "internal", "patch", "geneve"
    is_vnic: bool = False  # a virtual machine's, by its iface-id
    is_localnet: bool = False  # OVN's patch to a physical network


class OvnFacts(Value):
    """The settings and links of OVN on this host."""

    encap_key: str = "ovn-encap-ip"  # the key of external_ids that counts for the addresses
    encap_value: str = ""  # and its value, as it stands there
    integration_bridge: str = DEFAULT_BRIDGE
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


def decode(rows: Mapping[str, Sequence[Any]]) -> OvnFacts | None:
    """Return the facts from the rows of `TABLES`; None if OVN is not set up here."""
    settings: dict[str, str] = {}
    for row in rows["Open_vSwitch"]:
        settings = as_map(row["external_ids"])
    if not any(key.startswith(("ovn-remote", "ovn-encap-ip")) for key in settings):
        return None
    encap_key = key_in_use(settings, "ovn-encap-ip")
    pairs = (
        pair.partition(":")
        for pair in settings.get(key_in_use(settings, "ovn-bridge-mappings"), "").split(",")
    )
    return OvnFacts(
        encap_key=encap_key,
        encap_value=settings.get(encap_key, ""),
        integration_bridge=settings.get(key_in_use(settings, "ovn-bridge")) or DEFAULT_BRIDGE,
        mappings={network.strip(): bridge.strip() for network, _, bridge in pairs if bridge},
        interfaces={
            interface["name"]: Interface(
                bridge,
                interface["type"],
                is_vnic="iface-id" in as_map(interface["external_ids"]),
                is_localnet="ovn-localnet-port" in as_map(port["external_ids"]),
            )
            for bridge, port, interface in plugged(rows)
        },
    )


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
