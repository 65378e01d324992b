# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual machine under QEMU, which goes through VDSM's hooks as VDSM does it.

What VDSM has of a vNIC is its device XML and its custom properties, which name the port;
the hooks make of it what libvirt gets. Nothing else plugs a tap or names a port here.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from daemon.ovsdb import wait_until

from . import domain
from .guest_image import GuestImage
from .libvirt import CONSOLES, Hypervisor

# Emulated, and on a machine that may be busy with other things.
BOOT_TIMEOUT_S = 60
# The custom properties that the engine gives every vNIC of ours.
PROVIDER = {"provider_type": "EXTERNAL_NETWORK", "plugin_type": "OVIRT_PROVIDER_OVN"}
NOTHING: Mapping[str, str] = {}


class Guest:
    """A guest on a hypervisor; it has a vNIC for each of its ports, the REST objects.

    In it there is a DHCP client, and nothing that knows an address from elsewhere.
    """

    def __init__(
        self, name: str, hypervisor: Hypervisor, image: GuestImage, *ports: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.id = str(uuid.uuid4())
        self.hypervisor = hypervisor
        self.ports = list(ports)
        self._image = image

    def __repr__(self) -> str:
        return f"Guest({self.name!r})"

    def _hook(self, point: str, xml: str, custom: Mapping[str, str] = NOTHING) -> str:
        """Run the hooks of a point and return the XML; AssertionError if VDSM would fail."""
        outcome = self.hypervisor.hook(point, xml=xml, custom=custom, vm_id=self.id)
        assert outcome.error is None, outcome
        return str(outcome.data)

    def _device(
        self, point: str, file: str, port: Mapping[str, Any], link_state: str = "up"
    ) -> str:
        """Return the XML of a vNIC as libvirt gets it after the hooks of a point."""
        number = 1 + self.ports.index(port)
        xml = domain.vnic(file, port["mac_address"], number, link_state)
        return self._hook(point, xml, {**PROVIDER, "vnic_id": port["id"]})

    def start(self) -> None:
        """Do what VDSM does with a new VM, until it runs; it has yet to boot."""
        vnics = [self._device("before_device_create", "nic-create.xml", it) for it in self.ports]
        emulator, console = self.hypervisor.emulator, f"{CONSOLES}/{self.name}"
        xml = domain.domain(self.name, self.id, self._image, emulator, console, vnics)
        self.hypervisor.virsh("create", "/dev/stdin", xml=xml)
        self._hook("after_vm_start", self.xml())

    def hotplug(self, port: Mapping[str, Any]) -> None:
        """Do what VDSM does to give a running VM another vNIC."""
        self.ports.append(port)
        xml = self._device("before_nic_hotplug", "nic-hotplug.xml", port)
        self.hypervisor.virsh("attach-device", self.id, "/dev/stdin", "--live", xml=xml)

    def set_link(self, port: Mapping[str, Any], is_up: bool) -> None:
        """Do what VDSM does to unplug the virtual cable of a vNIC, or to plug it again."""
        state = "up" if is_up else "down"
        xml = self._device("before_update_device", "nic-update.xml", port, state)
        self.hypervisor.virsh("update-device", self.id, "/dev/stdin", "--live", xml=xml)

    def destroy(self) -> None:
        """Do what VDSM does to end a VM at once."""
        xml = self.xml()
        self.hypervisor.virsh("destroy", self.id)
        self._hook("after_vm_destroy", xml)

    def xml(self) -> str:
        """Return what libvirt knows of it."""
        return self.hypervisor.virsh("dumpxml", self.id)

    @property
    def console(self) -> str:
        """What it has said since it was started on its hypervisor."""
        return self.hypervisor.read(f"{CONSOLES}/{self.name}")

    def wait_console(self, text: str, timeout_s: float = BOOT_TIMEOUT_S) -> None:
        """Wait until it says something; AssertionError with its console after `timeout_s`."""
        try:
            wait_until(lambda: text in self.console, timeout_s)
        except AssertionError:
            raise AssertionError(f"{self.name} does not say {text!r}: {self.console}") from None

    def wait_configured(self, port: Mapping[str, Any]) -> None:
        """Wait until it has configured a vNIC with the first address of its port."""
        link = f"eth{self.ports.index(port)}"
        (address, *_) = (fixed["ip_address"] for fixed in port["fixed_ips"])
        self.wait_console(f"guest: {link} {port['mac_address']} {address}/")
