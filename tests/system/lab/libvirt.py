# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A chassis as VDSM's host: libvirt and QEMU, with our hooks where VDSM finds them.

libvirt's files and sockets are in a mount namespace of the hypervisor's, its network is
the chassis'. So there is one for each chassis, and a guest migrates between them as
between machines.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from daemon.host.machine import Machine
from daemon.ovsdb import Daemon

from .chassis import Chassis
from .domain import FOLDER
from .guest_image import make_image

EMULATORS = ("qemu-system-x86_64", "/usr/libexec/qemu-kvm")
VIRSH = ("virsh", "--quiet", "--connect=qemu:///system")
SOCKET = "/run/libvirt/libvirt-sock"

# Debian's libvirt insists on its user, whom a package makes that also starts services.
_QEMU_USER = """
grep -q ^libvirt-qemu: /etc/passwd || echo libvirt-qemu:x:64055:64055::/:/sbin/nologin >>/etc/passwd
grep -q ^libvirt-qemu: /etc/group || echo libvirt-qemu:x:64055: >>/etc/group
"""
# No cgroup, security driver, virtlogd or user of its own: all that needs a host's services.
_QEMU_CONF = """
security_driver = "none"
namespaces = []
cgroup_controllers = []
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
stdio_handler = "file"
"""


def missing() -> str:
    """Return in one sentence what a hypervisor lacks on this machine, empty if nothing."""
    programs = ("libvirtd", "virsh", "busybox")
    absent = [program for program in programs if shutil.which(program) is None]
    if not any(map(shutil.which, EMULATORS)):
        absent.append("QEMU")
    if absent:
        return f"A guest needs {', '.join(absent)}: run scripts/system-packages check as root."
    return ""


class Hypervisor(Machine):
    """A host that libvirt runs on, from its making to `stop`.

    Hooks and libvirt find the Open vSwitch of `chassis` in its usual place.
    """

    def __init__(self, chassis: Chassis) -> None:
        self.chassis = chassis
        cache = chassis.folder.parent / "libvirt-cache"
        libvirtd_conf = f"""
listen_tls = 0
listen_tcp = 1
listen_addr = "{chassis.encap_ip}"
auth_tcp = "none"
auth_unix_rw = "none"
host_uuid = "{uuid.uuid4()}"
"""
        setup = f"""{_QEMU_USER}
hostname {chassis.name}
echo {chassis.encap_ip} {chassis.name} >>/etc/hosts
mount --bind {chassis.folder} /run/openvswitch
mkdir -p /etc/libvirt /var/lib/libvirt /var/cache/libvirt {FOLDER} {cache}
# Guests and networks that somebody has on this machine are none of ours.
mount -t tmpfs -o mode=755 tmpfs /etc/libvirt
mount -t tmpfs -o mode=755 tmpfs /var/lib/libvirt
# What libvirt has learnt of QEMU, which takes it seconds: all hypervisors of a lab share it.
mount --bind {cache} /var/cache/libvirt
cat >/etc/libvirt/qemu.conf <<'END'{_QEMU_CONF}END
cat >/etc/libvirt/libvirtd.conf <<'END'{libvirtd_conf}END
"""
        with chassis.namespace.entered():
            super().__init__(["--mount", "--uts"], setup)
        command = self.command("libvirtd", "--listen")
        self.libvirtd = Daemon(chassis.folder, "libvirtd", command, self.path(SOCKET))

    def __repr__(self) -> str:
        return f"Hypervisor({self.chassis.name!r})"

    def start(self) -> None:
        """Start libvirtd; AssertionError if this machine lacks what guests need."""
        assert not missing(), missing()
        make_image(self.path(FOLDER))
        self.libvirtd.start()

    @property
    def emulator(self) -> str:
        """The path of QEMU."""
        return next(filter(None, map(shutil.which, EMULATORS)))

    def stop(self) -> None:
        """End everything on it: guests, libvirtd and whatever a hook has started."""
        self.libvirtd.stop()
        # Guests outlive libvirtd. Of the namespace only its holder is left.
        here = Path(f"/proc/{self.pid}/ns/mnt").readlink()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "ns/mnt").readlink() == here and process.name != str(self.pid):
                    os.kill(int(process.name), signal.SIGKILL)
        super().stop()

    def clean(self) -> None:
        """Remove what tests have left behind, guests too."""
        if self.libvirtd.running:
            for vm_id in self.virsh("list", "--uuid").split():
                self.virsh("destroy", vm_id)
        super().clean()

    def virsh(self, *words: str, xml: str = "") -> str:
        """Run virsh; `xml` is what it reads as /dev/stdin."""
        return self.run(*VIRSH, *words, text=xml).strip()

    @contextlib.contextmanager
    def events(self) -> Iterator[subprocess.Popen[str]]:
        """Run a program that prints what becomes of guests here: "... 'name': Resumed Migrated"."""
        watch = ("event", "--event", "lifecycle", "--loop")
        with subprocess.Popen(
            self.command(*VIRSH, *watch), stdout=subprocess.PIPE, text=True
        ) as watcher:
            try:
                yield watcher
            finally:
                watcher.terminate()

    @property
    def uri(self) -> str:
        """Where other hypervisors reach libvirt."""
        return f"qemu+tcp://{self.chassis.encap_ip}/system"

    def tap_of(self, port_id: str) -> str:
        """Return the tap of a port that libvirt has plugged, "" if it has none."""
        condition = f"external_ids:iface-id={port_id}"
        return self.chassis.vsctl("--bare", "--columns=name", "find", "Interface", condition)

    def read(self, path: str) -> str:
        """Return the content of a file, "" if there is none; what is no text is replaced."""
        with contextlib.suppress(FileNotFoundError):
            return self.path(path).read_text(errors="replace")
        return ""


@contextlib.contextmanager
def hypervisors(chassis: Sequence[Chassis]) -> Iterator[list[Hypervisor]]:
    """Have a hypervisor on each of some chassis, in their order."""
    with contextlib.ExitStack() as stack:

        def bring_up(one: Chassis) -> Hypervisor:
            made = Hypervisor(one)
            stack.callback(made.stop)
            made.start()
            return made

        with ThreadPoolExecutor() as pool:
            running = list(pool.map(bring_up, chassis))
        yield running
