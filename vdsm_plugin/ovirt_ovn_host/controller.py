# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The running ovn-controller: whether it has Southbound, and its orderly end.

I/O, by ovn-appctl(8).
"""

from __future__ import annotations

import os
import select
import time

from . import commands

_PID_FILE = "/run/ovn/ovn-controller.pid"
_TIMEOUT_S = 3
_LEAVE_TIMEOUT_S = 10
_PAUSE_S = 0.05


def is_connected() -> bool:
    """Say whether it runs and has a session with Southbound."""
    try:
        return status() == "connected"
    except commands.CommandError:
        return False


def status() -> str:
    """Return "connected" or "not connected", as it says itself. Raises CommandError."""
    return _appctl("connection-status")


def wait_connected(timeout_s: float) -> bool:
    """Wait until it has a session with Southbound; say whether it has one."""
    end = time.monotonic() + timeout_s
    while not is_connected():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_S)
    return True


def leave() -> bool:
    """Have it take this chassis out of Southbound and end; say whether it has done so.

    To be called while it is connected: else it would not end before Southbound is back.
    """
    try:
        process = os.pidfd_open(_pid())
    except (OSError, ValueError):
        return False
    try:
        # Nothing answers while it cleans up, so its end is told by the kernel.
        _appctl("exit")
        poll = select.poll()
        poll.register(process, select.POLLIN)
        return bool(poll.poll(_LEAVE_TIMEOUT_S * 1000))
    except commands.CommandError:
        return False
    finally:
        os.close(process)


def _pid() -> int:
    with open(_PID_FILE, encoding="ascii") as file:
        return int(file.read())


def _appctl(*words: str) -> str:
    command = ["/usr/bin/ovn-appctl", f"--timeout={_TIMEOUT_S}", "--target=ovn-controller", *words]
    return commands.run(command, _TIMEOUT_S + 1).decode(errors="replace").strip()
