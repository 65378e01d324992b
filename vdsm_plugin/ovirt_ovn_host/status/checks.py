# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables: which checks there are, in which order. Pure."""

from __future__ import annotations

from . import (
    checks_ports,
    checks_preflight,
    checks_southbound,
    checks_switch,
    checks_tls,
    checks_tunnels,
)
from .facts import Facts
from .rows import Row

STATUS = (
    checks_switch.privileges,
    checks_switch.settings,
    checks_switch.open_vswitch,
    checks_switch.bridge,
    checks_switch.controller,
    checks_southbound.southbound,
    checks_southbound.chassis,
    checks_southbound.other_chassis,
    checks_southbound.clock,
    checks_tls.files,
    checks_tls.certificate,
    checks_tunnels.tunnel,
    checks_tunnels.mtu,
    checks_tunnels.path_mtu,
    checks_tunnels.udp_port,
    checks_switch.ovn_configured,
    checks_ports.ports,
    checks_ports.migrations,
)
# Where nobody wants OVN.
_UNCONCERNED = (checks_switch.privileges, checks_switch.settings)
PREFLIGHT = (
    checks_switch.privileges,
    checks_preflight.settings,
    checks_preflight.packages,
    checks_preflight.central,
    checks_preflight.name,
    checks_southbound.other_chassis,
    checks_tls.files,
    checks_tls.certificate,
    checks_preflight.tunnel,
    checks_tunnels.mtu,
    checks_tunnels.path_mtu,
    checks_preflight.firewall,
)


def status(facts: Facts) -> list[Row]:
    """Return the table for a host as it is."""
    checks = STATUS if checks_switch.is_concerned(facts) else _UNCONCERNED
    return [row for check in checks for row in check(facts)]


def preflight(facts: Facts) -> list[Row]:
    """Return the table for a central and a tunnel that a host is to have."""
    return [row for check in PREFLIGHT for row in check(facts)]
