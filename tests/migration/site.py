# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A site whose VMs move: chassis with the hooks installed, and a proxy with its listener.

The chassis are a lab's (tests/system/lab), each with a hypervisor's files around it, on
which hooks run as VDSM starts them. The proxy is a process of its own on the central;
what the engine says is said to a second one on the same database.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from certificates import make_certificate
from daemon.host.machine import Outcome
from daemon.ovsdb import short_folder
from daemon.proxy import ProxyProcess
from system.lab import CENTRAL_IP, Chassis, Lab, MovingVm
from system.lab.guest import PROVIDER
from system.lab.libvirt import Hypervisor

LEAVING = "before_vm_migrate_source"
COMING = "before_vm_migrate_destination"
CAME = "after_vm_migrate_destination"
GONE = "after_vm_destroy"
PKI = "/etc/pki/vdsm"
# Seconds after the VM's awakening when the old host has got rid of it. On real hosts it is more.
SOURCE_ENDS_S = 0.3


class Host:
    """A hypervisor: a chassis with VDSM's certificate, and the hooks."""

    def __init__(self, chassis: Chassis, pki: Path) -> None:
        self.chassis = chassis
        self.machine = Hypervisor(chassis)
        for source, target, owner in (
            (f"{chassis.name}.pem", "certs/vdsmcert.pem", "root"),
            ("ca.pem", "certs/cacert.pem", "root"),
            (f"{chassis.name}.key", "keys/vdsmkey.pem", "vdsm"),
        ):
            install = ["install", "-D", "-o", owner, "-m", "440" if owner == "vdsm" else "644"]
            text = (pki / source).read_text()
            self.machine.run(*install, "/dev/stdin", f"{PKI}/{target}", text=text)

    def reset(self) -> None:
        """Have no records of VMs, and the settings that it takes here."""
        self.machine.clean()
        url = f"https://{CENTRAL_IP}:9697"
        self.machine.write_settings(f"bindings-url={url}")

    def hook(self, point: str, vm: Guest) -> Outcome:
        """Run a hook for a VM; it must let the migration go on."""
        vnics = [PROVIDER for _ in vm.vnics]
        outcome = self.machine.hook_of_vm(point, xml=vm.xml, vm_id=vm.id, vnics=vnics)
        assert outcome.error is None
        for run in outcome.runs:
            assert run.status == 0, run
            print(run.stderr, end="")
        return outcome

    def records(self) -> list[str]:
        """The names of the files in which the hooks remember VMs."""
        folder = self.machine.path("/run/vdsm/ovn-migrations")
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class Guest:
    """A VM with one or several vNICs, each of which is a machine of the lab."""

    def __init__(self, vnics: Sequence[MovingVm]) -> None:
        self.vnics = vnics
        self.id = vnics[0].id

    @property
    def chassis(self) -> Chassis:
        """Where it runs."""
        return self.vnics[0].chassis

    @property
    def xml(self) -> str:
        """Its XML, as libvirt has it."""
        interfaces = "".join(
            f"<interface type='bridge'><mac address='{vnic.mac}'/><source bridge='br-int'/>"
            f"<virtualport type='openvswitch'><parameters interfaceid='{vnic.port['id']}'/>"
            "</virtualport></interface>"
            for vnic in self.vnics
        )
        devices = f"<devices>{interfaces}</devices>"
        return f"<domain type='kvm'><uuid>{self.id}</uuid>{devices}</domain>"


