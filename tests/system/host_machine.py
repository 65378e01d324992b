# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with our plugin installed, inside this machine, and a central that it can reach.

Services can be started there, and addresses given. Open vSwitch and OVN are real; VDSM and
systemd are stand-ins.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import machines
from certificates import make_certificate
from daemon.ovsdb import SB_SCHEMA, short_folder, wait_until

ROOT = Path(__file__).resolve().parents[2]
STANDINS = ROOT / "tests" / "standins"
NAME = "hv1.example.com"
ADDRESS, ADDRESS6 = "192.0.2.5", "2001:db8::5"
TUNNEL = "198.51.100.5"
CENTRAL, CENTRAL6 = "203.0.113.1", "2001:db8:c::1"
# What the engine makes of the name "OVN tunnels" and the id 4cc0e1e8-a1c3-4b0a-... .
TUNNEL_NETWORK = "on4cc0e1e8a1c34"
SETTINGS = Path("/etc/ovirt-provider-ovn-driver")
ENGINE_FILE = SETTINGS / "conf.d/10-engine.conf"
HOOK_FILE = Path("/run/ovirt-provider-ovn-driver/hooks")
SYSTEM_ID = Path("/etc/openvswitch/system-id.conf")
PKI = Path("/etc/pki/vdsm/ovn")
CALLS = Path("/run/systemctl.calls")
SERVICES = ("openvswitch", "ovn-controller", "openvswitch-ipsec")

