# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a network lets through, and what it does not."""

from __future__ import annotations

import pytest

from system.lab import Lab

pytestmark = pytest.mark.system


def test_machines_on_two_chassis_talk(lab: Lab) -> None:
    """Machines on one network reach each other through the tunnel."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24", "fd00:a::/64")
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)

    assert 3 == alice.ping(bob.ip)
    assert 3 == alice.ping(bob.ip6)
    with bob.serve_tcp(80):
        assert alice.exchange_tcp(bob.ip, 80, bytes(1_000_000))


def test_networks_are_isolated(lab: Lab) -> None:
    """Two networks with the same subnet have nothing in common."""
    hv1, hv2 = lab.chassis
    red, blue = lab.create_network("10.0.0.0/24"), lab.create_network("10.0.0.0/24")
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)
    eve, mallory = lab.create_vm(blue, hv1), lab.create_vm(blue, hv2)
    assert (alice.ip, bob.ip) == (eve.ip, mallory.ip)
    with bob.serve_tcp(80) as of_bob, mallory.serve_tcp(80) as of_mallory:
        assert alice.exchange_tcp(bob.ip, 80)
        assert 1 == len(of_bob.clients)
        assert [] == of_mallory.clients
        with eve.capture() as heard:
            assert 3 == alice.ping(bob.ip)
            assert [] == heard.frames(lambda frame: frame.source_mac in (alice.mac, bob.mac))
