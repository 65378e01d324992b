# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of settings, Open vSwitch, ovn-controller, and what VDSM tells the engine. Pure."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator

from .. import chassis, config_values, services
from ..certificates import OWNER
from .facts import Facts, Problem
from .rows import ERROR, OK, UNKNOWN, WARNING, Row
from .switch import Switch

CONFIGURE = "vdsm-tool configure --module ovn"
ENROLL = "in the engine: Installation > Enroll Certificate"

# What lib/vdsm/network/ovn.py looks at.
VDSM_SERVICES = (services.CONTROLLER, "ovsdb-server", services.IPSEC)

_MOST_DIFFERENCES = 4


def problem(check: str, found: Problem, mend: str = "") -> Row:
    """Return the row of a check that cannot be made."""
    if found.is_hidden:
        return Row(check, UNKNOWN, found.text)
    return Row(check, ERROR, found.text, mend)


def is_concerned(facts: Facts) -> bool:
    """Say whether this host is in OVN, or is to be."""
    if isinstance(facts.outlook, Problem) or facts.outlook.wanted is not None:
        return True
    return isinstance(facts.switch, Problem) or bool(facts.switch.setting("ovn-remote"))


def privileges(facts: Facts) -> Iterator[Row]:
    """Say what this user could not see."""
    if not facts.is_root:
        yield Row(
            "privileges",
            WARNING,
            "not run by root: the local database, ovn-controller, the certificates' key and so "
            "Southbound may not be visible; such checks are unknown",
            "sudo vdsm-tool ovn-status",
        )


def settings(facts: Facts) -> Iterator[Row]:
    """Compare the host with its settings, or offer to make settings of what there is."""
    name = "settings"
    if isinstance(facts.outlook, Problem):
        yield problem(name, facts.outlook, CONFIGURE)
        return
    if facts.outlook.wanted is None:
        yield _not_wanted(name, facts)
        return
    differences = facts.outlook.changes
    if differences:
        shown = "; ".join(differences[:_MOST_DIFFERENCES])
        more = len(differences) - _MOST_DIFFERENCES
        yield Row(
            name,
            WARNING,
            f"to be changed: {shown}{f'; and {more} more' if more > 0 else ''}",
            CONFIGURE,
        )
    else:
        yield Row(name, OK, f"in force: {facts.outlook.summary}")
    assert facts.outlook.live is not None
    for key in chassis.overridden(facts.outlook.live):
        yield Row(
            name,
            WARNING,
            f"external_ids:{key} goes before the setting",
            f"ovs-vsctl remove Open_vSwitch . external_ids {shlex.quote(key)}",
        )


def _not_wanted(name: str, facts: Facts) -> Row:
    if isinstance(facts.switch, Problem):
        return Row(name, UNKNOWN, "there are none, and what is in force cannot be seen")
    if not facts.switch.setting("ovn-remote"):
        return Row(name, OK, "none want this host in OVN, and it is not")
    if not facts.is_enabled:
        return Row(
            name,
            WARNING,
            "enabled = no, but this host is in OVN",
            "vdsm-tool ovn-unconfigure",
        )
    return Row(
        name,
        WARNING,
        "this host is in OVN without settings, so nothing would notice or mend a change; what "
        "is in force can be adopted",
        _adopt(facts.switch),
    )


def _adopt(switch: Switch) -> str:
    """Return the command that makes settings of what is in force."""
    words = ["vdsm-tool", "ovn-config", switch.setting("ovn-remote")]
    words.append(next((ip for _, ip in switch.encaps), "TUNNEL"))
    # Else it is the host's full name.
    with contextlib.suppress(ValueError):
        words.append(config_values.system_id(switch.system_id))
    return " ".join(map(shlex.quote, words))


def open_vswitch(facts: Facts) -> Iterator[Row]:
    """Say whether both daemons of Open vSwitch do their work."""
    name = "open-vswitch"
    if isinstance(facts.switch, Problem):
        does_run = facts.services.get("ovsdb-server") is True
        yield problem(
            name, facts.switch, f"systemctl {'status' if does_run else 'start'} openvswitch"
        )
    elif isinstance(facts.vswitchd, Problem):
        text = f"ovs-vswitchd does not answer: {facts.vswitchd.text}"
        found = facts.vswitchd if facts.vswitchd.is_hidden else Problem(text)
        yield problem(name, found, "systemctl status ovs-vswitchd")
    elif facts.switch.is_behind:
        yield Row(
            name,
            WARNING,
            "ovs-vswitchd has not done yet what its database says",
            "journalctl -u ovs-vswitchd",
        )
    else:
        yield Row(name, OK, f"Open vSwitch {facts.switch.version} runs")


