# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hooks' settings, from the host's. Pure.

Hooks have no time to read INI files, so what they need lies in a file of their own
(`settings`). It is written by the configurator, and when VDSM starts. A hook that does not
find a key takes the default, so only what differs from that is written.
"""

from __future__ import annotations

from . import settings
from .config import HOOKS, OPTIONS, Config


def encode(config: Config, *, bridge: str, tunnel_network: str) -> str:
    """Return the content of the hooks' file; "" if all defaults hold."""
    values = {settings.BRIDGE: bridge, settings.TUNNEL_NETWORK: tunnel_network}
    for option in OPTIONS:
        if option.section == HOOKS:
            values[option.key] = _text(getattr(config, option.field))
    return "".join(
        f"{key}={value}\n" for key, value in values.items() if value != settings.DEFAULTS[key]
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
