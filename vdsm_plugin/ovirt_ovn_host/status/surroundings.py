# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rest of the host says: kernel, firewalld, ovs-vswitchd, libvirt.

I/O, reading only, each within a time-out.
"""

from __future__ import annotations

import ctypes
import json
import re
from collections.abc import Mapping
from pathlib import Path

from .. import commands, migration
from .facts import Firewall, Known, Problem

# OVN's own service of firewalld, and ours, and what both let in: Geneve.
_SERVICES = {"ovn-host-firewall-service", "ovirt-provider-ovn-driver"}
_SERVICES_PORT = 6081

_TIMEOUT_S = 2
_FIREWALL_TIMEOUT_S = 3.0
_UDP_FILES = (Path("/proc/net/udp"), Path("/proc/net/udp6"))
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# What `domstate --reason` says of one that comes, or is on both hosts.
_ON_ITS_WAY = re.compile(r"\((migrating|post-copy)\)")
_MOST_RECORDS = 1000
# sys/timex.h: what adjtimex() returns while nothing steers the clock.
_TIME_ERROR = 5


def is_clock_steered() -> bool | None:
    """Say whether something (NTP) keeps the kernel's clock right; None if it does not tell."""
    try:
        # A struct timex whose `modes` are 0 changes nothing.
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def ask_vswitchd(*words: str) -> Known[str]:
    """Return what ovs-vswitchd answers to a command of ovs-appctl."""
    command = ["/usr/bin/ovs-appctl", f"--timeout={_TIMEOUT_S}", "--target=ovs-vswitchd", *words]
    try:
        return commands.run(command, _TIMEOUT_S + 1).decode(errors="replace").strip()
    except commands.CommandError as error:
        return Problem(" ".join(str(error).split()))


def listens(port: int) -> bool | None:
    """Say whether this host takes packets of tunnels; None if that is not known.

    The kernel's datapath has a socket for them; the one in user space its own list.
    """
    for path in _UDP_FILES:
        try:
            lines = path.read_text().splitlines()[1:]
        except OSError:
            continue
        if any(int(line.split()[1].rpartition(":")[2], 16) == port for line in lines):
            return True
    ports = ask_vswitchd("tnl/ports/show")
    if isinstance(ports, Problem):
        return None
    return re.search(rf"_{port}\b", ports) is not None


def ask_firewall(link: str, port: int) -> Known[Firewall] | None:
    """Return whether firewalld lets the tunnels' port in on a link; None if it does not run."""
    try:
        if _firewall("--state") != "running":
            return None
    except commands.CommandTimeout as error:
        return Problem(str(error))
    except commands.CommandError:
        return None
    try:
        try:
            zone = _firewall(f"--get-zone-of-interface={link}")
        except commands.CommandTimeout:
            raise
        except commands.CommandError:
            zone = _firewall("--get-default-zone")
        return Firewall(zone, opens(_firewall(f"--zone={zone}", "--list-all"), port))
    except commands.CommandError as error:
        return Problem(" ".join(str(error).split()))


def opens(listing: str, port: int) -> bool:
    """Say whether a zone's listing lets a UDP port in, by number or by OVN's service."""
    words: dict[str, list[str]] = {}
    for line in listing.splitlines():
        name, _, values = line.strip().partition(":")
        words[name] = values.split()
    if words.get("target") == ["ACCEPT"]:  # as the zone "trusted" has it
        return True
    if port == _SERVICES_PORT and _SERVICES & set(words.get("services", ())):
        return True
    for text in words.get("ports", ()):
        numbers, _, protocol = text.partition("/")
        low, _, high = numbers.partition("-")
        if protocol == "udp" and low.isdigit() and int(low) <= port <= int(high or low):
            return True
    return False


def _firewall(*words: str) -> str:
    return commands.run(["/usr/bin/firewall-cmd", *words], _FIREWALL_TIMEOUT_S).decode().strip()


def is_migrating(vm_id: str) -> bool | None:
    """Say whether libvirt is migrating a VM from or to here; None if it does not tell."""
    if not _UUID.fullmatch(vm_id):
        return None
    try:
        # The job's is told on the host that the VM leaves only.
        if _ON_ITS_WAY.search(_virsh("domstate", "--reason", vm_id)):
            return True
        return re.search(r"^Operation: .*migration", _virsh("domjobinfo", vm_id), re.M) is not None
    except commands.CommandError:
        return None


def _virsh(*words: str) -> str:
    command = ["/usr/bin/virsh", "--readonly", "--connect=qemu:///system", *words]
    return commands.run(command, _TIMEOUT_S).decode(errors="replace")


def announced(now_s: float) -> Mapping[str, float]:
    """Return the ports of VMs that are on their way here, with the seconds since we know that.

    They are in records of our hooks (docs/migration.md), which are gone with VDSM's folder.
    """
    found: dict[str, float] = {}
    try:
        records = sorted(Path(migration.FOLDER).iterdir())
    except OSError:
        return found
    for path in records[:_MOST_RECORDS]:
        if _UUID.fullmatch(path.name):
            try:
                ports = json.loads(path.read_text())["ports"]
                found.update(dict.fromkeys(ports, now_s - path.stat().st_mtime))
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return found
