# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One Open vSwitch in a namespace, with the datapath in user space."""

from __future__ import annotations

import json
from pathlib import Path

from daemon.ovsdb import Daemon, OvsdbServer

from .namespace import Namespace, run

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")


class Switch:
    """ovsdb-server with a database of its own, and ovs-vswitchd on it."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        folder.mkdir()
        self.namespace = namespace
        self.folder = folder
        self.database = OvsdbServer(folder, "db", folder / "conf.db", (), ())
        self._control = folder / "vswitchd.ctl"
        self.vswitchd = Daemon(
            folder,
            "vswitchd",
            [
                "ovs-vswitchd",
                self.database.remote,
                f"--unixctl={self._control}",
                # The machine's own datapath is none of ours.
                "--disable-system",
            ],
            self._control,
        )

    def start(self) -> None:
        """Start both."""
        run(["ovsdb-tool", "create", str(self.database.database), str(SCHEMA)])
        with self.namespace.entered():
            self.database.start()
            self.vsctl("init")
            self.vswitchd.start()

    def stop(self) -> None:
        """Stop both."""
        self.vswitchd.stop()
        self.database.stop()

    def vsctl(self, *words: str) -> str:
        """Run ovs-vsctl; it waits until ovs-vswitchd has done what is asked, if that runs."""
        running = [] if self.vswitchd.running else ["--no-wait"]
        return run(
            ["ovs-vsctl", f"--db={self.database.remote}", "--timeout=10", *running, *words]
        ).strip()

    def appctl(self, *words: str) -> str:
        """Run a command of ovs-appctl on ovs-vswitchd."""
        return run(["ovs-appctl", "-t", str(self._control), *words])

    def flows(self, bridge: str = "br-int") -> list[str]:
        """Return the OpenFlow flows of a bridge."""
        management = f"unix:{self.folder / f'{bridge}.mgmt'}"
        return run(["ovs-ofctl", "-O", "OpenFlow15", "dump-flows", management]).splitlines()[1:]

    def add_bridge(self, name: str) -> None:
        """Add a bridge that switches like a plain one."""
        self.vsctl("add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev")

    def external_ids(self, interface: str) -> dict[str, str]:
        """Return an Interface's external_ids."""
        found = json.loads(
            self.vsctl("--format=json", "--columns=external_ids", "list", "Interface", interface)
        )
        return dict(found["data"][0][0][1])
