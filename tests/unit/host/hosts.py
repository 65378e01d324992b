# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Help for tests of the host's side: hosts in a few words, VDSM's networks in its own form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ovirt_ovn_host.links import Link, pack
from ovirt_ovn_host.netchange import Host
from ovirt_ovn_host.networks import decode_bonds, decode_networks

REMOVE: Mapping[str, Any] = {"remove": True}


def net(
    *,
    nic: str = "",
    bonding: str = "",
    vlan: int | None = None,
    ip: str = "",
    ip6: str = "",
    dhcp: bool = False,
    bridged: bool = True,
    **others: Any,
) -> dict[str, Any]:
    """Return a network as VDSM's hooks get it: canonical, with all its defaults."""
    attributes: dict[str, Any] = {
        "bootproto": "dhcp" if dhcp else "none",
        "bridged": bridged,
        "defaultRoute": False,
        "dhcpv6": False,
        "ipv6autoconf": False,
        "mtu": 1500,
        "nameservers": [],
        "switch": "legacy",
    }
    if bridged:
        attributes["stp"] = False
    if ip:
        attributes.update(ipaddr=ip, netmask="255.255.255.0")
    if ip6:
        attributes["ipv6addr"] = f"{ip6}/64"
    known = {"nic": nic, "bonding": bonding, "vlan": vlan}
    attributes.update((key, value) for key, value in known.items() if value not in ("", None))
    return {**attributes, **others}


def bond(*nics: str, **others: Any) -> dict[str, Any]:
    """Return a bond as VDSM's hooks get it."""
    return {"nics": sorted(nics), "options": "mode=4", "switch": "legacy", **others}


def links(*lines: str) -> dict[str, Link]:
    """Return links by name from lines such as these.

    "eth0", "bond0 bond eth0 eth1", "bond0.100 vlan bond0", "br0 bridge bond0.100 mtu 9000
    = 192.0.2.10 2001:db8::10": name, kind with ports or with the link below, addresses.
    """
    made: dict[str, Link] = {}
    controllers: dict[str, str] = {}
    for line in lines:
        words, _, addresses = line.partition("=")
        name, *rest = words.split()
        mtu_bytes = 1500
        if "mtu" in rest:
            at = rest.index("mtu")
            mtu_bytes = int(rest[at + 1])
            del rest[at : at + 2]
        kind = rest.pop(0) if rest else ""
        is_controller = kind in ("bond", "bridge")
        if is_controller:
            controllers.update((port, name) for port in rest)
        made[name] = Link(
            name,
            kind,
            lower="" if is_controller else "".join(rest),
            mtu_bytes=mtu_bytes,
            addresses=tuple(packed(address) for address in addresses.split()),
        )
    return {
        name: link._replace(controller=controllers.get(name, "")) for name, link in made.items()
    }


def packed(address: str) -> bytes:
    """Return an address as its bytes."""
    result = pack(address)
    assert result is not None, address
    return result


def host(
    *lines: str,
    networks: Mapping[str, Any] | None = None,
    bonds: Mapping[str, Any] | None = None,
) -> Host:
    """Return a host with these links, and with what VDSM's running configuration says."""
    return Host(
        links=links(*lines),
        networks=decode_networks(networks or {}),
        bonds=frozenset(decode_bonds(bonds or {})),
    )
