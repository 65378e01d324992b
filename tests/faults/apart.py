# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs one after the other, each of which ends with all that it has started. I/O."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

_LOOK_EVERY_S = 0.05
_INTERRUPTED = 130


def do_apart(
    commands: Mapping[str, Sequence[str]], limit_s: float, clean_up_s: float = 10.0
) -> int:
    """Run the commands, which tell themselves how it went; return the exit status for all.

    One that takes longer than `limit_s` stands still. When somebody interrupts this
    process, or ends it in order, it ends the command that runs, and starts no other; a
    command has `clean_up_s` for its end before it is killed.
    """
    failed, stop = [], _Stop()
    started = time.monotonic()
    for name, command in commands.items():
        status = _do_one(command, stop, limit_s, clean_up_s)
        if stop.is_asked:
            print(f"interrupted in {name}", flush=True)
            break
        if status != 0:
            failed.append(name)
        if status not in (0, 1):
            reason = f"ended with status {status}" if status is not None else "stands still"
            print(f"{name}: PROBLEM, {reason}", flush=True)
    problems = ", ".join(failed) if failed else "none"
    took_s = time.monotonic() - started
    print(f"{len(failed)} runs with problems: {problems} [{took_s:.0f} s]", flush=True)
    return _INTERRUPTED if stop.is_asked else int(bool(failed))


class _Stop:
    """Whether somebody has asked for the end; an exception could come at any moment."""

    def __init__(self) -> None:
        self.is_asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.is_asked = True


def _do_one(command: Sequence[str], stop: _Stop, limit_s: float, clean_up_s: float) -> int | None:
    """Return the exit status of a command, None for one that had to be ended.

    Whatever it has started and left behind is killed, and its folders are removed.
    """
    end = time.monotonic() + limit_s
    folder = tempfile.mkdtemp(prefix="ovn", dir="/tmp")
    environment = {**os.environ, "TESTS_FOLDER": folder}
    process = subprocess.Popen(command, start_new_session=True, env=environment)
    while process.poll() is None and not stop.is_asked and time.monotonic() < end:
        time.sleep(_LOOK_EVERY_S)
    status = process.poll()
    if status is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(clean_up_s)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
    return status
