# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""VMs that wait for their ports: from before_device_create to after_vm_start.

VDSM's client is a small stand-in that writes down what it is told.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.host.machine import DB_SOCKET, LIBRARY, VDSM, Machine, OpenVSwitch, Outcome
from daemon.ovsdb import OvsdbServer, wait_until

pytestmark = pytest.mark.daemon

DATA = Path(__file__).resolve().parents[2] / "data" / "vdsm"
NIC = (DATA / "nic-create.xml").read_text()
HOSTDEV = (DATA / "nic-hostdev.xml").read_text()
DOMAIN = (DATA / "domain.xml").read_text()
VM = "bbbbbbbb-0000-4000-8000-000000000001"
PORT1 = "aaaaaaaa-0000-4000-8000-000000000001"
PORT2 = "aaaaaaaa-0000-4000-8000-000000000004"
OVN = {"provider_type": "EXTERNAL_NETWORK", "plugin_type": "OVIRT_PROVIDER_OVN", "vnic_id": PORT1}

FAKE_CLIENT = """
import json

class Client:
    def __init__(self, **arguments):
        self.VM = self
        self.write("connect", arguments)
    def cont(self, **arguments):
        self.write("cont", arguments)
        if arguments["vmID"].startswith("f"):
            raise RuntimeError("VM.cont failed (code=1): no such VM")
    def close(self):
        self.write("close", {})
    def write(self, *call):
        with open("/run/vdsm/calls", "a") as file:
            file.write(json.dumps(call) + "\\n")

def connect(host, **arguments):
    return Client(host=host, **arguments)
"""
FAKE_CONFIG = """
class config:
    getboolean = staticmethod(lambda section, key: {("vars", "ssl"): True}[section, key])
"""


class Vdsm:
    """The part of VDSM that starts a VM."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.folder = machine.path(f"/run/vdsm/{VM}")
        self.flags = self.folder / "launchflags"

    def dump_flags(self, flags: int) -> None:
        """Begin: write the launch flags, as VDSM's user."""
        script = f"mkdir -p /run/vdsm/{VM}; printf {flags} >/run/vdsm/{VM}/launchflags"
        self.machine.run("sh", "-c", script, user=VDSM)

    def create_vnic(self, custom: Mapping[str, str] = OVN, xml: str = NIC) -> Outcome:
        """Go on: build the XML of a vNIC."""
        return self.machine.hook("before_device_create", xml=xml, custom=custom, vm_id=VM)

    def load_flags(self) -> int:
        """Go on: read the flags that libvirt gets."""
        with self.flags.open() as file:
            return int(file.readline())

    def started(self, vm_id: str = VM, domain: str = DOMAIN) -> Outcome:
        """End: the VM is there."""
        return self.machine.hook("after_vm_start", xml=domain, vm_id=vm_id)

    @property
    def calls(self) -> list[str]:
        """What its client was told."""
        path = self.machine.path("/run/vdsm/calls")
        return path.read_text().splitlines() if path.exists() else []


RESUMED = [
    '["connect", {"host": "localhost", "use_tls": true}]',
    f'["cont", {{"vmID": "{VM}"}}]',
    '["close", {}]',
]


@pytest.fixture(scope="module")
def vdsm_library(only_machine: Machine) -> Iterator[None]:
    """The stand-in, where VDSM's own modules would be."""
    folder = only_machine.path(f"{LIBRARY}/vdsm")
    folder.mkdir()
    for name, text in (("__init__", ""), ("client", FAKE_CLIENT), ("config", FAKE_CONFIG)):
        (folder / f"{name}.py").write_text(text)
    yield
    only_machine.run("rm", "-r", f"{LIBRARY}/vdsm")


@pytest.fixture
def vdsm(machine: Machine, vdsm_library: None) -> Vdsm:
    """VDSM on a host whose VMs wait for their ports."""
    machine.write_settings("start=when-ports-installed")
    return Vdsm(machine)


@pytest.fixture
def chassis(switch: OpenVSwitch) -> OpenVSwitch:
    """A host with the two ports of the VM, neither of them installed."""
    switch.plug("vnet0", PORT1, VM, "56:6f:00:00:00:01")
    switch.plug("vnet3", PORT2, VM, "56:6f:00:00:00:04")
    return switch


def test_vms_do_not_wait_by_default(machine: Machine, bridge: str, vdsm: Vdsm) -> None:
    """Without the setting the launch flags are as they were, and nobody resumes anything."""
    machine.write_settings()
    vdsm.dump_flags(0)
    outcome = vdsm.create_vnic()

    assert 0 == outcome.ours.status
    assert "0" == vdsm.flags.read_text()
    assert ("", []) == (vdsm.started().ours.stderr, vdsm.calls)


