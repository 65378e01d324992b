# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planner that ends migrations: all for who goes back to another proxy, or stale ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..config import Config
from ..nb import keys
from ..nb.rows import SwitchPort
from ..nb.view import View
from ..wire.binding import ACTIVATION_STRATEGY, REQUESTED_CHASSIS
from ..wire.port import host_of, is_service_port
from .binding import plan_row, without_inactive
from .common import put
from .draft import Context, Draft, Plan


def find_open(view: View, config: Config) -> list[str]:
    """Return the ids of the ports that are not as they are without a migration."""
    return [port.name for port in view.ports() if _released(port, config) is not None]


def find_stale(view: View) -> list[str]:
    """Return the ids of the ports that wait for a migration though their VM does not run."""
    return [
        port.name
        for port in view.ports()
        if not port.up
        and (keys.INACTIVE_BINDINGS in port.external_ids or ACTIVATION_STRATEGY in port.options)
    ]


def plan_release(port_ids: Iterable[str], context: Context, view: View) -> Plan:
    """Plan ports as they are without a migration.

    The answer is a list of lines for people, one for each port that changes.
    """
    draft = Draft(view, context)
    lines = []
    for port_id in port_ids:
        port = view.port(port_id)
        wanted = _released(port, context.config) if port is not None else None
        if port is not None and wanted is not None:
            plan_row(draft, port, wanted)
            host = host_of(wanted) or "unknown"
            lines.append(
                f"port {port_id}: {_told(port)} before, {_told(wanted)} now; its host is {host}"
            )
    return draft.finish(lines)


def _released(port: SwitchPort, config: Config) -> SwitchPort | None:
    """Return the port as it is without a migration, None for one that is so already."""
    host = host_of(port)
    wanted = without_inactive(port, host, config)
    if is_service_port(port) or not port.difference(wanted):
        return None
    external_ids = dict(wanted.external_ids)
    put(external_ids, keys.HOST_ID, host, "")
    return wanted.copy(external_ids=external_ids)


def _told(port: SwitchPort) -> str:
    """Return what OVN is told of a port's chassis."""
    names = (REQUESTED_CHASSIS, ACTIVATION_STRATEGY)
    told = [f"{name}={port.options[name]}" for name in names if name in port.options]
    return " ".join(told) or "free"
