# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The world outside: physical networks, which chassis have an uplink to, and machines on them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from . import links
from .machine import LINK, Machine
from .namespace import Namespace
from .switch import Switch


class PhysicalSwitch(Switch):
    """The switch that chassis and outside machines are cabled to: a bridge for each network.

    It is an Open vSwitch because that has VLANs on every kernel.
    """

    def __init__(self, namespace: Namespace, folder: Path, networks: Iterable[str]) -> None:
        super().__init__(namespace, folder)
        self._uplinks: list[tuple[str, str]] = []
        self._networks = sorted(networks)

    def lay_uplink(self, network: str, chassis: Namespace) -> None:
        """Lay a cable to a chassis, before either is started."""
        port = f"uplink{len(self._uplinks) + 1}"
        links.connect((self.namespace, port), (chassis, f"phys-{network}"))
        self._uplinks.append((network, port))

    def start(self) -> None:
        """Start it, with its bridges and uplinks, which carry all VLANs."""
        super().start()
        for network in self._networks:
            self.vsctl("add-br", network, "--", "set", "Bridge", network, "datapath_type=netdev")
        for network, port in self._uplinks:
            self.vsctl("add-port", network, port)

    def attach(self, machine: Machine, network: str, port: str, vlan: int | None) -> None:
        """Cable a machine to a network: on a VLAN, or on all and untagged."""
        links.connect((self.namespace, port), (machine.namespace, LINK), machine.mac)
        tag = [f"tag={vlan}"] if vlan is not None else []
        self.vsctl("add-port", network, port, *tag)
