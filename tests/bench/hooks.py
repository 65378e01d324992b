# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What VDSM's hooks cost: CPU time with all children, against a Python that does nothing.

They are installed on a hypervisor in namespaces (daemon.host.machine), with an
interpreter that has nothing but lxml beside the standard library, and run there as root,
who may open the database's socket, and as VDSM's user, through sudo.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.figures import HOOK_NOT_OURS, HOOK_READ, HOOK_REWRITE, Bar, Report, median
from bench.raw import CheckError
from daemon.host.machine import HOOKS, PYTHON, VDSM, Machine, open_vswitch

PORTS = 20
_ROUNDS = 40
_QUICK_ROUNDS = 5

_PROGRAM = Path(__file__).with_name("hook_rounds.py").read_text()
_DATA = Path(__file__).resolve().parents[1] / "data" / "vdsm"
_PORT = "aaaaaaaa-0000-4000-8000-{:012d}"
_VM = "bbbbbbbb-0000-4000-8000-000000000001"
_OVN = {
    "provider_type": "EXTERNAL_NETWORK",
    "plugin_type": "OVIRT_PROVIDER_OVN",
    "vnic_id": _PORT.format(1),
}
_NOTHING = "python3 -c pass"
# Figure, point, environment, what must be in the data at the end, bar.
_HOOKS: tuple[tuple[str, str, Mapping[str, str], str, Bar], ...] = (
    ("a vNIC of others", "before_device_create", {"provider_type": "OTHER"}, "", HOOK_NOT_OURS),
    ("a VM that does not wait", "after_vm_start", {"vmId": _VM}, "", HOOK_NOT_OURS),
    ("a VM of others leaves", "before_vm_migrate_source", {"vmId": _VM}, "", HOOK_NOT_OURS),
    ("a VM of others comes", "before_vm_migrate_destination", {"vmId": _VM}, "", HOOK_NOT_OURS),
    ("a VM of others came", "after_vm_migrate_destination", {"vmId": _VM}, "", HOOK_NOT_OURS),
    ("a VM of others ends", "after_vm_destroy", {"vmId": _VM}, "", HOOK_NOT_OURS),
    ("statistics of VMs, off", "after_get_all_vm_stats", {}, "", HOOK_NOT_OURS),
    ("a vNIC of OVN", "before_device_create", _OVN, "openvswitch", HOOK_REWRITE),
    ("statistics of the host", "after_get_stats", {}, "vnet1", HOOK_READ),
    ("capabilities of the host", "after_get_caps", {}, "hv1.example.com", HOOK_READ),
)


def measure_hooks(report: Report, is_quick: bool) -> None:
    """Add the figures of all hooks; needs root."""
    machine = Machine()
    try:
        with open_vswitch(machine) as switch:
            switch.set_chassis(system_id="hv1.example.com", ovn_remote="ssl:192.0.2.1:6642")
            for number in range(PORTS):
                mac = f"56:6f:00:00:00:{number:02x}"
                switch.plug(f"vnet{number}", _PORT.format(number), _VM, mac)
                switch.install(f"vnet{number}")
            rounds = _QUICK_ROUNDS if is_quick else _ROUNDS
            for user, way in ((0, "root"), (VDSM, "vdsm, by sudo")):
                _measure(report, machine, user, way, rounds)
    finally:
        machine.stop()


def _measure(report: Report, machine: Machine, user: int, way: str, rounds: int) -> None:
    commands: dict[str, Any] = {_NOTHING: _command([PYTHON, "-c", "pass"], {}, "")}
    for name, point, environment, expected, _ in _HOOKS:
        commands[name] = _command([f"{HOOKS}/{point}/50_ovn"], environment, expected)
    asked = json.dumps({"rounds": rounds, "commands": commands})
    try:
        results = json.loads(machine.run(PYTHON, "-c", _PROGRAM, user=user, text=asked))
    except AssertionError as error:
        raise CheckError(str(error)) from error
    floor = median(results[_NOTHING])
    for name, _, _, _, bar in _HOOKS:
        report.add(PORTS, f"hook, {name} ({way})", "ms", median(results[name]), floor, bar)


def _command(argv: list[str], environment: Mapping[str, str], expected: str) -> dict[str, Any]:
    is_xml = "vnic_id" in environment or "vmId" in environment
    xml = (_DATA / ("nic-create.xml" if "vnic_id" in environment else "domain.xml")).read_text()
    return {
        "argv": argv,
        "environment": {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF8", **environment},
        "variable": "_hook_domxml" if is_xml else "_hook_json",
        # A VM without ports of Open vSwitch: those that have them do not end in the guard.
        "content": xml.replace("openvswitch", "802.1Qbh") if is_xml else "{}",
        "expected": expected,
    }
