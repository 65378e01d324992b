# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A central of three nodes: what machines and clients notice when parts of it die."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from certificates import make_certificate
from daemon.ovsdb import short_folder, wait_until
from system.lab import CENTRAL_IP, Chassis, ChassisSpec, Lab
from system.lab.cluster import ClusteredCentral, Database
from system.lab.service import Service, service, tls_settings
from system.write_stream import WriteStream

pytestmark = [pytest.mark.system, pytest.mark.alone]

# With an election timer of 1 s a successor leads after about 1 s, and after twice that if
# the votes are split; this machine may be busy. The proxy needs a tenth of a second more, and
# may take two.
ELECTION_S = 20.0
READY_S = 2.0
# ovn-northd and ovn-controller try again after up to 8 s.
FOLLOWS_S = 90.0


class Site:
    """A lab with a cluster, a stream of writes to it, and two machines."""

    def __init__(self, lab: Lab, central: ClusteredCentral) -> None:
        self.lab = lab
        self.central = central
        self.network = lab.create_network("10.0.0.0/16")
        self.alice, self.bob = (lab.create_vm(self.network, it) for it in lab.chassis)
        assert isinstance(lab.rest, Service)
        self.stream = WriteStream(lab.rest, self.network["id"])

    def start(self, *numbers: int) -> None:
        """Start nodes of the central."""
        with self.lab.underlay.entered():
            self.central.start(*numbers)

    def lose_leader(self, database: Database, end: Callable[[int], object]) -> int:
        """End the node that leads a database, and wait for its successor and a write to it."""
        self.wait_leader(database)
        old = database.leader()
        assert old is not None
        begin = time.monotonic()
        end(old)
        self.wait_leader(database)
        led_s = time.monotonic() - begin
        ready_s = self.stream.wait_acknowledged(begin + led_s, READY_S)
        print(
            f"{database.name}: without node {old} another one led after {led_s:.2f} s,"
            f" and a write was acknowledged {ready_s:.2f} s later"
        )
        return old

    def kill_leader(self, database: Database) -> None:
        """Kill the server that leads a database; it comes back when another one leads."""
        self.start(self.lose_leader(database, lambda old: database.servers[old].kill()))

    def wait_leader(self, database: Database) -> None:
        """Wait until a server leads a database."""
        wait_until(lambda: database.leader() is not None, ELECTION_S, f"{database.name} is led")

    def start_another(self, chassis: Chassis) -> None:
        """Create a port and start a machine with it, which old ones reach."""
        port = self.lab.rest.create("port", network_id=self.network["id"])
        vm = self.lab.make_vm(port, chassis)
        vm.configure()
        vm.plug()
        begin = time.monotonic()
        vm.wait_up(FOLLOWS_S)
        print(f"a new machine was up after {time.monotonic() - begin:.2f} s")
        assert self.alice.can_ping(vm.ip)


@pytest.fixture
def site() -> Iterator[Site]:
    """Three nodes, the proxy as a process, two chassis with a machine on each; all by TLS."""
    with short_folder() as folder:
        make_certificate(folder, "ca")
        for name in ("central", "hv1", "hv2"):
            make_certificate(folder, name, "ca", names=f"IP:127.0.0.1,IP:{CENTRAL_IP}")

        def files(name: str) -> list[Path]:
            return [folder / f"{name}.key", folder / f"{name}.pem", folder / "ca.pem"]

        central = ClusteredCentral(CENTRAL_IP, files("central"))
        specs = [
            ChassisSpec(
                name,
                external_ids={"ovn-remote": central.sb.public_remote},
                tls_files=[*map(str, files(name))],
            )
            for name in ("hv1", "hv2")
        ]
        proxy = partial(
            service,
            remote=central.nb.public_remote,
            extra=tls_settings(*files("central")),
            context=ssl.create_default_context(cafile=str(folder / "ca.pem")),
        )
        with Lab(specs, central=central, proxy=proxy) as lab:
            yield Site(lab, central)


def test_parts_of_the_central_die(site: Site) -> None:
    """No acknowledged write is lost, none doubled, and machines go on talking."""
    hv1, hv2 = site.lab.chassis
    central, stream = site.central, site.stream
    with site.alice.probe(site.bob.ip, 20) as traffic:
        with stream:
            stream.wait_acknowledged(time.monotonic(), READY_S)
            site.kill_leader(central.nb)
            site.kill_leader(central.sb)
            gone = site.lose_leader(central.nb, central.stop)
            site.start_another(hv1)
            acknowledged = stream.acknowledged
        assert acknowledged > 100
        stream.check(site.lab)

        others = [number for number in range(3) if number != gone]
        central.stop(*others)
        assert 503 == site.lab.rest("GET", "networks").status
        # Long enough for each part to find out that nobody answers.
        time.sleep(3)
        site.start(*others)
        begin = time.monotonic()
        wait_until(lambda: site.lab.rest("GET", "networks").status == 200, FOLLOWS_S)
        print(f"all of it came back: lists after {time.monotonic() - begin:.2f} s")
        stream.check(site.lab)
        site.start_another(hv2)
    silence = traffic.stop()
    print(silence)
    assert 0 == silence.lost
