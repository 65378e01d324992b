# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Three machines become a cluster by what docs/central.md shows, and OVN goes on in it.

Each machine is in namespaces of its own and runs ovn-ctl as the service of OVN's packages
does. The leaders of Northbound and Southbound are on different machines in the end.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from certificates import make_certificate
from daemon.ovsdb import wait_until
from machines import Machine
from rpms import ROOT

pytestmark = pytest.mark.system

ADDRESSES = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
DATABASES = {"nb": "OVN_Northbound", "sb": "OVN_Southbound"}
USER = "openvswitch"

# So that each daemon ends with the machine, wherever it has gone.
_PRIVATE = ("--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
# In a user namespace there may be nobody but root, who has that name too, then.
IS_ROOT_ALONE = Path("/proc/self/uid_map").read_text(encoding="ascii").split()[2] == "1"
_SET_UP = f"""
for folder in /etc/ovn /var/lib/ovn /var/log/ovn; do
    mkdir -p $folder && mount -t tmpfs -o mode=755 tmpfs $folder
done
mkdir -p /etc/pki/ovn /run/ovn
id={0 if IS_ROOT_ALONE else 990}
sed -i /^{USER}:/d /etc/passwd /etc/group
echo {USER}:x:$id:$id::/:/bin/false >>/etc/passwd
echo {USER}:x:$id: >>/etc/group
"""


def blocks() -> list[str]:
    """Return what the page shows as commands and files, the lines of a command joined."""
    text = (ROOT / "docs/central.md").read_text(encoding="utf-8")
    found = re.findall(r"^```\n(.*?)^```", text, re.S | re.M)
    return [block.replace("\\\n", " ") for block in found]


def block_with(text: str) -> str:
    (found,) = (block for block in blocks() if text in block)
    return found


def northd_options(number: int) -> list[str]:
    """Return the words of OVN_NORTHD_OPTS on a server of the cluster."""
    (assignment,) = shlex.split(block_with("OVN_NORTHD_OPTS="))
    words = assignment.partition("=")[2].split()
    if number:
        words += block_with("--db-nb-cluster-remote-addr=").split()
    own, first = ADDRESSES[number], ADDRESSES[0]
    return [it.replace(first, own) if "-cluster-local-addr=" in it else it for it in words]


class Central(Machine):
    """A machine with OVN's databases and ovn-northd."""

    def __init__(self, number: int) -> None:
        super().__init__(_PRIVATE, _SET_UP)
        self.number = number

    def do(self, *command: str) -> str:
        """Run a command there that has to succeed, and return what it prints."""
        done = self.execute(*command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout.strip()

    def ovn_ctl(self, *words: str) -> None:
        """Start or stop what the service starts and stops."""
        user = [] if IS_ROOT_ALONE else [f"--ovn-user={USER}:{USER}"]
        self.do("/usr/share/ovn/scripts/ovn-ctl", *user, *words)

    def status(self, kind: str) -> str:
        """Return what a database's server says of the cluster."""
        words = ("-t", f"/run/ovn/ovn{kind}_db.ctl", "cluster/status", DATABASES[kind])
        return self.execute("ovn-appctl", *words).stdout

    def leads(self, kind: str) -> bool:
        return "\nRole: leader\n" in self.status(kind)

    def northd_sees_both(self) -> bool:
        """Return whether ovn-northd has a session with each leader."""
        northd = self.do("sh", "-c", "echo /run/ovn/ovn-northd.$(cat /run/ovn/ovn-northd.pid).ctl")
        asked = [
            self.execute("ovn-appctl", "-t", northd, f"{kind}-connection-status")
            for kind in DATABASES
        ]
        return all(done.stdout == "connected\n" for done in asked)

    def signal_server(self, kind: str, signal: str) -> None:
        """Send a signal to the server of a database."""
        self.do("sh", "-c", f"kill -{signal} $(cat /run/ovn/ovn{kind}_db.pid)")


@pytest.fixture
def centrals(tmp_path: Path) -> Iterator[list[Central]]:
    """Three machines that reach each other, with certificates, on which nothing runs."""
    make_certificate(tmp_path, "ca")
    names = ",".join(f"IP:{address}" for address in ADDRESSES)
    with contextlib.ExitStack() as stack:
        machines: list[Central] = []
        for number, address in enumerate(ADDRESSES):
            machine = Central(number)
            stack.callback(machine.stop)
            make_certificate(tmp_path, f"server{number}", "ca", names=names)
            files = {"key": f"server{number}.key", "cert": f"server{number}.pem", "ca": "ca.pem"}
            for file, source in files.items():
                text = (tmp_path / source).read_text()
                machine.path(f"/etc/pki/ovn/{file}.pem").write_text(text)
            machine.path("/etc/pki/ovn/key.pem").chmod(0o600)
            lan = ["ip", "link", "add", "lan", "type", "bridge"]
            if number:
                port = [f"port{number}", "netns", str(machines[0].pid)]
                peer = ["peer", "lan", "netns", str(machine.pid)]
                subprocess.run(["ip", "link", "add", *port, "type", "veth", *peer], check=True)
                machines[0].do("ip", "link", "set", port[0], "master", "lan", "up")
            else:
                machine.do(*lan)
            machine.do("ip", "address", "add", f"{address}/24", "dev", "lan")
            machine.do("ip", "link", "set", "lan", "up")
            machines.append(machine)
        yield machines


def test_leaders_on_different_machines(centrals: list[Central]) -> None:
    """A central becomes a cluster that keeps its rows, and northd reaches both leaders."""
    first = centrals[0]
    first.ovn_ctl("start_northd")
    first.do("sh", "-ec", block_with("chown openvswitch:"))
    first.do("ovn-nbctl", "ls-add", "before")
    row = first.do("ovn-nbctl", "--bare", "--columns=_uuid", "list", "Logical_Switch")

    first.ovn_ctl("stop_northd")
    first.ovn_ctl(*northd_options(0), "start_northd")
    for central in centrals[1:]:
        central.do("chown", f"{USER}:", "/etc/pki/ovn/key.pem")
        central.ovn_ctl(*northd_options(central.number), "start_northd")

    def all_have_joined() -> bool:
        statuses = [it.status(kind) for it in centrals for kind in DATABASES]
        return all(len(re.findall(r"^ +\w+ \(\w+ at ssl:", it, re.M)) == 3 for it in statuses)

    wait_until(all_have_joined, 30, "each server knows three")

    def leader_of(kind: str) -> Central:
        wait_until(lambda: any(it.leads(kind) for it in centrals), 30, f"{kind} has a leader")
        return next(it for it in centrals if it.leads(kind))

    def part_leaders() -> None:
        both = leader_of("nb")
        if leader_of("sb") is both:
            others = [it for it in centrals if it is not both]
            both.signal_server("sb", "STOP")
            wait_until(lambda: any(it.leads("sb") for it in others), 30, "another one leads sb")
            both.signal_server("sb", "CONT")
            wait_until(lambda: not both.leads("sb"), 30, "the former leader knows of it")

    def is_at_work() -> bool:
        """Elections of a busy machine may bring the leaders together again: then it is no proof."""
        part_leaders()
        words = ("--timeout=5", "--wait=sb", "--may-exist", "ls-add", "after")
        is_done = not leader_of("nb").execute("ovn-nbctl", *words).returncode
        sees_both = all(it.northd_sees_both() for it in centrals)
        return is_done and sees_both and leader_of("nb") is not leader_of("sb")

    wait_until(is_at_work, 40, "ovn-northd works with both leaders, on each machine")
    show = ("ovn-nbctl", "--no-leader-only", "--bare", "--columns=_uuid", "find", "Logical_Switch")
    for central in centrals:
        assert row == central.do(*show, "name=before")
