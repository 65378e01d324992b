# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong with a host, its settings or its central.

Each time there is one line that says what it is and how to mend it, an exit code, and a host
on which nothing has changed; and vdsmd starts in every one of these states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from certificates import expire
from system.host_machine import (
    ADDRESS,
    CENTRAL,
    ENGINE_FILE,
    PKI,
    SETTINGS,
    HostMachine,
    enroll,
)

pytestmark = pytest.mark.system

OVN_CONF = f"[ovn]\ncentral = {CENTRAL}\ntunnel = {ADDRESS}\n"
Spoil = Callable[[HostMachine], object]


class Case(NamedTuple):
    """What the engine passes, what else is wrong, and what is said."""

    words: str
    says: str
    spoil: Spoil = lambda host: None


def vsctl(*words: str) -> Spoil:
    return lambda host: host.vsctl(*words)


def do(*words: str) -> Spoil:
    return lambda host: host.do(*words)


def settings(text: str) -> Spoil:
    return lambda host: host.write(SETTINGS / "ovn.conf", text)


# Else as it is.
NO_START = """
mv /usr/bin/systemctl /usr/bin/systemctl.real
cat >/usr/bin/systemctl <<'END'
#!/bin/sh
case "$*" in *"start openvswitch") echo Job for openvswitch.service failed. >&2; exit 1 ;; esac
exec /usr/bin/systemctl.real "$@"
END
chmod 755 /usr/bin/systemctl
"""


def expired(host: HostMachine) -> None:
    for name in ("host.pem", "host.key", "ca.pem", "ca.key"):
        (host.folder / name).write_bytes((host.image / name).read_bytes())
    expire(host.folder, "host", "ca")
    host.write(PKI / "ovn-cert.pem", (host.folder / "host.pem").read_text())


def listener(host: HostMachine) -> None:
    """Something behind a port that accepts and says nothing."""
    program = (
        "import os, socket, time\n"
        "server = socket.create_server(('203.0.113.1', 6643)); server.listen()\n"
        "os.fork() and os._exit(0); os.setsid()\n"
        "for fd in (0, 1, 2): os.close(fd)\n"
        "time.sleep(600)"
    )
    host.do("/usr/bin/python3", "-c", program)


