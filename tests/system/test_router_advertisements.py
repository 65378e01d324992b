# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What guests are told by routers: addresses, routes, MTU, DNS (RFC 4861, 4862, 8106, 8415)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.ovsdb import wait_until
from daemon.routing import attach
from system.lab import Lab, Vm, frames
from system.lab.frames import Frame

pytestmark = pytest.mark.system

CIDR = "fd00:1::/64"
DNS = "2001:db8::53"
ALL_ROUTERS = "ff02::2"
ADVERTISEMENT = b"\x86\x00"
MANAGED, OTHER = 0x80, 0x40
# Options of an advertisement, and the flag of a prefix that lets hosts form their address.
PREFIX, MTU, RDNSS = 3, 5, 25
AUTONOMOUS = 0x40


def site(lab: Lab, mode: str | None) -> tuple[dict[str, Any], Vm]:
    """Return a guarded network with an IPv6 mode, and a machine behind its router."""
    red = lab.create_network(mtu=1400, port_security_enabled=True)
    modes: dict[str, Any] = {"ipv6_address_mode": mode, "ipv6_ra_mode": mode}
    red_subnet = lab.api.create(
        "subnet",
        network_id=red["id"],
        cidr=CIDR,
        ip_version=6,
        dns_nameservers=[DNS],
        **modes,
    )
    blue = lab.create_network("fd00:2::/64")
    router = lab.api.create("router")["id"]
    for subnet_id in (red_subnet["id"], blue["subnets"][0]):
        attach(lab.api, router, subnet_id=subnet_id)
    return red, lab.create_vm(blue, lab.chassis[1])


def is_advertisement(frame: Frame) -> bool:
    return frame.protocol == frames.ICMPV6 and frame.payload[:2] == ADVERTISEMENT


def options(advertisement: Frame) -> Iterator[tuple[int, bytes]]:
    """Yield the options of an advertisement, each with what follows its length."""
    rest = advertisement.payload[16:]
    while rest:
        length = 8 * rest[1]
        yield rest[0], rest[2:length]
        rest = rest[length:]


def advertised(guest: Vm) -> tuple[int, dict[int, bytes]]:
    """Let a guest ask for a router; return the flags and the options of the answer."""
    with guest.capture() as heard:
        guest.accept_router_advertisements()
        answer = heard.wait_for(is_advertisement, timeout_s=10.0)
    assert answer is not None
    return answer.payload[5] & (MANAGED | OTHER), dict(options(answer))


def v6_mtu_bytes(guest: Vm) -> int:
    return int(guest.namespace.run("cat", "/proc/sys/net/ipv6/conf/eth0/mtu"))


@pytest.mark.parametrize(
    ("mode", "flags", "is_autonomous"),
    [
        ("slaac", 0, True),
        ("dhcpv6-stateless", OTHER, True),
        ("dhcpv6-stateful", MANAGED, False),
    ],
)
def test_a_guest_that_follows_a_router(
    lab: Lab, mode: str, flags: int, is_autonomous: bool
) -> None:
    """A guest gets the address of its port, a way to other networks, MTU and name servers."""
    red, bob = site(lab, mode)
    alice = lab.create_vm(red, lab.chassis[0], configure=False)

    told, given = advertised(alice)

    assert flags == told
    assert ipaddress.IPv6Network(CIDR).network_address.packed == given[PREFIX][14:30]
    assert is_autonomous == bool(given[PREFIX][1] & AUTONOMOUS)
    assert 1400 == int.from_bytes(given[MTU][2:6], "big")
    assert ipaddress.IPv6Address(DNS).packed == given[RDNSS][6:22]
    wait_until(lambda: "default via fe80::" in alice.namespace.run("ip", "-6", "route"))
    wait_until(lambda: v6_mtu_bytes(alice) == 1400)
    if is_autonomous:
        wait_until(lambda: [f"{alice.ip6}/64"] == alice.addresses())
    else:
        assert [] == alice.addresses()
    if mode != "slaac":
        lease = alice.dhcp6(stateless=is_autonomous)
        assert lease is not None
        assert (DNS,) == lease.dns_servers
        assert is_autonomous or f"{alice.ip6}/128" == str(lease.address)
    assert alice.can_ping(bob.ip6)
    with bob.serve_tcp(80) as service:
        assert alice.exchange_tcp(bob.ip6, 80, bytes(100_000))
        assert [alice.ip6] == [address for address, _ in service.clients]


def test_what_is_announced_follows(lab: Lab) -> None:
    """A guest is told of a new MTU and name server when it asks again."""
    red, _ = site(lab, "slaac")
    alice = lab.create_vm(red, lab.chassis[0], configure=False)
    assert alice.ip6 == alice.slaac(CIDR)

    lab.api.update("network", red["id"], mtu=1300)
    lab.api.update(
        "subnet", alice.port["fixed_ips"][0]["subnet_id"], dns_nameservers=["2001:db8::54"]
    )
    lab.sync()
    _, given = advertised(alice)

    assert 1300 == int.from_bytes(given[MTU][2:6], "big")
    assert ipaddress.IPv6Address("2001:db8::54").packed == given[RDNSS][6:22]


def test_a_network_without_a_mode(lab: Lab) -> None:
    """A router announces nothing where the subnet has no mode."""
    red, bob = site(lab, None)
    alice = lab.create_vm(red, lab.chassis[0])

    solicitation = frames.icmp(alice.link_local(), ALL_ROUTERS, 133, bytes(4), hops=255)
    with alice.capture() as heard:
        alice.send(frames.ip_frame(alice.mac, "33:33:00:00:00:02", solicitation))
        assert alice.can_ping(bob.ip6)
        assert [] == heard.frames(is_advertisement)
