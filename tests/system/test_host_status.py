# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The verb ovn-status on hosts with real daemons: what is right, and what is wrong and how."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from certificates import expire, make_certificate
from daemon.ovsdb import wait_until
from system.host_machine import (
    ADDRESS,
    CENTRAL,
    ENGINE_FILE,
    NAME,
    PKI,
    SETTINGS,
    HostMachine,
    central,
    enroll,
    host_machine,
)

pytestmark = pytest.mark.system

REMOTE = f"ssl:{CENTRAL}:6642"
OTHER, OTHER_IP = "hv2.example.com", "192.0.2.6"
PORT = "aaaaaaaa-0000-4000-8000-000000000001"
VM = "11111111-0000-4000-8000-000000000001"
# All questions may take half of that, on a machine with nothing else to do.
PATIENCE_S = 60

_NEIGHBOUR = f"""
ip netns add far
ip link add far0 type veth peer name eth0 netns far
ip link set far0 master ovirtmgmt up
ip -n far link set eth0 up
ip -n far address add {OTHER_IP}/24 dev eth0
"""
_OWNER = f"""
echo 'openvswitch:x:978:978::/:/sbin/nologin' >>/etc/passwd
echo 'openvswitch:x:978:' >>/etc/group
chown openvswitch:openvswitch {PKI}/*
"""


class Table(NamedTuple):
    """What the verb has shown: exit code, the rows by check, and how long it took."""

    code: int
    rows: dict[str, list[dict[str, str]]]
    seconds: float

    @property
    def wrong(self) -> set[str]:
        """The checks with an error or a warning."""
        return {
            check
            for check, rows in self.rows.items()
            for row in rows
            if row["state"] in ("warning", "error")
        }

    def has(self, check: str, state: str, reason: str, mend: str = "") -> bool:
        """Say whether there is a row like this."""
        return any(
            row["state"] == state and reason in row["reason"] and mend in row["mend"]
            for row in self.rows.get(check, [])
        )


def status(host: HostMachine, *words: str) -> Table:
    """Run the verb; whatever is wrong, it prints nothing but its table, and soon."""
    begin = time.monotonic()
    done = host.tool("ovn-status", "--json", *words)
    seconds = time.monotonic() - begin
    assert done.stderr == ""
    assert seconds < PATIENCE_S
    table: dict[str, Any] = json.loads(done.stdout)
    assert table["exit_code"] == done.returncode
    rows: dict[str, list[dict[str, str]]] = {}
    for row in table["checks"]:
        rows.setdefault(row["check"], []).append(row)
    return Table(done.returncode, rows, seconds)


def make_neighbour(host: HostMachine) -> None:
    """Have another chassis, in a namespace of its own that can be reached."""
    host.do("sh", "-ec", _NEIGHBOUR)
    host.sbctl("chassis-add", OTHER, "geneve", OTHER_IP)
    host.sbctl("set", "Chassis", OTHER, f"hostname={OTHER}")


def bind(host: HostMachine, **columns: str) -> None:
    """Have the port in Southbound, where ovn-controller finds it."""
    words = [f"{key}={value}" for key, value in columns.items()]
    host.sbctl(
        *("--id=@net", "create", "Datapath_Binding", "tunnel_key=1", "--"),
        *("create", "Port_Binding", f"logical_port={PORT}", "tunnel_key=1", "datapath=@net"),
        *words,
    )


def plug(host: HostMachine, port: str = PORT) -> None:
    """Put the virtual machine's interface on br-int."""
    host.vsctl(
        *("add-port", "br-int", "vnet0", "--", "set", "Interface", "vnet0", "type=internal"),
        *("mtu_request=1442", f"external_ids:iface-id={port}", f"external_ids:vm-id={VM}"),
    )


def is_installed(host: HostMachine) -> bool:
    """Say whether ovn-controller has done all for the port."""
    return "ovn-installed" in host.vsctl("get", "Interface", "vnet0", "external_ids")


