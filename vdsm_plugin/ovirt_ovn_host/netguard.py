# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Judge a setupNetworks request: would it take away what OVN needs on this host?

Pure. Only a loss that can be proven is a reason to refuse: an address, a network card
or a bridge that is there now and would not be there afterwards. A lower MTU is no proof
(the network in between may never have carried more) and can be undone by the next
request, so it is a warning; but below 1280 bytes the kernel itself removes IPv6
addresses (RFC 8200 section 5).
"""

from __future__ import annotations

from _socket import AF_INET6

from .links import descend, family_of, nics_below, path_mtu_bytes, unpack
from .netchange import Change, Host, apply
from .ovnfacts import OvnFacts, add_to
from .value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .networks import Network, Request

_LEAST_IPV6_MTU_BYTES = 1280
# What Geneve with OVN's option puts around a frame's payload, over IPv4 and over IPv6.
OVERHEAD_BYTES = {4: 58, 16: 78}
# What the engine gives a network of OVN that says nothing else.
DEFAULT_VNIC_MTU_BYTES = 1442
# Links that Open vSwitch's kernel module makes for tunnels, and for itself.
_KERNEL_LINKS = ("genev_sys_", "vxlan_sys_", "gre_sys", "ovs-system")


class Judgement(Value):
    """The request passes if there are no refusals."""

    refusals: tuple[str, ...] = ()  # each with who is at fault, the reason, and what to do
    warnings: tuple[str, ...] = ()  # of a request that passes


def judge(host: Host, ovn: OvnFacts, request: Request, tunnel_network: str = "") -> Judgement:
    """Judge a request; the host's links are those that the kernel shows.

    `tunnel_network` is the VDSM network whose address OVN follows; "" if OVN's
    tunnel was given by address.
    """
    if request.is_harmless:
        return Judgement()
    host = host._replace(links=add_to(host.links, ovn))
    case = _Case(host, ovn, request, apply(host, request), tunnel_network)
    refusals: list[str] = []
    warnings: list[str] = []
    for address in ovn.encap:
        refusals += _losses(case, address)
        warnings += _narrowings(case, address)
    refusals += list(_taken_names(case)) or _taken_ports(case)
    refusals += _dropped_mappings(case)
    return Judgement(tuple(refusals), () if refusals else tuple(warnings))


class _Case(Value):
    host: Host
    ovn: OvnFacts
    request: Request
    change: Change
    tunnel_network: str

    def is_vdsm_ovs(self, name: str) -> bool:
        """Say whether a network is or becomes one of VDSM's of the switch type "ovs"."""
        both = (self.host.networks.get(name), self.request.networks.get(name))
        return any(network is not None and network.is_ovs for network in both)

    def foreign_mappings(self) -> dict[str, str]:
        """Return the bridge mappings but for VDSM's own: it maps its "ovs" networks."""
        mappings = self.ovn.mappings.items()
        return {name: bridge for name, bridge in mappings if not self.is_vdsm_ovs(name)}

    def bridges(self) -> dict[str, str]:
        """Return the bridges that nobody may change, each with what it is."""
        bridges = {it: f"physical network {name}" for name, it in self.foreign_mappings().items()}
        bridges[self.ovn.integration_bridge] = "the integration bridge"
        return bridges

    def at_fault(self, *names: str) -> str:
        """Return who changed one of these links or the first of what is below them."""
        for name in names:
            for links in (self.host.links, self.change.links):
                for link in descend(links, name):
                    if link.name in self.change.made_by:
                        return self.change.made_by[link.name]
        return "this request"


def _losses(case: _Case, address: bytes) -> Iterator[str]:
    """Yield why a tunnel address would be lost; nothing if it stays, or is on no link now."""
    before, after = case.host.links, case.change.links
    holders = [name for name, link in before.items() if address in link.addresses]
    if not holders or any(_carries(case, address, name) for name in after):
        return
    if any(_may_bring(case, address, holders, it) for it in case.request.networks.values()):
        return
    text = f"OVN's tunnel address {unpack(address)}"
    kept = [link for link in after.values() if address in link.addresses]
    if not kept:
        yield (
            f"{case.at_fault(holders[0])}: {text}, now on {holders[0]}, would be on no link."
            " Give the address to another network in the same request,"
            ' or move OVN to another address first ("vdsm-tool ovn-config")'
        )
        return
    name = kept[0].name
    by = case.at_fault(name, holders[0])
    if not nics_below(after, name):
        yield (
            f"{by}: {name} with {text} would have no network card below it."
            " Leave it one, or give the address to another network in the same request"
        )
    else:
        yield (
            f"{by}: {name} has {text}, and no IPv6 with an MTU of {kept[0].mtu_bytes} bytes."
            f" Leave it at least {_LEAST_IPV6_MTU_BYTES}"
        )


def _carries(case: _Case, address: bytes, name: str) -> bool:
    """Say whether a link has the address afterwards and is of use for tunnels."""
    before, after = case.host.links, case.change.links
    link = after[name]
    if address not in link.addresses:
        return False
    if family_of(address) == AF_INET6 and link.mtu_bytes < _LEAST_IPV6_MTU_BYTES:
        return False
    if nics_below(after, name):
        return True
    # What had no way to the outside before does not lose it.
    return name in before and address in before[name].addresses and not nics_below(before, name)