def test_a_vm_with_its_user_paused_stays_paused(bridge: str, vdsm: Vdsm) -> None:
    """Whoever starts a VM paused resumes it."""
    vdsm.dump_flags(1)
    vdsm.create_vnic()

    assert "1" == vdsm.flags.read_text()
    assert ("", []) == (vdsm.started().ours.stderr, vdsm.calls)


def test_a_mark_cannot_be_left_behind(bridge: str, vdsm: Vdsm) -> None:
    """A start that fails leaves nothing that would resume the VM when it is started paused."""
    vdsm.dump_flags(0)
    vdsm.create_vnic()
    assert 1 == vdsm.load_flags()
    assert ["launchflags"] == [path.name for path in vdsm.folder.iterdir()]
    vdsm.flags.unlink()

    vdsm.dump_flags(1)
    vdsm.create_vnic()

    assert ("", []) == (vdsm.started().ours.stderr, vdsm.calls)


def test_a_vm_from_memory(bridge: str, vdsm: Vdsm) -> None:
    """VMs that are resumed from memory go through the same hooks, which leave nothing."""
    outcome = vdsm.create_vnic()

    assert 0 == outcome.ours.status
    assert not vdsm.folder.exists()


@pytest.mark.parametrize(
    ("custom", "xml"),
    [
        ({}, NIC),
        ({**OVN, "plugin_type": "OPEN_VSWITCH"}, NIC),
        ({**OVN, "vnic_id": "no port"}, NIC),
        (OVN, HOSTDEV),
    ],
    ids=["nobody's", "another's", "without-port", "hostdev"],
)
def test_vms_without_ports_do_not_wait(
    bridge: str, vdsm: Vdsm, custom: dict[str, str], xml: str
) -> None:
    """Only a vNIC that is connected to OVN pauses its VM."""
    vdsm.dump_flags(0)
    vdsm.create_vnic(custom, xml)

    assert "0" == vdsm.flags.read_text()


def test_flags_that_cannot_be_written(machine: Machine, bridge: str, vdsm: Vdsm) -> None:
    """A VM whose flags cannot be changed starts at once, with a word."""
    vdsm.dump_flags(0)
    machine.run("chmod", "555", f"/run/vdsm/{VM}")
    outcome = vdsm.create_vnic()

    assert (0, None, "0") == (outcome.ours.status, outcome.error, vdsm.flags.read_text())
    assert "the VM does not wait for its ports: [Errno 13]" in outcome.ours.stderr


def paused(vdsm: Vdsm) -> None:
    """Go through the first half of a start, for both vNICs."""
    vdsm.dump_flags(0)
    for port_id in (PORT1, PORT2):
        outcome = vdsm.create_vnic({**OVN, "vnic_id": port_id})
        assert (0, None) == (outcome.ours.status, outcome.error)
    assert 1 == vdsm.load_flags()