# So that each daemon ends with the machine, wherever it has gone.
_PRIVATE = ("--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
_SET_UP = f"""
hostname {NAME}
rm -rf /etc/openvswitch /var/lib/openvswitch /var/lib/vdsm
mkdir -p /etc/openvswitch /run/services {PKI} /var/log/openvswitch /var/log/ovn /var/lib/openvswitch
for service in {" ".join(SERVICES)}; do : >/run/services/$service; done
for link in ovirtmgmt bond0 bond0.100 central; do
    ip link add $link type bridge
    ip link set $link up
done
ip address add {ADDRESS}/24 dev ovirtmgmt
ip address add {ADDRESS6}/64 dev ovirtmgmt nodad
ip address add {TUNNEL}/24 dev bond0.100
ip address add {CENTRAL}/24 dev central
ip address add {CENTRAL6}/64 dev central nodad
touch /run/vdsm-passwd-is-configured
"""


class HostMachine(machines.Machine):
    """Commands inside. `folder` is seen from both sides, and so is the image."""

    def __init__(self, folder: Path, image: Path) -> None:
        super().__init__(_PRIVATE, _SET_UP, image)
        self.folder = folder
        self.image = image

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command inside, whatever comes of it."""
        return self.execute(*command, text=stdin)

    def do(self, *command: str, stdin: str = "") -> str:
        """Run a command inside that has to succeed, and return what it prints."""
        done = self.run(*command, stdin=stdin)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout.strip()

    def tool(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run vdsm-tool."""
        return self.run("vdsm-tool", *words)

    def write(self, path: Path, text: str, mode: str = "0644") -> None:
        """Put a file there."""
        self.do("install", "-D", "-m", mode, "/dev/stdin", str(path), stdin=text)

    def read(self, path: Path) -> str:
        """Return a file's content, "" if there is none."""
        return self.run("cat", str(path)).stdout

    @property
    def calls(self) -> list[str]:
        """What systemctl was asked to do."""
        return self.read(CALLS).splitlines()

    # Open vSwitch and OVN

    def vsctl(self, *words: str) -> str:
        """Run ovs-vsctl, which does not wait for ovs-vswitchd."""
        return self.do("ovs-vsctl", "--no-wait", "--timeout=5", *words)

    def sbctl(self, *words: str) -> str:
        """Run ovn-sbctl on the central."""
        return self.do("ovn-sbctl", f"--db=unix:{self.folder}/sb.sock", "--timeout=5", *words)

    def column(self, column: str) -> dict[str, str]:
        """Return a map of the Open_vSwitch row."""
        rows = self.vsctl("--format=json", f"--columns={column}", "list", "Open_vSwitch")
        return dict(json.loads(rows)["data"][0][0][1])

    @property
    def external_ids(self) -> dict[str, str]:
        return self.column("external_ids")

    @property
    def state(self) -> list[str]:
        """Everything that configuring changes, to be compared.

        The database's log has each of our transactions, by its comment: that can be read
        whatever its server does.
        """
        files = self.do("find", str(SETTINGS), "-type", "f", "-exec", "cat", "{}", "+")
        log = self.run("grep", "ovirt-provider-ovn-driver: ", "/etc/openvswitch/conf.db").stdout
        return [log, files, self.read(SYSTEM_ID), self.read(HOOK_FILE), *self.calls]

    @property
    def chassis(self) -> dict[str, str]:
        """The chassis in Southbound: the address of each by its name."""
        rows = self.sbctl("--format=json", "--columns=chassis_name,ip", "list", "Encap")
        return dict(json.loads(rows)["data"])

    @property
    def is_connected(self) -> bool:
        """Whether ovn-controller has a session with Southbound."""
        status = self.run("ovn-appctl", "-t", "ovn-controller", "connection-status")
        return status.stdout == "connected\n"

    def wait_chassis(self, **chassis: str) -> None:
        """Wait until Southbound knows these chassis and no other ones, by name and address."""
        wait_until(lambda: self.chassis == chassis, 10, f"Southbound has {chassis}")

    def start(self, service: str) -> None:
        """Start a service, as its package or the engine does."""
        self.do("systemctl", "start", service)

    def plug(self, interface: str = "vnet0") -> None:
        """Put a virtual machine's interface on br-int."""
        self.vsctl("add-port", "br-int", interface)
        self.vsctl("set", "Interface", interface, "type=internal", "external_ids:iface-id=lsp0")
        wait_until(lambda: self.vsctl("get", "Interface", interface, "ofport").isdigit())

    # VDSM

    def add_network(self, name: str, **attributes: object) -> None:
        """Have a network in VDSM's running configuration."""
        path = Path("/var/lib/vdsm/staging/netconf/nets", name)
        self.write(path, json.dumps({"bootproto": "none", **attributes}))

    def start_vdsmd(self) -> tuple[int, str, float]:
        """Do what vdsmd does before it starts; return exit code, output and seconds.

        That is in init/vdsmd_init_common.sh: hooks, whose failures do not count, then the
        checks of the configuration, whose failures keep it from starting. What the hooks say
        VDSM drops, and here it is seen; a host has it in its journal.
        """
        sequence = (
            "for hook in /usr/libexec/vdsm/hooks/before_vdsm_start/*; do $hook; done;"
            "vdsm-tool is-configured && vdsm-tool validate-config"
        )
        begin = time.monotonic()
        done = self.run("sh", "-c", sequence)
        return done.returncode, done.stdout + done.stderr, time.monotonic() - begin


@contextlib.contextmanager
def host_image() -> Iterator[Path]:
    """Give a folder with what a host has more than this machine, and certificates.

    `etc`, `usr` and `var` are laid over the machine's. The certificates are those of an
    authority's central and host, and of a stranger.
    """
    with short_folder() as folder:
        find = "import sysconfig; print(sysconfig.get_path('purelib'))"
        libraries = subprocess.check_output(["/usr/bin/python3", "-c", find], text=True).strip()
        for name in ("etc", "usr/bin", "var"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copytree(STANDINS / "vdsm", f"{folder}{libraries}/vdsm")
        for program in ("systemctl", "vdsm-tool"):
            shutil.copy(STANDINS / program, folder / "usr/bin")
        subprocess.run(
            ["make", "-s", "-C", str(ROOT), "install-host", "install-otopi", f"DESTDIR={folder}"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        make_certificate(folder, "ca", days=3000)
        make_certificate(folder, "other")
        make_certificate(folder, "central", "ca", names=f"IP:{CENTRAL}", days=400)
        make_certificate(folder, "host", "ca", names=f"DNS:{NAME}", days=90)
        make_certificate(folder, "stranger", "other", names=f"DNS:{NAME}")
        yield folder


@contextlib.contextmanager
def host_machine(image: Path) -> Iterator[HostMachine]:
    """Give a host with the plugin installed and nothing configured; Open vSwitch is stopped."""
    with short_folder() as folder:
        machine = HostMachine(folder, image)
        try:
            enroll(machine)
            yield machine
        finally:
            machine.stop()


def enroll(machine: HostMachine, name: str = "host", authority: str = "ca") -> None:
    """Put certificates where the engine puts a host's."""
    for file, source, mode in (
        ("ovn-key.pem", f"{name}.key", "0440"),
        ("ovn-cert.pem", f"{name}.pem", "0644"),
        ("ca-cert.pem", f"{authority}.pem", "0644"),
    ):
        machine.write(PKI / file, (machine.image / source).read_text(), mode)


@contextlib.contextmanager
def central(machine: HostMachine) -> Iterator[None]:
    """Run OVN's Southbound there, by TLS as engine-setup configures it."""
    folder, image = machine.folder, machine.image
    database = folder / "sb.db"
    if not database.exists():
        machine.do("ovsdb-tool", "create", str(database), str(SB_SCHEMA))
    machine.do(
        "ovsdb-server",
        *("--detach", f"--pidfile={folder}/sb.pid", f"--unixctl={folder}/sb.ctl", "--log-file"),
        *(f"--remote=punix:{folder}/sb.sock", "--remote=pssl:6642:[::]", "--no-chdir"),
        *(f"--private-key={image}/central.key", f"--certificate={image}/central.pem"),
        *(f"--ca-cert={image}/ca.pem", str(database)),
    )
    try:
        machine.sbctl("init")
        yield
    finally:
        # A test may have stopped it.
        machine.do("sh", "-c", f"kill -CONT $(cat {folder}/sb.pid)")
        machine.do("ovs-appctl", "-t", f"{folder}/sb.ctl", "exit")