def _may_bring(case: _Case, address: bytes, holders: list[str], network: Network) -> bool:
    """Say whether a network of the request can bring an address of which it does not say so."""
    family = family_of(address)
    is_dynamic = family in network.dynamic
    has_static = any(family_of(static) == family for static in network.addresses)
    nics = nics_below(case.change.links, network.top)
    if not nics or not (is_dynamic or has_static):
        return False
    if network.name == case.tunnel_network:
        return True  # OVN follows this network, whatever its address is
    # DHCP gives the same address again where the network or its network card is the same.
    old = case.host.networks.get(network.name)
    is_same_network = old is not None and old.top in holders
    is_same_nic = any(nics & nics_below(case.host.links, holder) for holder in holders)
    return is_dynamic and (is_same_network or is_same_nic)


def _narrowings(case: _Case, address: bytes) -> Iterator[str]:
    """Yield a warning if the MTU below a tunnel address becomes smaller than OVN needs."""
    before, after = case.host.links, case.change.links
    old = [path_mtu_bytes(before, name) for name in before if address in before[name].addresses]
    new = [path_mtu_bytes(after, name) for name in after if address in after[name].addresses]
    vnics = [before[name].mtu_bytes for name in case.ovn.vnics if name in before]
    vnic_mtu_bytes = max(vnics, default=DEFAULT_VNIC_MTU_BYTES)
    needed = vnic_mtu_bytes + OVERHEAD_BYTES[len(address)]
    if old and new and max(new) < min(needed, max(old)):
        yield (
            f"the links below OVN's tunnel address {unpack(address)} will carry {max(new)} bytes,"
            f" and virtual machines with an MTU of {vnic_mtu_bytes} bytes need {needed}"
        )


def _taken_names(case: _Case) -> Iterator[str]:
    """Yield why links may not be made, used or removed by names that are OVN's."""
    bridges = case.bridges()
    owned = {name: f"OVN's bridge {name}" for name in bridges}
    for name, interface in case.ovn.interfaces.items():
        if interface.bridge in bridges and (interface.kind or interface.is_vnic):
            owned.setdefault(name, f"a port of OVN's bridge {interface.bridge}")
    touched = {}
    for name, bond in case.request.bonds.items():
        touched[f"bond {name}"] = [name, *filter(_is_kernels, sorted(bond.nics))]
    for name, network in case.request.networks.items():
        old = case.host.networks.get(name, network)
        own = [name] if network.has_own_link or old.has_own_link else []
        kernels = filter(_is_kernels, [network.base])
        touched[f"network {name}"] = [*own, network.vlan_link, *kernels]
    for who, names in touched.items():
        for name in names:
            what = "Open vSwitch itself" if _is_kernels(name) else owned.get(name)
            if what:
                yield f"{who}: the name {name} belongs to {what}. Choose another name"


def _is_kernels(name: str) -> bool:
    return name.startswith(_KERNEL_LINKS)


def _taken_ports(case: _Case) -> Iterator[str]:
    """Yield why ports of OVN's bridges may not be taken away from them."""
    before, after = case.host.links, case.change.links
    bridges = case.bridges()
    in_use = {
        interface.bridge for interface in case.ovn.interfaces.values() if interface.is_localnet
    }
    for name, interface in case.ovn.interfaces.items():
        # A bridge of VDSM's own counts while OVN has a port in it, and then its network cards.
        is_vdsm_own = interface.bridge in in_use and not interface.kind
        if name not in before or not (interface.bridge in bridges or is_vdsm_own):
            continue
        what = bridges.get(interface.bridge, "a physical network in use")
        bridge = f"OVN's bridge {interface.bridge} ({what})"
        if name not in after or after[name].controller != interface.bridge:
            yield (
                f"{case.at_fault(name)}: {name} is a port of {bridge}, and would be"
                " taken from it. Use another one, or remove it from the bridge first"
            )
        elif nics_below(before, name) and not nics_below(after, name):
            yield (
                f"{case.at_fault(name)}: {name}, a port of {bridge}, would have no network"
                " card below it. Leave it one"
            )


def _dropped_mappings(case: _Case) -> Iterator[str]:
    """Yield why VDSM may not write its own bridge mappings over others.

    With networks of the switch type "ovs" it sets ovn-bridge-mappings to those.
    """
    foreign = [f"{name}:{bridge}" for name, bridge in sorted(case.foreign_mappings().items())]
    networks, bonds = case.request.networks, case.request.bonds
    by = [f"network {name}" for name in networks if case.is_vdsm_ovs(name)]
    by += [f"bond {name}" for name, bond in bonds.items() if bond.is_ovs]
    if by and foreign:
        yield (
            f'{by[0]}: with the switch type "ovs" VDSM would remove {",".join(foreign)} from'
            ' ovn-bridge-mappings. Use the switch type "legacy", or remove that mapping first'
        )
