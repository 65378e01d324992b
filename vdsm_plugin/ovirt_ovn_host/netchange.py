# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What links a host would have after a setupNetworks request.

Pure. It follows what VDSM asks nmstate for (vdsm/network/nmstate/) and what nmstate and
the kernel make of it: a link on a removed bond goes with it, a port of a bridge or bond
has no addresses. Where VDSM happens to leave something behind (the address of a NIC
whose bridgeless network has moved), the request's own meaning counts: it is gone.
"""

from __future__ import annotations

from .links import OVS_INTERNAL, Link, ports_of
from .value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .networks import Network, Request


class Host(Value):
    """A host as it is."""

    links: Mapping[str, Link]
    networks: Mapping[str, Network] = {}  # VDSM's running configuration
    bonds: frozenset[str] = frozenset()  # those of the running configuration


class Change(Value):
    """What a request leaves behind."""

    links: Mapping[str, Link]
    # For each link that is made, is gone, or has other addresses or another controller:
    # who did it, as "network NAME" or "bond NAME".
    made_by: Mapping[str, str]


def apply(host: Host, request: Request) -> Change:
    """Return the links that the request would leave."""
    picture = _Picture(host.links)
    wanted = _wanted_links(request)
    for name in request.networks:
        if name in host.networks:
            picture.by = f"network {name}"
            _take_down(picture, host.networks[name], wanted)
    for name, bond in request.bonds.items():
        picture.by = f"bond {name}"
        if bond.is_removed:
            picture.drop(name)
        elif name in host.bonds:
            picture.edit(name, kind="bond")
        else:
            picture.edit(name, kind="bond", addresses=())
        picture.set_ports(name, bond.nics)
    for name, network in request.networks.items():
        picture.by = f"network {name}"
        if name in host.networks:
            _free_ovs_base(picture, host, request, host.networks[name])
        if not network.is_removed:
            _bring_up(picture, host, network)
    _set_base_mtus(picture, request)
    return Change(picture.links, picture.made_by)


class _Picture:
    """The links while they change."""

    def __init__(self, links: Mapping[str, Link]) -> None:
        self.links = dict(links)
        self.made_by: dict[str, str] = {}
        self.by = ""  # who changes them now

    def edit(self, name: str, **values: Any) -> None:
        """Change a link, and make it if there is none."""
        old = self.links.get(name)
        new = (old or Link(name))._replace(**values)
        if old is None or (old.addresses, old.controller) != (new.addresses, new.controller):
            self.made_by[name] = self.by
        self.links[name] = new

    def drop(self, name: str) -> None:
        """Remove a link, and the links that are on it."""
        if self.links.pop(name, None):
            self.made_by[name] = self.by
        for link in list(self.links.values()):
            if link.lower == name:
                self.drop(link.name)

    def set_ports(self, controller: str, names: frozenset[str]) -> None:
        """Let a bond or bridge have these ports, without addresses, and virtual machines'."""
        for port in ports_of(self.links, controller):
            if port.name not in names and port.kind != "tun":
                self.edit(port.name, controller="")
        for name in names:
            self.edit(name, controller=controller, addresses=())


def _wanted_links(request: Request) -> set[str]:
    """Return the links that the request's networks want to be there."""
    networks = [network for network in request.networks.values() if not network.is_removed]
    return {name for network in networks for name in (network.port, network.top)}


def _take_down(picture: _Picture, old: Network, wanted: set[str]) -> None:
    """Remove what a network was: its own links, unless they are wanted, and its addresses."""
    for name in (old.vlan_link, old.name if old.has_own_link else ""):
        if name and name not in wanted:
            picture.set_ports(name, frozenset())
            picture.drop(name)
    if old.top in picture.links:
        picture.edit(old.top, addresses=())


def _bring_up(picture: _Picture, host: Host, network: Network) -> None:
    """Make what a network shall be."""
    if network.vlan_link:
        picture.edit(
            network.vlan_link, kind="vlan", lower=network.base, mtu_bytes=network.mtu_bytes
        )
    if network.is_ovs:
        _join_ovs_bridge(picture, host, network)
    elif network.is_bridged:
        picture.edit(network.name, kind="bridge", lower="")
        picture.set_ports(network.name, frozenset(filter(None, [network.port])))
    if network.top:
        picture.edit(network.top, addresses=network.addresses, mtu_bytes=network.mtu_bytes)


def _join_ovs_bridge(picture: _Picture, host: Host, network: Network) -> None:
    """Have a network's base in the Open vSwitch bridge that VDSM has or makes for it."""
    has_bridge = any(old.is_ovs and old.base == network.base for old in host.networks.values())
    if not has_bridge:
        bridge = f"VDSM's bridge on {network.base}"
        picture.edit(network.base, controller=bridge, addresses=())
    bridge = picture.links[network.base].controller if network.base in picture.links else ""
    picture.edit(network.name, kind=OVS_INTERNAL, controller=bridge, lower="")


def _free_ovs_base(picture: _Picture, host: Host, request: Request, old: Network) -> None:
    """Remove VDSM's Open vSwitch bridge when the last of its networks leaves."""
    left = {**host.networks, **request.networks}.values()
    is_last = not any(it.is_ovs and it.base == old.base for it in left)
    before, now = host.links.get(old.base), picture.links.get(old.base)
    # Unless it is gone with a bond, or is somebody else's port by now.
    if old.is_ovs and is_last and before and now and before.controller == now.controller:
        picture.edit(old.base, controller="")


def _set_base_mtus(picture: _Picture, request: Request) -> None:
    """Give each base the largest MTU of what is on it, and a bond's to its ports.

    VDSM does so for the bases of all VLANs, and an untagged network on one of them counts
    only if the request names it.
    """
    networks = [network for network in request.networks.values() if network.base]
    vlans = [link for link in picture.links.values() if link.kind == "vlan"]
    bases = {network.base for network in networks} | {vlan.lower for vlan in vlans}
    for base in bases & set(picture.links):
        mtus = [network.mtu_bytes for network in networks if network.base == base]
        mtus += [vlan.mtu_bytes for vlan in vlans if vlan.lower == base]
        picture.edit(base, mtu_bytes=max(mtus))
        if picture.links[base].kind == "bond":
            for port in ports_of(picture.links, base):
                picture.edit(port.name, mtu_bytes=max(mtus))