@pytest.fixture
def ready(host: HostMachine) -> HostMachine:
    """A host in OVN with a neighbour, as the engine leaves it; all is well."""
    host.do("sh", "-ec", _OWNER)
    # Flows are installed at once, and need not be kept over a restart.
    host.write(SETTINGS / "ovn.conf", "[ovn]\nrestart-wait = 0\n")
    done = host.tool("ovn-config", CENTRAL, ADDRESS, NAME)
    assert done.returncode == 0, done.stderr
    host.wait_chassis(**{NAME: ADDRESS})
    make_neighbour(host)
    wait_until(lambda: host.is_connected)
    return host


def test_a_healthy_host(ready: HostMachine) -> None:
    """Every check is made, all is well, and nothing has changed."""
    host = ready
    bind(host)
    plug(host)
    wait_until(lambda: is_installed(host), 20, "the port is installed")
    host.sbctl("set", "SB_Global", ".", "nb_cfg=7")
    wait_until(lambda: host.sbctl("get", "Chassis_Private", NAME, "nb_cfg") == "7", 20)
    done_ms = host.sbctl("get", "Chassis_Private", NAME, "nb_cfg_timestamp")
    host.sbctl(
        *("create", "Chassis_Private", f"name={OTHER}", "nb_cfg=7"),
        f"nb_cfg_timestamp={int(done_ms) + 300}",
    )
    before = host.state, host.external_ids

    table = status(host)

    assert (0, set()) == (table.code, table.wrong), table
    for check, reason in {
        "settings": f"in force: chassis {NAME}, tunnels at {ADDRESS}, Southbound {REMOTE}",
        "open-vswitch": "Open vSwitch",
        "bridge": "br-int, fail-mode secure",
        "ovn-controller": "it runs, and is connected to Southbound",
        "southbound": f"{REMOTE} answers, with 2 chassis",
        "chassis": f"{NAME} is registered, with geneve at {ADDRESS}",
        "other-chassis": "none has this host's name or address",
        "clock": "within 0.3 s of another chassis'",
        "tls-files": "of openvswitch:openvswitch",
        "certificate": f"for {NAME}, 89 days left; its authority has 2999",
        "tunnel": f"geneve at {ADDRESS} on ovirtmgmt",
        "mtu": "have 1500, of which 1442 are left for vNICs",
        "path-mtu": "packets of 1500 bytes reach 1 other chassis",
        "ovn-configured": "the engine shows yes",
        "ports": "1 are plugged, and all are installed",
        "migrations": "no port of this host is on several chassis",
    }.items():
        assert table.has(check, "ok", reason), (check, table.rows[check])
    # No virtual machine has sent anything to this host yet.
    assert table.has("udp-port", "unknown", "6081/udp listens")
    assert before == (host.state, host.external_ids)


def test_the_same_as_text(ready: HostMachine) -> None:
    """80 columns, no colours where it is no terminal, the same rows as in JSON."""
    text = ready.tool("ovn-status").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "\033" not in text
    rows = status(ready).rows
    assert list(rows) == list(dict.fromkeys(re.findall(r"^([a-z-]+) .*", text, re.MULTILINE)))
    words = " ".join(text.split())
    for row in rows["tunnel"] + rows["certificate"]:
        assert f"{row['check']} {row['state']} {row['reason']}" in words
    pty = "import pty; pty.spawn(['vdsm-tool', 'ovn-status'])"
    assert "\033[32mok" in ready.do("/usr/bin/python3", "-c", pty)
    assert "\033" not in ready.do("env", "NO_COLOR=1", "/usr/bin/python3", "-c", pty)
    # As with head or less, which may have seen enough.
    assert ready.run("sh", "-c", "vdsm-tool ovn-status | true").stderr == ""


_NAMES = (
    f"{CENTRAL} central.example.com",
    "2001:db8:dead::1 both.example.com",
    f"{CENTRAL} both.example.com",
)
Spoil = Callable[[HostMachine], object]


class Case(NamedTuple):
    """What is done to a healthy host, and the row that tells of it."""

    spoil: Spoil
    check: str
    state: str
    reason: str
    mend: str = ""


def do(*words: str) -> Spoil:
    return lambda host: host.do(*words)


def vsctl(*words: str) -> Spoil:
    return lambda host: host.vsctl(*words)


