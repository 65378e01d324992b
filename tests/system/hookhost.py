# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A host for network hooks: links, VDSM's files and Open vSwitch's database of its own.

It is a network namespace and a mount namespace that live as long as one process. In it
/run, /var/lib/vdsm and the system Python's folder for packages are the test's, so that
hooks run from where they are installed, by their first line, on the paths that they have
on a host.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from daemon.ovsdb import OvsdbServer

ROOT = Path(__file__).resolve().parents[2]
HOOKS = ROOT / "vdsm_plugin" / "hooks"
DEADLINE_S = 20.0

# Arguments: the test's folder, the package, the folder for packages.
_SET_UP = """
set -e
mount -t tmpfs tmpfs /run
mkdir /run/openvswitch /run/ovirt-provider-ovn-driver
mount --bind "$1" /run/openvswitch
mount -t tmpfs tmpfs /var/lib
mkdir -p /var/lib/vdsm
mount -t tmpfs tmpfs "$3"
[ -z "$2" ] || { mkdir "$3/ovirt_ovn_host" && mount --bind "$2" "$3/ovirt_ovn_host"; }
ip link set lo up
echo ready
exec cat
"""


class Ran(NamedTuple):
    """How a hook ended."""

    code: int
    words: str  # what it wrote to stderr
    data: bytes  # the data file afterwards


class HookHost:
    """A host that hooks run on; a context manager."""

    def __init__(self, database: OvsdbServer, *, is_package_installed: bool = True) -> None:
        self._database = database
        self._package = ROOT / "vdsm_plugin" / "ovirt_ovn_host" if is_package_installed else ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> HookHost:
        code = "import sys; print(next(path for path in sys.path if path.endswith('packages')))"
        packages = _run("/usr/bin/python3", "-I", "-c", code).strip()
        self._process = subprocess.Popen(
            [
                *("unshare", "--net", "--mount", "sh", "-c", _SET_UP, "sh"),
                *(str(self._database.folder), str(self._package), packages),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.communicate(timeout=DEADLINE_S)

    def inside(self, *command: str) -> list[str]:
        """Return the command that runs a command on this host."""
        assert self._process is not None
        return ["nsenter", f"--target={self._process.pid}", "--net", "--mount", "--", *command]

    def run(self, *command: str) -> str:
        """Run a command on this host and return its output."""
        return _run(*self.inside(*command))

    def ip(self, *lines: str) -> None:
        """Run commands of ip(8) ("link set eth0 up")."""
        for line in lines:
            self.run("ip", *line.split())

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

    def write(self, path: str, content: str) -> None:
        """Write a file on this host, with the folders that it needs."""
        script = 'mkdir -p "${1%/*}" && printf %s "$2" >"$1"'
        self.run("sh", "-c", script, "sh", path, content)

    def have_networks(self, networks: Mapping[str, Any], bonds: Mapping[str, Any] = {}) -> None:
        """Make this VDSM's running configuration, as VDSM keeps it."""
        folder = "/var/lib/vdsm/staging/netconf.abcdefgh"
        self.run("rm", "-rf", folder)
        self.run("mkdir", "-p", f"{folder}/nets", f"{folder}/bonds")
        for kind, entries in (("nets", networks), ("bonds", bonds)):
            for name, attributes in entries.items():
                self.write(f"{folder}/{kind}/{name}", json.dumps(attributes, indent=4))
        self.run("ln", "-sfn", folder, "/var/lib/vdsm/staging/netconf")

    def vsctl(self, *command: str) -> str:
        """Run ovs-vsctl on this host's database; there is no ovs-vswitchd to wait for."""
        return _run("ovs-vsctl", f"--db={self._database.remote}", "--no-wait", *command)

    def set_up_ovn(self, encap: str) -> None:
        """Write the settings that an OVN host has."""
        self.vsctl(
            *("set", "Open_vSwitch", ".", "external_ids:ovn-remote=ssl:192.0.2.1:6642"),
            *("external_ids:ovn-encap-type=geneve", f'external_ids:ovn-encap-ip="{encap}"'),
            *("--", "--may-exist", "add-br", "br-int"),
        )

    def encap(self) -> str:
        """Return the tunnel address that stands in the database."""
        return (
            self.vsctl("get", "Open_vSwitch", ".", "external_ids:ovn-encap-ip").strip().strip('"')
        )

    def setup_networks(
        self,
        point: str,
        networks: Mapping[str, Any],
        bonds: Mapping[str, Any] = {},
        options: Mapping[str, Any] = {},
    ) -> Ran:
        """Run the hook of a point on a request as VDSM does."""
        request = {"networks": networks, "bondings": bonds, "options": options}
        return self.run_hook(point, json.dumps({"request": request}).encode())

    def run_hook(self, point: str, data: bytes) -> Ran:
        """Run the hook of a point on a data file, by the contract of vdsm/common/hooks.py."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            environment = {
                **os.environ,
                "PYTHONPATH": ":/usr/lib/python3/site-packages/vdsm/hook",
                "LC_ALL": "C.UTF8",
                "_hook_json": file.name,
            }
            ran = subprocess.run(
                self.inside(str(HOOKS / point / "50_ovn")),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environment,
                timeout=DEADLINE_S,
            )
            return Ran(ran.returncode, ran.stderr.decode(), Path(file.name).read_bytes())


def _run(*command: str) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout
