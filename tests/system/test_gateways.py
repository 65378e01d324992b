# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way out of routers: external gateways, SNAT, and the chassis that they are on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from daemon.ovsdb import wait_until
from daemon.routing import attach, mac_at
from system.external import OUTSIDE, OUTSIDE6, WORLD, external_site, gateway_lab, on_physnet
from system.lab import Lab, frames

pytestmark = pytest.mark.system

# BFD needs three seconds to find that a chassis is gone; measured are 3.2 s on a busy machine.
TAKEN_OVER_WITHIN_MS = 15_000
# A gap that has nothing to do with gateways; measured are 50 ms.
UNDISTURBED_MS = 1000


@pytest.fixture(scope="module")
def module_lab() -> Iterator[Lab]:
    """Chassis of which two are for gateways."""
    with gateway_lab() as lab:
        yield lab


@pytest.mark.parametrize("vlan", [None, 10])
def test_snat(lab: Lab, vlan: int | None) -> None:
    """Machines of every chassis reach the world, which sees the router's address alone."""
    site = external_site(lab, vlan)
    outside, gateway_ip = site.outside, site.gateway_ip
    machines = [lab.create_vm(site.internal, chassis) for chassis in lab.chassis]

    assert outside.can_ping(gateway_ip)
    with outside.serve_tcp(80) as service, outside.serve_udp(53, OUTSIDE) as names:
        for machine in machines:
            assert machine.can_ping(OUTSIDE)
            assert machine.exchange_tcp(OUTSIDE, 80, bytes(1_000_000))
            assert machine.exchange_tcp(WORLD, 80)
            assert machine.exchange_udp(OUTSIDE, 53)
    for clients in (service.clients, names.clients):
        assert {gateway_ip} == {address for address, _ in clients}
    # A network that comes later takes the same way.
    green = lab.create_network("10.3.0.0/24")
    attach(lab.api, site.router, subnet_id=green["subnets"][0])
    eve = lab.create_vm(green, lab.chassis[2])
    with outside.serve_tcp(80) as service:
        assert eve.exchange_tcp(OUTSIDE, 80)
        assert [gateway_ip] == [address for address, _ in service.clients]
    assert eve.can_ping(machines[0].ip)


def test_without_snat(lab: Lab) -> None:
    """Without SNAT, and by IPv6, the world sees the machine itself, and gets to it by a route."""
    site = external_site(lab)
    site.set_snat(False)
    outside = site.outside
    alice = lab.create_vm(site.internal, lab.chassis[2])
    gateway_ip6 = next(
        it["ip_address"] for it in site.gateway["fixed_ips"] if ":" in it["ip_address"]
    )
    outside.add_route("10.1.0.0/24", site.gateway_ip)
    outside.add_route("fd00:1::/64", gateway_ip6)

    for target, own in ((OUTSIDE, alice.ip), (OUTSIDE6, alice.ip6)):
        assert outside.can_ping(own)
        with outside.serve_tcp(80) as service, alice.serve_tcp(81):
            assert alice.exchange_tcp(target, 80)
            assert [own] == [address for address, _ in service.clients]
            assert outside.exchange_tcp(own, 81)
    site.set_snat(True)
    for target, seen in ((OUTSIDE, site.gateway_ip), (OUTSIDE6, alice.ip6)):
        with outside.serve_tcp(80) as service:
            assert alice.exchange_tcp(target, 80)
            assert [seen] == [address for address, _ in service.clients]


def test_an_internal_network_that_is_physical(lab: Lab) -> None:
    """Machines on a VLAN of the site are routed on the gateway's chassis alone, and get out."""
    site = external_site(lab, 10, **on_physnet(11))
    alice = lab.create_vm(site.internal, lab.chassis[2])
    bob = lab.create_vm(site.internal, lab.chassis[0])
    lab.add_outside("physnet", "10.1.0.200/24", vlan=11)
    mac = mac_at(lab.api, "10.1.0.1")

    def speak() -> bool:
        return all(it.exchange_tcp(OUTSIDE, 80, bytes(100_000)) for it in (alice, bob))

    with site.outside.serve_tcp(80) as service:
        assert {"hv1"} == site.senders(speak, lambda frame: frame.source_mac == mac)
        assert {site.gateway_ip} == {address for address, _ in service.clients}
    assert alice.can_ping("10.1.0.200")


def test_chassis_of_gateways_come_and_go() -> None:
    """Gateways are on the first chassis that lives; a dead ovn-controller costs nothing."""
    with gateway_lab() as lab:
        hv1, _, hv3 = lab.chassis
        site = external_site(lab)
        alice, bob = lab.create_vm(site.internal, hv3), lab.create_vm(site.internal, hv3)
        own = lab.api.create(
            "floatingip", floating_network_id=site.external["id"], port_id=bob.port["id"]
        )["floating_ip_address"]
        lab.sync()
        assert site.outside.can_ping(own)
        assert alice.can_ping(OUTSIDE)

        def is_on(name: str) -> bool:
            return {name} == site.senders(
                lambda: alice.can_ping(OUTSIDE, timeout_s=60.0),
                lambda it: str(it.source_ip) == site.gateway_ip and it.protocol == frames.ICMP,
            )

        def gap_ms(act: Callable[[], object], then_on: str) -> float:
            """Do something; return for how long the world was out of reach until all is well."""
            with alice.probe(OUTSIDE) as probe:
                act()
                lab.sync()
                wait_until(lambda: is_on(then_on), 60.0, f"the gateway is on {then_on}")
            return probe.stop().longest_gap_ms

        assert is_on("hv1")
        undisturbed = gap_ms(hv1.controller.kill, "hv1")
        again = gap_ms(hv1.start_controller, "hv1")
        leaving = gap_ms(hv1.leave, "hv2")
        coming = gap_ms(hv1.start_controller, "hv1")
        with site.outside.probe(own) as distributed:
            crash = gap_ms(hv1.kill, "hv2")
        print(undisturbed, again, leaving, coming, crash, distributed.result)
        assert max(undisturbed, again) < UNDISTURBED_MS
        assert max(leaving, coming, crash) < TAKEN_OVER_WITHIN_MS
        # Floating IPs that are distributed do without the gateway's chassis.
        assert distributed.stop().longest_gap_ms < UNDISTURBED_MS
