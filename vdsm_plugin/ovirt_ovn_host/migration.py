# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the hooks of a live migration do, above all on the host that a VM moves to. I/O.

The host that it leaves sees to it that its ports are known to be there. Before the VM's
memory is copied they are announced here, so that OVN has them on both hosts, and lets them
be here from the moment at which the VM wakes. Afterwards they are made this host's alone,
or, if the VM never came, taken away again. Whatever cannot be done is a line in the log, and
the VM moves as it does without us: with a longer silence.
"""

from __future__ import annotations

import os
import time

from . import bindings, blackout, commands, hookio, listeners, localdb, vif
from .hookio import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .blackout import Record
    from .snapshot import Snapshot

# VDSM's own folder, which its user can write to. The guards of the hooks look there too:
# what has no record costs nothing. `.done` are those of VMs that came.
FOLDER = "/run/vdsm/ovn-migrations"
_DONE = ".done"

# The migration waits for it.
CONFIRM_TIMEOUT_S = 1.8
# VDSM waits without a limit of its own, in one of eight threads for all that is asked of it.
ANNOUNCE_TIMEOUT_S = 1.8
CLEAN_UP_TIMEOUT_S = 1.8
# This thread is the VM's own, and a proxy may be restarting.
ACTIVATE_TIMEOUT_S = 8.0
_RETRY_S = 0.3
_LOOK_S = 0.5
# So long the host that a VM leaves usually has its tap; for when nobody can be asked.
_USUALLY_S = 3.0
_VIRSH = ("/usr/bin/virsh", "--readonly", "--connect=qemu:///system", "domstate", "--reason")
_VIRSH_TIMEOUT_S = 2
# What is left for a reason to be told.
_GRACE_S = 0.2
# Why something may not be possible.
_REASONS = (
    *(HookError, bindings.BindingsError, localdb.LocalDatabaseError, vif.VifError),
    *(OSError, ValueError),
)


def confirm(bridge: str, url: str) -> str:
    """Have the ports of a VM that is about to leave known to be here; "", or what is not.

    OVN is told of this host and the next one together. If it were told of another one, where
    the VM has been before, the port would be taken from here.
    """

    def work(end: float) -> str:
        ports = sorted(vif.ports_of(hookio.read(hookio.XML_FILE), bridge))
        if not ports:
            return ""
        told = _bindings(url, localdb.read_snapshot(), end)
        problems = []
        for port_id in ports:
            try:
                told.confirm(port_id)
            except bindings.BindingsError as error:
                problems.append(f"port {port_id}: {error}")
        return f"not confirmed: {'; '.join(problems)}" if problems else ""

    return within(CONFIRM_TIMEOUT_S, "not confirmed", work)


def announce(vm_id: str, bridge: str, url: str) -> str:
    """Announce the ports of a VM that is about to come; return "", or what was not possible."""

    def work(end: float) -> str:
        ports = sorted(vif.ports_of(hookio.read(hookio.XML_FILE), bridge))
        return _announce(_path(vm_id), ports, url, end) if ports else ""

    return within(ANNOUNCE_TIMEOUT_S, "not announced", work)


def activate(vm_id: str, url: str, wait_s: float) -> str:
    """Make the announced ports of a VM that has come this host's alone; return the meter.

    First it waits until the host where the VM was has removed its tap, but no longer than
    `wait_s`: as long as there are two, and OVN is not told which counts, both hosts fight
    for the port.
    """
    resumed = time.time()

    def work(end: float) -> str:
        wait_end = time.monotonic() + wait_s
        path = _path(vm_id)
        record = _read(path)
        if not record:
            return ""
        # In its first moments the VM has more need of the processor, and no host lets go of it.
        time.sleep(min(_LOOK_S, wait_s))
        told = _bindings(url, localdb.read_snapshot(), end)
        _wait_for_others(told, record, wait_end)
        if not _read(path):
            return ""  # the VM has been stopped meanwhile
        if _is_in_post_copy(vm_id):
            return f"VM {vm_id} is in post-copy: the engine's word at the end of it activates"
        told.end = min(end, time.monotonic() + ACTIVATE_TIMEOUT_S)
        return f"VM {vm_id}: {_activate(path, record, told, resumed)}"

    return within(wait_s + ACTIVATE_TIMEOUT_S, "not activated", work)


def clean_up(vm_id: str, url: str) -> str:
    """Take away the announced ports of a VM that has not come; return "", or what is left."""

    def work(end: float) -> str:
        path = _path(vm_id)
        record = _read(path)
        return _clean_up(path, record, url, end) if record else ""

    return within(CLEAN_UP_TIMEOUT_S, "still announced", work)


def within(limit_s: float, what: str, work: Callable[[float], str]) -> str:
    """Return what a piece of work returns that is given its end by time.monotonic().

    HookError, which begins with `what`, if it fails or hangs in whatever it may be: there is
    no time limit for the resolution of a name, so all is done in a thread, which is
    left behind.
    """
    import threading

    results: list[str] = []
    errors: list[BaseException] = []
    end = time.monotonic() + limit_s - _GRACE_S

    def run() -> None:
        try:
            results.append(work(end))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    if results:
        return results[0]
    error = errors[0] if errors else HookError(f"not done within {limit_s:g} seconds")
    if isinstance(error, _REASONS):
        raise HookError(f"{what}: {error}") from error
    raise error


def _announce(path: str, ports: Sequence[str], url: str, end: float) -> str:
    record = blackout.new(ports)
    problems = []
    told = _bindings(url, localdb.read_snapshot(), end)
    # Before anything is sent: from then on there may be something to clean up.
    _write(path, record)
    for port_id in ports:
        try:
            told.add(port_id)
        except bindings.BindingsError as error:
            problems.append(f"port {port_id}: {error}")
            if not isinstance(error, bindings.Unanswered):
                del record["ports"][port_id]
        else:
            record["ports"][port_id][blackout.ANNOUNCED] = time.time()
    if record["ports"]:
        _write(path, record)
    else:
        os.unlink(path)
    return f"not announced: {'; '.join(problems)}" if problems else ""


def _wait_for_others(told: bindings.Bindings, record: Record, end: float) -> None:
    """Wait until no other host has a VM's ports, by time.monotonic() no longer than to `end`.

    If nobody answers, no longer than it usually takes.
    """
    told.end = min(end, time.monotonic() + _USUALLY_S)
    for port_id in record["ports"]:
        while time.monotonic() < told.end:
            try:
                if not told.is_plugged_elsewhere(port_id):
                    break
                told.end = min(end, time.monotonic() + _USUALLY_S)
            except bindings.Refused:
                break
            except bindings.BindingsError:
                pass
            time.sleep(_LOOK_S)


def _activate(path: str, record: Record, told: bindings.Bindings, resumed: float) -> str:
    installed = {port["id"]: port["installed_ms"] for port in localdb.read_snapshot().ports}
    problems = []
    for port_id, port in record["ports"].items():
        port[blackout.RESUMED] = resumed
        if installed.get(port_id) is not None:
            port[blackout.INSTALLED] = installed[port_id] / 1000
        try:
            if _settle(told.activate, port_id, told.end):
                port[blackout.ACTIVATED] = time.time()
        except bindings.BindingsError as error:
            problems.append(f"port {port_id} is not activated: {error}")
    # What is not activated is still there to be cleaned up.
    _write(path, record)
    if not problems:
        os.rename(path, f"{path}{_DONE}")
    return "; ".join([blackout.describe(record), *problems])


def _clean_up(path: str, record: Record, url: str, end: float) -> str:
    told = _bindings(url, localdb.read_snapshot(), end)
    problems = []
    for port_id in record["ports"]:
        try:
            _settle(told.delete, port_id, end)
        except bindings.BindingsError as error:
            problems.append(f"port {port_id}: {error}")
    if problems:
        return f"still announced: {'; '.join(problems)}"
    os.unlink(path)
    return ""


def _is_in_post_copy(vm_id: str) -> bool:
    """Whether the old host still has memory of the VM, for which it keeps its tap too."""
    try:
        return b"post-copy" in commands.run([*_VIRSH, f"--domain={vm_id}"], _VIRSH_TIMEOUT_S)
    except commands.CommandError:
        return False


def _settle(tell: Callable[[str], None], port_id: str, end: float) -> bool:
    """Tell the proxy, again and again while it cannot be reached; BindingsError.

    Returns whether the port had a binding here. That it is active already, by the engine's
    hand, is as good; and nobody takes such a one from the port.
    """
    while True:
        try:
            tell(port_id)
        except bindings.Refused as error:
            if error.status not in (bindings.NOT_FOUND, bindings.CONFLICT):
                raise
            return error.status == bindings.CONFLICT
        except bindings.BindingsError:
            if time.monotonic() + _RETRY_S > end:
                raise
            time.sleep(_RETRY_S)
        else:
            return True


def _bindings(url: str, snapshot: Snapshot, end: float) -> bindings.Bindings:
    found = listeners.find(url, snapshot.setting("ovn-remote"))
    return bindings.Bindings(found, snapshot.chassis, end)


def _path(vm_id: str) -> str:
    if not vm_id or "/" in vm_id or vm_id[0] == ".":
        raise HookError(f"{vm_id[:80]!a} is no id of a VM")
    return f"{FOLDER}/{vm_id}"


def _read(path: str) -> Record | None:
    """Return a record; None if there is none, or none that can be understood."""
    try:
        return blackout.decode(hookio.read_file(path))
    except (FileNotFoundError, ValueError):
        return None


def _write(path: str, record: Record) -> None:
    """Write a record, whole or not at all."""
    os.makedirs(FOLDER, exist_ok=True)
    new = f"{FOLDER}/.{os.getpid()}"
    with open(new, "wb") as file:
        file.write(blackout.encode(record))
    os.rename(new, path)