def bridge(facts: Facts) -> Iterator[Row]:
    """Say whether there is an integration bridge that is safe without a controller."""
    name = "bridge"
    if isinstance(facts.switch, Problem):
        return
    bridge = facts.switch.bridge
    set_mode = f"ovs-vsctl set-fail-mode {shlex.quote(bridge)} secure"
    if facts.switch.fail_mode is None:
        yield Row(
            name,
            ERROR,
            f"there is no bridge {bridge}: no virtual machine with a network of OVN starts",
            f"ovs-vsctl --may-exist add-br {shlex.quote(bridge)} && {set_mode}",
        )
    elif facts.switch.fail_mode != "secure":
        yield Row(
            name,
            WARNING,
            f"{bridge} forwards like any switch while nothing controls it (fail-mode is not "
            "secure)",
            set_mode,
        )
    else:
        yield Row(name, OK, f"{bridge}, fail-mode secure")


def controller(facts: Facts) -> Iterator[Row]:
    """Say whether ovn-controller runs and has a session with Southbound."""
    name = "ovn-controller"
    runs = facts.services.get(services.CONTROLLER, True)
    if runs is False:
        yield Row(name, ERROR, "it does not run", "systemctl enable --now ovn-controller")
    elif isinstance(facts.controller, Problem):
        yield problem(name, facts.controller, "systemctl status ovn-controller")
    elif facts.controller != "connected":
        yield Row(
            name,
            ERROR,
            f"it runs, and is {facts.controller} to Southbound",
            "tail /var/log/ovn/ovn-controller.log",
        )
    else:
        yield Row(name, OK, "it runs, and is connected to Southbound")


def ovn_configured(facts: Facts) -> Iterator[Row]:
    """Say whether VDSM tells the engine that OVN is configured.

    Nothing in the engine depends on it, so it is a warning at the most.
    """
    name = "ovn-configured"
    missing, mend = [], ""
    for service in VDSM_SERVICES:
        runs = facts.services.get(service, True)
        if isinstance(runs, Problem):
            yield Row(name, UNKNOWN, runs.text)
            return
        if not runs:
            missing.append(f"service {service} does not run")
            mend = mend or f"systemctl enable --now {service}"
    files = [*_files(facts)]
    if files:
        missing += files
        mend = mend or ENROLL
    if isinstance(facts.switch, Problem) or (
        isinstance(facts.vdsm_certificate, Problem) and facts.vdsm_certificate.is_hidden
    ):
        hidden = "what VDSM compares cannot be seen"
        yield Row(name, UNKNOWN, "; ".join([*missing, hidden]))
        return
    missing += _names(facts)
    if missing:
        yield Row(name, WARNING, f"the engine shows no: {'; '.join(missing)}", mend or ENROLL)
    else:
        yield Row(name, OK, "the engine shows yes")


def _files(facts: Facts) -> Iterator[str]:
    """Yield what VDSM would not have of the files, those of one owner together."""
    wrong: dict[str, list[str]] = {}
    for file in facts.vdsm_file_status:
        if file.problem:
            yield f"{file.path}: {file.problem}"
        elif (file.owner, file.group) != (OWNER, OWNER):
            wrong.setdefault(f"{file.owner}:{file.group}", []).append(file.path)
    for owner, paths in wrong.items():
        folder = os.path.dirname(paths[0])
        names = ", ".join(map(os.path.basename, paths))
        yield f"{names} in {folder} belong to {owner}, not to {OWNER}:{OWNER}"


def _names(facts: Facts) -> Iterator[str]:
    system_id = facts.system_id
    if isinstance(facts.vdsm_certificate, Problem):
        yield facts.vdsm_certificate.text
    elif system_id not in facts.vdsm_certificate.names:
        yield f"{system_id or 'nothing'}, the system-id, is not a name in the certificate"
    else:
        try:
            config_values.system_id(system_id)
        except ValueError as error:
            yield f"the system-id {system_id} should be {error}"
