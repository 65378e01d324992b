# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks that reach out through a bridge mapping."""

from __future__ import annotations

from typing import Any

import pytest

from system.external import on_physnet
from system.lab import Lab, frames

pytestmark = pytest.mark.system


def physical_network(lab: Lab, vlan: int | None) -> dict[str, Any]:
    return lab.create_network("192.0.2.0/24", **on_physnet(vlan))


@pytest.mark.parametrize("vlan", [None, 10])
def test_outside_is_reached(lab: Lab, vlan: int | None) -> None:
    """Machines of every chassis and machines outside are on one network, and on its VLAN only."""
    hv1, hv2 = lab.chassis
    network = physical_network(lab, vlan)
    alice, bob = lab.create_vm(network, hv1), lab.create_vm(network, hv2)
    outside = lab.add_outside("physnet", "192.0.2.200/24", vlan=vlan)
    elsewhere = lab.add_outside("physnet", "192.0.2.201/24", vlan=20)

    assert outside.can_ping(alice.ip)
    assert 3 == bob.ping("192.0.2.200")
    assert 3 == alice.ping(bob.ip)
    with outside.serve_tcp(80) as service:
        assert alice.exchange_tcp("192.0.2.200", 80, bytes(1_000_000))
        assert [alice.ip] == [address for address, _ in service.clients]
    assert not elsewhere.can_ping(alice.ip, timeout_s=0.5)


def test_tag_on_the_wire(lab: Lab) -> None:
    """What leaves for a VLAN carries its tag."""
    alice = lab.create_vm(physical_network(lab, 10), lab.chassis[0])
    everything = lab.add_outside("physnet")

    with everything.capture() as heard:
        alice.ping("192.0.2.200", 1, timeout_s=0.1)
        request = heard.wait_for(lambda frame: frame.kind == frames.ARP)
    assert request is not None
    assert (alice.mac, 10) == (request.source_mac, request.vlan)


def test_full_size(lab: Lab) -> None:
    """Without a tunnel on the way a network has room for whole Ethernet frames."""
    network = physical_network(lab, 10)
    alice = lab.create_vm(network, lab.chassis[0])
    lab.add_outside("physnet", "192.0.2.200/24", vlan=10)
    alice.set_mtu(1500)

    assert 3 == alice.ping("192.0.2.200", packet_bytes=1500)
