# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A chassis: Open vSwitch and ovn-controller in a namespace of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.ovsdb import Daemon, wait_until

from .namespace import Namespace, run
from .switch import Switch

INTEGRATION_BRIDGE = "br-int"
TUNNEL_BRIDGE = "br-tunnel"


@dataclass(frozen=True)
class ChassisSpec:
    """What a chassis shall be.

    `name` is the system-id (and hostname); `physical_networks` are those that it has
    a bridge mapping for, each to a bridge `br-<network>`; `is_gateway` lets OVN put
    gateways here; `external_ids` are further keys of Open_vSwitch.
    """

    name: str
    physical_networks: Sequence[str] = ()
    is_gateway: bool = False
    external_ids: Sequence[tuple[str, str]] = ()


class Chassis(Switch):
    """One chassis, registered in Southbound once `start` has returned."""

    def __init__(
        self, spec: ChassisSpec, namespace: Namespace, folder: Path, ovn_remote: str, address: str
    ) -> None:
        super().__init__(namespace, folder)
        self.spec = spec
        self.name = spec.name
        self.encap_ip = address.partition("/")[0]
        self._address = address
        self._ovn_remote = ovn_remote
        # Not every version lets its control socket be named; the pid is a part of it.
        self.controller = Daemon(
            folder, "controller", ["ovn-controller", self.database.remote], None
        )

    def start(self) -> None:
        """Start everything; the namespace has the links "tunnel" and "phys-<network>"."""
        super().start()
        self._add_bridges()
        with self.namespace.entered():
            self.controller.start()

    def stop(self) -> None:
        """Stop everything; Southbound goes on knowing the chassis."""
        self.controller.stop()
        super().stop()

    def _add_bridges(self) -> None:
        settings = {
            "system-id": self.name,
            "hostname": self.name,
            "ovn-remote": self._ovn_remote,
            "ovn-encap-type": "geneve",
            "ovn-encap-ip": self.encap_ip,
            "ovn-bridge-datapath-type": "netdev",
            **dict(self.spec.external_ids),
        }
        if self.spec.physical_networks:
            settings["ovn-bridge-mappings"] = ",".join(
                f"{network}:br-{network}" for network in self.spec.physical_networks
            )
        if self.spec.is_gateway:
            settings["ovn-cms-options"] = "enable-chassis-as-gw"
        words = ["set", "Open_vSwitch", "."]
        words += [f'external_ids:{key}="{value}"' for key, value in settings.items()]
        uplinks = {TUNNEL_BRIDGE: "tunnel"}
        uplinks.update({f"br-{name}": f"phys-{name}" for name in self.spec.physical_networks})
        for bridge, link in uplinks.items():
            words += ["--", "add-br", bridge, "--", "add-port", bridge, link]
            words += ["--", "set", "Bridge", bridge, "datapath_type=netdev"]
        # VDSM and libvirt find br-int made; ovn-controller would make it the same way.
        words += ["--", "add-br", INTEGRATION_BRIDGE, "--", "set", "Bridge", INTEGRATION_BRIDGE]
        words += ["datapath_type=netdev", "fail_mode=secure", "other_config:disable-in-band=true"]
        self.vsctl(*words)
        self.namespace.ip(
            f"addr add {self._address} dev {TUNNEL_BRIDGE}", f"link set {TUNNEL_BRIDGE} up"
        )

    def controller_appctl(self, *words: str) -> str:
        """Run a command of ovs-appctl on ovn-controller."""
        control = self.folder / f"ovn-controller.{self.controller.pid}.ctl"
        return run(["ovs-appctl", "-t", str(control), *words])

    def is_connected(self) -> bool:
        """Say whether ovn-controller has a session with Southbound."""
        return self.controller_appctl("connection-status").strip() == "connected"

    def plug(self, tap: str, iface_id: str, mac: str, vm_id: str) -> None:
        """Add a tap to br-int with the keys that libvirt sets for a virtualport."""
        self.vsctl(
            *("--may-exist", "add-port", INTEGRATION_BRIDGE, tap, "--", "set", "Interface", tap),
            f'external_ids:attached-mac="{mac}"',
            f'external_ids:iface-id="{iface_id}"',
            f'external_ids:vm-id="{vm_id}"',
            "external_ids:iface-status=active",
        )

    def unplug(self, tap: str) -> None:
        """Remove a tap from br-int, as libvirt does when a VM stops."""
        self.vsctl("--if-exists", "del-port", INTEGRATION_BRIDGE, tap)

    def is_installed(self, tap: str) -> bool:
        """Say whether ovn-controller has installed the flows of a tap."""
        return self.external_ids(tap).get("ovn-installed") == "true"

    def wait_installed(self, tap: str, timeout_s: float = 10.0) -> None:
        """Wait until the flows of a tap are installed; AssertionError after `timeout_s`."""
        wait_until(lambda: self.is_installed(tap), timeout_s, f"{tap} on {self.name} is installed")

    def wait_datapath(self) -> None:
        """Have the datapath forget what it has cached of older flows (some milliseconds)."""
        self.appctl("revalidator/purge")