def sbctl(*words: str) -> Spoil:
    return lambda host: host.sbctl(*words)


def stop(pid_file: str) -> Spoil:
    """Have a daemon hang."""
    return lambda host: host.do(
        "sh", "-c", f"kill -STOP $(cat {pid_file.format(folder=host.folder)})"
    )


def expired(host: HostMachine) -> None:
    for name in ("host.pem", "host.key", "ca.pem", "ca.key"):
        (host.folder / name).write_bytes((host.image / name).read_bytes())
    expire(host.folder, "host", "ca")
    host.write(PKI / "ovn-cert.pem", (host.folder / "host.pem").read_text())


def old(host: HostMachine) -> None:
    for name in ("ca.pem", "ca.key"):
        (host.folder / name).write_bytes((host.image / name).read_bytes())
    make_certificate(host.folder, "host", "ca", names=f"DNS:{NAME}", days=9)
    host.write(PKI / "ovn-cert.pem", (host.folder / "host.pem").read_text())
    host.write(PKI / "ovn-key.pem", (host.folder / "host.key").read_text(), "0440")
    host.do("sh", "-c", f"chown openvswitch:openvswitch {PKI}/*")


def narrow(host: HostMachine) -> None:
    """Large packets vanish on the way, and nobody says so."""
    host.do("ip", "-n", "far", "link", "set", "eth0", "mtu", "1400")


def unknown_port(host: HostMachine) -> None:
    plug(host)


def wanted_elsewhere(host: HostMachine) -> None:
    bind(host, options=f"requested-chassis={OTHER}")
    plug(host)


def announced(host: HostMachine) -> None:
    """What a migration that failed leaves."""
    bind(host, options=f'requested-chassis="{NAME},{OTHER}" activation-strategy=rarp')
    chassis = [host.sbctl("get", "Chassis", name, "_uuid") for name in (NAME, OTHER)]
    host.sbctl(
        *("set", "Port_Binding", PORT, f"requested_chassis={chassis[0]}"),
        f"requested_additional_chassis={chassis[1]}",
    )
    plug(host)
    wait_until(lambda: is_installed(host), 20)


LIBVIRT = """#!/bin/sh
case "$*" in
    *"domstate --reason {vm}") echo "{state}" ;;
    *"domjobinfo {vm}")
        echo "Job type:         Unbounded"
        echo "Operation:        {operation}" ;;
    *) exit 1 ;;
esac
"""


def with_libvirt(operation: str, state: str = "running (booted)") -> Spoil:
    """What a migration that failed leaves, or has as long as it runs."""

    def spoil(host: HostMachine) -> None:
        announced(host)
        program = LIBVIRT.format(vm=VM, state=state, operation=operation)
        host.write(Path("/usr/bin/virsh"), program, "0755")

    return spoil


def to_come(host: HostMachine) -> None:
    """The hooks have announced a machine, which is not here yet."""
    bind(host, options=f'requested-chassis="{OTHER},{NAME}"')
    host.sbctl(
        *("set", "Port_Binding", PORT),
        f"requested_additional_chassis={host.sbctl('get', 'Chassis', NAME, '_uuid')}",
    )
    record = json.dumps({"ports": {PORT: {"announced": time.time()}}})
    host.write(Path("/run/vdsm/ovn-migrations", VM), record)


FIREWALL = """#!/bin/sh
case $1 in
    --state) echo running ;;
    --get-zone-of-interface=ovirtmgmt) echo public ;;
    --zone=public) printf 'public\\n  target: default\\n  services: ssh\\n  ports: 54321/tcp\\n' ;;
    *) exit 2 ;;
esac
"""

