# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the hooks do, one program for each kind. I/O.

Each imports what it needs when it runs: a hook pays for nothing that another one uses.
"""

from __future__ import annotations

import os

from . import hookio, settings
from .hookio import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .snapshot import Snapshot

LINKS = "/sys/class/net"
_CONTROLLER = "/usr/bin/ovn-controller"
_VERSION = "/run/vdsm/ovn-version"
# How long vdsmd's start waits for us.
START_TIMEOUT_S = 10


def main(point: str) -> int:
    """Run the hook of a point; return the exit status."""
    program, on_failure = _POINTS[point]
    return hookio.run(point, program, on_failure)


def connect_vnic() -> str:
    """Connect the vNIC of the data file to its OVN port."""
    values, notes = _settings()
    return "; ".join([_connect(values[settings.BRIDGE])[1], *notes])


def create_vnic() -> str:
    """Connect a vNIC of a VM that starts, and may have to wait for its ports."""
    values, notes = _settings()
    is_connected, note = _connect(values[settings.BRIDGE])
    if is_connected and values[settings.START] == settings.WHEN_PORTS_INSTALLED:
        from . import start

        try:
            start.pause(os.environ.get(hookio.VM_ID, ""))
        except (OSError, ValueError) as error:
            notes.append(f"the VM does not wait for its ports: {error}")
    return "; ".join([note, *notes])


def resume_vm() -> str:
    """Resume a VM that was paused by create_vnic, as soon as its ports are installed."""
    from . import start, vif

    values, notes = _settings()
    vm_id = os.environ.get(hookio.VM_ID, "")
    timeout_s = int(values[settings.START_TIMEOUT_S])
    # Whatever goes wrong here, nobody else resumes the VM.
    try:
        domain_xml = hookio.read(hookio.XML_FILE)
        ports = vif.ports_of(domain_xml, values[settings.BRIDGE])
        problem = start.wait_for_ports(ports, timeout_s)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        notes.append(f"VM {vm_id} runs before its ports are known to work: {problem}")
    try:
        start.resume(vm_id)
    except Exception as error:
        notes.append(f"VM {vm_id} is still paused, resume it in the engine: {error}")
        raise HookError("; ".join(notes)) from error
    return "; ".join(notes)


def confirm_vm() -> str:
    """Have the ports of a VM that is about to leave known to be here."""
    from . import migration

    values, notes = _settings()
    note = migration.confirm(values[settings.BRIDGE], values[settings.BINDINGS_URL])
    return "; ".join(filter(None, [note, *notes]))


def announce_vm() -> str:
    """Announce the ports of a VM that is about to come here."""
    from . import migration

    values, notes = _settings()
    vm_id = os.environ.get(hookio.VM_ID, "")
    note = migration.announce(vm_id, values[settings.BRIDGE], values[settings.BINDINGS_URL])
    return "; ".join(filter(None, [note, *notes]))


def activate_vm() -> str:
    """Make the ports of a VM that has come this host's alone."""
    from . import migration

    values, notes = _settings()
    wait_s = int(values[settings.MIGRATION_WAIT_S])
    vm_id = os.environ.get(hookio.VM_ID, "")
    note = migration.activate(vm_id, values[settings.BINDINGS_URL], wait_s)
    return "; ".join(filter(None, [note, *notes]))


def forget_vm() -> str:
    """Take away what was announced for a VM that has not come."""
    from . import migration

    values, notes = _settings()
    note = migration.clean_up(os.environ.get(hookio.VM_ID, ""), values[settings.BINDINGS_URL])
    return "; ".join(filter(None, [note, *notes]))


def report_capabilities() -> str:
    """Add OVN to the host's capabilities."""
    from . import caps

    data = hookio.read_json()
    data, note = caps.add_ovn(data, _snapshot(), _ovn_version())
    hookio.write_json(data)
    return note


def report_host_statistics() -> str:
    """Add OVN's ports and tunnels to the host's statistics."""
    from . import stats

    data = hookio.read_json()
    hookio.write_json(stats.add_to_host(data, _snapshot()))
    return ""


def report_vm_statistics() -> str:
    """Add their OVN ports to VMs' statistics."""
    from . import stats

    data = hookio.read_json()
    hookio.write_json(stats.add_to_vms(data, _snapshot()))
    return ""


def check_network_setup() -> str:
    """Refuse a setupNetworks that would cut OVN's tunnels."""
    from . import network_setup

    values, notes = _settings()
    return "; ".join(filter(None, [network_setup.check(values[settings.TUNNEL_NETWORK]), *notes]))


