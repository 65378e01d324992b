# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is below a link, and how wide the way is."""

from __future__ import annotations

import pytest

from ovirt_ovn_host.links import OVS_INTERNAL, Link, nics_below, pack, path_mtu_bytes, unpack
from unit.host.hosts import links

STACK = links(
    "eth0 mtu 9000",
    "eth1 mtu 4000",
    "bond0 bond eth0 eth1 mtu 9000",
    "bond0.5 vlan bond0 mtu 8000",
    "br0 bridge bond0.5 vnet0 mtu 8500",
    "vnet0 tun",
    "empty bridge",
    "inner bridge vnet1",
    "vnet1 tun",
    "gone.5 vlan gone",
)


@pytest.mark.parametrize(
    ("name", "nics", "mtu_bytes"),
    [
        ("eth0", {"eth0"}, 9000),
        ("bond0", {"eth0", "eth1"}, 9000),
        ("bond0.5", {"eth0", "eth1"}, 8000),
        ("br0", {"eth0", "eth1"}, 8000),
        ("empty", set(), 0),
        ("inner", set(), 0),
        ("gone.5", {"gone.5"}, 1500),
        ("nothing", set(), 0),
    ],
)
def test_below(name: str, nics: set[str], mtu_bytes: int) -> None:
    """A way ends at network cards, never at virtual machines, and is as wide as its best branch."""
    assert nics == nics_below(STACK, name)
    assert mtu_bytes == path_mtu_bytes(STACK, name)


def test_internal_port() -> None:
    """An internal port of Open vSwitch reaches out through the other ports of its bridge."""
    switch = {
        "tunnel": Link("tunnel", OVS_INTERNAL, controller="br-ex", mtu_bytes=1400),
        "other": Link("other", OVS_INTERNAL, controller="br-ex"),
        "eth3": Link("eth3", controller="br-ex"),
    }

    assert {"eth3"} == nics_below(switch, "tunnel")
    assert 1400 == path_mtu_bytes(switch, "tunnel")


def test_circle() -> None:
    """A bridge over a VLAN of its own internal port leads nowhere, and comes to an end."""
    circle = {
        "br-ex": Link("br-ex", OVS_INTERNAL, controller="br-ex"),
        "br-ex.5": Link("br-ex.5", "vlan", lower="br-ex", controller="br-ex"),
    }

    assert set() == nics_below(circle, "br-ex")
    assert 0 == path_mtu_bytes(circle, "br-ex")


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("192.0.2.10", b"\xc0\x00\x02\x0a"),
        (" 192.0.2.10/24 ", b"\xc0\x00\x02\x0a"),
        ("2001:DB8::1/64", b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
        ("192.0.2", None),
        ("eth0", None),
        ("192.0.2.10\0", None),
        ("\ud800", None),
        ("", None),
    ],
)
def test_pack(text: str, packed: bytes | None) -> None:
    """Addresses compare by their bytes, however they are written."""
    assert packed == pack(text)
    assert packed is None or packed == pack(unpack(packed))