CASES = {
    "drift": Case(
        vsctl("set", "Open_vSwitch", ".", "external_ids:ovn-encap-type=vxlan"),
        "settings",
        "warning",
        "to be changed: external_ids:ovn-encap-type: vxlan -> geneve",
        "vdsm-tool configure --module ovn",
    ),
    "a typo": Case(
        lambda host: host.write(SETTINGS / "ovn.conf", "[ovn]\ntunel = x\n"),
        "settings",
        "error",
        "ovn.conf: [ovn] tunel is not a setting, is tunnel meant?",
        "vdsm-tool configure --module ovn",
    ),
    "Open vSwitch is stopped": Case(
        do("systemctl", "stop", "openvswitch"),
        "open-vswitch",
        "error",
        "it does not run, or is not installed",
        "systemctl start openvswitch",
    ),
    "Open vSwitch's database hangs": Case(
        stop("/run/openvswitch/ovsdb-server.pid"),
        "open-vswitch",
        "error",
        "no answer within 3 seconds",
        "systemctl status openvswitch",
    ),
    "ovs-vswitchd hangs": Case(
        stop("/run/openvswitch/ovs-vswitchd.pid"),
        "open-vswitch",
        "error",
        "ovs-vswitchd does not answer",
        "systemctl status ovs-vswitchd",
    ),
    "ovn-controller hangs": Case(
        stop("/run/ovn/ovn-controller.pid"),
        "ovn-controller",
        "error",
        "it does not answer",
        "systemctl status ovn-controller",
    ),
    "ovn-controller is stopped": Case(
        do("systemctl", "stop", "ovn-controller"),
        "ovn-controller",
        "error",
        "it does not run",
        "systemctl enable --now ovn-controller",
    ),
    "no bridge": Case(
        lambda host: (
            host.do("systemctl", "stop", "ovn-controller"),
            host.vsctl("del-br", "br-int"),
        ),
        "bridge",
        "error",
        "there is no bridge br-int",
        "ovs-vsctl --may-exist add-br br-int",
    ),
    "Southbound hangs": Case(
        stop("{folder}/sb.pid"),
        "southbound",
        "error",
        f"({REMOTE}: no answer in time)",
        "on the central",
    ),
    "no such chassis": Case(
        lambda host: (
            host.do("systemctl", "stop", "ovn-controller"),
            host.sbctl("chassis-del", NAME),
        ),
        "chassis",
        "error",
        f"Southbound has no chassis {NAME}",
    ),
    "the address of another chassis": Case(
        lambda host: (
            host.do("systemctl", "stop", "ovn-controller"),
            host.sbctl("chassis-del", NAME),
            host.sbctl("chassis-add", "hv9", "geneve", ADDRESS),
        ),
        "other-chassis",
        "error",
        f"chassis hv9 (host unknown) has geneve at {ADDRESS} too",
        "ovn-sbctl chassis-del hv9",
    ),
    "the name of another chassis": Case(
        lambda host: (
            host.do("systemctl", "stop", "ovn-controller"),
            host.sbctl("set", "Chassis", NAME, "hostname=hv7.example.com"),
        ),
        "other-chassis",
        "error",
        f"a host called hv7.example.com uses the name {NAME} too",
        "on hv7.example.com: vdsm-tool ovn-config",
    ),
    "certificate expired": Case(
        expired, "certificate", "error", "certificate has expired", "Enroll Certificate"
    ),
    "certificate soon expired": Case(
        old, "certificate", "warning", "it ends in 8 days", "Enroll Certificate"
    ),
    "certificate of another authority": Case(
        lambda host: enroll(host, "stranger"),
        "certificate",
        "error",
        "is not accepted by",
        "Enroll Certificate",
    ),
    "key for everybody": Case(
        do("chmod", "444", f"{PKI}/ovn-key.pem"),
        "tls-files",
        "error",
        "everybody on this host can use the key",
        f"chmod o= {PKI}/ovn-key.pem",
    ),
    "files of another owner": Case(
        do("chown", "root", f"{PKI}/ovn-key.pem"),
        "tls-files",
        "warning",
        "ovn-key.pem belongs to root, not to openvswitch",
        f"chown openvswitch:openvswitch {PKI}/ovn-key.pem",
    ),
    "address taken away": Case(
        do("ip", "address", "del", f"{ADDRESS}/24", "dev", "ovirtmgmt"),
        "tunnel",
        "error",
        f"tunnels end at {ADDRESS}, which is no address of this host",
        "vdsm-tool configure",
    ),
    "small MTU": Case(
        do("ip", "link", "set", "ovirtmgmt", "mtu", "1400"),
        "mtu",
        "warning",
        "have 1400, of which 1342 are left for vNICs",
        "in the engine: MTU 1500 for the network of ovirtmgmt, or 1342 for OVN's",
    ),
    "large packets vanish": Case(
        narrow,
        "path-mtu",
        "error",
        f"packets of 1500 bytes do not reach {OTHER} ({OTHER_IP}), small ones do",
        f"tracepath -n {OTHER_IP}",
    ),
    "a neighbour is away": Case(
        do("ip", "link", "set", "far0", "down"),
        "path-mtu",
        "unknown",
        f"no answer to ping from {OTHER} ({OTHER_IP})",
        "ping",
    ),
    "firewall": Case(
        lambda host: host.write(Path("/usr/bin/firewall-cmd"), FIREWALL, "0755"),
        "udp-port",
        "error",
        "firewalld does not let 6081/udp into zone public",
        "firewall-cmd --permanent --zone=public --add-port=6081/udp",
    ),
    "firewall that hangs": Case(
        lambda host: host.write(Path("/usr/bin/firewall-cmd"), "#!/bin/sh\nsleep 60\n", "0755"),
        "udp-port",
        "unknown",
        "6081/udp listens",
    ),
    "no IPsec": Case(
        do("systemctl", "stop", "openvswitch-ipsec"),
        "ovn-configured",
        "warning",
        "the engine shows no: service openvswitch-ipsec does not run",
        "systemctl enable --now openvswitch-ipsec",
    ),
    "unknown port": Case(
        unknown_port,
        "ports",
        "error",
        f"{PORT} (vnet0) is not installed: OVN has no such port",
        "unplug the vNIC",
    ),
    "port that OVN wants elsewhere": Case(
        wanted_elsewhere,
        "ports",
        "error",
        f"OVN wants it on {OTHER} only",
        f"ovn-nbctl remove Logical_Switch_Port {PORT} options requested-chassis",
    ),
    "interface that cannot be opened": Case(
        lambda host: host.vsctl(
            *("add-port", "br-int", "vnet9", "--", "set", "Interface", "vnet9"),
            f"external_ids:iface-id={PORT}",
        ),
        "ports",
        "error",
        "vnet9",
        "tail /var/log/openvswitch/ovs-vswitchd.log",
    ),
    "leftover of a migration": Case(
        with_libvirt("Snapshot"),
        "migrations",
        "warning",
        f"{PORT} is announced on {NAME}, {OTHER}, but no migration of its machine runs",
        f"on the central: ovn-nbctl remove Logical_Switch_Port {PORT} options",
    ),
    "a migration": Case(
        with_libvirt("Outgoing migration"),
        "migrations",
        "ok",
        f"{PORT} is announced on {NAME}, {OTHER}, and its machine is being migrated",
    ),
    "a migration to here": Case(
        with_libvirt("", "paused (migrating)"),
        "migrations",
        "ok",
        "and its machine is being migrated",
    ),
    "a migration that begins": Case(
        to_come,
        "migrations",
        "ok",
        f"{PORT} is announced on {OTHER}, {NAME}, and its machine is to come here since",
    ),
    "a host without libvirt": Case(
        announced,
        "migrations",
        "warning",
        "but whether a migration runs cannot be seen",
        "if none runs, on the central",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_wrong_is_seen(ready: HostMachine, case: Case) -> None:
    """In a row that says what it is, and what mends it; the exit code tells how bad."""
    case.spoil(ready)
    table = status(ready)
    if case.check == "ports":
        # ovs-vswitchd and ovn-controller may see it after we have.
        end = time.monotonic() + PATIENCE_S
        while not table.has(*case[1:]) and time.monotonic() < end:
            table = status(ready)
    assert table.has(*case[1:]), table.rows
    least = {"ok": 0, "unknown": 0, "warning": 1, "error": 2}
    assert table.code >= least[case.state]


def test_everything_hangs(ready: HostMachine) -> None:
    """Whatever does not answer is waited for once, and the table comes all the same."""
    host = ready
    bind(host, options=f'requested-chassis="{NAME},{OTHER}"')
    plug(host)
    for name in ("firewall-cmd", "virsh", "getent", "systemctl"):
        host.write(Path("/usr/bin", name), "#!/bin/sh\nexec sleep 600\n", "0755")
    for pid in (
        "/run/openvswitch/ovs-vswitchd.pid",
        "/run/ovn/ovn-controller.pid",
        f"{host.folder}/sb.pid",
    ):
        stop(pid)(host)
    table = status(host)
    assert {"open-vswitch", "ovn-controller", "southbound"} <= table.wrong

    stop("/run/openvswitch/ovsdb-server.pid")(host)
    table = status(host)
    assert {"open-vswitch", "ovn-controller", "southbound"} <= table.wrong


def test_a_host_of_the_peers_is_adopted(host: HostMachine) -> None:
    """What is in force without settings is offered as a command; after it there are settings."""
    for key, value in {
        "system-id": NAME,
        "ovn-remote": REMOTE,
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": ADDRESS,
    }.items():
        host.vsctl("set", "Open_vSwitch", ".", f"external_ids:{key}={json.dumps(value)}")
    host.vsctl(
        "set-ssl", *(f"{PKI}/{name}" for name in ("ovn-key.pem", "ovn-cert.pem", "ca-cert.pem"))
    )
    host.wait_chassis(**{NAME: ADDRESS})

    table = status(host)
    assert table.has("settings", "warning", "in OVN without settings")
    (row,) = table.rows["settings"]
    assert f"vdsm-tool ovn-config {REMOTE} {ADDRESS} {NAME}" == row["mend"]

    host.do(*shlex.split(row["mend"]))
    assert f"central = {REMOTE}" in host.read(ENGINE_FILE)
    assert status(host).has("settings", "ok", "in force")


def test_a_host_that_nobody_wants_in_ovn(image: Path) -> None:
    """It is no fault not to be in OVN; only if nothing can be seen is that told."""
    with host_machine(image) as host:
        table = status(host)
        assert table.code == 2
        assert table.has("open-vswitch", "error", "does not run")
        host.start("openvswitch")
        table = status(host)
        assert (0, ["settings"]) == (table.code, list(table.rows))


def test_another_user(ready: HostMachine) -> None:
    """Who is not root is told so; what he cannot see is unknown, and nothing is claimed."""
    words = ("--reuid=36", "--regid=36", "--clear-groups", "vdsm-tool", "ovn-status", "--json")
    done = ready.run("setpriv", *words)
    assert (1, "") == (done.returncode, done.stderr)
    states = {row["check"]: row["state"] for row in json.loads(done.stdout)["checks"]}
    assert {"privileges": "warning"} == {
        check: state for check, state in states.items() if state in ("warning", "error")
    }
    hidden = {"settings", "open-vswitch", "ovn-controller", "southbound", "ports", "certificate"}
    assert dict.fromkeys(hidden, "unknown") == {check: states[check] for check in hidden}


@pytest.mark.parametrize(
    "words", [("--jsn",), ("--preflight",), ("--preflight", "x"), ("--preflight", "x", "y", "z")]
)
def test_wrong_arguments(ready: HostMachine, words: tuple[str, ...]) -> None:
    """They show how the verb is used."""
    done = ready.tool("ovn-status", *words)
    assert done.returncode == 1
    verb = "ovn-status [--json] [--preflight CENTRAL TUNNEL]"
    assert done.stderr.startswith(f"usage: \n /usr/bin/vdsm-tool [options] {verb}")


# Before anything is configured


@pytest.fixture(scope="module")
def new(image: Path) -> Iterator[HostMachine]:
    """A host with certificates, and nothing else done."""
    with host_machine(image) as host, central(host):
        host.do("sh", "-ec", _OWNER)
        make_neighbour(host)
        host.do("sh", "-c", f"printf '%s\n' {shlex.join(_NAMES)} >>/etc/hosts")
        yield host


PREFLIGHTS = [
    # central, tunnel, code, check, state, reason
    ("central.example.com", ADDRESS, 0, "central", "ok", "ssl:central.example.com:6642: South"),
    # It has an address that nobody can reach, too.
    ("both.example.com", ADDRESS, 0, "central", "ok", "ssl:both.example.com:6642: South"),
    (CENTRAL, ADDRESS, 0, "central", "ok", f"{REMOTE}: Southbound answers, by TLS of our"),
    (CENTRAL, ADDRESS, 0, "tunnel", "ok", f"tunnels would end at {ADDRESS}: the address on"),
    (CENTRAL, ADDRESS, 0, "path-mtu", "ok", "packets of 1500 bytes reach 1 other chassis"),
    (CENTRAL, ADDRESS, 0, "chassis", "ok", f"it would be called {NAME}"),
    (CENTRAL, ADDRESS, 0, "mtu", "ok", "1442 are left for vNICs"),
    (f"ssl:{CENTRAL}:6641", ADDRESS, 2, "central", "error", "6641: Connection refused"),
    (f"{CENTRAL},ssl:{CENTRAL}:6641", ADDRESS, 1, "central", "warning", "Connection refused"),
    ("nowhere.invalid", ADDRESS, 2, "central", "error", "its name is not"),
    ("192.88.99.1", ADDRESS, 2, "central", "error", "Network is unreachable"),
    ("http://x", ADDRESS, 2, "central", "error", "central = 'http://x': should be a name or"),
    (CENTRAL, "", 2, "tunnel", "error", "tunnel = '': should be one line that is not empty"),
    (CENTRAL, "", 2, "central", "ok", f"{REMOTE}: Southbound answers"),
    ("http://x", ADDRESS, 2, "tunnel", "ok", f"tunnels would end at {ADDRESS}"),
    (CENTRAL, "tunnels", 2, "tunnel", "error", "tunnel tunnels: no network or interface that"),
    (CENTRAL, "0.0.0.0/0", 2, "tunnel", "error", "more than one address in 0.0.0.0/0"),
    (CENTRAL, OTHER_IP, 2, "tunnel", "error", f"tunnel {OTHER_IP}: no address of this host"),
]


@pytest.mark.parametrize(("remote", "tunnel", "code", "check", "state", "reason"), PREFLIGHTS)
def test_preflight(
    new: HostMachine, remote: str, tunnel: str, code: int, check: str, state: str, reason: str
) -> None:
    """A central and a tunnel are tried as ovn-config would, and nothing is changed or started."""
    before = new.state
    table = status(new, "--preflight", remote, tunnel)
    assert table.has(check, state, reason), table.rows
    assert code == table.code, table.rows
    assert before == new.state
    assert "" == new.run("ls", "/run/openvswitch").stdout


def test_preflight_of_a_name_or_address_that_is_taken(new: HostMachine) -> None:
    """Another chassis with the address that this one is to have is seen before."""
    new.sbctl("chassis-add", "hv9", "geneve", "198.51.100.5")
    table = status(new, "--preflight", CENTRAL, "bond0.100")
    assert table.has("other-chassis", "error", "chassis hv9", "chassis-del hv9")
    new.sbctl("chassis-del", "hv9")


def test_preflight_with_settings_that_cannot_be_used(new: HostMachine) -> None:
    """What ovn-config would stumble over is told, and the rest all the same."""
    sample = new.read(SETTINGS / "ovn.conf")
    new.write(SETTINGS / "ovn.conf", "[ovn]\ntunel = x\n")
    table = status(new, "--preflight", CENTRAL, ADDRESS)
    assert table.has("settings", "error", "tunel is not a setting, is tunnel meant?")
    assert table.has("central", "ok", "Southbound answers")
    new.write(SETTINGS / "ovn.conf", sample)


def test_preflight_without_packages_or_certificates(image: Path) -> None:
    """What has to be there first is told, with what brings it."""
    with host_machine(image) as host, central(host):
        host.do("rm", "/run/services/ovn-controller", f"{PKI}/ovn-key.pem")
        table = status(host, "--preflight", CENTRAL, ADDRESS)
        assert table.has("packages", "error", "not installed: ovn-controller", "dnf install")
        assert table.has("tls-files", "error", "ovn-key.pem: No such file", "Enroll")
        assert table.has("central", "error", f"{REMOTE}: not tried: it cannot be asked without")
