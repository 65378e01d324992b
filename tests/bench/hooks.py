# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What VDSM's hooks cost: CPU time with all children, against a Python that does nothing.

They are installed on a hypervisor in namespaces (daemon.host.machine), with an
interpreter that has nothing but lxml beside the standard library, and run there as root,
who may open the database's socket, and as VDSM's user, through sudo.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import HOOK_NOT_OURS, HOOK_READ, HOOK_REWRITE, Bar, Report, median
from bench.raw import CheckError
from daemon.host.machine import HOOKS, PYTHON, VDSM, Machine, open_vswitch
from daemon.host.network_host import NetworkHost
from unit.host.hosts import net

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
# The most work that a guard has with another's vNIC.
_OTHER = {**_OVN, "plugin_type": "OTHER"}
_NOTHING = "python3 -c pass"
_REQUEST = json.dumps({"request": {"networks": {"tunnel": {"remove": True}}}})
_ADDRESS = "192.0.2.11"


class _Hook(NamedTuple):
    """A hook, and what it is given; `expected` must be in the data at the end.

    `json` is for those whose data is no XML; `status` is the exit status.
    """

    figure: str
    point: str
    bar: Bar
    environment: Mapping[str, str] = {}
    json: str = "{}"
    expected: str = ""
    status: int = 0


_NOT_OURS = (
    _Hook("a vNIC of others", "before_device_create", HOOK_NOT_OURS, _OTHER),
    _Hook("a VM that does not wait", "after_vm_start", HOOK_NOT_OURS, {"vmId": _VM}),
    _Hook("a vNIC of others leaves", "before_device_migrate_source", HOOK_NOT_OURS, _OTHER),
    _Hook("a vNIC of others comes", "before_device_migrate_destination", HOOK_NOT_OURS, _OTHER),
    _Hook("a VM of others leaves", "before_vm_migrate_source", HOOK_NOT_OURS, {"vmId": _VM}),
    _Hook("a VM of others comes", "before_vm_migrate_destination", HOOK_NOT_OURS, {"vmId": _VM}),
    _Hook("a VM of others came", "after_vm_migrate_destination", HOOK_NOT_OURS, {"vmId": _VM}),
    _Hook("a VM of others ends", "after_vm_destroy", HOOK_NOT_OURS, {"vmId": _VM}),
    _Hook("statistics of VMs, off", "after_get_all_vm_stats", HOOK_NOT_OURS, json="[]"),
    _Hook("a tunnel by address", "after_network_setup", HOOK_NOT_OURS, json=_REQUEST),
)
# With these settings all hooks have something to do.
_SETTINGS = ("vm-stats=yes", "tunnel-network=tunnel")
_OURS = (
    _Hook("a vNIC of OVN", "before_device_create", HOOK_REWRITE, _OVN, expected="openvswitch"),
    _Hook("statistics of the host", "after_get_stats", HOOK_READ, expected="vnet1"),
    _Hook(
        *("statistics of VMs", "after_get_all_vm_stats", HOOK_READ),
        json=f'[{{"vmId": "{_VM}"}}]',
        expected="vnet1",
    ),
    _Hook("capabilities of the host", "after_get_caps", HOOK_READ, expected="hv1.example.com"),
)
# VDSM changes networks as root.
_OURS_AS_ROOT = (
    _Hook("networks refused", "before_network_setup", HOOK_READ, json=_REQUEST, status=2),
    _Hook("networks changed", "after_network_setup", HOOK_READ, json=_REQUEST),
)


def measure_hooks(report: Report, is_quick: bool) -> None:
    """Add the figures of all hooks; needs root."""
    machine = Machine()
    try:
        with open_vswitch(machine) as switch:
            switch.set_chassis(
                system_id="hv1.example.com",
                ovn_remote="ssl:192.0.2.1:6642",
                ovn_encap_ip=_ADDRESS,
            )
            for number in range(PORTS):
                mac = f"56:6f:00:00:00:{number:02x}"
                switch.plug(f"vnet{number}", _PORT.format(number), _VM, mac)
                switch.install(f"vnet{number}")
            host = NetworkHost(machine, switch.database)
            host.add_nic("eth0", _ADDRESS)
            host.have_networks({"tunnel": net(nic="eth0", ip=_ADDRESS, bridged=False)})
            rounds = _QUICK_ROUNDS if is_quick else _ROUNDS
            for user, way in ((0, "root"), (VDSM, "vdsm, by sudo")):
                machine.clean()
                _measure(report, machine, user, way, rounds, _NOT_OURS)
                machine.write_settings(*_SETTINGS)
                hooks = _OURS if user else _OURS + _OURS_AS_ROOT
                _measure(report, machine, user, way, rounds, hooks)
    finally:
        machine.stop()


def _measure(
    report: Report, machine: Machine, user: int, way: str, rounds: int, hooks: Sequence[_Hook]
) -> None:
    commands = {_NOTHING: _command([PYTHON, "-c", "pass"], _Hook("", "", HOOK_READ))}
    for hook in hooks:
        commands[hook.figure] = _command([f"{HOOKS}/{hook.point}/50_ovn"], hook)
    asked = json.dumps({"rounds": rounds, "commands": commands})
    try:
        results = json.loads(machine.run(PYTHON, "-c", _PROGRAM, user=user, text=asked))
    except AssertionError as error:
        raise CheckError(str(error)) from error
    floor = median(results[_NOTHING])
    for hook in hooks:
        name = f"hook, {hook.figure} ({way})"
        report.add(PORTS, name, "ms", median(results[hook.figure]), floor, hook.bar)


def _command(argv: list[str], hook: _Hook) -> dict[str, Any]:
    is_vnic = "vnic_id" in hook.environment
    is_xml = is_vnic or "vmId" in hook.environment
    xml = (_DATA / ("nic-create.xml" if is_vnic else "domain.xml")).read_text()
    return {
        "argv": argv,
        "environment": {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF8", **hook.environment},
        "variable": "_hook_domxml" if is_xml else "_hook_json",
        "content": xml if is_xml else hook.json,
        "expected": hook.expected,
        "status": hook.status,
    }
