# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counters and state of OVN's ports and tunnels for VDSM's statistics. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .snapshot import Snapshot

# Our key in the statistics of hosts and of VMs.
OVN = "ovn"

_COUNTERS = ("bytes", "packets", "dropped", "errors")


def add_to_host(stats: Mapping[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    """Return a host's statistics with those of all OVN ports and tunnels."""
    tunnels: dict[str, list[dict[str, Any]]] = {}
    for tunnel in snapshot.tunnels:
        tunnels.setdefault(tunnel["chassis"], []).append(
            {
                "remoteIp": tunnel["remote_ip"],
                "interface": tunnel["interface"],
                **_counters(tunnel["statistics"], rx="rx", tx="tx"),
            }
        )
    ports = {port["id"]: {"vmId": port["vm_id"], **_port(port)} for port in snapshot.ports}
    return {**stats, OVN: {"ports": ports, "tunnels": tunnels}}


def add_to_vms(stats: Sequence[Mapping[str, Any]], snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the statistics of VMs, each with those of its OVN ports, if it has any."""
    ports: dict[str, dict[str, Any]] = {}
    for port in snapshot.ports:
        ports.setdefault(port["vm_id"], {})[port["id"]] = _port(port)
    return [
        {**vm, OVN: {"ports": ports[vm["vmId"]]}} if vm.get("vmId") in ports else dict(vm)
        for vm in stats
    ]


def _port(port: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "macAddr": port["mac"],
        "interface": port["interface"],
        "state": "installed" if port["is_installed"] else "waiting",
        # The switch receives what the VM sends; all of VDSM's figures are the VM's view.
        **_counters(port["statistics"], rx="tx", tx="rx"),
    }


def _counters(statistics: Mapping[str, int], rx: str, tx: str) -> dict[str, int]:
    """Return VDSM's counters; `rx` and `tx` are the directions' names in Open vSwitch."""
    return {
        f"{name}{counter.capitalize()}": statistics.get(f"{direction}_{counter}", 0)
        for name, direction in (("rx", rx), ("tx", tx))
        for counter in _COUNTERS
    }