CASES = {
    "unknown network": Case(
        f"{CENTRAL} tunnels",
        "tunnel tunnels: no network or interface that has an address on this host; set tunnel to"
        " one of 192.0.2.5 (ovirtmgmt), 2001:db8::5 (ovirtmgmt), ",
    ),
    "network without an address": Case(
        f"{CENTRAL} storage",
        "tunnel storage: without an address for tunnels of network storage (eth7); set tunnel to",
        lambda host: host.add_network("storage", nic="eth7", bridged=False),
    ),
    "address of another host": Case(
        f"{CENTRAL} 192.0.2.6", "tunnel 192.0.2.6: no address of this host; set tunnel to one of"
    ),
    "several addresses": Case(
        f"{CENTRAL} ovirtmgmt",
        "tunnel ovirtmgmt: more than one address of interface ovirtmgmt (192.0.2.5, 192.0.2.77)",
        do("ip", "address", "add", "192.0.2.77/24", "dev", "ovirtmgmt"),
    ),
    "malformed central": Case(
        f"http://{CENTRAL} {ADDRESS}",
        "what was given: [ovn] central = 'http://203.0.113.1': should be a name or an address",
    ),
    "malformed list": Case(f"{CENTRAL},ssl:x:y {ADDRESS}", "should be ssl:HOST:PORT"),
    "central that refuses": Case(
        f"ssl:{CENTRAL}:6641 {ADDRESS}",
        "no Southbound of OVN answers (ssl:203.0.113.1:6641: Connection refused): is central",
    ),
    "central without a route": Case(
        f"192.88.99.1 {ADDRESS}", "(ssl:192.88.99.1:6642: Network is unreachable)"
    ),
    "central that says nothing": Case(
        f"ssl:{CENTRAL}:6643 {ADDRESS}", "(ssl:203.0.113.1:6643: no answer in time)", listener
    ),
    "central by the wrong protocol": Case(
        f"tcp:{CENTRAL}:6642 {ADDRESS}", "(tcp:203.0.113.1:6642: "
    ),
    "a database that is none of OVN's": Case(
        f"unix:/run/openvswitch/db.sock {ADDRESS}",
        "(unix:/run/openvswitch/db.sock: it has Open_vSwitch, and not OVN_Southbound)",
    ),
    "name that VDSM cannot match": Case(
        f"{CENTRAL} {ADDRESS} 1host.example.com",
        "[ovn] system-id = '1host.example.com': should be a name that begins with a letter",
    ),
    "missing key": Case(
        f"{CENTRAL} {ADDRESS}",
        "/etc/pki/vdsm/ovn/ovn-key.pem: No such file or directory: have the engine renew them",
        do("rm", f"{PKI}/ovn-key.pem"),
    ),
    "foreign certificate": Case(
        f"{CENTRAL} {ADDRESS}",
        "ovn-cert.pem: is not accepted by /etc/pki/vdsm/ovn/ca-cert.pem: unable to get local",
        lambda host: enroll(host, "stranger"),
    ),
    "foreign authority": Case(
        f"{CENTRAL} {ADDRESS}",
        "(ssl:203.0.113.1:6642: its certificate is not of our authority: self-signed certificate",
        lambda host: enroll(host, "stranger", "other"),
    ),
    "expired certificate": Case(f"{CENTRAL} {ADDRESS}", "certificate has expired", expired),
    "key for everybody": Case(
        f"{CENTRAL} {ADDRESS}",
        "everybody on this host can use the key: chmod o= /etc/pki/vdsm/ovn/ovn-key.pem",
        do("chmod", "444", f"{PKI}/ovn-key.pem"),
    ),
    "Open vSwitch is not installed": Case(
        f"{CENTRAL} {ADDRESS}",
        "Unit openvswitch.service not found.: is the package openvswitch installed?",
        do("sh", "-c", "systemctl stop openvswitch; rm /run/services/openvswitch"),
    ),
    "Open vSwitch does not start": Case(
        f"{CENTRAL} {ADDRESS}",
        "service openvswitch: start: Job for openvswitch.service failed.",
        do("sh", "-c", f"systemctl stop openvswitch; {NO_START}"),
    ),
    "Open vSwitch hangs": Case(
        f"{CENTRAL} {ADDRESS}",
        "the local Open_vSwitch database: no answer within 3 seconds: systemctl status ovsdb",
        do("sh", "-c", "kill -STOP $(cat /run/openvswitch/ovsdb-server.pid)"),
    ),
    "typo in a key": Case(
        f"{CENTRAL} {ADDRESS}",
        "ovn.conf: [ovn] tunel is not a setting, is tunnel meant?",
        settings("[ovn]\ntunel = ovirtmgmt\n"),
    ),
    "typo in a line": Case(
        f"{CENTRAL} {ADDRESS}",
        "ovn.conf: line 2: is neither [section] nor key = value",
        settings("[ovn]\ntunnel ovirtmgmt\n"),
    ),
    "typo in a value": Case(
        f"{CENTRAL} {ADDRESS}",
        "ovn.conf: [ovn] encap-type = 'genve': should be one of geneve, vxlan",
        settings("[ovn]\nencap-type = genve\n"),
    ),
    "typo in the engine's file": Case(
        f"{CENTRAL} {ADDRESS}",
        "10-engine.conf: line 1: stands before the first [section]",
        lambda host: host.write(ENGINE_FILE, "central = x\n"),
    ),
    "settings that cannot be written": Case(
        f"{CENTRAL} {ADDRESS}",
        "10-engine.conf: cannot be written: Read-only file system",
        do("sh", "-c", f"mount --bind {SETTINGS} {SETTINGS}; mount -o remount,ro,bind {SETTINGS}"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_it_is_told_and_changes_nothing(host: HostMachine, case: Case) -> None:
    """One line with what and how, exit code 1, and the same host as before."""
    case.spoil(host)
    before = host.state

    done = host.tool("ovn-config", *case.words.split())

    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Error:  OVN: ")
    assert case.says in line
    assert before == host.state


def check_vdsmd_starts(host: HostMachine) -> None:
    """vdsmd starts, within the hook's ten seconds and some for vdsm-tool, without a traceback."""
    code, output, seconds = host.start_vdsmd()
    assert code == 0, output
    assert "Traceback" not in output
    assert seconds < 20


@pytest.mark.parametrize(
    "name",
    [
        "unknown network",
        "malformed central",
        "expired certificate",
        "Open vSwitch is not installed",
        "Open vSwitch hangs",
        "typo in a key",
    ],
)
def test_settings_that_cannot_be_applied(host: HostMachine, name: str) -> None:
    """configure fails where it was asked for OVN, and does everything else where it was not."""
    case = CASES[name]
    remote, tunnel = case.words.split()
    host.write(ENGINE_FILE, f"[ovn]\ncentral = {remote}\ntunnel = {tunnel}\n")
    case.spoil(host)
    says = case.says.replace("what was given", str(ENGINE_FILE))

    done = host.tool("configure", "--module", "ovn")
    assert done.returncode == 1
    assert "Error:  OVN: " in done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr

    host.do("rm", "/run/vdsm-passwd-is-configured")
    done = host.tool("configure", "--force")
    assert done.returncode == 0
    assert says in done.stderr
    assert "Reconfiguration of passwd is done." in done.stdout
    assert "" == host.state[0]


def test_vdsmd_starts_without_open_vswitch(host: HostMachine) -> None:
    """Where Open vSwitch is down for now, it is started, and all that is wanted is done."""
    host.write(SETTINGS / "ovn.conf", OVN_CONF)
    host.do("sh", "-c", "systemctl stop ovn-controller; systemctl stop openvswitch")
    check_vdsmd_starts(host)
    assert {"start openvswitch", "start ovn-controller"} <= set(host.calls)
    assert host.tool("is-configured").stdout == ""


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_vdsmd_starts_in_every_state(host: HostMachine, case: Case) -> None:
    """Whatever the settings say and the host is like, vdsmd starts, and soon."""
    remote, tunnel, *name = case.words.split()
    text = f"[ovn]\ncentral = {remote}\ntunnel = {tunnel}\n"
    host.write(ENGINE_FILE, text + "".join(f"system-id = {it}\n" for it in name))
    case.spoil(host)
    check_vdsmd_starts(host)
