# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Links of a host as values, and what is below a link.

Pure. `rtnetlink` makes them of what the kernel says, `ovnfacts` adds what only Open
vSwitch knows.
"""

from __future__ import annotations

# Not `socket`, here and in the modules around: it imports more than all else that they need.
from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from .value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Kinds of links that have no way to the outside but through their ports.
_CONTROLLERS = frozenset({"bridge", "bond", "team"})
# What the internal port of an Open vSwitch bridge is called here, whatever the datapath:
# the kernel says "openvswitch" or "tun".
OVS_INTERNAL = "ovs-internal"


class Link(Value):
    """One link of this network namespace."""

    name: str
    kind: str = ""  # as `ip -d link` calls it ("vlan", "bond"); "" for hardware
    lower: str = ""  # the link that this one is on, as a VLAN is; "" for none
    controller: str = ""  # the bond or bridge that this is a port of; "" for none
    mtu_bytes: int = 1500
    addresses: tuple[bytes, ...] = ()  # IPv4 and IPv6, packed, in the kernel's order


def pack(address: str) -> bytes | None:
    """Return an address, with or without "/prefix", as its 4 or 16 bytes; None if it is none."""
    host = address.partition("/")[0].strip()
    for family in (AF_INET, AF_INET6):
        try:
            return inet_pton(family, host)
        except (OSError, ValueError):  # the latter for what cannot even be passed to C
            continue
    return None


def family_of(address: bytes) -> int:
    """Return AF_INET or AF_INET6."""
    return AF_INET if len(address) == 4 else AF_INET6


def unpack(address: bytes) -> str:
    """Return the text of a packed address."""
    return inet_ntop(family_of(address), address)


def ports_of(links: Mapping[str, Link], controller: str) -> list[Link]:
    """Return the ports of a bond or a bridge."""
    return [link for link in links.values() if link.controller == controller]


def _below(links: Mapping[str, Link], link: Link) -> list[Link] | None:
    """Return what a link needs any one of to reach the outside; None if it is the end itself."""
    if link.kind in _CONTROLLERS:
        return ports_of(links, link.name)
    if link.kind == OVS_INTERNAL:
        ports = ports_of(links, link.controller)
        return [port for port in ports if port.kind != OVS_INTERNAL]
    if link.kind == "tun":
        return []  # a virtual machine is behind it
    return [links[link.lower]] if link.lower in links else None


def descend(links: Mapping[str, Link], name: str) -> Iterator[Link]:
    """Yield the link of this name, if it exists, and all links below it, each once."""
    queue = [links[name]] if name in links else []
    seen = set()
    while queue:
        link = queue.pop(0)
        if link.name not in seen:
            seen.add(link.name)
            yield link
            queue += _below(links, link) or ()


def nics_below(links: Mapping[str, Link], name: str) -> set[str]:
    """Return the names of the network cards (or what else is at the end) that a link rests on."""
    return {link.name for link in descend(links, name) if _below(links, link) is None}


def path_mtu_bytes(
    links: Mapping[str, Link], name: str, above: frozenset[str] = frozenset()
) -> int:
    """Return the largest packet that gets from a link to a network card; 0 if there is no way.

    `above` are the links on the way to here, lest a circle has no end.
    """
    if name not in links or name in above:
        return 0
    link = links[name]
    below = _below(links, link)
    if below is None:
        return link.mtu_bytes
    ways = [path_mtu_bytes(links, lower.name, above | {name}) for lower in below]
    return min(link.mtu_bytes, max(ways, default=0))
