# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a process costs: CPU time and memory, from outside; and the machine it runs on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

# Ends by itself when whoever started it has gone. Even SCHED_IDLE has a turn now and then, and
# keeps it until the next tick; but not if it yields all the time.
_STAY_AWAKE = """
import os
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(100):
        os.sched_yield()
"""


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process used so far, in all threads, ended ones too."""
    # The id of a process's CPU clock, to the nanosecond: clock_getcpuclockid(3).
    return time.clock_gettime((~pid << 3) | 2)


def rss_bytes(pid: int) -> int:
    """Return the memory of a process that is resident now."""
    return _rss_bytes(Path(f"/proc/{pid}/status").read_text())


def interpreter_rss_bytes() -> int:
    """Return the resident memory of an interpreter that has imported nothing."""
    command = [sys.executable, "-c", "print(open('/proc/self/status').read())"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return _rss_bytes(done.stdout)


def _rss_bytes(status: str) -> int:
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LookupError("the process has no memory")


@contextmanager
def awake() -> Iterator[None]:
    """Keep the processors from sleeping meanwhile, by loops that everything else goes before.

    A request goes through half a dozen threads. On a virtual machine that has nothing else to
    do, each of them waits until the hypervisor has woken a processor, and is charged for
    that: half a millisecond and more for a request. It is no work of anybody measured here.
    """
    with ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", _STAY_AWAKE]))
            stack.callback(process.kill)
        yield


def describe_machine() -> str:
    """Return cores, load, and the versions that matter, in one line."""
    ovsdb = subprocess.run(["ovsdb-server", "--version"], capture_output=True, check=True)
    return ", ".join(
        [
            f"{os.cpu_count()} cores",
            f"load {os.getloadavg()[0]:.1f}",
            f"Python {platform.python_version()}",
            ovsdb.stdout.decode().splitlines()[0],
        ]
    )


def interpreter_start_s() -> float:
    """Return how long the interpreter takes to start and end, the least of some tries."""
    tries = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        tries.append(time.perf_counter() - started)
    return min(tries)
