# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Capabilities and statistics, from a real Open vSwitch, as root and as VDSM's user."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from daemon.host.machine import BRIDGE, DB_SOCKET, VDSM, Machine, OpenVSwitch, Outcome

pytestmark = pytest.mark.daemon

VM1 = "bbbbbbbb-0000-4000-8000-000000000001"
VM2 = "bbbbbbbb-0000-4000-8000-000000000002"
PORT1 = "aaaaaaaa-0000-4000-8000-000000000001"
PORT2 = "aaaaaaaa-0000-4000-8000-000000000002"
POINTS = ["after_get_caps", "after_get_stats", "after_get_vm_stats", "after_get_all_vm_stats"]
DATA: dict[str, Any] = {
    "after_get_caps": {"vmTypes": ["kvm"], "openstack_binding_host_ids": {"OPEN_VSWITCH": "h"}},
    "after_get_stats": {"memFree": 1},
    "after_get_vm_stats": [{"vmId": VM1}],
    "after_get_all_vm_stats": [{"vmId": VM1}, {"vmId": VM2}, {"vmId": "another"}],
}


@pytest.fixture
def chassis(switch: OpenVSwitch) -> OpenVSwitch:
    """A host as ovirt-provider-ovn's driver sets it up, with two VMs, one of them waiting."""
    switch.set_chassis(
        system_id="hv1.example.com",
        ovn_remote="ssl:192.0.2.1:6642",
        ovn_encap_type="geneve",
        ovn_encap_ip="192.0.2.11",
        ovn_remote_probe_interval="60000",
        ovn_openflow_probe_interval="60",
    )
    switch.plug("vnet0", PORT1, VM1, "56:6f:00:00:00:01")
    switch.plug("vnet1", PORT2, VM2, "56:6f:00:00:00:02")
    switch.install("vnet0")
    return switch


def as_it_was(point: str, outcome: Outcome) -> bool:
    """Whether the hook has succeeded without a change."""
    assert (0, None) == (outcome.ours.status, outcome.error)
    return bool(outcome.data == DATA[point] and outcome.left == json.dumps(DATA[point]))


@pytest.mark.parametrize("access", ["root", "sudo", "socket"])
def test_capabilities(machine: Machine, chassis: OpenVSwitch, access: str) -> None:
    """The engine gets the host id beside those of others, and OVN's facts, whoever reads."""
    if access == "socket":
        machine.run("chmod", "777", DB_SOCKET)
    chassis.vsctl("set", "Open_vSwitch", ".", "ovs_version=3.1.0")
    with machine.replaced("/usr/bin/sudo", "exit 9") if access != "sudo" else machine.untouched():
        outcome = machine.hook(
            "after_get_caps", data=DATA["after_get_caps"], user=0 if access == "root" else VDSM
        )

    assert (0, "", []) == (outcome.ours.status, outcome.ours.stderr, outcome.litter)
    ovn = outcome.data.pop("ovn")
    assert ovn.pop("ovnVersion")[0].isdigit()
    assert {
        "chassis": "hv1.example.com",
        "remote": "ssl:192.0.2.1:6642",
        "encapType": "geneve",
        "encapIp": "192.0.2.11",
        "bridge": "br-int",
        "ovsVersion": "3.1.0",
        "ports": [PORT1, PORT2],
    } == ovn
    assert {
        "vmTypes": ["kvm"],
        "openstack_binding_host_ids": {
            "OPEN_VSWITCH": "h",
            "OVIRT_PROVIDER_OVN": "hv1.example.com",
        },
    } == outcome.data


def test_a_host_id_that_ovs_vsctl_would_quote(machine: Machine, switch: OpenVSwitch) -> None:
    """A UUID, the system-id of Open vSwitch's own making, comes without quotes."""
    switch.set_chassis(system_id=VM1)
    outcome = machine.hook("after_get_caps", data={})

    assert {"OVIRT_PROVIDER_OVN": VM1} == outcome.data["openstack_binding_host_ids"]


def test_no_version_of_ovn(machine: Machine, chassis: OpenVSwitch) -> None:
    """Without ovn-controller, and with one that hangs, its version alone is missing."""
    program = "/usr/bin/ovn-controller"
    for state in (machine.missing(program), machine.replaced(program, "exec sleep 30")):
        with state:
            outcome = machine.hook("after_get_caps", data={})

        assert (0, "") == (outcome.ours.status, outcome.ours.stderr)
        assert "hv1.example.com" == outcome.data["ovn"]["chassis"]
        assert "ovnVersion" not in outcome.data["ovn"]


