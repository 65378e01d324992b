# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces: whose they are, what is opened or started in them, and their end.

A namespace's name tells which process made it, so that the leftovers of a killed run
are known. A socket or process stays in the namespace in which it was made, whatever
its maker does later: so the tests' own process talks into every namespace, and needs
no helper programs inside. Run as a program, it removes leftovers when its maker has ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

FOLDER = Path("/run/netns")
CLONE_NEWNET = 0x40000000
COMMAND_TIMEOUT_S = 20.0

_NAME = re.compile(r"ovnlab-(?P<pid>\d+)-(?P<start>\d+)-")
_libc = ctypes.CDLL(None, use_errno=True)
_count = itertools.count(1)


def run(
    command: Sequence[str],
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a command to its end and return its output; AssertionError with its words if it fails."""
    done = subprocess.run(
        command,
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        env=environment,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout


def _start_of(pid: int) -> str | None:
    """Return when a process started, in the kernel's ticks; None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in parentheses; it may hold anything.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _own_prefix() -> str:
    pid = os.getpid()
    return f"ovnlab-{pid}-{_start_of(pid)}-"


def new_prefix() -> str:
    """Return what the names of one lab's namespaces begin with."""
    return f"{_own_prefix()}{next(_count)}-"


def names(prefix: str = "ovnlab-") -> list[str]:
    """Return the names of the namespaces that exist."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(name for name in os.listdir(FOLDER) if name.startswith(prefix))
    return []


def _is_left(name: str) -> bool:
    """Say whether something of this name is of a process that lives no more."""
    match = _NAME.match(name)
    return match is not None and _start_of(int(match["pid"])) != match["start"]


def remove_leftovers() -> None:
    """End and remove what labs of processes that live no more have left behind."""
    for name in filter(_is_left, names()):
        Namespace(name).delete()
    for folder in Path("/tmp").glob("ovnlab-*"):
        if _is_left(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def start_heir() -> int:
    """Have a process that removes leftovers when this one has ended, in whatever way.

    Returns its pid. It is told by the end of its input, whose other end nobody closes before.
    """
    command = [sys.executable, "-I", __file__, _own_prefix()]
    reading, _ = os.pipe()
    # With subprocess one had to wait for it. What a terminal tells its processes, as Ctrl-C, is
    # not for this one, from its first moment.
    heir = os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)],
        setsid=True,
    )
    os.close(reading)
    return heir


def _inherit(prefix: str) -> None:
    """Wait until the process that this prefix is of has ended, and remove what it has left."""
    sys.stdin.read()
    # Its files are closed a moment before.
    while not _is_left(prefix):
        time.sleep(0.01)
    remove_leftovers()


class Namespace:
    """One network namespace, by the name that `ip netns` shows."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Namespace({self.name!r})"

    def create(self) -> None:
        """Make it, with its loopback up."""
        run(["ip", "netns", "add", self.name])
        self.ip("link set lo up")

    def delete(self) -> None:
        """End every process in it, and remove it; its links go with it."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, timeout=20)

    def pids(self) -> list[int]:
        """Return the processes in it, this one never among them."""
        done = subprocess.run(
            ["ip", "netns", "pids", self.name], capture_output=True, text=True, timeout=20
        )
        return [int(pid) for pid in done.stdout.split() if int(pid) != os.getpid()]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Have this thread in the namespace: what it opens or starts is there to stay."""
        with (
            open("/proc/thread-self/ns/net", "rb") as home,
            open(FOLDER / self.name, "rb") as there,
        ):
            _set_namespace(there.fileno())
            try:
                yield
            finally:
                _set_namespace(home.fileno())

    def open_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Open a socket in it."""
        with self.entered():
            return socket.socket(family, kind, protocol)

    def run(self, *command: str) -> str:
        """Run a command in it and return its output; AssertionError if it fails."""
        with self.entered():
            return run(command)

    def ip(self, *commands: str) -> None:
        """Run commands of ip(8) in it ("link set lo up"), all by one process."""
        run(["ip", "-n", self.name, "-batch", "-"], "".join(f"{line}\n" for line in commands))

    def sysctl(self, key: str, value: object) -> None:
        """Set "net/ipv4/ip_forward" or the like."""
        with self.entered():
            Path("/proc/sys", key).write_text(str(value))


def _set_namespace(handle: int) -> None:
    # os.setns is there from Python 3.12 on only.
    if _libc.setns(handle, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


if __name__ == "__main__":
    _inherit(sys.argv[1])
