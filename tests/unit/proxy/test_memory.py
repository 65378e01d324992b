# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Big blocks are given back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import ovirt_ovn_proxy

SOURCES = Path(ovirt_ovn_proxy.__file__).parents[1]

PROGRAM = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
from ovirt_ovn_proxy.memory import give_back_big_blocks

def heap_bytes():
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        if line.endswith("[heap]"):
            start, end = line.split()[0].split("-")
            return int(end, 16) - int(start, 16)

if sys.argv[2] == "True":
    give_back_big_blocks()
block = bytearray(20 << 20)
del block
before = heap_bytes()
blocks = [bytearray(2 << 20) for _ in range(8)]
print(heap_bytes() - before)
"""


def grown(is_given_back: bool) -> int:
    """Return the bytes that the heap grows by 16 MiB of big blocks, in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, str(SOURCES), str(is_given_back)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=20)
    return int(done.stdout)


def test_big_blocks() -> None:
    """After a big block was freed, others still come from the system rather than from a heap."""
    assert grown(True) < 1 << 20
    if platform.libc_ver()[0] == "glibc":
        assert grown(False) > 15 << 20, "what this is against"