def test_version_of_ovn_is_asked_once_for_each_build(
    machine: Machine, chassis: OpenVSwitch
) -> None:
    """ovn-controller is started again when its file is another one, or what it said is lost."""

    def version() -> Any:
        outcome = machine.hook("after_get_caps", data={})
        assert (0, "", []) == (outcome.ours.status, outcome.ours.stderr, outcome.litter)
        return outcome.data["ovn"]["ovnVersion"]

    installed = version()
    with machine.replaced(
        "/usr/bin/ovn-controller", "echo asked >>/run/vdsm/asked; echo ovn-controller 99.9.0"
    ):
        assert ["99.9.0"] * 3 == [version() for _ in range(3)]
        assert "asked\n" == machine.path("/run/vdsm/asked").read_text()
        kept = machine.path("/run/vdsm/ovn-version")
        assert 0o644 == kept.stat().st_mode & 0o7777
        begun = kept.read_bytes().rpartition(b" ")[0] + b" "
        for nonsense in (b"", b"\xff", b"1 2 3 98.0.0", begun, begun[:5]):
            kept.write_bytes(nonsense)
            assert "99.9.0" == version()
        kept.unlink()
        kept.mkdir()  # it cannot be kept
        assert "99.9.0" == version()
        kept.rmdir()
    assert installed == version()


def test_no_system_id(machine: Machine, switch: OpenVSwitch) -> None:
    """A host without a system-id has capabilities, and a line says what is missing."""
    outcome = machine.hook("after_get_caps", data=DATA["after_get_caps"])

    assert (0, None) == (outcome.ours.status, outcome.error)
    assert {"OPEN_VSWITCH": "h"} == outcome.data["openstack_binding_host_ids"]
    assert "the host has no system-id" in outcome.ours.stderr


def send(machine: Machine, link: str, count: int) -> None:
    """Send frames of 100 bytes out of a link of the machine."""
    program = f"""
import socket
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets:
    packets.bind(({link!r}, 0))
    for _ in range({count}):
        packets.send(b"\\xff" * 6 + b"\\x56\\x6f\\0\\0\\0\\1" + b"\\x88\\xb5" + bytes(86))
"""
    machine.run("/run/host-python/bin/python", "-c", program)


def test_host_statistics(machine: Machine, chassis: OpenVSwitch) -> None:
    """Ports count what their VMs send and receive; tunnels are told by the other host."""
    chassis.vsctl(
        *("add-port", BRIDGE, "ovn-hv2-0", "--", "set", "Interface", "ovn-hv2-0", "type=geneve"),
        *("options:remote_ip=192.0.2.12", "options:key=flow", "--"),
        *("set", "Port", "ovn-hv2-0", "external_ids:ovn-chassis-id=hv2.example.com@192.0.2.12"),
    )
    before = machine.hook("after_get_stats", data={}).data["ovn"]["ports"]
    send(machine, "guest-vnet0", 50)
    # ovs-vswitchd writes statistics every five seconds; what a VM sends, Open vSwitch receives.
    counted = before[PORT1]["txPackets"] + 50
    chassis.vsctl("wait-until", "Interface", "vnet0", f"statistics:rx_packets>={counted}")
    outcome = machine.hook("after_get_stats", data=DATA["after_get_stats"])

    assert (0, "", 1) == (outcome.ours.status, outcome.ours.stderr, outcome.data["memFree"])
    ovn = outcome.data["ovn"]
    port = ovn["ports"][PORT1]
    assert port["txPackets"] - before[PORT1]["txPackets"] >= 50
    assert (VM1, "56:6f:00:00:00:01", "vnet0", "installed") == (
        port["vmId"],
        port["macAddr"],
        port["interface"],
        port["state"],
    )
    assert port["txBytes"] - before[PORT1]["txBytes"] >= 50 * 100
    assert "waiting" == ovn["ports"][PORT2]["state"]
    (tunnel,) = ovn["tunnels"]["hv2.example.com"]
    assert ("192.0.2.12", "ovn-hv2-0", 0) == (
        tunnel["remoteIp"],
        tunnel["interface"],
        tunnel["rxBytes"],
    )


