# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which link has the addresses of which network of VDSM's.

I/O, reading only: VDSM's running configuration (vdsm/network/netconfpersistence.py), one
JSON file for each network, which is there without vdsmd too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What runs now; after a start VDSM makes it from what it has saved.
FOLDERS = (
    Path("/var/lib/vdsm/staging/netconf/nets"),
    Path("/var/lib/vdsm/persistence/netconf/nets"),
)


def read() -> dict[str, str]:
    """Return the name of the link by that of the network; empty if VDSM has none.

    A file that is not understood is one that no network can be found in.
    """
    for folder in FOLDERS:
        if folder.is_dir():
            return {path.name: link for path in sorted(folder.iterdir()) if (link := _read(path))}
    return {}


def _read(path: Path) -> str:
    try:
        attributes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return link(path.name, attributes) if isinstance(attributes, dict) else ""


def link(network: str, attributes: Mapping[str, Any]) -> str:
    """Return the link that has a network's addresses; "" for none. Pure."""
    # A bridge, or (of switch type "ovs") an internal port: named like the network.
    if attributes.get("bridged", True) or attributes.get("switch") == "ovs":
        return network
    base = attributes.get("bonding") or attributes.get("nic") or ""
    vlan = attributes.get("vlan")
    return f"{base}.{vlan}" if base and vlan not in (None, "") else str(base)
