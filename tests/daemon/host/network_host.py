# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A hypervisor's networks for tests: links, VDSM's files and Open vSwitch's database.

Nobody acts on the database: ovs-vswitchd and ovn-controller are not running.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from daemon.host.machine import DATABASE, DB_SOCKET, Machine, OpenVSwitch
from daemon.ovsdb import Daemon, short_folder

_NETCONF = "/var/lib/vdsm/staging/netconf"


class NetworkHost:
    """The networks of a machine, until `clean`."""

    def __init__(self, machine: Machine, database: Daemon) -> None:
        self.machine = machine
        self.database = database
        self.socket = machine.path(DB_SOCKET)
        self._first_links = self._links()

    def clean(self) -> None:
        """Remove links and files."""
        for name in self._links():
            # One that is gone with another is no longer there.
            if name not in self._first_links and name in self._links():
                self.ip(f"link del {name}")
        self.machine.run("rm", "-rf", "/var/lib/vdsm/staging")

    def _links(self) -> list[str]:
        found = json.loads(self.machine.run("ip", "-json", "link", "show"))
        return [link["ifname"] for link in found]

    def ip(self, *lines: str) -> None:
        """Run commands of ip(8) ("link set eth0 up")."""
        for line in lines:
            self.machine.run("ip", *line.split())

    def add_nic(self, name: str, *addresses: str) -> None:
        """Add a network card: one end of a cable, the other end in nobody's hands."""
        self.ip(f"link add name {name} type veth peer name to-{name}")
        self.ip(f"link set {name} up", f"link set to-{name} up")
        self.add_addresses(name, *addresses)

    def add_bridge(self, name: str, port: str, *addresses: str) -> None:
        """Add a Linux bridge over one link, as VDSM makes one for a network."""
        self.ip(f"link add name {name} type bridge", f"link set {port} master {name}")
        self.ip(f"link set {name} up")
        self.add_addresses(name, *addresses)

    def add_addresses(self, name: str, *addresses: str) -> None:
        """Add addresses to a link, in use at once."""
        for address in addresses:
            is_ipv6 = ":" in address
            length = 64 if is_ipv6 else 24
            self.ip(f"address add {address}/{length} dev {name}" + (" nodad" if is_ipv6 else ""))

    def have_networks(self, networks: Mapping[str, Any], bonds: Mapping[str, Any] = {}) -> None:
        """Make this VDSM's running configuration, as VDSM keeps it."""
        folder = f"{_NETCONF}.abcdefgh"
        self.machine.run("rm", "-rf", folder)
        self.machine.run("mkdir", "-p", f"{folder}/nets", f"{folder}/bonds")
        for kind, entries in (("nets", networks), ("bonds", bonds)):
            for name, attributes in entries.items():
                content = json.dumps(attributes, indent=4)
                self.machine.path(f"{folder}/{kind}/{name}").write_text(content)
        self.machine.run("ln", "-sfn", folder, _NETCONF)

    def spoil_network(self, name: str) -> None:
        """Have a network in VDSM's running configuration that is no JSON."""
        self.machine.path(f"{_NETCONF}.abcdefgh/nets/{name}").write_text("{")

    def vsctl(self, *command: str) -> str:
        """Run ovs-vsctl and return what it prints; there is no ovs-vswitchd to wait for."""
        return self.machine.run("ovs-vsctl", "--no-wait", *command)

    def set_up_ovn(self, encap: str) -> None:
        """Write the settings that an OVN host has."""
        self.vsctl(
            *("set", "Open_vSwitch", ".", "external_ids:ovn-remote=ssl:192.0.2.1:6642"),
            *("external_ids:ovn-encap-type=geneve", f'external_ids:ovn-encap-ip="{encap}"'),
            *("--", "--may-exist", "add-br", "br-int"),
        )

    def encap(self) -> str:
        """Return the tunnel address that stands in the database."""
        value = self.vsctl("get", "Open_vSwitch", ".", "external_ids:ovn-encap-ip")
        return value.strip().strip('"')

    def transactions(self) -> int:
        """Return how many transactions the database's file has."""
        return self.machine.run("ovsdb-tool", "show-log", DATABASE).count("record ")

    def setup_networks(
        self,
        point: str,
        networks: Mapping[str, Any],
        bonds: Mapping[str, Any] = {},
        options: Mapping[str, Any] = {},
    ) -> tuple[int, str]:
        """Run the hook of a point on a request; return its exit status and what it said."""
        request = {"networks": networks, "bondings": bonds, "options": options}
        ran = self.machine.hook(point, data={"request": request}, user=0).ours
        return ran.status, ran.stderr


@contextlib.contextmanager
def network_host(machine: Machine) -> Iterator[NetworkHost]:
    """Give a machine two network cards, and OVN's settings for an address that no link has."""
    with short_folder() as folder:
        database = OpenVSwitch(machine, folder).database
        host = NetworkHost(machine, database)
        try:
            database.start()
            host.vsctl("init")
            host.add_nic("eth0")
            host.add_nic("eth1")
            host.set_up_ovn("192.0.2.10")
            yield host
        finally:
            database.stop()
            host.clean()