@pytest.mark.parametrize("point", POINTS[2:])
def test_vm_statistics(machine: Machine, chassis: OpenVSwitch, point: str) -> None:
    """Where they are wanted, each VM has its own ports; others' statistics stay."""
    machine.write_settings("start=immediately", "vm-stats=yes")
    outcome = machine.hook(point, data=DATA[point])

    assert (0, "") == (outcome.ours.status, outcome.ours.stderr)
    found = {vm["vmId"]: list(vm.get("ovn", {}).get("ports", {})) for vm in outcome.data}
    expected = {VM1: [PORT1], VM2: [PORT2], "another": []}
    assert {vm["vmId"]: expected[vm["vmId"]] for vm in DATA[point]} == found


@pytest.mark.parametrize("point", POINTS[2:])
@pytest.mark.parametrize(
    "settings",
    [
        None,
        [],
        ["vm-stats=no"],
        ["vm-stats=yes", "vm-stats=no"],
        ["# vm-stats=yes"],
        ["wanted=yes"],
    ],
)
def test_vm_statistics_are_off(machine: Machine, point: str, settings: list[str] | None) -> None:
    """Unless a setting asks for them, statistics of VMs are as they were."""
    if settings is not None:
        machine.write_settings(*settings)
    outcome = machine.hook(point, data=DATA[point], vm_custom={"wanted": "yes"})

    assert as_it_was(point, outcome)
    assert "" == outcome.ours.stderr


def stopped(machine: Machine, switch: OpenVSwitch) -> None:
    switch.stop()


def killed(machine: Machine, switch: OpenVSwitch) -> None:
    switch.database.kill()


def forbidden(machine: Machine, switch: OpenVSwitch) -> None:
    machine.run("sh", "-c", "echo 'vdsm ALL=(root) !ALL' >/etc/sudoers.d/zz_forbidden")


def without_client(machine: Machine, switch: OpenVSwitch) -> None:
    machine.run("mv", "/usr/bin/ovsdb-client", "/usr/bin/ovsdb-client.kept")


def nonsense(machine: Machine, switch: OpenVSwitch) -> None:
    without_client(machine, switch)
    machine.path("/usr/bin/ovsdb-client").write_text("#!/bin/sh\necho '[]'\n")
    machine.path("/usr/bin/ovsdb-client").chmod(0o755)


@pytest.fixture
def mended(machine: Machine) -> Any:
    """Afterwards, what the accidents above have done is undone."""
    yield
    machine.run("rm", "-f", "/etc/sudoers.d/zz_forbidden")
    machine.run(
        *(
            "sh",
            "-c",
            "cd /usr/bin; [ ! -e ovsdb-client.kept ] || mv ovsdb-client.kept ovsdb-client",
        )
    )


@pytest.mark.parametrize(
    ("accident", "reason"),
    [
        (stopped, "No such file or directory"),
        (killed, "Connection refused"),
        (forbidden, "sudo: "),
        (without_client, "sudo: "),
        (nonsense, "unexpected KeyError"),
    ],
)
def test_without_an_answer(
    machine: Machine,
    chassis: OpenVSwitch,
    mended: None,
    accident: Callable[[Machine, OpenVSwitch], None],
    reason: str,
) -> None:
    """Whatever keeps the database from answering, capabilities and statistics do not fail."""
    machine.write_settings("vm-stats=yes")
    accident(machine, chassis)
    for point in POINTS:
        outcome = machine.hook(point, data=DATA[point])

        assert as_it_was(point, outcome)
        assert outcome.ours.stderr.startswith(f"ovn {point}: ")
        assert reason in outcome.ours.stderr
        assert 1 == outcome.ours.stderr.count("\n")


def test_a_database_that_hangs(machine: Machine, chassis: OpenVSwitch) -> None:
    """VDSM waits for its hooks without a limit, so they have one, whoever they run as."""
    chassis.database.signal(signal.SIGSTOP)
    started = time.monotonic()
    run = partial(machine.hook, "after_get_stats", data=DATA["after_get_stats"])
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda user: run(user=user), (0, VDSM)))
    elapsed_s = time.monotonic() - started

    for outcome in outcomes:
        assert as_it_was("after_get_stats", outcome)
        assert "database: /usr/bin/" in outcome.ours.stderr
        assert "no answer in time" in outcome.ours.stderr
    assert elapsed_s < 6