def follow_network_setup() -> str:
    """Let OVN's tunnel address follow its network, after a setupNetworks."""
    from . import network_setup

    values, notes = _settings()
    return "; ".join(filter(None, [network_setup.follow(values[settings.TUNNEL_NETWORK]), *notes]))


def apply_settings() -> str:
    """Make the host what its settings want, and write the hooks' settings."""
    import signal

    from .configure import configure
    from .errors import HostError
    from .outlook import Paths

    # vdsmd's start waits for this, whatever it is that hangs.
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(START_TIMEOUT_S)
    said: list[str] = []
    try:
        configure(Paths(), said.append, is_attended=False)
    except HostError as error:
        raise HookError("; ".join([*said, str(error)])) from error
    return "; ".join(said)


def _give_up(*_: object) -> None:
    # No TimeoutError, which would be taken for a file's or a socket's on the way.
    raise HookError(f"not done within {START_TIMEOUT_S} seconds")


def _connect(bridge: str) -> tuple[bool, str]:
    """Return whether the data file was a vNIC for OVN, and a note on it; HookError."""
    from . import vif

    try:
        vnic_id = os.environ.get(hookio.VNIC_ID, "")
        xml, note = vif.rewrite(hookio.read(hookio.XML_FILE), vnic_id, bridge)
    except vif.VifError as error:
        raise HookError(str(error)) from error
    except ImportError as error:
        raise HookError(f"{error}: 'dnf install python3-lxml' mends it") from error
    if xml is None:
        return False, note
    if not os.path.exists(f"{LINKS}/{bridge}"):
        raise HookError(
            f"there is no bridge {bridge}, which ovn-controller makes: "
            "'systemctl start openvswitch ovn-controller' mends it"
        )
    hookio.write(hookio.XML_FILE, xml)
    return True, note


def _settings() -> tuple[dict[str, str], list[str]]:
    try:
        text = hookio.read_file(settings.PATH).decode(errors="replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        return settings.parse("")[0], [f"{settings.PATH}: {error}, the defaults hold"]
    return settings.parse(text)


def _snapshot() -> Snapshot:
    from . import localdb

    try:
        return localdb.read_snapshot()
    except localdb.LocalDatabaseError as error:
        raise HookError(str(error)) from error


def _ovn_version() -> str:
    """Return the version of ovn-controller, "" if it does not say.

    To ask it is as much work as to read the database. So what it said is kept, behind what
    tells its file from that of any other build.
    """
    from . import commands

    try:
        file = os.stat(_CONTROLLER)
        build = f"{file.st_ino} {file.st_mtime_ns} {file.st_size} "
    except OSError:
        return ""
    try:
        known = hookio.read_file(_VERSION).decode()
    except (OSError, ValueError):
        known = ""
    if known.startswith(build) and known != build:
        return known[len(build) :]
    try:
        first, *_ = commands.run([_CONTROLLER, "--version"], 1).split(b"\n")
    except commands.CommandError:
        return ""
    version = first.decode(errors="replace").rpartition(" ")[2]
    if not version:
        return ""
    try:
        hookio.put_file(_VERSION, f"{build}{version}".encode(), 0o644)
    except OSError:
        return version  # and ask again the next time
    return version


# Migrations, statistics and capabilities must never fail because of OVN, so these succeed always;
# and a change of the host's networks is refused for a known reason only.
_POINTS: dict[str, tuple[Callable[[], str], int]] = {
    "before_vdsm_start": (apply_settings, hookio.FAILED),
    "before_device_create": (create_vnic, hookio.REFUSED),
    "before_nic_hotplug": (connect_vnic, hookio.REFUSED),
    "before_update_device": (connect_vnic, hookio.REFUSED),
    "after_vm_start": (resume_vm, hookio.FAILED),
    "before_vm_migrate_source": (confirm_vm, hookio.FINE),
    "before_vm_migrate_destination": (announce_vm, hookio.FINE),
    "after_vm_migrate_destination": (activate_vm, hookio.FINE),
    "after_vm_destroy": (forget_vm, hookio.FINE),
    "after_get_caps": (report_capabilities, hookio.FINE),
    "after_get_stats": (report_host_statistics, hookio.FINE),
    "after_get_vm_stats": (report_vm_statistics, hookio.FINE),
    "after_get_all_vm_stats": (report_vm_statistics, hookio.FINE),
    "before_network_setup": (check_network_setup, hookio.FINE),
    "after_network_setup": (follow_network_setup, hookio.FAILED),
}
