# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Configuring hosts that are at work: not one packet between two others is lost."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from certificates import make_certificate
from daemon.ovsdb import northd, short_folder, wait_until
from system.lab import CENTRAL_IP, Chassis, ChassisSpec, Lab
from system.lab.configurator import configure

pytestmark = [pytest.mark.system, pytest.mark.alone]

ROOT = Path(__file__).resolve().parents[2]
PORTS = (6642, 6643)
DROP_IN = ROOT / "vdsm_plugin" / "systemd" / "50-ovirt-provider-ovn-driver.conf"


class Hosts:
    """The chassis of a lab with a Southbound by TLS, configured by our settings."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self._folder = folder

    def enroll(self, chassis: Chassis) -> None:
        """Give a chassis certificates; new ones, if it has some."""
        make_certificate(self._folder, "new", "ca", names=f"DNS:{chassis.name}")
        for name, mode in (("key", 0o440), ("pem", 0o644)):
            file = self._folder / f"new.{name}"
            file.chmod(mode)
            file.replace(self._folder / f"{chassis.name}.{name}")

    def configure(self, chassis: Chassis, tunnel: str = "", *ports: int) -> str:
        """Write settings, apply them on a host, and return what is said."""
        files = self._folder / chassis.name
        central = ",".join(f"ssl:{CENTRAL_IP}:{port}" for port in ports or PORTS[:1])
        said = configure(
            chassis,
            f"[ovn]\ncentral = {central}\ntunnel = {tunnel or chassis.encap_ip}\n"
            "restart-wait = 1000\n"
            f"[tls]\nprivate-key = {files}.key\ncertificate = {files}.pem\n"
            f"ca-certificate = {self._folder}/ca.pem\n",
        )
        return "\n".join(said)

    def settle(self, *chassis: Chassis) -> None:
        """Wait until hosts have their Southbound, and all do what it says."""
        for it in chassis:
            wait_until(it.is_connected, 10, f"{it.name} is connected")
        self.lab.sync()
        # Half a second of traffic on what there is then.
        time.sleep(0.5)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Three chassis, as the lab makes them: with a Southbound by unix socket, without TLS."""
    with short_folder() as folder:
        make_certificate(folder, "ca")
        make_certificate(folder, "central", "ca", names=f"IP:{CENTRAL_IP}")
        files = {"private-key": "central.key", "certificate": "central.pem", "ca-cert": "ca.pem"}
        central = partial(
            northd,
            sb_remotes=[f"pssl:{port}:{CENTRAL_IP}" for port in PORTS],
            sb_options=[f"--{option}={folder / file}" for option, file in files.items()],
        )
        specs = [ChassisSpec(name) for name in ("hv1", "hv2", "hv3")]
        with Lab(specs, central=central) as lab:
            yield Hosts(lab, folder)


def test_nothing_is_lost_while_hosts_are_configured(hosts: Hosts) -> None:
    """Applied, re-applied, other centrals, a third host that moves, certificates, restarts."""
    lab = hosts.lab
    hv3 = lab.chassis[2]
    red = lab.create_network("10.0.0.0/24")
    alice, bob, carol = (lab.create_vm(red, chassis) for chassis in lab.chassis)
    for chassis in lab.chassis:
        hosts.enroll(chassis)
    assert 3 == alice.ping(carol.ip)

    def apply() -> None:
        """To another central even, by TLS instead of a socket."""
        for chassis in lab.chassis:
            assert "external_ids:ovn-remote: unix:" in hosts.configure(chassis)
        hosts.settle(*lab.chassis)

    def apply_again() -> None:
        for chassis in lab.chassis:
            assert "nothing to change" in hosts.configure(chassis)
        hosts.settle(*lab.chassis)

    def change_centrals() -> None:
        """One host after the other."""
        for ports in (PORTS, PORTS[::-1], PORTS[1:]):
            for chassis in lab.chassis:
                assert "external_ids:ovn-remote: ssl:" in hosts.configure(chassis, "", *ports)
            hosts.settle(*lab.chassis)

    def move_third() -> None:
        """Its tunnels end elsewhere, and are back again."""
        for old, new in ((hv3.encap_ip, "198.18.0.33"), ("198.18.0.33", hv3.encap_ip)):
            hv3.namespace.ip(f"addr del {old}/24 dev br-tunnel", f"addr add {new}/24 dev br-tunnel")
            assert f"ovn-encap-ip: {old} -> {new}" in hosts.configure(hv3, new, *PORTS[1:])
            hosts.settle(hv3)
            assert alice.can_ping(carol.ip)
            assert new in lab.sbctl("--columns=ip", "list", "Encap")

    def renew_certificates() -> None:
        """New ones, which the next session uses."""
        for chassis in lab.chassis:
            hosts.enroll(chassis)
        hosts.settle(*lab.chassis)
        for chassis in lab.chassis:
            hosts.configure(chassis)
        hosts.settle(*lab.chassis)

    def restart_all() -> None:
        """Each ovn-controller, as the unit with our drop-in does it."""
        for chassis in lab.chassis:
            restart(chassis)
        hosts.settle(*lab.chassis)

    lost = {}
    steps = (apply, apply_again, change_centrals, move_third, renew_certificates, restart_all)
    for step in steps:
        with alice.probe(bob.ip, 10) as there, bob.probe(alice.ip, 10) as back:
            step()
        seen = there.stop(), back.stop()
        assert min(it.sent for it in seen) > 50
        lost[step.__name__] = sum(it.lost for it in seen)
    assert dict.fromkeys(lost, 0) == lost


def restart(chassis: Chassis) -> None:
    """Stop ovn-controller by the drop-in's command, and start it again."""
    command = DROP_IN.read_text().rstrip().rpartition("ExecStop=-")[2]
    chassis.run(*shlex.split(command))
    wait_until(lambda: not chassis.controller.running)
    chassis.controller.stop()
    chassis.start_controller()
