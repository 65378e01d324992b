# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of the ports of virtual machines on this host. Pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from .bindings import MOST_WAITING, Binding
from .facts import Facts, Problem
from .rows import ERROR, OK, UNKNOWN, WARNING, Row
from .switch import Vif

_MOST_ROWS = 10
# Before its machine is here, and from then until OVN is told: see docs/migration.md.
_MOMENT_S = 120
_REPLUG = "in the engine: unplug the vNIC, and plug it again"
_CONTROLLER_LOG = "tail /var/log/ovn/ovn-controller.log"


def ports(facts: Facts) -> Iterator[Row]:
    """Say which ports are plugged here and do not work, and why."""
    name = "ports"
    if isinstance(facts.switch, Problem):
        yield Row(name, UNKNOWN, "Open vSwitch cannot be seen")
        return
    bindings: dict[str, Binding] = {}
    if not isinstance(facts.southbound, Problem):
        bindings = {it.port: it for it in facts.southbound.bindings}
    vifs = facts.switch.vifs
    rows = [Row(name, *_why(facts, vif, bindings)) for vif in vifs if not vif.is_installed]
    count = Counter(vif.port for vif in vifs)
    rows += [
        Row(
            name,
            ERROR,
            f"{port} is plugged {times} times on this host: one of them works at most",
            f"ovs-vsctl find Interface external_ids:iface-id={shlex.quote(port)}",
        )
        for port, times in count.items()
        if times > 1
    ]
    rows += [
        Row(
            name,
            WARNING,
            f"Southbound has {it.port} here, but nothing is plugged for it",
            _CONTROLLER_LOG,
        )
        for it in bindings.values()
        if it.chassis == facts.system_id and not it.kind and it.port not in count
    ]
    yield from rows[:_MOST_ROWS]
    if len(rows) > _MOST_ROWS:
        state = ERROR if ERROR in {row.state for row in rows[_MOST_ROWS:]} else WARNING
        yield Row(name, state, f"and {len(rows) - _MOST_ROWS} more")
    if not rows:
        yield Row(name, OK, f"{len(vifs)} are plugged, and all are installed")


def _why(facts: Facts, vif: Vif, bindings: Mapping[str, Binding]) -> tuple[str, str, str]:
    """Return state, reason and what mends it for a port that is plugged and not installed."""
    what = f"{vif.port} ({vif.interface}) is not installed:"
    if vif.error or vif.ofport <= 0:
        reason = vif.error or "Open vSwitch has not opened its interface"
        return ERROR, f"{what} {reason}", "tail /var/log/openvswitch/ovs-vswitchd.log"
    if facts.controller != "connected":
        return WARNING, f"{what} see ovn-controller above", ""
    if isinstance(facts.southbound, Problem):
        return WARNING, f"{what} Southbound is not seen, see above", ""
    binding = bindings.get(vif.port)
    if binding is None:
        if len([it for it in facts.vifs if not it.is_installed]) > MOST_WAITING:
            return WARNING, f"{what} too many wait to ask for each", _CONTROLLER_LOG
        if vif.port != vif.port.lower():
            return ERROR, f"{what} OVN has names in lower case only", _REPLUG
        return (
            ERROR,
            f"{what} OVN has no such port; it was deleted, or never made",
            _REPLUG,
        )
    if binding.requested and not _is_named(facts, binding.requested):
        return (
            ERROR,
            f"{what} OVN wants it on {', '.join(binding.requested)} only",
            _release(vif.port),
        )
    if binding.chassis == facts.system_id:
        return (
            WARNING,
            f"{what} it is bound here, and ovn-controller is still at it",
            _CONTROLLER_LOG,
        )
    if binding.chassis:
        return (
            WARNING,
            f"{what} it is bound to {binding.chassis}, where it is plugged too",
            f"on {shlex.quote(binding.chassis)}: vdsm-tool ovn-status",
        )
    return WARNING, f"{what} ovn-controller has not bound it yet", _CONTROLLER_LOG


def migrations(facts: Facts) -> Iterator[Row]:
    """Say which ports are still announced on several hosts, though no migration runs."""
    name = "migrations"
    if isinstance(facts.southbound, Problem) or not facts.system_id:
        yield Row(name, UNKNOWN, "Southbound is not seen")
        return
    vifs = {vif.port: vif for vif in facts.vifs}
    rows = [
        _migration(name, facts, it, vifs.get(it.port))
        for it in facts.southbound.bindings
        if it.additional or len(it.requested) > 1
    ]
    yield from rows[:_MOST_ROWS]
    if len(rows) > _MOST_ROWS:
        yield Row(name, WARNING, f"and {len(rows) - _MOST_ROWS} more")
    if not rows:
        yield Row(name, OK, "no port of this host is on several chassis")


def _migration(name: str, facts: Facts, binding: Binding, vif: Vif | None) -> Row:
    hosts = binding.requested or [binding.chassis, *binding.additional]
    what = f"{binding.port} is announced on {', '.join(hosts)}"
    runs = facts.migrating.get(vif.vm_id) if vif is not None else None
    since_s = facts.announced.get(binding.port)
    if runs:
        return Row(name, OK, f"{what}, and its machine is being migrated")
    if since_s is not None and since_s < _MOMENT_S:
        return Row(name, OK, f"{what}, and its machine is to come here since {since_s:.0f} s")
    if vif is None:
        why = "it is not plugged here: a migration begins just now, or has failed"
    elif runs is None:
        why = "whether a migration runs cannot be seen"
    else:
        why = "no migration of its machine runs: a leftover"
    mend = _release(binding.port)
    if runs is None:
        mend = f"if none runs, {mend}"
    return Row(name, WARNING, f"{what}, but {why}", mend)


def _release(port: str) -> str:
    quoted = shlex.quote(port)
    return (
        f"on the central: ovn-nbctl remove Logical_Switch_Port {quoted} options "
        f"requested-chassis activation-strategy -- remove Logical_Switch_Port {quoted} "
        "external_ids ovirt_inactive_bindings"
    )


def _is_named(facts: Facts, requested: Sequence[str]) -> bool:
    return bool({facts.system_id, facts.host_name} & set(requested))
