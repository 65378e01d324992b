# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests under libvirt and QEMU: from the engine's port and VDSM's XML to packets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.ovsdb import wait_until
from daemon.proxy import ENGINE
from system.lab import Chassis, Lab
from system.lab.guest import Guest
from system.lab.libvirt import Hypervisor, hypervisors

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def module_hosts(module_lab: Lab) -> Iterator[list[Hypervisor]]:
    """libvirt on both chassis, for all tests of the module."""
    with hypervisors(module_lab.chassis) as running:
        yield running


@pytest.fixture
def hosts(lab: Lab, module_hosts: list[Hypervisor]) -> Iterator[list[Hypervisor]]:
    """libvirt on "hv1" and "hv2", without a guest."""
    yield module_hosts
    for host in module_hosts:
        host.clean()


_numbers = itertools.count(1)


def allocate(lab: Lab, network: dict[str, Any], host: Hypervisor) -> dict[str, Any]:
    """Create a vNIC's port, as the engine does when the VM starts on a host."""
    number = next(_numbers)
    port: dict[str, Any] = lab.api.create(
        "port",
        ENGINE,
        name=f"nic{number}",
        mac_address=f"56:6f:00:00:00:{number:02x}",
        network_id=network["id"],
        tenant_id=network["tenant_id"],
        device_id=f"dddddddd-0000-4000-8000-{number:012}",
        device_owner="oVirt",
        admin_state_up=True,
        **{"binding:host_id": host.chassis.name},
    )
    return port


def keys_of(chassis: Chassis, tap: str) -> dict[str, str]:
    """What libvirt has written beside a tap, and no one else."""
    ours = ("attached-mac", "iface-id", "iface-status", "vm-id")
    return {key: value for key, value in chassis.external_ids(tap).items() if key in ours}


def test_a_guest(lab: Lab, hosts: list[Hypervisor]) -> None:
    """By nothing but the hooks a guest gets on its networks, at its start and while it runs."""
    host = hosts[0]
    here, there = lab.chassis
    red, blue = lab.create_network("10.0.0.0/24"), lab.create_network("10.0.1.0/24")
    alice, bob, carol = [lab.create_vm(*it) for it in ((red, here), (red, there), (blue, there))]
    first, second = allocate(lab, red, host), allocate(lab, blue, host)
    guest = Guest("guest", host, first)

    guest.start()
    assert {
        "attached-mac": first["mac_address"],
        "iface-id": first["id"],
        "iface-status": "active",
        "vm-id": guest.id,
    } == keys_of(here, host.tap_of(first["id"]))
    lab.wait_port(first["id"], True, 10)
    assert "ACTIVE" == lab.api.get(f"ports/{first['id']}")["port"]["status"]
    guest.wait_configured(first)
    assert bob.can_ping(guest.ip)
    assert alice.can_ping(guest.ip)

    guest.hotplug(second)
    lab.wait_port(second["id"], True, 10)
    guest.wait_configured(second)
    assert carol.can_ping(guest.ip_of(second))
    assert bob.can_ping(guest.ip)

    guest.set_link(first, is_up=False)
    assert not bob.can_ping(guest.ip, timeout_s=0.5)
    assert carol.can_ping(guest.ip_of(second))
    guest.set_link(first, is_up=True)
    assert bob.can_ping(guest.ip)

    guest.destroy()
    for port in (first, second):
        lab.wait_port(port["id"], False, 10)
        assert "" == host.tap_of(port["id"])


def test_a_guest_on_another_host(lab: Lab, hosts: list[Hypervisor]) -> None:
    """A guest that was stopped starts on another host, with the same address."""
    red = lab.create_network("10.0.0.0/24")
    bob = lab.create_vm(red, lab.chassis[0])
    port = allocate(lab, red, hosts[0])
    guest = Guest("guest", hosts[0], port)
    guest.start()
    lab.wait_port(port["id"], True, 10)
    guest.destroy()
    lab.wait_port(port["id"], False, 10)

    # As the engine does: it finds the port, and puts the new host into it.
    lab.api.update("port", port["id"], **{"binding:host_id": hosts[1].chassis.name})
    guest.hypervisor = hosts[1]
    guest.start()
    guest.wait_configured(port)

    assert bob.can_ping(guest.ip)
    assert hosts[1].tap_of(port["id"])


def test_nothing_is_left() -> None:
    """With a hypervisor go its guests, its daemons, and all that they have started."""
    with Lab(1) as lab:
        (chassis,) = lab.chassis
        before = chassis.namespace.pids()
        with hypervisors([chassis]) as (host,):
            port = allocate(lab, lab.create_network("10.0.0.0/24"), host)
            Guest("guest", host, port).start()
            assert len(before) + 3 <= len(chassis.namespace.pids())

        # What was killed takes a moment to end.
        wait_until(lambda: before == chassis.namespace.pids())