def test_a_sudo_that_hangs(machine: Machine, chassis: OpenVSwitch) -> None:
    """A name service that keeps sudo waiting keeps nobody else; and sudo keeps no pipe open."""
    with machine.replaced("/usr/bin/sudo", "sleep 30 & sleep 30"):
        started = time.monotonic()
        outcome = machine.hook("after_get_stats", data=DATA["after_get_stats"])
        elapsed_s = time.monotonic() - started

    assert as_it_was("after_get_stats", outcome)
    assert "/usr/bin/sudo: no answer within 4 seconds" in outcome.ours.stderr
    assert elapsed_s < 8


@pytest.mark.parametrize(
    ("point", "content", "reason"),
    [
        ("after_get_caps", "", "the data file is no JSON"),
        ("after_get_stats", '{"vmTypes": ', "the data file is no JSON"),
        ("after_get_stats", '{"vmTypes"', "the data file is no JSON"),
        ("after_get_stats", "[1]", "unexpected TypeError"),
        ("after_get_caps", '{"openstack_binding_host_ids": 7}', "unexpected TypeError"),
    ],
)
def test_a_bad_data_file(
    machine: Machine, chassis: OpenVSwitch, point: str, content: str, reason: str
) -> None:
    """Another hook's mistakes are left as they are, and not made worse."""
    machine.add_script(point, "10_breaker", f"printf '%s' '{content}' >\"$_hook_json\"")
    outcome = machine.hook(point, data={})

    assert (0, content) == (outcome.ours.status, outcome.left)
    assert outcome.ours.stderr.startswith(f"ovn {point}: {reason}")
    assert 1 == outcome.ours.stderr.count("\n")


def test_huge_capabilities(machine: Machine, chassis: OpenVSwitch) -> None:
    """Capabilities of many megabytes pass, whatever is in them."""
    caps = {
        "é \ud800 \x00": "\u2028",
        "big": 10**300,
        "small": -0.0,
        "nan": float("nan"),
        **{
            f"network{number}": {"mtu": "1500", "ports": ["x" * 100] * 20} for number in range(3000)
        },
    }
    outcome = machine.hook("after_get_caps", data=caps)

    assert (0, "") == (outcome.ours.status, outcome.ours.stderr)
    del outcome.data["ovn"], outcome.data["openstack_binding_host_ids"]
    assert json.dumps(caps) == json.dumps(outcome.data)


def test_many_ports(machine: Machine, chassis: OpenVSwitch) -> None:
    """A full host is read in one go: hundreds of ports are more than a pipe holds."""
    ports = []
    for number in range(300):
        port = f"dddddddd-0000-4000-8000-{number:012d}"
        name = f"tap{number}"
        ports += ["--", "add-port", BRIDGE, name, "--", "set", "Interface", name]
        ports += [f"external_ids:iface-id={port}", f"external_ids:vm-id={VM1}"]
    chassis.vsctl("--no-wait", *ports[1:])
    outcome = machine.hook("after_get_stats", data={})

    assert (0, "") == (outcome.ours.status, outcome.ours.stderr)
    assert 302 == len(outcome.data["ovn"]["ports"])


def test_no_secret_way_for_root(machine: Machine, chassis: OpenVSwitch) -> None:
    """The rules for sudo allow the two commands to the letter, and nothing near them."""
    listed = machine.run("sudo", "-n", "-l", "-U", "vdsm")
    read = [
        line.split("NOPASSWD: ")[1].replace("\\", "")
        for line in listed.splitlines()
        if "NOPASSWD" in line
    ]
    assert 2 == len(read)
    assert all(command.startswith("/usr/bin/ovsdb-client --timeout=") for command in read)
    query = read[0].split(" ", 3)
    allowed = ["sudo", "-n", *query]
    assert "hv1.example.com" in machine.run(*allowed, user=VDSM)
    for command in (
        [*allowed, "x"],
        [*allowed[:-1], allowed[-1].replace("select", "delete")],
        [*allowed[:-1], allowed[-1].replace('"where":[]', '"where":o')],
        [*allowed[:-2], "transact", allowed[-1]],
        ["sudo", "-n", query[0], "--timeout=9", *query[2:]],
        ["sudo", "-n", query[0], *query[2:]],
        ["sudo", "-n", query[0], query[1], f"--log-file={DB_SOCKET}", *query[2:]],
        ["sudo", "-n", "-u", "daemon", *query],
        ["sudo", "-n", "ovs-vsctl", "show"],
        ["sudo", "-n", "true"],
    ):
        with pytest.raises(AssertionError, match="sudo: a password is required"):
            machine.run(*command, user=VDSM)
