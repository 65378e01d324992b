# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which address ends the tunnels: all forms of the setting, and what is said when none fits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

import pytest

from ovirt_ovn_host.addresses import Address
from ovirt_ovn_host.errors import ConfigError
from ovirt_ovn_host.tunnel import Host, Tunnel, resolve

GENERATED = "on4cc0e1e8a1c34"
ID = "4cc0e1e8-a1c3-4b0a-9d0c-000000000001"


def address(text: str, link: str, is_passing: bool = False) -> Address:
    it = ipaddress.ip_interface(text)
    return Address(link, it.ip, it.network.prefixlen, is_passing)


ADDRESSES = (
    address("127.0.0.1/8", "lo"),
    address("::1/128", "lo"),
    address("192.0.2.5/24", "ovirtmgmt"),
    address("2001:db8::5/64", "ovirtmgmt"),
    address("fe80::5/64", "ovirtmgmt"),
    address("198.51.100.5/24", "bond0.100"),
    address("fe80::6/64", "bond0.100"),
    address("203.0.113.5/24", "eth2"),
    address("203.0.113.77/32", "eth2"),
    address("2001:db8:6::1/64", "eth3"),
    address("2001:db8:6::2/64", "eth3", is_passing=True),
    address("fe80::7/64", "eth4"),
)
NETWORKS = {
    "ovirtmgmt": "ovirtmgmt",
    GENERATED: "bond0.100",
    "eth3": "eth2",
    "six": "eth3",
    "empty": "eth9",
    "nolink": "",
}


@dataclass(frozen=True)
class Case:
    text: str
    ip: str
    why: str
    network: str = ""
    current: str = ""
    names: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    "case",
    [
        Case("192.0.2.5", "192.0.2.5", "the address on ovirtmgmt"),
        Case("2001:DB8:0::5", "2001:db8::5", "the address on ovirtmgmt"),
        Case("[2001:db8::5]", "2001:db8::5", "the address on ovirtmgmt"),
        Case("203.0.113.77", "203.0.113.77", "the address on eth2"),
        Case("2001:db8:6::2", "2001:db8:6::2", "the address on eth3"),
        Case("127.0.0.1", "127.0.0.1", "the address on lo, which other hosts cannot reach"),
        Case("fe80::7", "fe80::7", "the address on eth4, which other hosts cannot reach"),
        Case("198.51.100.0/24", "198.51.100.5", "the IPv4 address in 198.51.100.0/24"),
        Case("198.51.100.5/24", "198.51.100.5", "the IPv4 address in 198.51.100.5/24"),
        Case("203.0.113.77/32", "203.0.113.77", "the IPv4 address in 203.0.113.77/32"),
        Case("2001:db8::/64", "2001:db8::5", "the IPv6 address in 2001:db8::/64"),
        Case("2001:db8:6::/64", "2001:db8:6::1", "the IPv6 address in 2001:db8:6::/64"),
        Case("ovirtmgmt", "192.0.2.5", "the IPv4 address of network ovirtmgmt", "ovirtmgmt"),
        Case(
            "ovirtmgmt",
            "2001:db8::5",
            "the address of network ovirtmgmt that is in use",
            "ovirtmgmt",
            current="2001:db8::5",
        ),
        Case("ovirtmgmt", "192.0.2.5", "the IPv4 address of network ovirtmgmt", "ovirtmgmt",
             current="192.0.2.99"),
        Case("six", "2001:db8:6::1", "the IPv6 address of network six (eth3)", "six"),
        Case(GENERATED, "198.51.100.5", f"the IPv4 address of network {GENERATED} (bond0.100)",
             GENERATED),
        Case(ID, "198.51.100.5", f"the IPv4 address of network {GENERATED} (bond0.100)",
             GENERATED),
        Case(ID.upper(), "198.51.100.5",
             f"the IPv4 address of network {GENERATED} (bond0.100)", GENERATED),
        Case("OVN tunnels", "198.51.100.5",
             f"the IPv4 address of network {GENERATED} (bond0.100)", GENERATED,
             names={GENERATED: "OVN tunnels", "onffffffffffff0": "OVN tunnels"}),
        Case("bond0.100", "198.51.100.5", "the IPv4 address of interface bond0.100"),
        Case("eth2", "203.0.113.77", "the address of interface eth2 that is in use",
             current="203.0.113.77"),
        Case("203.0.113.0/24", "203.0.113.5", "the address in 203.0.113.0/24 that is in use",
             current="203.0.113.5"),
    ],
    ids=lambda case: f"{case.text} {case.current}",
)  # fmt: skip
def test_what_is_picked(case: Case) -> None:
    """Each form of the setting gives one address, and the reason for it."""
    host = Host(ADDRESSES, NETWORKS, case.names, case.current)
    assert Tunnel(case.ip, case.why, case.network) == resolve(case.text, host)


ALL = (
    "192.0.2.5 (ovirtmgmt, network ovirtmgmt), 2001:db8::5 (ovirtmgmt, network ovirtmgmt), "
    f"198.51.100.5 (bond0.100, network {GENERATED} (a name made by the engine)), "
    "203.0.113.5 (eth2, network eth3), 203.0.113.77 (eth2, network eth3), "
    "2001:db8:6::1 (eth3, network six)"
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("192.0.2.6", "no address of this host"),
        ("2001:db8::6", "no address of this host"),
        ("10.0.0.0/8", "without an address for tunnels in 10.0.0.0/8"),
        ("fe80::/64", "without an address for tunnels in fe80::/64"),
        ("127.0.0.0/8", "without an address for tunnels in 127.0.0.0/8"),
        ("203.0.113.0/24", "more than one address in 203.0.113.0/24 (203.0.113.5, 203.0.113.77)"),
        ("empty", "without an address for tunnels of network empty (eth9)"),
        ("nolink", "without an address for tunnels of network nolink"),
        # A network goes before an interface of the same name.
        ("eth3", "more than one address of network eth3 (eth2) (203.0.113.5, 203.0.113.77)"),
        ("eth2", "more than one address of interface eth2 (203.0.113.5, 203.0.113.77)"),
        ("eth4", "without an address for tunnels of interface eth4"),
        ("eth9", "no network or interface that has an address on this host"),
        ("OVN tunnels", "no network or interface that has an address on this host"),
        ("192.0.2.5/33", "no network or interface that has an address on this host"),
        ("two", f"the engine's name of several networks (ovirtmgmt, {GENERATED})"),
    ],
)
def test_what_cannot_be_picked(text: str, what: str) -> None:
    """Where nothing or too much matches, one line says so and lists all that could be chosen."""
    names = {"ovirtmgmt": "two", GENERATED: "two"} if text == "two" else {}
    with pytest.raises(ConfigError) as caught:
        resolve(text, Host(ADDRESSES, NETWORKS, names))
    expected = f"tunnel {text}: {what}; set tunnel to one of "
    assert str(caught.value).startswith(expected)
    if not names:
        assert expected + ALL == str(caught.value)


def test_a_host_without_addresses() -> None:
    """A host that has no address yet has nothing to choose from."""
    with pytest.raises(ConfigError, match="of which there is none yet"):
        resolve("ovirtmgmt", Host(ADDRESSES[:2], NETWORKS))


def test_the_engines_names_are_shown() -> None:
    """Where the engine's name of a network is known, it is shown beside VDSM's."""
    with pytest.raises(ConfigError, match=rf'network {GENERATED} "OVN tunnels"\)'):
        resolve("x", Host(ADDRESSES, NETWORKS, {GENERATED: "OVN tunnels"}))
