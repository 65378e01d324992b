# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What hooks need to know of the settings, as one file of `key=value` lines.

Hooks run for each vNIC and have no time to read INI files. The file lies in /run and is
written by the configurator, and when VDSM starts; a hook that does not find it, or not a
key in it, takes the default, so only what differs from that is written. Pure.
"""

from __future__ import annotations

from pathlib import Path

from .config import HOOKS, OPTIONS, Config
from .live import DEFAULT_BRIDGE

PATH = Path("/run/ovirt-provider-ovn-driver/hooks")

# The keys: those of the settings' section [hooks], and these.
BRIDGE = "bridge"  # the integration bridge
TUNNEL_NETWORK = "tunnel-network"  # VDSM's network whose address ends the tunnels


def encode(config: Config, *, bridge: str, tunnel_network: str) -> str:
    """Return the file's content; "" if all defaults hold."""
    lines = {BRIDGE: "" if bridge == DEFAULT_BRIDGE else bridge, TUNNEL_NETWORK: tunnel_network}
    defaults = Config()
    for option in OPTIONS:
        value = getattr(config, option.field)
        if option.section == HOOKS and value != getattr(defaults, option.field):
            lines[option.key] = _text(value)
    return "".join(f"{key}={value}\n" for key, value in lines.items() if value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
