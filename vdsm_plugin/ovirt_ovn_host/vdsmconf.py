# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""VDSM's running network configuration.

I/O. VDSM keeps one JSON file for each network and each bond
(vdsm/network/netconfpersistence.py); "staging" is its word for "running".
"""

from __future__ import annotations

import os

from . import fastjson, hookio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RUNNING = "/var/lib/vdsm/staging/netconf"


def read_running(kind: str) -> dict[str, Any]:
    """Return attributes by name, of "nets" or "bonds"; empty where VDSM has none.

    Raises OSError or ValueError where there is a file that cannot be read.
    """
    folder = os.path.join(RUNNING, kind)
    found = {}
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        names = []
    for name in names:
        path = os.path.join(folder, name)
        try:
            found[name] = fastjson.loads(hookio.read_file(path))
        except ValueError as error:
            raise ValueError(f"{path} is no JSON: {error}") from error
    return found