def when_started(vdsm: Vdsm, then: Callable[[Future[Outcome]], None]) -> Outcome:
    """Run the second half of a start, and something else while that waits."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(vdsm.started)
        then(future)
        return future.result(30)


@pytest.mark.parametrize("access", ["sudo", "socket"])
def test_a_vm_runs_as_soon_as_its_ports_do(
    machine: Machine, chassis: OpenVSwitch, vdsm: Vdsm, access: str
) -> None:
    """It is resumed when the last of its ports is installed: neither earlier nor much later."""
    if access == "socket":
        machine.run("chmod", "777", DB_SOCKET)
    machine.write_settings("start=when-ports-installed", "start-timeout=20")
    paused(vdsm)
    installed = 0.0

    def then(future: Future[Outcome]) -> None:
        nonlocal installed
        for name, is_installed in (("vnet0", True), ("vnet0", False), ("vnet3", True)):
            time.sleep(0.2)
            chassis.install(name, is_installed)
        time.sleep(0.4)
        assert not future.done()
        assert [] == vdsm.calls
        installed = time.monotonic()
        chassis.install("vnet0")

    outcome = when_started(vdsm, then)
    late_s = time.monotonic() - installed

    assert (0, "") == (outcome.ours.status, outcome.ours.stderr)
    assert RESUMED == vdsm.calls
    assert late_s < 3


def test_ports_that_are_installed_already(chassis: OpenVSwitch, vdsm: Vdsm) -> None:
    """A VM whose ports work before it is asked for does not wait."""
    paused(vdsm)
    for name in ("vnet0", "vnet3"):
        chassis.install(name)
    outcome = vdsm.started()

    assert (0, "") == (outcome.ours.status, outcome.ours.stderr)
    assert RESUMED == vdsm.calls


def test_time_out(machine: Machine, chassis: OpenVSwitch, vdsm: Vdsm) -> None:
    """After its time a VM runs anyway, with a warning that names the port."""
    machine.write_settings("start=when-ports-installed", "start-timeout=1")
    paused(vdsm)
    chassis.install("vnet0")
    started = time.monotonic()
    outcome = vdsm.started()
    elapsed_s = time.monotonic() - started

    assert 0 == outcome.ours.status
    assert RESUMED == vdsm.calls
    assert (
        f"ovn after_vm_start: VM {VM} runs before its ports are known to work: "
        f"{PORT2}: not installed within 1 seconds\n"
    ) == outcome.ours.stderr
    assert 1 <= elapsed_s < 5


def no_database(machine: Machine, chassis: OpenVSwitch) -> None:
    chassis.stop()


def no_client(machine: Machine, chassis: OpenVSwitch) -> None:
    machine.add_script("after_vm_start", "10_breaker", 'printf "<domain" >"$_hook_domxml"')


@pytest.mark.parametrize(
    ("accident", "reason"),
    [(no_database, "Open_vSwitch database: "), (no_client, "VifError: the device is no XML")],
)
def test_a_vm_runs_whatever_happens(
    machine: Machine,
    chassis: OpenVSwitch,
    vdsm: Vdsm,
    accident: Callable[[Machine, OpenVSwitch], None],
    reason: str,
) -> None:
    """Nobody else would resume the VM, so the hook does, with a warning."""
    paused(vdsm)
    accident(machine, chassis)
    outcome = vdsm.started()

    assert 0 == outcome.ours.status
    assert RESUMED == vdsm.calls
    assert reason in outcome.ours.stderr
    assert 1 == outcome.ours.stderr.count("\n")


def test_vdsm_does_not_resume_it(machine: Machine, bridge: str, vdsm: Vdsm) -> None:
    """If VDSM refuses, the line says what to do."""
    vm_id = "f" + VM[1:]
    vdsm.dump_flags(0)
    vdsm.create_vnic()
    machine.run("cp", "-a", f"/run/vdsm/{VM}", f"/run/vdsm/{vm_id}")
    outcome = vdsm.started(vm_id, "<domain/>")

    assert 1 == outcome.ours.status
    assert (
        f"ovn after_vm_start: VM {vm_id} is still paused, resume it in the engine: "
        "VM.cont failed (code=1): no such VM\n"
    ) == outcome.ours.stderr
    assert '["close", {}]' == vdsm.calls[-1]


def test_with_ovn_controller(
    central: Mapping[str, OvsdbServer], machine: Machine, switch: OpenVSwitch, vdsm: Vdsm
) -> None:
    """A real ovn-controller installs the ports, and the hook sees it at once."""

    def nbctl(*command: str) -> None:
        subprocess.run(
            ["ovn-nbctl", f"--db={central['nb'].remote}", *command], check=True, timeout=20
        )

    switch.set_chassis(
        system_id="hv1.example.com",
        ovn_remote=central["sb"].remote,
        ovn_encap_type="geneve",
        ovn_encap_ip="127.0.0.1",
    )
    controller = switch.daemon("ovn-controller", f"unix:{DB_SOCKET}")
    controller.start()
    try:
        nbctl("ls-add", "net", "--", "lsp-add", "net", PORT1, "--", "lsp-add", "net", PORT2)
        paused(vdsm)
        switch.plug("vnet0", PORT1, VM, "56:6f:00:00:00:01")
        switch.plug("vnet3", PORT2, VM, "56:6f:00:00:00:04")
        outcome = vdsm.started()

        assert (0, "") == (outcome.ours.status, outcome.ours.stderr)
        assert RESUMED == vdsm.calls
        ports = machine.hook("after_get_stats", data={}).data["ovn"]["ports"]
        assert {PORT1: "installed", PORT2: "installed"} == {
            port_id: port["state"] for port_id, port in ports.items()
        }
        nbctl("lsp-del", PORT2)

        def states() -> set[str]:
            found = machine.hook("after_get_stats", data={}).data["ovn"]["ports"]
            return {port["state"] for port in found.values()}

        wait_until(lambda: states() == {"installed", "waiting"}, what="a port is not OVN's")
    finally:
        controller.stop()
