# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's XML of a guest, in the form in which VDSM writes it. Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

from .guest_image import KERNEL, RAM_DISK

DATA = Path(__file__).resolve().parents[2] / "data" / "vdsm"
# On every hypervisor, for what guests boot and say.
FOLDER = "/run/guests"
# The places for devices on PCI Express, as many as a guest may get vNICs.
ROOT_PORTS = 8
MEMORY_MIB = 96
# QEMU before 9.0 misses writes of an emulated guest that migrates, until the guest loads its
# page tables anew ("physmem: Fix migration dirty bitmap coherency with TCG memory access").
# So ours does that at every system call (pti). Without that, one guest of eight has hung in the
# moment in which it announces itself at the destination, so it does not; nor has it IPv6.
COMMAND_LINE = "console=ttyS0 quiet ipv6.disable=1 mitigations=off pti=on"
_NO_ANNOUNCE = "virtio-net-device.guest_announce=off"


def vnic(file: str, mac: str, number: int, link_state: str = "up") -> str:
    """Return the device XML of the `number`-th vNIC, from a file of tests/data/vdsm.

    Left out are vhost, a part of the kernel that is missing on many a machine, and the
    boot order, as guests are given their kernel.
    """
    device = ElementTree.fromstring((DATA / file).read_text())
    device.find("mac").set("address", mac)  # type: ignore[union-attr]
    alias = f"ua-aaaaaaaa-0000-4000-8000-{number:012}"
    device.find("alias").set("name", alias)  # type: ignore[union-attr]
    device.find("link").set("state", link_state)  # type: ignore[union-attr]
    for address in device.findall("address"):
        address.set("bus", f"{number:#04x}")
    for unwanted in [*device.findall("driver"), *device.findall("boot")]:
        device.remove(unwanted)
    return ElementTree.tostring(device, "unicode")


def console(name: str) -> str:
    """Return the file that has what a guest says."""
    return f"{FOLDER}/{name}.console"


def domain(name: str, vm_id: str, emulator: str, vnics: Sequence[str]) -> str:
    """Return a guest's XML; `vnics` are device XML, `emulator` is the path of QEMU."""
    ports = "".join(
        f"<controller type='pci' index='{index}' model='pcie-root-port'/>"
        for index in range(1, ROOT_PORTS + 1)
    )
    devices = "".join(vnic.partition("?>")[2] or vnic for vnic in vnics)
    return f"""
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <uuid>{vm_id}</uuid>
  <memory unit='MiB'>{MEMORY_MIB}</memory>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{FOLDER}/{KERNEL}</kernel>
    <initrd>{FOLDER}/{RAM_DISK}</initrd>
    <cmdline>{COMMAND_LINE}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>{emulator}</emulator>
    <controller type='usb' model='none'/>
    <controller type='pci' index='0' model='pcie-root'/>{ports}
    <serial type='file'><source path='{console(name)}'/></serial>
    <memballoon model='none'/>
    {devices}
  </devices>
  <qemu:commandline>
    <qemu:arg value='-global'/><qemu:arg value='{_NO_ANNOUNCE}'/>
  </qemu:commandline>
</domain>
"""
