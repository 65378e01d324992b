# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counters and state of ports and tunnels in VDSM's statistics."""

from __future__ import annotations

from typing import Any

from ovirt_ovn_host.stats import add_to_host, add_to_vms
from unit.host.rows import VM1, VM2, port_id, snapshot, tunnel, vif

STATISTICS = {
    "rx_bytes": 1,
    "rx_packets": 2,
    "rx_dropped": 3,
    "rx_errors": 4,
    "tx_bytes": 5,
    "tx_packets": 6,
    "tx_dropped": 7,
    "tx_errors": 8,
    "collisions": 9,
}
ZEROES = {
    f"{direction}{counter}": 0
    for direction in ("rx", "tx")
    for counter in ("Bytes", "Packets", "Dropped", "Errors")
}
PORT1 = {
    "macAddr": "56:6f:00:00:00:01",
    "interface": "vnet1",
    "state": "installed",
    "rxBytes": 5,
    "rxPackets": 6,
    "rxDropped": 7,
    "rxErrors": 8,
    "txBytes": 1,
    "txPackets": 2,
    "txDropped": 3,
    "txErrors": 4,
}
PORT2 = {"macAddr": "56:6f:00:00:00:02", "interface": "vnet2", "state": "waiting", **ZEROES}
FOUND = snapshot(
    vif(1, VM1, statistics=STATISTICS),
    vif(2, VM2, is_installed=False),
    tunnel("hv2", "192.0.2.2", statistics=STATISTICS),
    tunnel("hv2", "2001:db8::2", number=1),
)


def test_host() -> None:
    """Ports by their ids, as their VMs see them; tunnels by chassis, as this host sees them."""
    changed = add_to_host({"memFree": 1}, FOUND)

    assert {
        "memFree": 1,
        "ovn": {
            "ports": {
                port_id(1): {"vmId": VM1, **PORT1},
                port_id(2): {"vmId": VM2, **PORT2},
            },
            "tunnels": {
                "hv2": [
                    {
                        "remoteIp": "192.0.2.2",
                        "interface": "ovn-hv2-0",
                        "rxBytes": 1,
                        "rxPackets": 2,
                        "rxDropped": 3,
                        "rxErrors": 4,
                        "txBytes": 5,
                        "txPackets": 6,
                        "txDropped": 7,
                        "txErrors": 8,
                    },
                    {"remoteIp": "2001:db8::2", "interface": "ovn-hv2-1", **ZEROES},
                ]
            },
        },
    } == changed


def test_a_host_without_ports() -> None:
    """The key is there, and empty."""
    assert {"ovn": {"ports": {}, "tunnels": {}}} == add_to_host({}, snapshot())


def test_vms() -> None:
    """Each VM gets its own ports; one without any, or without an id, stays as it is."""
    stats: list[dict[str, Any]] = [
        {"vmId": VM2, "status": "Up"},
        {"vmId": "another"},
        {"status": "Down"},
        {"vmId": VM1},
    ]

    assert [
        {"vmId": VM2, "status": "Up", "ovn": {"ports": {port_id(2): PORT2}}},
        {"vmId": "another"},
        {"status": "Down"},
        {"vmId": VM1, "ovn": {"ports": {port_id(1): PORT1}}},
    ] == add_to_vms(stats, FOUND)
    assert [] == add_to_vms([], FOUND)
