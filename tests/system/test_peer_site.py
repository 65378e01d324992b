# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A site of ovirt-provider-ovn, taken over with machines in it: it filters and routes as before."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from daemon.ovsdb import northd
from daemon.test_peer_site import ANSWERS, DATA, GROUPS, KINDS, NETWORKS, PORTS
from system.lab import ChassisSpec, Lab, Vm, delivered, frames, reached

pytestmark = pytest.mark.system

OFFERS = ("tcp 22", "tcp 80", "tcp 5432", "tcp 5433", "tcp 5434", "udp 80", "ping")
NOTHING: set[str] = set()
EVERYTHING = {*OFFERS}
WEB = {"tcp 80", "ping"}
DB = {"tcp 5432", "tcp 5433"}
ROUTER = ANSWERS["routers"][0]["id"]
# A host beyond the external network, and one behind the next hop of a static route.
WORLD, BEHIND = "198.51.100.1", "192.168.7.1"


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The site, of which the proxy has not been asked anything yet."""
    central = partial(northd, nb_content=DATA / "nb.backup")
    specs = [ChassisSpec(name, ["phys1", "phys2"], is_gateway=True) for name in ("hv1", "hv2")]
    with Lab(specs, central=central, gateway_chassis=("hv1",)) as lab:
        yield lab


def start(lab: Lab, name: str, number: int) -> Vm:
    """Start a machine with a port of the site, from what its administrator knows."""
    port = next(it for it in ANSWERS["ports"] if it["name"] == name)
    vm = lab.make_vm(port, lab.chassis[number])
    network = vm.ip.rpartition(".")[0]
    vm.add_address(f"{vm.ip}/24")
    vm.add_route("default", f"{network}.1")
    vm.start(configure=False)
    return vm


def acls(lab: Lab) -> set[str]:
    command = ["ovsdb-client", "--format=csv", "dump", lab.nb.remote, "OVN_Northbound", "ACL"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=10)
    return {*done.stdout.splitlines()}


def test_groups_filter_on(lab: Lab) -> None:
    """The site's groups filter as its rules say, untouched; new ports join them, and leave them."""
    web, db, other = (start(lab, it, n) for n, it in enumerate(("websrv", "dbsrv", "default"), -2))
    free = start(lab, "nosec", 1)
    before = acls(lab)

    def assert_as_it_was() -> None:
        for target, expected in ((web, WEB), (db, WEB), (other, NOTHING)):
            assert expected == reached(free, target, *OFFERS), target
            assert EVERYTHING == reached(target, free, *OFFERS), target
        # It put all ports with port security into its default group, which lets its own in.
        for sender, target in ((web, db), (db, web), (other, web), (web, other)):
            assert EVERYTHING == reached(sender, target, *OFFERS), (sender, target)
        assert {"let in"} == delivered(ssh_by_v6(free, web), free, web)

    assert_as_it_was()
    for kind in KINDS:
        assert lab.api.get(kind)
    lab.sync()
    assert_as_it_was()
    assert before == acls(lab)

    own_web, own_db = (
        lab.create_vm({"id": NETWORKS["secured"]}, lab.chassis[0], security_groups=[GROUPS[name]])
        for name in ("web", "db")
    )
    assert_as_it_was()
    expected: list[tuple[Vm, Vm, set[str]]] = [
        (own_web, db, WEB | DB),
        (own_web, web, WEB),
        (own_web, other, NOTHING),
        (own_web, own_db, DB),
        (web, own_db, DB),
        (db, own_db, DB),
        (other, own_db, NOTHING),
        (free, own_db, NOTHING),
        (other, own_web, WEB),
        (free, own_web, WEB),
        (own_db, own_web, WEB),
        (own_db, free, EVERYTHING),
    ]
    for sender, target, offers in expected:
        assert offers == reached(sender, target, *OFFERS), (sender, target)
    assert before < acls(lab)

    # A port that changes its groups here is in those that it names, and in no other.
    lab.api.update("port", web.port["id"], security_groups=[GROUPS["db"]])
    lab.sync()
    for sender, offers in ((own_web, DB), (other, NOTHING), (free, NOTHING), (own_db, NOTHING)):
        assert offers == reached(sender, web, *OFFERS), sender
    assert before < acls(lab)


def ssh_by_v6(sender: Vm, receiver: Vm) -> dict[str, bytes]:
    """Return what a rule with a prefix lets in, and what it does not, as frames."""
    tries = {
        "let in": ("2001:db8::1", 22),
        "another port": ("2001:db8::1", 23),
        "another network": ("2001:db9::1", 22),
    }
    return {
        name: frames.ip_frame(
            sender.mac,
            receiver.mac,
            frames.tcp_syn(source, receiver.link_local(), (30000, port)),
        )
        for name, (source, port) in tries.items()
    }


def test_routers_route_on(lab: Lab) -> None:
    """The site's routers route, with their gateway and static routes; SNAT comes when asked for."""
    nic, big, free = (start(lab, it, n) for n, it in enumerate(("nic0", "big1", "nosec"), -1))
    lease = start_bare(lab, "nic1").dhcp4()
    assert lease is not None
    assert ("10.1.0.3/24", "10.1.0.1") == (str(lease.address), lease.router)
    # The site's router is not the gateway that this subnet names.
    big.add_route("default", "10.9.0.3")

    assert nic.can_ping(big.ip)
    assert big.can_ping(nic.ip)
    hop = new_machine(lab, "secured", "10.2.0.200", 1, port_security_enabled=False)
    hop.add_address(f"{BEHIND}/32", "lo")
    assert free.can_ping(BEHIND)
    # On the gateway's chassis, as NAT is to come: before OVN 24.09 it takes that where the
    # external network is no physical one.
    world = new_machine(lab, "outside", "203.0.113.1", 0)
    world.add_address(f"{WORLD}/32", "lo")
    world.add_route("10.1.0.0/24", "203.0.113.9")
    own = lab.create_vm({"id": NETWORKS["plain"]}, lab.chassis[1])

    def seen_from(machine: Vm) -> str:
        with world.serve_tcp(80) as service:
            assert machine.exchange_tcp(WORLD, 80)
            return service.clients[0][0]

    for machine in (nic, own):
        assert world.can_ping(machine.ip)
        assert machine.ip == seen_from(machine)
        assert machine.can_ping(big.ip)
    external = {"network": {"router:external": True}}
    assert 200 == lab.api("PUT", f"networks/{NETWORKS['outside']}", external).status
    info = {"network_id": NETWORKS["outside"], "enable_snat": True}
    lab.api.update("router", ROUTER, external_gateway_info=info)
    floating = lab.api.create(
        "floatingip", floating_network_id=NETWORKS["outside"], port_id=PORTS["nic0"]
    )["floating_ip_address"]
    lab.sync()
    assert ["203.0.113.9", floating] == [seen_from(own), seen_from(nic)]
    assert world.can_ping(floating)


def start_bare(lab: Lab, name: str) -> Vm:
    """Start a machine with a port of the site, which has no address yet."""
    port = next(it for it in ANSWERS["ports"] if it["name"] == name)
    return lab.start_vm(port, lab.chassis[0], configure=False)


def new_machine(lab: Lab, network: str, ip: str, number: int, **values: Any) -> Vm:
    """Start a machine with a new port that has a certain address."""
    fixed_ips = [{"ip_address": ip}]
    place = lab.chassis[number]
    return lab.create_vm({"id": NETWORKS[network]}, place, fixed_ips=fixed_ips, **values)
