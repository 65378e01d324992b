# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The world outside: physical networks that chassis have uplinks to, and machines on them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from . import links
from .capture import Capture
from .machine import LINK, Machine
from .namespace import Namespace
from .switch import Switch


class PhysicalSwitch(Switch):
    """The switch that chassis and outside machines are cabled to: a bridge for each network.

    It is an Open vSwitch because that has VLANs on every kernel.
    """

    def __init__(self, namespace: Namespace, folder: Path, networks: Iterable[str]) -> None:
        super().__init__(namespace, folder)
        self._uplinks: dict[tuple[str, str], str] = {}
        self._networks = sorted(networks)

    def lay_uplink(self, network: str, chassis: Namespace) -> None:
        """Lay a cable to a chassis, before either is started."""
        port = f"uplink{len(self._uplinks) + 1}"
        links.connect((self.namespace, port), (chassis, f"phys-{network}"))
        self._uplinks[network, chassis.name] = port

    def start(self) -> None:
        """Start it, with its bridges and uplinks, which carry all VLANs."""
        super().start()
        for network in self._networks:
            self.vsctl("add-br", network, "--", "set", "Bridge", network, "datapath_type=netdev")
        for (network, _), port in self._uplinks.items():
            self.vsctl("add-port", network, port)

    def capture(self, network: str, chassis: Namespace) -> Capture:
        """Return a context manager that holds what a chassis sends there from now on."""
        return Capture(self.namespace, self._uplinks[network, chassis.name])


class OutsideMachine(Machine):
    """A machine on a physical network, which forwards between networks like a router."""

    def __init__(self, name: str, namespace: Namespace, switch: PhysicalSwitch, port: str) -> None:
        # The port's number makes it unique.
        mac = "02:00:" + port.encode()[-4:].hex(":")
        super().__init__(name, namespace, mac)
        namespace.sysctl("net/ipv4/ip_forward", 1)
        namespace.sysctl("net/ipv6/conf/all/forwarding", 1)
        self._switch = switch
        self._port = port

    def attach(self, network: str, vlan: int | None) -> None:
        """Cable it to a network: on a VLAN, or untagged and with all VLANs tagged."""
        links.connect((self._switch.namespace, self._port), (self.namespace, LINK), self.mac)
        tag = [] if vlan is None else [f"tag={vlan}"]
        self._switch.vsctl("add-port", network, self._port, *tag)

    def stop(self) -> None:
        """Take it off the network and make an end of it."""
        self._switch.vsctl("--if-exists", "del-port", self._port)
        super().stop()
