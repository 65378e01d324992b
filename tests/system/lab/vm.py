# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual machine: a machine whose link is plugged into a chassis as libvirt does it."""

from __future__ import annotations

import ipaddress
import uuid
from typing import TYPE_CHECKING, Any

from daemon.ovsdb import wait_until

from . import configurator, dhcp, links
from .chassis import Chassis
from .machine import LINK, Machine, eui64
from .namespace import Namespace

if TYPE_CHECKING:
    from .lab import Lab

UP_TIMEOUT_S = 10


class Vm(Machine):
    """One with one vNIC.

    `port` is the REST object as it was when the machine was made, `chassis` where it
    runs, `tap` the name of its link there.
    """

    def __init__(
        self, lab: Lab, port: dict[str, Any], chassis: Chassis, namespace: Namespace, tap: str
    ) -> None:
        super().__init__(port.get("name") or port["id"], namespace, port["mac_address"])
        self._lab = lab
        self.port = port
        self.id = str(uuid.uuid4())
        self.chassis = chassis
        self.tap = tap
        # Not before it is told to, see `accept_router_advertisements`.
        namespace.sysctl("net/ipv6/conf/default/accept_ra", 0)
        self._lay_cable()

    @property
    def ip(self) -> str:
        """The first IPv4 address of its port."""
        return self._fixed(4)

    @property
    def ip6(self) -> str:
        """The first IPv6 address of its port."""
        return self._fixed(6)

    def _fixed(self, version: int) -> str:
        for fixed in self.port["fixed_ips"]:
            if ipaddress.ip_address(fixed["ip_address"]).version == version:
                return str(fixed["ip_address"])
        raise AssertionError(f"{self.name} has no IPv{version} address")

    def _lay_cable(self) -> None:
        links.connect((self.chassis.namespace, self.tap), (self.namespace, LINK), self.mac)

    # Life

    def start(self, configure: bool = True) -> None:
        """Plug it and wait until its port is up; `configure` it first, or leave it bare."""
        if configure:
            self.configure()
        self.plug()
        self.wait_up()

    def plug(self) -> None:
        """Add its tap to br-int, as our hook tells libvirt."""
        vif = configurator.connect(self.chassis, self.port["id"], self.mac)
        self.chassis.plug(self.tap, vif.interface_id, vif.mac, self.id, vif.bridge)

    def unplug(self) -> None:
        """Remove its tap from br-int; the machine goes on without a network."""
        self.chassis.unplug(self.tap)

    def wait_up(self, timeout_s: float = UP_TIMEOUT_S) -> None:
        """Wait until Northbound has the port up, and every chassis knows where it is."""
        self._lab.wait_port(self.port["id"], True, timeout_s)
        self.chassis.wait_installed(self.tap, timeout_s)
        self._lab.sync()

    def wait_down(self, timeout_s: float = UP_TIMEOUT_S) -> None:
        """Wait until Northbound has the port down."""
        self._lab.wait_port(self.port["id"], False, timeout_s)

    def is_up(self) -> bool:
        """Say whether Northbound has the port up."""
        return self._lab.is_port_up(self.port["id"])

    def stop(self) -> None:
        """Unplug it and make an end of it."""
        self.unplug()
        super().stop()

    def restart_on(self, chassis: Chassis) -> None:
        """Stop it and start it, configuration and all, on another chassis (no live migration)."""
        self.unplug()
        self.chassis.namespace.ip(f"link set {self.tap} netns {chassis.namespace.name}")
        self.chassis = chassis
        self.chassis.namespace.ip(f"link set {self.tap} up")
        self.plug()

    # Addresses

    def configure(self) -> None:
        """Give it what its port has: addresses, MTU, and a default route by each gateway."""
        self.port = self._lab.rest.get(f"ports/{self.port['id']}")["port"]
        network = self._lab.rest.get(f"networks/{self.port['network_id']}")["network"]
        if network["mtu"]:
            self.set_mtu(network["mtu"])
        for fixed in self.port["fixed_ips"]:
            subnet = self._lab.rest.get(f"subnets/{fixed['subnet_id']}")["subnet"]
            length = subnet["cidr"].partition("/")[2]
            self.add_address(f"{fixed['ip_address']}/{length}")
            if subnet["gateway_ip"] not in (None, fixed["ip_address"]):
                self.add_route("default", subnet["gateway_ip"])

    def dhcp4(self, timeout_s: float = 10.0) -> dhcp.Lease | None:
        """Get a lease by dhclient and apply it; None if nobody answers within `timeout_s`."""
        lease = dhcp.request_v4(self.namespace, LINK, timeout_s)
        if lease is not None:
            self.add_address(str(lease.address))
            if lease.mtu_bytes:
                self.set_mtu(lease.mtu_bytes)
            # RFC 3442: with option 121 the router counts for nothing.
            for network, hop in lease.routes:
                if hop != "0.0.0.0":
                    self.add_route(network, hop)
            if lease.router and not lease.routes:
                self.add_route("default", lease.router)
        return lease

    def dhcp6(self, timeout_s: float = 10.0, stateless: bool = False) -> dhcp.Lease | None:
        """Get a lease by dhclient -6 and apply it; None if nobody answers within `timeout_s`.

        `stateless` asks for everything but an address.
        """
        lease = dhcp.request_v6(self.namespace, LINK, timeout_s, stateless)
        if lease is not None and lease.address is not None:
            self.add_address(str(lease.address))
        return lease

    def accept_router_advertisements(self) -> None:
        """Have the kernel ask for router advertisements, and follow them when they come."""
        for key, value in {"accept_ra": 2, "autoconf": 1, "router_solicitation_delay": 0}.items():
            self.namespace.sysctl(f"net/ipv6/conf/{LINK}/{key}", value)
        # It asks when the link comes up.
        self.set_up(False)
        self.set_up(True)

    def slaac(self, cidr: str, timeout_s: float = 10.0) -> str:
        """Follow router advertisements until there is the EUI-64 address of a /64; return that."""
        wanted = eui64(cidr, self.mac)
        self.accept_router_advertisements()
        wait_until(
            lambda: f"{wanted}/64" in self.addresses(), timeout_s, f"{self.name} has {wanted}"
        )
        return wanted
