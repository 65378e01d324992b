# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hooks' settings. Pure; imported by hooks, so without other modules.

They are in a file with one `key=value` to a line, which the configurator leaves for the
hooks. Without the file, or a key in it, the defaults hold.
"""

from __future__ import annotations

PATH = "/run/ovirt-provider-ovn-driver/hooks"

BRIDGE = "bridge"
START = "start"
START_TIMEOUT_S = "start-timeout"
# Read by the shell guards of the hooks in question; listed here to be known.
VM_STATS = "vm-stats"
# The VDSM network whose address is OVN's tunnel address; "" if the tunnel was given by
# address. The guard of after_network_setup reads it too.
TUNNEL_NETWORK = "tunnel-network"
# Where live migrations are announced; "" if that follows from the central.
BINDINGS_URL = "bindings-url"
MIGRATION_WAIT_S = "migration-wait"

IMMEDIATELY = "immediately"
WHEN_PORTS_INSTALLED = "when-ports-installed"

DEFAULTS = {
    BRIDGE: "br-int",
    START: IMMEDIATELY,
    START_TIMEOUT_S: "5",
    VM_STATS: "no",
    TUNNEL_NETWORK: "",
    BINDINGS_URL: "",
    MIGRATION_WAIT_S: "20",
}
# A VM that waits keeps one of the four places that the whole host has for starting VMs.
MAX_START_TIMEOUT_S = 30
MAX_MIGRATION_WAIT_S = 60
# IFNAMSIZ of Linux, without the 0 at the end.
_MAX_NAME = 15


def parse(text: str) -> tuple[dict[str, str], list[str]]:
    """Return all settings, and a complaint for each line that does not count.

    Keys that are not known are no reason to complain: a newer configurator may have them.
    """
    settings = dict(DEFAULTS)
    complaints = []
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key not in DEFAULTS:
            continue
        if _is_valid(key, value):
            settings[key] = value
        else:
            default = DEFAULTS[key] or "none"
            complaints.append(f"{PATH}: {key}={value[:40]} is not valid, {default} holds")
    return settings, complaints


def _is_valid(key: str, value: str) -> bool:
    if key in (BRIDGE, TUNNEL_NETWORK) and any(c in "/ \t" for c in value):
        return False
    if key == BRIDGE:
        return 0 < len(value) <= _MAX_NAME
    if key in (TUNNEL_NETWORK, BINDINGS_URL):
        return True
    if key == START:
        return value in (IMMEDIATELY, WHEN_PORTS_INSTALLED)
    if key == START_TIMEOUT_S:
        return _is_between(1, value, MAX_START_TIMEOUT_S)
    if key == MIGRATION_WAIT_S:
        return _is_between(0, value, MAX_MIGRATION_WAIT_S)
    return value in ("yes", "no")


def _is_between(low: int, value: str, high: int) -> bool:
    is_number = value.isascii() and value.isdigit() and len(value) < 4
    return is_number and low <= int(value) <= high
