# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading the local Open_vSwitch database with the rights of VDSM's user. I/O.

VDSM's user may not open the database's socket on many builds of Open vSwitch. Then the
same commands go through sudo: vdsm_plugin/sudoers allows exactly these, so a change here
is a change there. Hooks that run as root use `ovsdb`.
"""

from __future__ import annotations

import os

from . import commands, fastjson, settings, snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE = "Open_vSwitch"
SOCKET = "/run/openvswitch/db.sock"
SUDO = ("/usr/bin/sudo", "-n")
_CLIENT = "/usr/bin/ovsdb-client"
# The client ends itself by --timeout, and is given up a little later.
_READ_TIMEOUT_S = 3
_GRACE_S = 1


class LocalDatabaseError(Exception):
    """The database gives no answer, or no good one; the message says why."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"the local {DATABASE} database: {reason}")


def read_command() -> list[str]:
    """Return the command that reads what a Snapshot needs, without sudo."""
    # Without spaces, on which sudo would split it.
    operations = snapshot.selects(snapshot.TABLES)
    query = fastjson.dumps([DATABASE, *operations]).replace(" ", "")
    return [_CLIENT, f"--timeout={_READ_TIMEOUT_S}", "query", query]


def watch_command() -> list[str]:
    """Return the command that watches ports, without sudo."""
    options = [f"--timeout={settings.MAX_START_TIMEOUT_S}", "--format=json"]
    return [_CLIENT, *options, "monitor", DATABASE, "Interface", "external_ids"]


def read_snapshot() -> snapshot.Snapshot:
    """Return what the database says of OVN now; LocalDatabaseError."""
    try:
        output = commands.run(_permitted(read_command()), _READ_TIMEOUT_S + _GRACE_S)
        return snapshot.Snapshot(fastjson.loads(output))
    except (commands.CommandError, ValueError) as error:
        raise LocalDatabaseError(error) from error


def watch_installations(timeout_s: float) -> Iterator[tuple[str, bool]]:
    """Yield each port's id and whether it is installed: all ports' at first, then changes.

    Ends when the time is up; LocalDatabaseError.
    """
    text = b""
    try:
        for block in commands.watch(_permitted(watch_command()), timeout_s):
            *lines, text = (text + block).split(b"\n")
            for line in lines:
                if line:
                    yield from snapshot.installations(fastjson.loads(line))
    except commands.CommandTimeout:
        return
    except (commands.CommandError, ValueError) as error:
        raise LocalDatabaseError(error) from error


def _permitted(command: list[str]) -> list[str]:
    """Return the command as this process may run it."""
    if os.geteuid() == 0 or os.access(SOCKET, os.R_OK | os.W_OK):
        return command
    return [*SUDO, *command]