class Site:
    """The whole of it; `hosts` are "hv1" and "hv2", and the peers of VMs are on "hv3"."""

    def __init__(self, lab: Lab, pki: Path, folder: Path) -> None:
        self.lab = lab
        self.hosts = {chassis.name: Host(chassis, pki) for chassis in lab.chassis[:2]}
        (folder / "conf.d").mkdir()
        (folder / "conf.d/10.conf").write_text(f"[PROVIDER]\nlisten-address={CENTRAL_IP}\n")
        extra = (
            f"[SSL]\nhttps-enabled=true\nssl-key-file={pki}/central.key\n"
            f"ssl-cert-file={pki}/central.pem\nssl-cacert-file={pki}/ca.pem\n"
            f"[BINDINGS]\nca-file={pki}/ca.pem\n"
        )
        self.proxy = ProxyProcess(folder, lab.nb.remote, extra=extra, scheme="https")
        port = self.proxy.networking_port
        self.proxy.networking_url = f"https://{CENTRAL_IP}:{port}"
        self.proxy.identity_url = f"https://{CENTRAL_IP}:{self.proxy.identity_port}"

    def start_proxy(self) -> None:
        """Start the proxy, again if it was killed."""
        with self.lab.underlay.entered():
            self.proxy.start()
            self.proxy.wait_ready()

    def reset(self) -> None:
        """Leave everything as a test wants to find it."""
        if not self.proxy.running:
            self.start_proxy()
        for host in self.hosts.values():
            host.reset()
        self.lab.clear()

    # What tests make

    def create_guest(self, network: dict[str, object], host: str, vnics: int = 1) -> Guest:
        """Start a VM as the engine does, which says where."""
        return Guest(
            [
                self.lab.create_moving_vm(
                    network,
                    self.hosts[host].chassis,
                    **{"device_owner": "oVirt", "binding:host_id": host},
                )
                for _ in range(vnics)
            ]
        )

    def other_host(self, guest: Guest) -> Host:
        """Return the host on which a VM is not."""
        return next(host for host in self.hosts.values() if host.chassis is not guest.chassis)

    def options(self, guest: Guest) -> list[str]:
        """What OVN is told of each port of a VM."""
        names = [vnic.port["id"] for vnic in guest.vnics]
        return [self.lab.nbctl("get", "Logical_Switch_Port", name, "options") for name in names]

    def hosts_of(self, guest: Guest) -> list[str]:
        """The host of each port of a VM, as the proxy has it."""
        return [
            self.lab.api.get(f"ports/{vnic.port['id']}")["port"]["binding:host_id"]
            for vnic in guest.vnics
        ]

    def engine_says(self, guest: Guest, host: str) -> None:
        """Do what the engine does when it sees a VM on a host."""
        for vnic in guest.vnics:
            values = {"binding:host_id": host, "mac_address": vnic.mac}
            self.lab.api.update("port", vnic.port["id"], **values)


class Migration:
    """One migration, step by step; `migrate` takes all of them."""

    def __init__(self, site: Site, guest: Guest) -> None:
        self.site = site
        self.guest = guest
        self.source = site.hosts[guest.chassis.name]
        self.destination = site.other_host(guest)
        self._pool = ThreadPoolExecutor(1)

    def prepare(self) -> Outcome:
        """Announce the VM, and plug it where it will be: its memory is copied from now on."""
        self.source.hook(LEAVING, self.guest)
        outcome = self.destination.hook(COMING, self.guest)
        for vnic in self.guest.vnics:
            vnic.prepare_on(self.destination.chassis)
        return outcome

    def wait_prepared(self) -> None:
        """Wait until OVN has the ports ready on both hosts."""
        for vnic in self.guest.vnics:
            self.destination.chassis.wait_installed(vnic.taps[self.destination.chassis.name])

    def resume(self) -> Future[Outcome]:
        """Let the copy run on, and VDSM there know; return its hook, which takes its time."""
        for vnic in self.guest.vnics:
            vnic.resume_on(self.destination.chassis)
        return self._pool.submit(self.destination.hook, CAME, self.guest)

    def end_source(self) -> None:
        """Make an end of the original."""
        for vnic in self.guest.vnics:
            vnic.remove_from(self.source.chassis)
        self.source.hook(GONE, self.guest)

    def give_up(self) -> None:
        """Make an end of the copy, which never ran."""
        for vnic in self.guest.vnics:
            vnic.remove_from(self.destination.chassis)
        self.destination.hook(GONE, self.guest)

    def close(self) -> None:
        """Let go of what it has used."""
        self._pool.shutdown()


@contextlib.contextmanager
def running_site() -> Iterator[Site]:
    """Give a site with its proxy ready."""
    with contextlib.ExitStack() as stack:
        pki = stack.enter_context(short_folder())
        folder = stack.enter_context(short_folder())
        make_certificate(pki, "ca")
        make_certificate(pki, "central", "ca", names="DNS:central.example.com")
        for name in ("hv1", "hv2"):
            make_certificate(pki, name, "ca", names=f"DNS:{name}")
        lab = stack.enter_context(Lab(3))
        site = Site(lab, pki, folder)
        for host in site.hosts.values():
            stack.callback(host.machine.stop)
        stack.callback(site.proxy.stop)
        site.start_proxy()
        yield site
