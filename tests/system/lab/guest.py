# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual machine under QEMU, which goes through VDSM's hooks as VDSM does it.

What VDSM has of a vNIC is its device XML and its custom properties, which name the port;
the hooks make of it what libvirt gets. Nothing else plugs a tap or names a port here.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from daemon.host.machine import Outcome
from daemon.ovsdb import wait_until

from . import domain
from .libvirt import Hypervisor

# Emulated, and on a machine that may be busy with other things.
BOOT_TIMEOUT_S = 60
# The custom properties that the engine gives every vNIC of ours.
PROVIDER = {"provider_type": "EXTERNAL_NETWORK", "plugin_type": "OVIRT_PROVIDER_OVN"}
NOTHING: Mapping[str, str] = {}


class Move(NamedTuple):
    """A migration: how long QEMU had the guest stand still, and what the last hook said."""

    downtime_ms: int
    log: str


class Guest:
    """A guest on a hypervisor; it has a vNIC for each of its ports, the REST objects.

    In it there is a DHCP client, and nothing that knows an address from elsewhere.
    """

    def __init__(self, name: str, hypervisor: Hypervisor, *ports: Mapping[str, Any]) -> None:
        self.name = name
        self.id = str(uuid.uuid4())
        self.hypervisor = hypervisor
        self.ports = list(ports)

    def __repr__(self) -> str:
        return f"Guest({self.name!r})"

    def _hook(
        self,
        point: str,
        xml: str,
        custom: Mapping[str, str] = NOTHING,
        host: Hypervisor | None = None,
    ) -> Outcome:
        """Run the hooks of a point, here if no host is given; AssertionError if VDSM would fail."""
        where = host or self.hypervisor
        outcome = where.hook(point, xml=xml, custom=custom, vm_id=self.id)
        assert outcome.error is None, outcome
        return outcome

    def _device(
        self, point: str, file: str, port: Mapping[str, Any], link_state: str = "up"
    ) -> str:
        """Return the XML of a vNIC as libvirt gets it after the hooks of a point."""
        number = 1 + self.ports.index(port)
        xml = domain.vnic(file, port["mac_address"], number, link_state)
        return str(self._hook(point, xml, {**PROVIDER, "vnic_id": port["id"]}).data)

    def start(self) -> None:
        """Do what VDSM does with a new VM, until it runs; it has yet to boot."""
        vnics = [self._device("before_device_create", "nic-create.xml", it) for it in self.ports]
        xml = domain.domain(self.name, self.id, self.hypervisor.emulator, vnics)
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

    def migrate(self, destination: Hypervisor) -> Move:
        """Do what both VDSMs do to move it live; the hook there ends some seconds later."""
        source, xml = self.hypervisor, self.xml()
        with self._migrating(destination, xml) as (moved, came):
            moved.result()
            self._hook("after_vm_destroy", xml, host=source)
            outcome = came.result()
        self.hypervisor = destination
        job = destination.virsh("domjobinfo", self.id, "--completed")
        downtime = re.search(r"^Total downtime: +(\d+) +ms$", job, re.MULTILINE)
        assert downtime is not None, job
        return Move(int(downtime[1]), "".join(run.stderr for run in outcome.runs))

    def cancel_migration(self, destination: Hypervisor, is_ready: Callable[[], object]) -> None:
        """Begin to move it, too slowly ever to arrive, and give up when `is_ready` says so."""
        xml = self.xml()
        with self._migrating(destination, xml, "--bandwidth", "1") as (moved, _):
            wait_until(is_ready, BOOT_TIMEOUT_S)
            self.hypervisor.virsh("domjobabort", self.id)
            error = moved.exception()
        assert "canceled by client" in str(error), error
        self._hook("after_vm_destroy", xml, host=destination)

    @contextlib.contextmanager
    def _migrating(
        self, destination: Hypervisor, xml: str, *options: str
    ) -> Iterator[tuple[Future[str], Future[Outcome]]]:
        """Give the migration, and the last hook, which begins when the guest runs there."""
        with ThreadPoolExecutor() as pool, destination.events() as events:
            for where, side in ((self.hypervisor, "source"), (destination, "destination")):
                vnics = [{**PROVIDER, "vnic_id": port["id"]} for port in self.ports]
                point = f"before_vm_migrate_{side}"
                outcome = where.hook_of_vm(point, xml=xml, vm_id=self.id, vnics=vnics)
                assert outcome.error is None, outcome
            to = [destination.uri, "--migrateuri", f"tcp://{destination.chassis.encap_ip}"]
            words = ["migrate", "--live", "--p2p", *options, self.id, *to]
            moved = pool.submit(self.hypervisor.virsh, *words)
            moved.add_done_callback(lambda _: events.terminate())
            yield moved, pool.submit(self._arrive, destination, events, moved)

    def _arrive(
        self, destination: Hypervisor, events: subprocess.Popen[str], moved: Future[str]
    ) -> Outcome:
        """Do what VDSM does at the destination when it runs there; return the hook's outcome."""
        assert events.stdout is not None
        if not any(f"'{self.name}': Resumed" in event for event in events.stdout):
            # It was too fast, or it has not come.
            moved.result()
        xml = destination.virsh("dumpxml", self.id)
        return self._hook("after_vm_migrate_destination", xml, host=destination)

    def xml(self) -> str:
        """Return what libvirt knows of it."""
        return self.hypervisor.virsh("dumpxml", self.id)

    @property
    def console(self) -> str:
        """What it has said since it was started on its hypervisor."""
        return self.hypervisor.read(domain.console(self.name))

    def wait_console(self, text: str, timeout_s: float = BOOT_TIMEOUT_S) -> None:
        """Wait until it says something; AssertionError with its console after `timeout_s`."""
        try:
            wait_until(lambda: text in self.console, timeout_s)
        except AssertionError:
            raise AssertionError(f"{self.name} does not say {text!r}: {self.console}") from None

    @property
    def ip(self) -> str:
        """The address that it gets for its first port."""
        return self.ip_of(self.ports[0])

    @staticmethod
    def ip_of(port: Mapping[str, Any]) -> str:
        """The address that it gets for a port."""
        return str(port["fixed_ips"][0]["ip_address"])

    def wait_configured(self, port: Mapping[str, Any]) -> None:
        """Wait until it has configured the vNIC of a port by DHCP."""
        link = f"eth{self.ports.index(port)}"
        self.wait_console(f"guest: {link} {port['mac_address']} {self.ip_of(port)}/")
