# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Other programs, run with a deadline. I/O; imported by hooks, so without `subprocess`.

VDSM waits until nobody holds the pipes that it has given to a hook, so a child gets none
of them: one that outlives its hook cannot hold up VDSM.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Nothing of VDSM's environment, which holds what users give to their VMs.
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C"}
_BLOCK_BYTES = 65536
_SIGPIPE = 13
# SIGALRM: how programs of Open vSwitch end when the time of their --timeout is up.
_TIME_IS_UP = -14


class CommandError(Exception):
    """A program failed or could not be started; the message is its own, if it has one."""


class CommandTimeout(CommandError):
    """A program took too long."""


def run(command: Sequence[str], timeout_s: float) -> bytes:
    """Run a program and return its output; CommandError if it fails."""
    return b"".join(watch(command, timeout_s))


def watch(command: Sequence[str], timeout_s: float) -> Iterator[bytes]:
    """Run a program and yield its output in blocks, as it comes; CommandError if it fails.

    Whoever stops to iterate ends the program, as far as its user may.
    """
    import select

    deadline = time.monotonic() + timeout_s
    errors = os.memfd_create("stderr")
    source, sink = os.pipe()
    pid = 0
    try:
        pid = _start(command, sink, errors)
        os.close(sink)
        sink = -1
        poll = select.poll()
        poll.register(source, select.POLLIN)
        while True:
            remaining_s = max(0.0, deadline - time.monotonic())
            if not poll.poll(remaining_s * 1000):
                raise CommandTimeout(f"{command[0]}: no answer within {timeout_s:g} seconds")
            block = os.read(source, _BLOCK_BYTES)
            if not block:
                break
            yield block
        _, status = os.waitpid(pid, 0)
        pid = 0
        if status:
            code = os.waitstatus_to_exitcode(status)
            if code == _TIME_IS_UP:
                raise CommandTimeout(f"{command[0]}: no answer in time")
            raise CommandError(_complaint(errors) or f"{command[0]}: status {code}")
    finally:
        for descriptor in (errors, source, sink):
            if descriptor >= 0:
                os.close(descriptor)
        if pid:
            _end(pid)


def _start(command: Sequence[str], stdout: int, stderr: int) -> int:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_DUP2, stderr, 2),
    ]
    try:
        # Python ignores SIGPIPE, of which a program with an output nobody reads should die.
        return os.posix_spawn(
            command[0],
            list(command),
            _ENVIRONMENT,
            file_actions=actions,
            setsigdef=[_SIGPIPE],
        )
    except OSError as error:
        raise CommandError(f"{command[0]}: {error.strerror}") from error


def _complaint(errors: int) -> str:
    os.lseek(errors, 0, os.SEEK_SET)
    return os.read(errors, _BLOCK_BYTES).decode(errors="replace").strip()


def _end(pid: int) -> None:
    """End a child. One of sudo belongs to root: it ends by the time-out in its arguments."""
    try:
        os.kill(pid, 9)
    except PermissionError:
        return
    os.waitpid(pid, 0)
