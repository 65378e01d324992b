# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the configurator leaves for hooks: a file of "key=value" lines.

I/O. Hooks do without the file: every key has a default. Keys:

tunnel-network   the VDSM network whose address is OVN's tunnel address, where the
                 tunnel was given by a network's name; absent where it was by address
"""

from __future__ import annotations

PATH = "/run/ovirt-provider-ovn-driver/hooks"
TUNNEL_NETWORK = "tunnel-network"


def read() -> dict[str, str]:
    """Return the settings by key; empty where there is no file. Raises OSError."""
    try:
        with open(PATH, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {key.strip(): value.strip() for key, sign, value in pairs if sign}
