# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""VDSM's form of networks, bonds and requests."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_host.networks import (
    Bond,
    Network,
    NotUnderstood,
    decode_bonds,
    decode_networks,
    decode_request,
)
from unit.host.hosts import REMOVE, bond, net, packed

V4, V6 = frozenset({int(socket.AF_INET)}), frozenset({int(socket.AF_INET6)})


@pytest.mark.parametrize(
    ("attributes", "network"),
    [
        (REMOVE, Network("n", is_removed=True)),
        ({"remove": True, "custom": {"x": "y"}}, Network("n", is_removed=True)),
        (net(), Network("n", is_bridged=True)),
        ({}, Network("n", is_bridged=True)),
        (net(nic="eth0", bridged=False), Network("n", base="eth0")),
        (net(bonding="bond0", vlan=5, mtu=9000),
         Network("n", base="bond0", vlan=5, is_bridged=True, mtu_bytes=9000)),
        ({"nic": "eth0", "vlan": "5", "mtu": "1400", "bridged": "false"},
         Network("n", base="eth0", vlan=5, mtu_bytes=1400)),
        ({"nic": "eth0", "vlan": "", "bridged": False}, Network("n", base="eth0")),
        (net(ip="192.0.2.1"), Network("n", is_bridged=True, addresses=(packed("192.0.2.1"),))),
        (net(ip="192.0.2.1", ip6="2001:db8::1"),
         Network("n", is_bridged=True, addresses=(packed("192.0.2.1"), packed("2001:db8::1")))),
        (net(dhcp=True), Network("n", is_bridged=True, dynamic=V4)),
        (net(dhcpv6=True), Network("n", is_bridged=True, dynamic=V6)),
        (net(ipv6autoconf="true"), Network("n", is_bridged=True, dynamic=V6)),
        (net(dhcpv6=True, ip6="2001:db8::1"),
         Network("n", is_bridged=True, addresses=(packed("2001:db8::1"),))),
        (net(nic="eth0", switch="ovs"), Network("n", base="eth0", is_bridged=True, is_ovs=True)),
    ],
)  # fmt: skip
def test_network(attributes: dict[str, Any], network: Network) -> None:
    """A network is read with VDSM's own defaults; static addresses go before dynamic ones."""
    assert {"n": network} == decode_networks({"n": attributes})


@pytest.mark.parametrize(
    ("attributes", "port", "top"),
    [
        (net(nic="eth0", bridged=False), "eth0", "eth0"),
        (net(nic="eth0", vlan=5, bridged=False), "eth0.5", "eth0.5"),
        (net(bonding="bond0", vlan=5), "bond0.5", "n"),
        (net(nic="eth0", vlan=5, switch="ovs", bridged=False), "eth0", "n"),
        (net(), "", "n"),
    ],
)
def test_links_of_a_network(attributes: dict[str, Any], port: str, top: str) -> None:
    """A network's frames pass its VLAN or base link; its addresses are on its topmost link."""
    network = decode_networks({"n": attributes})["n"]

    assert (port, top) == (network.port, network.top)


def test_bonds() -> None:
    """A bond has network cards, or is removed."""
    assert decode_bonds({"a": bond("eth1", "eth0"), "b": REMOVE, "c": bond("x", switch="ovs")}) == {
        "a": Bond("a", nics=frozenset({"eth0", "eth1"})),
        "b": Bond("b", is_removed=True),
        "c": Bond("c", nics=frozenset({"x"}), is_ovs=True),
    }


@pytest.mark.parametrize(
    ("request_", "is_harmless"),
    [
        ({"networks": {}, "bondings": {}, "options": {}}, True),
        ({}, True),
        ({"networks": {"n": REMOVE}}, False),
        ({"bondings": {"bond0": REMOVE}, "options": {"_inRollback": False}}, False),
        ({"networks": {"n": REMOVE}, "options": {"_inRollback": True}}, True),
    ],
)
def test_harmless(request_: dict[str, Any], is_harmless: bool) -> None:
    """An empty request and one that leads back to what was before are not looked at."""
    assert is_harmless == decode_request({"request": request_}).is_harmless


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "the data: None"),
        ({}, "request: None"),
        ({"request": []}, "request: []"),
        ({"request": {"networks": None}}, "networks: None"),
        ({"request": {"bondings": ["bond0"]}}, "bondings: ['bond0']"),
        ({"request": {"options": 1}}, "options: 1"),
        ({"request": {"networks": {"n": None}}}, "network n: None"),
        ({"request": {"networks": {"n": {"nic": ["eth0"]}}}}, "network n, nic: ['eth0']"),
        ({"request": {"networks": {"n": {"vlan": [5]}}}}, "network n, vlan: [5]"),
        ({"request": {"networks": {"n": {"vlan": float("inf")}}}}, "network n, vlan: inf"),
        ({"request": {"networks": {"n": {"mtu": "big"}}}}, "network n, mtu: 'big'"),
        ({"request": {"networks": {"n": {"ipaddr": "dhcp"}}}}, "network n: no address: 'dhcp'"),
        ({"request": {"networks": {"n": {"custom": "x"}}}}, "network n, custom: 'x'"),
        ({"request": {"bondings": {"b": {"nics": "eth0"}}}}, "bond b, nics: 'eth0'"),
        ({"request": {"bondings": {"b": {"nics": [1]}}}}, "bond b, nics: [1]"),
    ],
)
def test_not_understood(data: Any, message: str) -> None:
    """What has not the known form is refused with the place and what stands there."""
    with pytest.raises(NotUnderstood) as caught:
        decode_request(data)

    assert message == str(caught.value)


KEYS = [
    *net(nic="x", bonding="x", vlan=1, ip="x", ip6="x"),
    *bond("x"),
    *("request", "networks", "bondings", "options", "remove", "custom", "ipv4_addrs"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=20,
)


ATTRIBUTES = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6)


@given(JSON, ATTRIBUTES, ATTRIBUTES)
def test_any_json(anything: Any, network: Any, bond: Any) -> None:
    """No JSON value makes anything but a request, or the one error."""
    near = {"networks": {"n": network}, "bondings": {"bond0": bond}, "options": network}
    for data in anything, {"request": anything}, {"request": near}:
        with contextlib.suppress(NotUnderstood):
            decode_request(data)
