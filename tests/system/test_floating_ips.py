# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Floating IPs, whose address is translated by the machine's own chassis or by the gateway's."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.proxy import Api, running_api
from system.external import GATEWAYS, OUTSIDE, WORLD, ExternalSite, external_site, gateway_lab
from system.lab import Lab, Vm
from system.lab.frames import Frame

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def module_lab() -> Iterator[Lab]:
    """Chassis of which two are for gateways."""
    with gateway_lab() as lab:
        yield lab


@pytest.fixture(scope="module", params=[True, False], ids=["distributed", "centralized"])
def api(request: pytest.FixtureRequest, module_lab: Lab) -> Iterator[Api]:
    """The proxy, with floating IPs at the machines' own chassis or at the gateway's."""
    settings = {"gateway_chassis": GATEWAYS, "distributed_floating_ips": request.param}
    with running_api(module_lab.nb, **settings) as api:
        yield api


def allocate(api: Api, site: ExternalSite, machine: Vm) -> Any:
    """Return a new floating IP of a machine."""
    return api.create(
        "floatingip", floating_network_id=site.external["id"], port_id=machine.port["id"]
    )


def comes_from(ip: str) -> Any:
    def is_wanted(frame: Frame) -> bool:
        return frame.source_ip == ipaddress.ip_address(ip)

    return is_wanted


def test_life_of_a_floating_ip(lab: Lab, api: Api) -> None:
    """A machine is reached from outside, another one after one PUT, and nobody after the last."""
    is_distributed = api.config.distributed_floating_ips
    site = external_site(lab)
    outside, gateway_ip = site.outside, site.gateway_ip
    alice, bob = (lab.create_vm(site.internal, chassis) for chassis in lab.chassis[2:0:-1])
    floating = allocate(api, site, alice)
    ip = floating["floating_ip_address"]
    lab.sync()

    def seen(machine: Vm, target: str) -> str:
        """Return the address by which a machine outside sees one inside."""
        with outside.serve_tcp(80) as service:
            assert machine.exchange_tcp(target, 80, bytes(100_000))
            [(address, _)] = service.clients
            return str(address)

    for machine in (alice, bob):
        assert outside.can_ping(ip)
        with machine.serve_tcp(80) as service:
            assert outside.exchange_tcp(ip, 80, bytes(1_000_000))
            assert outside.exchange_tcp(ip, 80, source=WORLD)
            assert [OUTSIDE, WORLD] == [address for address, _ in service.clients]
        assert [ip, ip] == [seen(machine, target) for target in (OUTSIDE, WORLD)]
        other = bob if machine is alice else alice
        assert gateway_ip == seen(other, OUTSIDE)
        chassis = machine.chassis.name if is_distributed else GATEWAYS[0]
        assert {chassis} == site.senders(lambda: outside.can_ping(ip), comes_from(ip))
        if machine is alice:
            api.update("floatingip", floating["id"], port_id=bob.port["id"])
            lab.sync()
    api.update("floatingip", floating["id"], port_id=None)
    lab.sync()
    assert not outside.can_ping(ip, timeout_s=0.3)
    assert gateway_ip == seen(bob, OUTSIDE)
    api.update("floatingip", floating["id"], port_id=alice.port["id"])
    lab.sync()
    assert outside.can_ping(ip)
    api.delete("floatingip", floating["id"])
    lab.sync()
    assert not outside.can_ping(ip, timeout_s=0.3)


def test_a_floating_ip_and_security_groups(lab: Lab, api: Api) -> None:
    """A group filters what comes by a floating IP, by who has really sent it."""
    site = external_site(lab, port_security_enabled=True)
    group = lab.api.create("security_group")["id"]
    lab.api.create(
        "security_group_rule",
        security_group_id=group,
        direction="ingress",
        protocol="tcp",
        remote_ip_prefix=f"{WORLD}/32",
    )
    alice = lab.create_vm(site.internal, lab.chassis[2], security_groups=[group])
    ip = allocate(api, site, alice)["floating_ip_address"]
    lab.sync()

    with alice.serve_tcp(80):
        assert site.outside.exchange_tcp(ip, 80, source=WORLD)
        assert not site.outside.can_reach_tcp(ip, 80, timeout_s=0.3)
    assert not site.outside.can_ping(ip, timeout_s=0.3)


def test_floating_ips_from_inside(lab: Lab, api: Api) -> None:
    """Machines inside reach each other by their floating IPs, and a machine itself."""
    site = external_site(lab)
    alice, bob = (lab.create_vm(site.internal, chassis) for chassis in lab.chassis[1:])
    carol = lab.create_vm(site.internal, lab.chassis[0])
    ip = allocate(api, site, alice)["floating_ip_address"]
    other_ip = allocate(api, site, bob)["floating_ip_address"]
    lab.sync()

    with alice.serve_tcp(80), bob.serve_tcp(80):
        assert bob.exchange_tcp(ip, 80)
        assert alice.exchange_tcp(other_ip, 80)
        assert carol.exchange_tcp(ip, 80)
