# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine as engine-setup leaves it, inside this one.

A network and a mount namespace of their own: the usual ports are free, and /etc,
/var/log and /run can be written without touching the machine's. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from certificates import make_certificate
from daemon.ovsdb import (
    NB_SCHEMA,
    SB_SCHEMA,
    Daemon,
    listens_as_told,
    short_folder,
    wait_until,
)

ROOT = Path(__file__).resolve().parents[2]
FQDN = "engine.example.com"
PKI = Path("/etc/pki/ovirt-engine")
CONFIG = Path("/etc/ovirt-provider-ovn")

# Not $0: what is mounted goes with the namespace, which lives as long as this process.
_SET_UP = f"""
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/log" "$1/run"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
mount --bind "$1/log" /var/log
ip link set lo up
echo "127.0.0.1 {FQDN}" >>/etc/hosts
mkdir -p {PKI}/certs {PKI}/keys {CONFIG}/conf.d
echo ready
exec sleep 600
"""


class EngineMachine:
    """Commands inside; `files` are put there by `write`."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.folder = folder
        self.enter = ["nsenter", f"--target={pid}", "--mount", "--net", "--"]

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a command inside; returns what it prints, raises where it fails."""
        done = subprocess.run(
            [*self.enter, *command], input=stdin, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def write(self, path: Path, text: str, mode: str = "0600") -> None:
        """Put a file there."""
        self.run("install", "-D", "-m", mode, "/dev/stdin", str(path), stdin=text)

    @contextlib.contextmanager
    def running(self, name: str, *command: str, socket: Path | None = None) -> Iterator[Daemon]:
        """Run a process inside."""
        daemon = Daemon(self.folder, name, [*self.enter, *command], socket)
        try:
            daemon.start()
            yield daemon
        finally:
            daemon.stop()

    @contextlib.contextmanager
    def python(self, name: str, *arguments: str) -> Iterator[Daemon]:
        """Run a Python program of the tree inside."""
        path = f"PYTHONPATH={ROOT / 'proxy'}:{ROOT / 'tests'}"
        with self.running(name, "env", path, sys.executable, *arguments) as daemon:
            yield daemon


@contextlib.contextmanager
def engine_machine() -> Iterator[EngineMachine]:
    """Give a machine with the certificates that engine-setup makes."""
    assert os.geteuid() == 0, "this test makes namespaces and needs root"
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        stack.callback((folder / "top").rmdir)
        (folder / "top").mkdir()
        holder = subprocess.Popen(
            ["unshare", "--mount", "--net", "sh", "-c", _SET_UP, "sh", str(folder / "top")],
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(holder.wait)
        stack.callback(holder.kill)
        assert holder.stdout is not None
        stack.callback(holder.stdout.close)
        assert holder.stdout.readline() == "ready\n"
        machine = EngineMachine(holder.pid, folder)
        _make_certificates(machine)
        yield machine


def _make_certificates(machine: EngineMachine) -> None:
    """Make the engine's authority, and certificates as its own scripts name them."""
    folder = machine.folder
    make_certificate(folder, "ca")
    machine.write(PKI / "ca.pem", (folder / "ca.pem").read_text(), "0644")
    machine.write(PKI / "apache-ca.pem", (folder / "ca.pem").read_text(), "0644")
    for name in ("apache", "ovirt-provider-ovn", "ovn-ndb"):
        make_certificate(folder, name, "ca", names=f"DNS:{FQDN},IP:127.0.0.1")
        machine.write(PKI / f"certs/{name}.cer", (folder / f"{name}.pem").read_text(), "0644")
        machine.write(PKI / f"keys/{name}.key.nopass", (folder / f"{name}.key").read_text())


@contextlib.contextmanager
def central(machine: EngineMachine) -> Iterator[None]:
    """Run OVN's central there, Northbound as engine-setup configures it."""
    folder = machine.folder
    with contextlib.ExitStack() as stack:
        for name, schema, database in (
            ("nb", NB_SCHEMA, ("OVN_Northbound", "NB_Global")),
            ("sb", SB_SCHEMA, ("OVN_Southbound", "SB_Global")),
        ):
            file = folder / f"{name}.db"
            subprocess.run(["ovsdb-tool", "create", str(file), str(schema)], check=True)
            command = [
                "ovsdb-server",
                f"--remote=punix:{folder}/{name}.sock",
                *listens_as_told(*database),
                f"--unixctl={folder}/{name}.ctl",
                str(file),
            ]
            stack.enter_context(machine.running(name, *command, socket=folder / f"{name}.sock"))
        nb, sb = (f"unix:{folder}/{name}.sock" for name in ("nb", "sb"))
        northd = ["ovn-northd", f"--ovnnb-db={nb}", f"--ovnsb-db={sb}"]
        stack.enter_context(machine.running("northd", *northd, f"--unixctl={folder}/northd.ctl"))
        files = [str(PKI / file) for file in ("keys/ovn-ndb.key.nopass", "certs/ovn-ndb.cer")]
        machine.run("ovn-nbctl", f"--db={nb}", "set-ssl", *files, str(PKI / "ca.pem"))
        machine.run("ovn-nbctl", f"--db={nb}", "set-connection", "pssl:6641:[::]")
        yield


@contextlib.contextmanager
def single_sign_on(machine: EngineMachine) -> Iterator[None]:
    """Run the engine's single sign-on there, on 443."""
    launch = (
        "import sys, time; from pathlib import Path; from daemon.engine_sso import engine_sso\n"
        "with engine_sso(Path(sys.argv[1]), Path(sys.argv[2]), 443): time.sleep(600)"
    )
    files = [str(PKI / "certs/apache.cer"), str(PKI / "keys/apache.key.nopass")]
    with machine.python("sso", "-c", launch, *files):
        wait_until(lambda: _listens(machine, 443), what="the engine's single sign-on listens")
        yield


@contextlib.contextmanager
def service(machine: EngineMachine) -> Iterator[Daemon]:
    """Run the service there as its unit does: without arguments."""
    with machine.python("proxy", "-m", "ovirt_ovn_proxy", "serve") as daemon:
        wait_until(
            lambda: all(_listens(machine, port) for port in (9696, 35357)),
            what="the service listens",
        )
        yield daemon


def _listens(machine: EngineMachine, port: int) -> bool:
    return f":{port} " in machine.run("ss", "-Hltn", f"sport = :{port}")
