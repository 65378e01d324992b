# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What there is of a lab on this machine."""

from __future__ import annotations

from pathlib import Path

from system.lab import namespace


def leftovers(prefix: str) -> tuple[list[str], list[str], list[str]]:
    """Return the namespaces, folders and processes that belong to a lab."""
    folder = prefix.rstrip("-")
    processes = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in command:
            processes.append(command)
    return namespace.names(prefix), [str(it) for it in Path("/tmp").glob(f"{folder}*")], processes


NOTHING: tuple[list[str], list[str], list[str]] = ([], [], [])
