# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What each hook imports: no more than it needs, for each import is paid for every time."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from daemon.host.machine import HOOKS, PYTHON, Machine, OpenVSwitch

pytestmark = pytest.mark.daemon

DATA = Path(__file__).resolve().parents[2] / "data" / "vdsm"
OVN = {
    "provider_type": "EXTERNAL_NETWORK",
    "plugin_type": "OVIRT_PROVIDER_OVN",
    "vnic_id": "aaaaaaaa-0000-4000-8000-000000000001",
}
OS = {"_collections_abc", "_stat", "genericpath", "os", "posixpath", "stat"}
ALWAYS = {"__future__", "hookio", "programs", "settings", *OS}
# `time` and `_json` may be in the interpreter already.
DATABASE = {"_json", "commands", "fastjson", "localdb", "select", "snapshot", "time"}
NETWORK_SETUP = {
    *("encap", "kernel", "links", "netchange", "netguard", "network_setup", "networks"),
    *("ovnfacts", "ovsdb", "rtnetlink", "value", "vdsmconf"),
    *("_operator", "_socket", "_struct", "operator", "struct"),
}
MIGRATION = {"bindings", "blackout", "listeners", "migration", "socket", "ssl", "threading", "vif"}
# Nothing that runs before vdsmd is in a hurry, but for what takes long even then.
HEAVY = {"asyncio", "http", "logging", "lxml", "ovs", "requests", "subprocess", "vdsm", "xml"}
# What those of the standard library import in their turn, on any Python from 3.9 to 3.13.
# Names that begin with "_" are parts of these.
IN_TURN = {
    *("abc", "array", "base64", "binascii", "collections", "contextlib", "copyreg", "enum"),
    *("calendar", "errno", "functools", "heapq"),
    *("itertools", "keyword", "math", "operator", "re", "reprlib", "selectors"),
    *("sre_compile", "sre_constants", "sre_parse", "types", "warnings"),
}


def imports(machine: Machine, *command: str) -> set[str]:
    """The modules that a Python of the machine imports, ours without their package."""
    done = subprocess.run(machine.command(*command), capture_output=True, text=True, timeout=60)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    names = {line.split("|")[2].strip().removeprefix("ovirt_ovn_host.") for line in lines[1:]}
    return names - {"ovirt_ovn_host"}


def imports_of_hook(machine: Machine, point: str, content: str, **variables: str) -> set[str]:
    """The modules that the hook of a point imports."""
    path = "/run/data"
    machine.path(path).write_text(content)
    guard = machine.path(f"{HOOKS}/{point}/50_ovn").read_text()
    start = re.search(rf"\S+ -I\S* \S+/hook\.py {point}", guard)
    assert start is not None
    python, *arguments = start[0].split()
    files = {"_hook_json": path, "_hook_domxml": path}
    environment = [f"{name}={value}" for name, value in {**variables, **files}.items()]
    started = imports(machine, python, arguments[0], "-X", "importtime", "-c", "pass")
    command = ["env", *environment, python, "-X", "importtime", *arguments]
    return imports(machine, *command) - started


REPORTS = ["after_get_caps", "after_get_stats", "after_get_vm_stats", "after_get_all_vm_stats"]
VNICS = ["before_device_create", "before_nic_hotplug", "before_update_device"]
NETWORKS = ["before_network_setup", "after_network_setup"]
MIGRATIONS = [
    "before_vm_migrate_source",
    "before_vm_migrate_destination",
    "after_vm_migrate_destination",
    "after_vm_destroy",
]


def test_all_hooks_are_here(machine: Machine) -> None:
    """Each hook that starts a Python is in one of the tests below."""
    hooks = {path.parent.name for path in machine.path(HOOKS).glob("*/50_ovn")}
    alone = ["after_vm_start", "before_vdsm_start"]
    without = ["before_device_migrate_source", "before_device_migrate_destination"]

    assert {*REPORTS, *VNICS, *NETWORKS, *MIGRATIONS, *alone, *without} == hooks


