# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Our host plugin on a chassis: its configurator, and what its hook makes of a vNIC.

There is neither vdsm-tool nor systemd, and no /etc of the host's own: the same code runs
in this process, which costs next to nothing, with the host's files in a folder. A host
with all of it is in host_machine.py.
"""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from ovirt_ovn_host import configure as plugin
from ovirt_ovn_host import localdb, services, settings, vif
from ovirt_ovn_host.outlook import Paths

from .switch import Switch

ROOT = Path(__file__).resolve().parents[3]
# A vNIC as VDSM hands it to hooks when a virtual machine starts.
DEVICE = ROOT / "tests" / "data" / "vdsm" / "nic-create.xml"
# Where the plugin looks is the same for the whole process: one host at a time.
_one_at_a_time = threading.Lock()


def configure(host: Switch, text: str) -> list[str]:
    """Write a host's ovn.conf, apply it, and return the lines that are said. Raises HostError."""
    folder = _folder(host)
    folder.mkdir(exist_ok=True)
    (folder / "ovn.conf").write_text(text)
    paths = Paths(folder, folder / "system-id.conf", folder / "hooks")
    said: list[str] = []
    with (
        _one_at_a_time,
        host.namespace.entered(),
        patch.object(localdb, "SOCKET", str(host.database.socket)),
        # All of them run, or are about to.
        patch.object(services, "missing", lambda names: []),
    ):
        plugin.configure(paths, said.append, is_attended=True)
    return said


def _folder(host: Switch) -> Path:
    return host.folder / "host"


class Vif(NamedTuple):
    """What libvirt is told of a vNIC: the bridge, the port of OVN, the MAC."""

    bridge: str
    interface_id: str
    mac: str


def connect(host: Switch, port_id: str, mac: str) -> Vif:
    """Have our hook rewrite a vNIC's XML, by the settings that `configure` has left for it."""
    try:
        text = (_folder(host) / "hooks").read_text()
    except FileNotFoundError:
        # The defaults need no file.
        text = ""
    values, complaints = settings.parse(text)
    assert [] == complaints
    device = ElementTree.fromstring(DEVICE.read_text())
    _child(device, "mac").set("address", mac)
    content, note = vif.rewrite(ElementTree.tostring(device), port_id, values[settings.BRIDGE])
    assert content is not None, note
    connected = ElementTree.fromstring(content)
    assert "openvswitch" == _child(connected, "virtualport").get("type")
    return Vif(
        _child(connected, "source").attrib["bridge"],
        _child(connected, "virtualport/parameters").attrib["interfaceid"],
        _child(connected, "mac").attrib["address"],
    )


def _child(device: ElementTree.Element, path: str) -> ElementTree.Element:
    child = device.find(path)
    assert child is not None, path
    return child
