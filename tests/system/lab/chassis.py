# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A chassis: Open vSwitch and ovn-controller in a namespace of its own."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daemon.ovsdb import Daemon, wait_until

from . import configurator
from .namespace import Namespace
from .switch import Switch

TUNNEL_BRIDGE = "br-tunnel"


@dataclass(frozen=True)
class ChassisSpec:
    """What a chassis shall be.

    `name` is the system-id (and hostname); `physical_networks` are those that it has
    a bridge mapping for, each to a bridge `br-<network>`; `is_gateway` lets OVN put
    gateways here; `external_ids` are further keys of Open_vSwitch, as "ovn-bridge", or
    "ovn-remote" for another Southbound than the lab's; `tls_files` are private key,
    certificate and CA certificate.
    """

    name: str
    physical_networks: Sequence[str] = ()
    is_gateway: bool = False
    external_ids: Mapping[str, str] = field(default_factory=dict)
    tls_files: Sequence[str] = ()


class Chassis(Switch):
    """One chassis, registered in Southbound once `start` has returned.

    `said` is what our configurator has told.
    """

    def __init__(
        self, spec: ChassisSpec, namespace: Namespace, folder: Path, ovn_remote: str, address: str
    ) -> None:
        super().__init__(namespace, folder)
        self.spec = spec
        self.name = spec.name
        self.bridge = spec.external_ids.get("ovn-bridge", "br-int")
        self.encap_ip = address.partition("/")[0]
        self.encap_mac = f"02:00:{ipaddress.IPv4Address(self.encap_ip).packed.hex(':')}"
        self._address = address
        self._ovn_remote = ovn_remote
        self.said: list[str] = []
        command = ["ovn-controller", self.database.remote, "--pidfile"]
        self.controller = Daemon(folder, "controller", command, None)

    def start(self) -> None:
        """Start everything; the links "tunnel" and "phys-<network>" are there already."""
        super().start()
        self._prepare()
        self._configure()
        self.start_controller()

    def start_controller(self) -> None:
        """Start ovn-controller, again if `controller` was killed or stopped."""
        with self.namespace.entered():
            self.controller.start()

    def stop(self) -> None:
        """Stop everything; Southbound goes on knowing the chassis."""
        self.controller.stop()
        super().stop()

    def leave(self) -> None:
        """End ovn-controller as for good: Southbound forgets the chassis."""
        self.controller_appctl("exit")
        self.controller.wait(10)

    def kill(self) -> None:
        """End everything like a crash of the host does; Southbound goes on knowing it."""
        self.controller.kill()
        super().kill()

    def _uplinks(self) -> dict[str, str]:
        physical = {f"br-{name}": f"phys-{name}" for name in self.spec.physical_networks}
        return {TUNNEL_BRIDGE: "tunnel", **physical}

    def _prepare(self) -> None:
        """Set what a host has before our configurator: its networks and VDSM's mappings."""
        mappings = [f"{network}:br-{network}" for network in self.spec.physical_networks]
        external_ids = {
            "hostname": self.name,
            "ovn-bridge-datapath-type": "netdev",
            **({"ovn-bridge-mappings": ",".join(mappings)} if mappings else {}),
            **({"ovn-cms-options": "enable-chassis-as-gw"} if self.spec.is_gateway else {}),
            **self.spec.external_ids,
        }
        # That is our configurator's.
        external_ids.pop("ovn-remote", None)
        words = ["set", "Open_vSwitch", "."]
        words += [f'external_ids:{key}="{value}"' for key, value in external_ids.items()]
        for bridge, link in self._uplinks().items():
            words += ["--", "add-br", bridge, "--", "add-port", bridge, link]
            words += ["--", "set", "Bridge", bridge, "datapath_type=netdev"]
        words += ["--", "set", "Bridge", TUNNEL_BRIDGE, f'other_config:hwaddr="{self.encap_mac}"']
        self.vsctl(*words)
        self.namespace.ip(
            f"addr add {self._address} dev {TUNNEL_BRIDGE}", f"link set {TUNNEL_BRIDGE} up"
        )

    def _configure(self) -> None:
        """Have our configurator make it a chassis."""
        central = self.spec.external_ids.get("ovn-remote", self._ovn_remote)
        # A new chassis has no flows that could be kept until there are others.
        lines = ["[ovn]", f"central = {central}", f"tunnel = {self.encap_ip}", "restart-wait = 0"]
        lines.append(f"system-id = {self.name}")
        if self.spec.tls_files:
            names = ("private-key", "certificate", "ca-certificate")
            lines += ["[tls]", *map(" = ".join, zip(names, self.spec.tls_files))]
        self.said = configurator.configure(self, "\n".join(lines))
        # It adds the bridge, and does not wait for it.
        wait_until(self._has_bridge, what=f"{self.name} has {self.bridge}")

    def _has_bridge(self) -> bool:
        return self.vsctl("get", "Interface", self.bridge, "ofport").isdigit()

    def meet(self, other: Chassis) -> None:
        """Know the way to another chassis before the first packet, which would be lost else."""
        self.appctl("tnl/neigh/set", TUNNEL_BRIDGE, other.encap_ip, other.encap_mac)

    def sees(self, other: Chassis) -> bool:
        """Say whether BFD finds another chassis alive; it looks where there are gateways."""
        tunnel = f'options:remote_ip="{other.encap_ip}"'
        status = self.vsctl("--bare", "--columns=bfd_status", "find", "Interface", tunnel)
        return "state=up" in status

    def set_uplinks(self, is_up: bool) -> None:
        """Cut it off from chassis and physical networks, or connect it again.

        The central stays within reach.
        """
        state = "up" if is_up else "down"
        self.namespace.ip(*(f"link set {link} {state}" for link in self._uplinks().values()))

    def controller_appctl(self, *words: str) -> str:
        """Run a command of ovs-appctl on ovn-controller."""
        return self.run("ovs-appctl", "-t", "ovn-controller", *words)

    def is_connected(self) -> bool:
        """Say whether ovn-controller has a session with Southbound."""
        return self.controller_appctl("connection-status") == "connected"

    def plug(self, tap: str, iface_id: str, mac: str, vm_id: str, bridge: str = "") -> None:
        """Add a tap to a bridge, br-int by default, with the keys of libvirt's virtualports."""
        self.vsctl(
            *("--may-exist", "add-port", bridge or self.bridge, tap, "--", "set", "Interface", tap),
            f'external_ids:attached-mac="{mac}"',
            f'external_ids:iface-id="{iface_id}"',
            f'external_ids:vm-id="{vm_id}"',
            "external_ids:iface-status=active",
        )

    def unplug(self, tap: str) -> None:
        """Remove a tap from br-int, as libvirt does when a VM stops."""
        self.vsctl("--if-exists", "del-port", self.bridge, tap)

    def is_installed(self, tap: str) -> bool:
        """Say whether ovn-controller has installed the flows of a tap."""
        return self.external_ids(tap).get("ovn-installed") == "true"

    def wait_installed(self, tap: str, timeout_s: float = 10.0) -> None:
        """Wait until the flows of a tap are installed; AssertionError after `timeout_s`."""
        wait_until(lambda: self.is_installed(tap), timeout_s, f"{tap} on {self.name} is installed")

    def wait_datapath(self) -> None:
        """Have the datapath forget what it has cached of older flows (some milliseconds)."""
        self.appctl("revalidator/purge")