@pytest.mark.parametrize("point", REPORTS)
def test_reports(machine: Machine, switch: OpenVSwitch, point: str) -> None:
    """Reading a file and the database, and writing the file, needs this and no more."""
    kind = "caps" if point == "after_get_caps" else "stats"
    content = "[{}]" if "vm_stats" in point else "{}"
    found = imports_of_hook(machine, point, content)

    assert kind in found
    assert found <= {*ALWAYS, *DATABASE, kind}


@pytest.mark.parametrize("point", VNICS)
def test_vnics(machine: Machine, bridge: str, point: str) -> None:
    """Beside lxml, and what that needs, hardly anything."""
    content = (DATA / "nic-create.xml").read_text()
    found = imports_of_hook(machine, point, content, **OVN)
    lxml = imports(machine, PYTHON, "-I", "-X", "importtime", "-c", "import lxml.etree")

    assert {"lxml.etree", "vif"} <= found
    assert found - lxml <= {*ALWAYS, "vif"}
    assert {"inspect", "json", "logging", "subprocess"}.isdisjoint(found)


def test_vnics_that_wait(machine: Machine, bridge: str) -> None:
    """To have a VM wait for its ports, the database is not needed yet."""
    machine.write_settings("start=when-ports-installed")
    content = (DATA / "nic-create.xml").read_text()
    found = imports_of_hook(machine, "before_device_create", content, **OVN)

    assert "start" in found
    assert {*DATABASE, "vdsm"}.isdisjoint(found - {"time"})


def test_a_vm_that_has_waited(machine: Machine, switch: OpenVSwitch) -> None:
    """To have it resumed takes its XML, the database and, in the end, VDSM's client."""
    content = (DATA / "domain.xml").read_text()
    machine.write_settings("start-timeout=1")
    found = imports_of_hook(machine, "after_vm_start", content, vmId="no-vm")
    lxml = imports(machine, PYTHON, "-I", "-X", "importtime", "-c", "import lxml.etree")

    assert {"lxml.etree", "localdb", "start", "vif"} <= found
    assert found - lxml <= {*ALWAYS, *DATABASE, "start", "vdsm", "vif"}


@pytest.mark.parametrize("point", NETWORKS)
def test_network_setup(machine: Machine, switch: OpenVSwitch, point: str) -> None:
    """Hardly anything but our own small modules: not even `socket` and `typing`."""
    switch.set_chassis(ovn_remote="ssl:192.0.2.1:6642", ovn_encap_ip="192.0.2.11")
    machine.write_settings("tunnel-network=tunnel")
    found = imports_of_hook(machine, point, '{"request": {"networks": {"a": {}}}}')

    assert "network_setup" in found
    assert found <= {*ALWAYS, *DATABASE, *NETWORK_SETUP}


def test_the_start_of_vdsmd(machine: Machine) -> None:
    """The whole configurator is needed, but not what is slow to import."""
    found = imports_of_hook(machine, "before_vdsm_start", "")

    assert "configure" in found
    assert HEAVY.isdisjoint(name.partition(".")[0] for name in found)


@pytest.mark.parametrize("point", MIGRATIONS)
def test_migrations(machine: Machine, point: str) -> None:
    """TLS and a thread, once for each migration; but no http, no email, no logging."""
    vm_id = "bbbbbbbb-0000-4000-8000-000000000001"
    machine.run("mkdir", "-p", "/run/vdsm/ovn-migrations")
    machine.path(f"/run/vdsm/ovn-migrations/{vm_id}").write_text('{"ports": {"a": {}}}')
    machine.write_settings("migration-wait=0")
    found = imports_of_hook(machine, point, (DATA / "domain.xml").read_text(), vmId=vm_id)
    lxml = imports(machine, PYTHON, "-I", "-X", "importtime", "-c", "import lxml.etree")

    assert "migration" in found
    public = {name for name in found - lxml if name[0] != "_"}
    public = {name for name in public if name.partition(".")[0] not in IN_TURN}
    assert public <= {*ALWAYS, *DATABASE, *MIGRATION}
    assert ("lxml.etree" in found) == point.startswith("before")
