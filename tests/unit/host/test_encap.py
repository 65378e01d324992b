# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which address OVN's tunnel gets when its network's address changes."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ovirt_ovn_host.encap import outdated, successor
from ovirt_ovn_host.networks import decode_networks
from unit.host.hosts import links, net, packed


class Case(NamedTuple):
    """Tunnel addresses, the addresses of the network's link and of another, what changes.

    Of several in `old` it is not known which one was the network's.
    """

    title: str
    encap: str
    own: str
    other: str = ""
    static: str = ""
    old: str = ""
    new: str = ""


CASES = [
    Case("all is well", "192.0.2.1", own="192.0.2.1"),
    Case("one of several", "192.0.2.1", own="192.0.2.9 192.0.2.1"),
    Case("changed", "192.0.2.1", own="192.0.2.9", old="192.0.2.1", new="192.0.2.9"),
    Case("left elsewhere", "192.0.2.1", "192.0.2.9", "192.0.2.1", "", "192.0.2.1", "192.0.2.9"),
    Case("first of several", "192.0.2.1", "192.0.2.9 192.0.2.8", "", "", "192.0.2.1", "192.0.2.9"),
    Case(
        "static one", "192.0.2.1", "192.0.2.9 192.0.2.8", "", "192.0.2.8", "192.0.2.1", "192.0.2.8"
    ),
    Case("none yet", "192.0.2.1", own="", old="192.0.2.1"),
    Case("other family", "192.0.2.1", own="2001:db8::1", old="192.0.2.1"),
    Case(
        "v6", "2001:db8::1", "192.0.2.9 fe80::1 2001:db8::9", "", "", "2001:db8::1", "2001:db8::9"
    ),
    Case("v6 of the link only", "2001:db8::1", own="fe80::1 fe90::1 febf::1", old="2001:db8::1"),
    Case("no tunnel", "", own="192.0.2.9"),
    Case(
        "the lost one of two",
        "192.0.2.1,192.0.2.2",
        "192.0.2.9",
        other="192.0.2.2",
        old="192.0.2.1",
        new="192.0.2.9",
    ),
    Case("two, one is the network's", "192.0.2.1,192.0.2.2", own="192.0.2.2"),
    Case("two, both lost", "192.0.2.1,192.0.2.2", own="192.0.2.9", old="192.0.2.1,192.0.2.2"),
    Case(
        "two, both elsewhere",
        "192.0.2.1,192.0.2.2",
        "192.0.2.9",
        other="192.0.2.1 192.0.2.2",
        old="192.0.2.1,192.0.2.2",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_following(case: Case) -> None:
    """The address that was the network's gives way to the one that the network has now."""
    network = decode_networks({"tunnel": net(nic="eth1", ip=case.static)})["tunnel"]
    now = links(f"tunnel bridge eth1 = {case.own}", f"eth0 = {case.other}", "eth1")
    encap, expected = (
        [packed(address) for address in text.split(",") if address]
        for text in (case.encap, case.old)
    )

    old = outdated(encap, network, now)

    assert expected == old
    if len(old) == 1:
        assert (packed(case.new) if case.new else None) == successor(old[0], network, now)


def test_network_without_link() -> None:
    """A network whose link is not there has no address to offer."""
    network = decode_networks({"tunnel": net(nic="eth1")})["tunnel"]
    encap = [packed("192.0.2.1")]

    assert encap == outdated(encap, network, {})
    assert successor(encap[0], network, {}) is None
