# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One Open vSwitch in a namespace, with the datapath in user space."""

from __future__ import annotations

import json
from pathlib import Path

from daemon.ovsdb import Daemon, OvsdbServer, environment

from .namespace import Namespace, run

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")


class Switch:
    """ovsdb-server with a database of its own, and ovs-vswitchd on it.

    `folder` takes the place of /run/openvswitch and the like: with `environment`,
    programs of OVS and OVN find everything where they expect it.
    """

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        folder.mkdir()
        # Else this end of a machine's cable would speak for itself, by neighbour discovery.
        namespace.sysctl("net/ipv6/conf/default/disable_ipv6", 1)
        self.namespace = namespace
        self.folder = folder
        self.environment = environment(folder)
        # Its socket is db.sock, which is the name that programs look for.
        self.database = OvsdbServer(folder, "db", folder / "conf.db", (), ())
        # The machine's own datapath is none of ours.
        command = ["ovs-vswitchd", self.database.remote, "--pidfile", "--disable-system"]
        self.vswitchd = Daemon(folder, "vswitchd", command, None)

    def start(self) -> None:
        """Start both."""
        run(["ovsdb-tool", "create", str(self.database.database), str(SCHEMA)])
        with self.namespace.entered():
            self.database.start()
            self.run("ovs-vsctl", "--no-wait", "init")
            self.vswitchd.start()

    def stop(self) -> None:
        """Stop both."""
        self.vswitchd.stop()
        self.database.stop()

    def kill(self) -> None:
        """End everything like a crash of the machine does."""
        self.vswitchd.kill()
        self.database.kill()

    def run(self, *command: str) -> str:
        """Run a program there, as on a host of its own; AssertionError if it fails."""
        with self.namespace.entered():
            return run(command, environment=self.environment).strip()

    def vsctl(self, *words: str) -> str:
        """Run ovs-vsctl; it waits until ovs-vswitchd has done what is asked."""
        return self.run("ovs-vsctl", "--timeout=10", *words)

    def appctl(self, *words: str) -> str:
        """Run a command of ovs-appctl on ovs-vswitchd."""
        return self.run("ovs-appctl", *words)

    def external_ids(self, interface: str) -> dict[str, str]:
        """Return the external_ids of an Interface."""
        listed = self.vsctl(
            "--format=json", "--columns=external_ids", "list", "Interface", interface
        )
        return dict(json.loads(listed)["data"][0][0][1])
