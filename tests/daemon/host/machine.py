# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A hypervisor for tests of hooks: they are installed, and there is VDSM's user.

Hooks are run from where they belong, as root or as VDSM's user, through a real sudo.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lxml

import machines
from daemon.ovsdb import VSWITCH_SCHEMA, Daemon, short_folder, wait_until

ROOT = Path(__file__).resolve().parents[3]
RUNNER = Path(__file__).with_name("vdsm_runner.py").read_text()

# In the namespaces.
_VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
PYTHON = "/run/host-python/bin/python"
LIBRARY = f"/run/host-python/lib/{_VERSION}/site-packages"
HOOKS = "/usr/libexec/vdsm/hooks"
SETTINGS = "/run/ovirt-provider-ovn-driver/hooks"
DB_SOCKET = "/run/openvswitch/db.sock"
DATABASE = "/run/openvswitch/conf.db"
BRIDGE = "br-int"
VDSM = 36

_TIMEOUT_S = 60


def _open_up(path: Path) -> str:
    """Return the commands that let everybody reach a folder, at its place."""
    closed = [folder for folder in path.parents if not folder.stat().st_mode & 0o001]
    if not closed:
        return ""
    return f"""
mkdir /run/kept
mount --bind {path} /run/kept
mount -t tmpfs -o mode=755 tmpfs {closed[-1]}
mkdir -p {path}
mount --move /run/kept {path}
"""


# An environment that has nothing but lxml; the interpreter is the one of the tests.
_SETUP = f"""
mount -t sysfs sysfs /sys
echo 'vdsm:x:{VDSM}:{VDSM}::/var/lib/vdsm:/sbin/nologin' >>/etc/passwd
echo 'vdsm:!!:19000::::::' >>/etc/shadow
mkdir -p /run/openvswitch /run/vdsm /run/lock /var/lib/vdsm {LIBRARY} {os.path.dirname(PYTHON)}
chown {VDSM}:{VDSM} /run/vdsm
printf '%s\\n' 'home = {sys.base_prefix}/bin' 'include-system-site-packages = false' \\
    >/run/host-python/pyvenv.cfg
ln -s {sys.base_prefix}/bin/{_VERSION} {PYTHON}
cp -r {os.path.dirname(lxml.__file__)} {LIBRARY}
chmod -R go+rX {LIBRARY}
make --silent -C {ROOT} install-host HOST_PYTHON={PYTHON} PYTHON_SITELIB=/run/vdsm-tool
{_open_up(Path(sys.base_prefix))}
"""


@dataclass(frozen=True)
class Run:
    """One script that VDSM has run."""

    script: str
    status: int
    stderr: str


@dataclass(frozen=True)
class Outcome:
    """What VDSM gets from the hooks of a point.

    `data` is what it goes on with (JSON decoded), None if `error` says that it does not;
    `left` what is in the file at the end, and `litter` the files that lie beside it.
    """

    data: Any
    error: str | None
    left: str | None
    litter: Sequence[str]
    runs: Sequence[Run]

    @property
    def ours(self) -> Run:
        """Our hook, which must have run."""
        (run,) = (run for run in self.runs if run.script.endswith("/50_ovn"))
        return run


class Program:
    """A Python program that runs on a machine and answers lines with lines, until `stop`."""

    def __init__(self, machine: machines.Machine, text: str, user: int = 0) -> None:
        self._process = subprocess.Popen(
            machine.command(PYTHON, "-c", text, user=user),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, line: str) -> None:
        """Write a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        """Read a line, without its end; AssertionError if none comes."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the program has ended"
        return line[:-1]

    def ask(self, line: str) -> str:
        """Write a line and read the only one that comes of it; AssertionError if none does."""
        self.say(line)
        assert select.select([self._process.stdout], [], [], _TIMEOUT_S)[0], "no answer"
        return self.hear()

    def stop(self) -> None:
        """End it."""
        self._process.communicate(timeout=10)


