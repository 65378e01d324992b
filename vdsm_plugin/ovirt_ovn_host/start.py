# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The start of a VM that waits for its ports. I/O.

VDSM keeps a VM's launch flags in a file from before it builds the VM's XML until after
the hooks of after_vm_start, and reads nothing but the first line of it. Our mark is the
second line: it cannot outlive the start that it was made for, whatever fails, and a VM
that comes back from memory has no such file. Without our mark a paused VM is as its user
wants it.
"""

from __future__ import annotations

from . import hookio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set

LAUNCH_FLAGS = "/run/vdsm/{vm_id}/launchflags"
# The guard of after_vm_start looks for it too.
MARK = "ovn"
# VIR_DOMAIN_START_PAUSED of libvirt
_START_PAUSED = 1


def pause(vm_id: str) -> None:
    """Have VDSM start the VM paused, and mark it to be resumed by us; OSError, ValueError.

    Does nothing if the VM is to start paused anyway: for another vNIC of it, for its user,
    or for somebody else's hook, who then resumes it.
    """
    path = LAUNCH_FLAGS.format(vm_id=vm_id)
    try:
        flags = int(hookio.read_file(path).split(b"\n")[0])
    except FileNotFoundError:
        return
    if not flags & _START_PAUSED:
        hookio.replace_file(path, f"{flags | _START_PAUSED}\n{MARK}\n".encode())


def wait_for_ports(ports: Set[str], timeout_s: float) -> str:
    """Wait until all ports are installed; return "", or which are not and why."""
    from . import localdb

    waiting = set(ports)
    if not waiting:
        return ""
    reason = f"not installed within {timeout_s:g} seconds"
    try:
        for port_id, is_installed in localdb.watch_installations(timeout_s):
            if is_installed:
                waiting.discard(port_id)
            elif port_id in ports:
                waiting.add(port_id)
            if not waiting:
                return ""
    except localdb.LocalDatabaseError as error:
        reason = str(error)
    return f"{', '.join(sorted(waiting))}: {reason}"


def resume(vm_id: str) -> None:
    """Resume a VM; whatever VDSM's client raises."""
    from vdsm import client
    from vdsm.config import config

    connection = client.connect("localhost", use_tls=config.getboolean("vars", "ssl"))
    try:
        connection.VM.cont(vmID=vm_id)
    finally:
        connection.close()
