# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own messages, recorded where it has every kind of link."""

from __future__ import annotations

import json
import struct
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_host.links import OVS_INTERNAL, nics_below, unpack
from ovirt_ovn_host.ovnfacts import Interface, OvnFacts, add_to
from ovirt_ovn_host.rtnetlink import decode

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "rtnetlink.json").read_text())
LINKS = [b64decode(message) for message in RECORDED["links"]]
ADDRESSES = [b64decode(message) for message in RECORDED["addresses"]]


def test_links() -> None:
    """Each link has its kind, what it is on, whose port it is, and its MTU."""
    found = {
        name: (link.kind, link.lower, link.controller, link.mtu_bytes)
        for name, link in decode(LINKS, ADDRESSES).items()
    }

    assert found == {
        "lo": ("", "", "", 65536),
        "eth0": ("dummy", "", "", 1500),
        "eth1": ("dummy", "", "bond0", 9000),
        "eth2": ("dummy", "", "bond0", 9000),
        "eth3": ("dummy", "", "ovs-system", 1500),
        "bond0": ("bond", "", "", 9000),
        "bond0.100": ("vlan", "bond0", "tunnel", 9000),
        "tunnel": ("bridge", "", "", 9000),
        "mac0": ("macvlan", "eth0", "", 1500),
        "veth0": ("veth", "", "", 1500),
        "veth1": ("veth", "", "", 1500),
        "vnet0": ("tun", "", "ovs-system", 1500),
        "ovs-system": ("openvswitch", "", "", 1500),
        "br-int": ("openvswitch", "", "", 1500),
        "br-ex": ("openvswitch", "", "", 1500),
        "genev_sys_6081": ("geneve", "", "ovs-system", 65000),
    }


def test_addresses() -> None:
    """Addresses come in the kernel's order; of a point-to-point link it is this side's."""
    found = decode(LINKS, ADDRESSES)
    global_ones = [
        address for address in map(unpack, found["eth0"].addresses) if address[:4] != "fe80"
    ]

    assert global_ones == ["198.51.100.1", "203.0.113.1", "198.51.100.2", "2001:db8::1"]
    assert unpack(found["tunnel"].addresses[0]) == "192.0.2.10"


def test_open_vswitch_knows_more() -> None:
    """With what Open vSwitch knows, its bridge's internal port rests on its network card."""
    interfaces = {
        "br-ex": Interface("br-ex", "internal"),
        "eth3": Interface("br-ex"),
        "not-there": Interface("br-ex", "internal"),
    }

    found = add_to(decode(LINKS, ADDRESSES), OvnFacts(interfaces=interfaces))

    assert nics_below(found, "br-ex") == {"eth3"}
    assert found["br-ex"].kind == OVS_INTERNAL
    assert found["eth3"].controller == "br-ex"
    assert found["tunnel"].controller == ""
    assert "not-there" not in found
    assert nics_below(found, "tunnel") == {"eth1", "eth2"}


@given(st.sampled_from([*LINKS, *ADDRESSES]), st.integers(0, 200))
def test_cut_short(message: bytes, length: int) -> None:
    """A message that is cut short is decoded as far as it goes, or refused; it never hangs."""
    for links, addresses in ([message[:length]], []), ([], [message[:length]]):
        try:
            decode(links, addresses)
        except (struct.error, UnicodeDecodeError):
            continue


def test_attribute_without_length() -> None:
    """An attribute of no length ends the message instead of going round for ever."""
    assert list(decode([bytes(40)], [])) == [""]

    with pytest.raises(struct.error):
        decode([b"\0"], [])