class Machine(machines.Machine):
    """The hypervisor, from its start to `stop`, with more of `private` and `setup` if need be."""

    def __init__(self, private: Sequence[str] = ("--mount", "--net"), setup: str = "") -> None:
        super().__init__(private, _SETUP + setup)
        self._programs = contextlib.ExitStack()
        self._idle: dict[tuple[str, int], list[Program]] = {}

    def stop(self) -> None:
        """End it, and with it all that is mounted there."""
        self._programs.close()
        super().stop()

    @contextlib.contextmanager
    def program(self, text: str, user: int = 0) -> Iterator[Program]:
        """Give a program to talk to, which others may have talked to, but nobody does now.

        To start an interpreter takes longer than most of what tests ask of it.
        """
        idle = self._idle.setdefault((text, user), [])
        if idle:
            program = idle.pop()
        else:
            program = Program(self, text, user)
            self._programs.callback(program.stop)
        yield program
        # One that has failed, or was left in the middle of something, is not used again.
        idle.append(program)

    def run(self, *command: str, user: int = 0, text: str = "") -> str:
        """Run a command there and return its output; AssertionError if it fails."""
        done = self.execute(*command, user=user, text=text)
        assert done.returncode == 0, (command, done.returncode, done.stderr)
        return done.stdout

    def hook(
        self,
        point: str,
        *,
        xml: str | None = None,
        data: Any = None,
        custom: Mapping[str, str] | None = None,
        vm_custom: Mapping[str, str] | None = None,
        vm_id: str = "",
        user: int = VDSM,
        folder: str | None = None,
    ) -> Outcome:
        """Run a point as VDSM does: on a device's or domain's XML, else on data for JSON.

        `custom` is the vNIC's, `vm_custom` the VM's; `folder` is for the data file.
        """
        call: dict[str, Any] = {
            "point": point,
            "custom": dict(custom or {}),
            "vm_custom": dict(vm_custom or {}),
            "vm_id": vm_id,
            "folder": folder,
        }
        call.update({"json": data} if xml is None else {"xml": xml})
        with self.program(RUNNER, user) as runner:
            outcome = json.loads(runner.ask(json.dumps(call)))
        return Outcome(**{**outcome, "runs": [Run(**run) for run in outcome["runs"]]})

    def hook_of_vm(
        self, point: str, *, xml: str, vm_id: str, vnics: Sequence[Mapping[str, str]]
    ) -> Outcome:
        """Run a point of a VM as VDSM does: before one of a migration, that of each vNIC.

        `vnics` are their custom properties. Their hooks must neither fail nor say anything.
        """
        if "_vm_migrate_" in point and point.startswith("before_"):
            for custom in vnics:
                # Of a vNIC that the VM has been started with VDSM has no XML.
                of_vnic = point.replace("_vm_", "_device_")
                outcome = self.hook(of_vnic, xml="", custom=custom, vm_id=vm_id)
                assert outcome.error is None, outcome
                assert all((0, "") == (run.status, run.stderr) for run in outcome.runs), outcome
        return self.hook(point, xml=xml, vm_id=vm_id)

    def add_script(self, point: str, name: str, body: str) -> None:
        """Put another hook into a point's folder, until the next `clean`."""
        self.put_script(f"{HOOKS}/{point}/{name}", body)

    def write_settings(self, *lines: str) -> None:
        """Leave settings for the hooks, as the configurator does, until the next `clean`."""
        path = self.path(SETTINGS)
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))

    @contextlib.contextmanager
    def untouched(self) -> Iterator[None]:
        """Leave everything as it is: what `replaced` is for other cases."""
        yield

    def clean(self) -> None:
        """Remove what tests have left behind."""
        for script in self.path(HOOKS).glob("*/*"):
            if script.name != "50_ovn":
                script.unlink()
        self.path(SETTINGS).unlink(missing_ok=True)
        self.run("find", "/run/vdsm", "-mindepth", "1", "-delete")


class OpenVSwitch:
    """Open vSwitch on a machine, with the settings of a chassis and its bridge."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        socket = machine.path(DB_SOCKET)
        machine.run("rm", "-f", DATABASE)
        machine.run("ovsdb-tool", "create", DATABASE, str(VSWITCH_SCHEMA))
        self.database = self.daemon(
            "ovsdb-server", f"--remote=punix:{DB_SOCKET}", DATABASE, socket=socket
        )
        self.switch = self.daemon("ovs-vswitchd", f"unix:{DB_SOCKET}")

    def daemon(self, program: str, *arguments: str, socket: Path | None = None) -> Daemon:
        """Return a daemon of the machine, not started."""
        return Daemon(self.folder, program, self.machine.command(program, *arguments), socket)

    def start(self) -> None:
        """Start both daemons; the integration bridge is there at the end."""
        self.database.start()
        self.switch.start()
        self.vsctl(
            *("--may-exist", "add-br", BRIDGE),
            *("--", "set", "Bridge", BRIDGE, "datapath_type=netdev", "fail_mode=secure"),
        )
        link = self.machine.path(f"/sys/class/net/{BRIDGE}")
        wait_until(link.exists, what=f"{BRIDGE} is there")

    def stop(self) -> None:
        """Stop both."""
        self.switch.stop()
        self.database.stop()

    def vsctl(self, *command: str) -> str:
        """Run ovs-vsctl and return what it prints."""
        return self.machine.run("ovs-vsctl", "--timeout=10", *command)

    def set_chassis(self, **keys: str) -> None:
        """Set external_ids of the host, "_" in a key for "-"."""
        pairs = [f"external_ids:{key.replace('_', '-')}={value}" for key, value in keys.items()]
        self.vsctl("set", "Open_vSwitch", ".", *pairs)

    def plug(self, tap: str, port_id: str, vm_id: str, mac: str, bridge: str = BRIDGE) -> None:
        """Plug a VIF as libvirt does; its other end is the link `guest-TAP`."""
        self.machine.run("ip", "link", "add", tap, "type", "veth", "peer", "name", f"guest-{tap}")
        for link in (tap, f"guest-{tap}"):
            self.machine.run("ip", "link", "set", link, "up")
        self.vsctl(
            *("add-port", bridge, tap, "--", "set", "Interface", tap),
            f'external_ids:attached-mac="{mac}"',
            f"external_ids:iface-id={port_id}",
            f"external_ids:vm-id={vm_id}",
            "external_ids:iface-status=active",
        )

    def install(self, tap: str, is_installed: bool = True) -> None:
        """Do what ovn-controller does when a port's flows are installed."""
        if is_installed:
            self.vsctl("set", "Interface", tap, "external_ids:ovn-installed=true")
        else:
            self.vsctl("remove", "Interface", tap, "external_ids", "ovn-installed")

    def remove_links(self) -> None:
        """Remove what `plug` has made, and the taps that ovs-vswitchd leaves behind."""
        for link in json.loads(self.machine.run("ip", "-json", "link", "show")):
            if link["ifname"] in (BRIDGE, "ovs-netdev") or link["ifname"].startswith("guest-"):
                self.machine.run("ip", "link", "del", link["ifname"])


@contextlib.contextmanager
def open_vswitch(machine: Machine) -> Iterator[OpenVSwitch]:
    """Run a new Open vSwitch on the machine."""
    with short_folder() as folder:
        switch = OpenVSwitch(machine, folder)
        try:
            switch.start()
            yield switch
        finally:
            switch.stop()
            switch.remove_links()
