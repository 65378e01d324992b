# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What any request leaves of any host."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_host.links import nics_below
from ovirt_ovn_host.netchange import Host, apply
from ovirt_ovn_host.netguard import judge
from ovirt_ovn_host.networks import Request, decode_bonds, decode_networks
from ovirt_ovn_host.ovnfacts import OvnFacts
from unit.host.hosts import REMOVE, bond, links, net

NICS = ["eth0", "eth1", "eth2"]
BARE = Host(links(*NICS))
ADDRESSES = ["", "192.0.2.1", "192.0.2.2", "192.0.2.3"]


class Configuration(NamedTuple):
    """Networks and bonds as VDSM writes them."""

    networks: dict[str, Any]
    bonds: dict[str, Any]

    def request(self) -> Request:
        """Return the request for all of it."""
        return Request(decode_networks(self.networks), decode_bonds(self.bonds))

    def removal(self) -> Request:
        """Return the request to remove all of it."""
        networks = dict.fromkeys(self.networks, REMOVE)
        return Request(decode_networks(networks), decode_bonds(dict.fromkeys(self.bonds, REMOVE)))


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    """Draw what VDSM accepts: no base and no address used twice."""
    in_bond = draw(st.sets(st.sampled_from(NICS)))
    bonds = {"bond0": bond(*in_bond)} if in_bond else {}
    places = [
        (base, vlan)
        for base in [*(nic for nic in NICS if nic not in in_bond), *bonds]
        for vlan in (None, 5, 6)
    ]
    drawn = draw(st.lists(st.sampled_from(places), unique=True, max_size=4)) if places else []
    addresses = draw(st.permutations(ADDRESSES))
    networks = {}
    for number, ((base, vlan), address) in enumerate(zip(drawn, addresses)):
        networks[f"net{number}"] = net(
            nic="" if base in bonds else base,
            bonding=base if base in bonds else "",
            vlan=vlan,
            ip=address,
            bridged=draw(st.booleans()),
            mtu=draw(st.sampled_from([1500, 9000])),
        )
    return Configuration(networks, bonds)


def deployed(configuration: Configuration) -> Host:
    """Return a host that had nothing, after the request for the configuration."""
    request = configuration.request()
    return Host(apply(BARE, request).links, request.networks, frozenset(request.bonds))


@given(configurations())
def test_deployment(wanted: Configuration) -> None:
    """Each network's link is there with its address, over the links that it needs, as wide."""
    host = deployed(wanted)

    for network in host.networks.values():
        assert host.links[network.top].addresses == network.addresses
        assert network.port == network.top or host.links[network.port].controller == network.top
        bond_nics = wanted.bonds.get(network.base, {}).get("nics")
        nics = set(bond_nics or [network.base])
        assert nics == nics_below(host.links, network.top)
        mtus = [it.mtu_bytes for it in host.networks.values() if it.base == network.base]
        assert {max(mtus)} == {host.links[name].mtu_bytes for name in (network.base, *nics)}
    for name, attributes in wanted.bonds.items():
        ports = {link.name for link in host.links.values() if link.controller == name}
        assert set(attributes["nics"]) == ports


@given(configurations())
def test_same_again(wanted: Configuration) -> None:
    """To ask for what there is changes nothing."""
    host = deployed(wanted)

    assert apply(host, wanted.request()).links == host.links


@given(configurations())
def test_all_removed(wanted: Configuration) -> None:
    """When all is removed, the bare network cards are left."""
    left = apply(deployed(wanted), wanted.removal()).links

    assert set(left) == set(NICS)
    assert not any(link.controller or link.addresses for link in left.values())


@given(configurations(), configurations(), st.sampled_from(ADDRESSES[1:]))
def test_judgement(running: Configuration, wanted: Configuration, address: str) -> None:
    """A change to any other configuration is refused if and only if the address is lost."""
    host = deployed(running)
    networks = {**dict.fromkeys(running.networks, REMOVE), **wanted.networks}
    bonds = {**dict.fromkeys(running.bonds, REMOVE), **wanted.bonds}
    request = Request(decode_networks(networks), decode_bonds(bonds))
    had_it = any(it.get("ipaddr") == address for it in running.networks.values())
    has_it = any(it.get("ipaddr") == address for it in wanted.networks.values())

    refusals = judge(host, OvnFacts(encap_value=address), request).refusals

    assert (had_it and not has_it) == bool(refusals)
