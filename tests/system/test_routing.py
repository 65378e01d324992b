# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Routers between networks."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from daemon.routing import attach, detach, mac_at
from system.lab import Lab, Vm, frames
from system.lab.frames import Frame
from system.test_security_groups import a_group, in_groups, tcp_80

pytestmark = pytest.mark.system

# The router's addresses on both networks, and what it says of packets, for each IP version.
GATEWAYS = [("10.1.0.1", "10.2.0.1"), ("fd00:1::", "fd00:2::")]
TIME_EXCEEDED = [b"\x0b\x00", b"\x03\x00"]
# ... with the place and the format of the MTU behind it.
TOO_BIG = [(b"\x03\x04", 6, "!H"), (b"\x02\x00", 4, "!I")]


class Routed(NamedTuple):
    """Two networks and the router between them, with a machine on each."""

    router: str
    red: dict[str, Any]
    blue: dict[str, Any]
    alice: Vm
    bob: Vm

    def ends(self) -> list[tuple[str, str]]:
        """Return the addresses of both machines, for each IP version."""
        return [(self.alice.ip, self.bob.ip), (self.alice.ip6, self.bob.ip6)]


def routed(lab: Lab, red_mtu: int = 1442, **values: Any) -> Routed:
    """Make two networks with a router, and a machine of each on a chassis of its own."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.1.0.0/24", "fd00:1::/64", mtu=red_mtu, **values)
    blue = lab.create_network("10.2.0.0/24", "fd00:2::/64", **values)
    router = lab.api.create("router")["id"]
    for subnet_id in (*red["subnets"], *blue["subnets"]):
        attach(lab.api, router, subnet_id=subnet_id)
    return Routed(router, red, blue, lab.create_vm(red, hv1), lab.create_vm(blue, hv2))


def is_icmp(start: bytes) -> Callable[[Frame], bool]:
    """Return what knows ICMP messages by type and code."""
    protocols = (frames.ICMP, frames.ICMPV6)
    return lambda frame: frame.protocol in protocols and frame.payload.startswith(start)


def test_two_networks(lab: Lab) -> None:
    """Machines of two networks talk by both IP versions, each hop counted, a third stays alone."""
    site = routed(lab)
    alice, bob = site.alice, site.bob
    green = lab.create_network("10.3.0.0/24", "fd00:3::/64")
    eve = lab.create_vm(green, lab.chassis[0])
    near = lab.create_vm(site.blue, lab.chassis[0])

    assert alice.can_ping(bob.ip)
    assert alice.can_ping(bob.ip6)
    assert alice.can_ping("10.1.0.1")
    assert alice.can_ping("fd00:1::")
    assert alice.can_ping(near.ip)
    assert 0 == alice.ping(eve.ip, 1, timeout_s=0.3)
    assert 0 == alice.ping(eve.ip6, 1, timeout_s=0.3)
    with bob.serve_tcp(80) as service:
        assert alice.exchange_tcp(bob.ip, 80, bytes(1_000_000))
        assert alice.exchange_tcp(bob.ip6, 80, bytes(1_000_000))
        assert {alice.ip, alice.ip6} == {address for address, _ in service.clients}
    for ends, gateways in zip(site.ends(), GATEWAYS):
        near_mac, far_mac = (mac_at(lab.api, ip) for ip in gateways)
        packet = frames.udp(*ends, (4000, 4001), b"hello")
        with bob.capture() as heard:
            alice.send(frames.ip_frame(alice.mac, near_mac, packet))
            arrived = heard.wait_for(lambda it: it.destination_port == 4001)
        assert arrived is not None
        sent = frames.parse(frames.ip_frame(far_mac, bob.mac, packet))
        assert sent._replace(hops=63) == arrived


def test_a_packet_that_has_come_too_far(lab: Lab) -> None:
    """A packet whose hops are used up is answered by the router, as traceroute expects."""
    site = routed(lab)
    for start, (gateway, _), ends in zip(TIME_EXCEEDED, GATEWAYS, site.ends()):
        echo = frames.icmp(*ends, 128 if ":" in gateway else 8, bytes(40), hops=1)
        frame = frames.ip_frame(site.alice.mac, mac_at(lab.api, gateway), echo)
        with site.alice.capture() as heard, site.bob.capture() as far:
            site.alice.send(frame)
            answer = heard.wait_for(is_icmp(start))
            assert answer is not None, gateway
            assert gateway == str(answer.source_ip)
            assert [] == far.frames(is_icmp(frames.parse(frame).payload))


def test_a_router_that_is_switched_off(lab: Lab) -> None:
    """A router that is off, or has lost its interface, passes nothing until it has it again."""
    site = routed(lab)
    alice, bob, router = site.alice, site.bob, site.router
    listed = lab.api.get(f"subnets?network_id={site.blue['id']}")["subnets"]
    subnet = {it["ip_version"]: it["id"] for it in listed}

    def assert_passes(*expected: bool) -> None:
        lab.sync()
        # The gateway may have another MAC now, which a guest finds out in its own time.
        bob.namespace.ip("neigh flush dev eth0")
        for passes, target in zip(expected, (bob.ip, bob.ip6)):
            assert passes == alice.can_ping(target, timeout_s=10.0 if passes else 0.3), target

    assert_passes(True, True)
    lab.api.update("router", router, admin_state_up=False)
    assert_passes(False, False)
    lab.api.update("router", router, admin_state_up=True)
    assert_passes(True, True)
    detach(lab.api, router, subnet_id=subnet[4])
    assert_passes(False, True)
    port = lab.api.create(
        "port", network_id=site.blue["id"], fixed_ips=[{"ip_address": "10.2.0.1"}]
    )
    attach(lab.api, router, port_id=port["id"])
    assert_passes(True, True)
    side = lab.api.get("ports?fixed_ips=ip_address%3Dfd00:2::")["ports"][0]
    detach(lab.api, router, port_id=side["id"])
    assert_passes(True, False)
    attach(lab.api, router, subnet_id=subnet[6])
    assert_passes(True, True)


def test_an_interface_with_another_address(lab: Lab) -> None:
    """A router is where its interface's port says, and no longer where it was."""
    site = routed(lab)
    alice, bob = site.alice, site.bob
    [port] = lab.api.get("ports?fixed_ips=ip_address%3D10.1.0.1")["ports"]

    lab.api.update("port", port["id"], fixed_ips=[{"ip_address": "10.1.0.9"}])
    lab.sync()
    alice.namespace.ip("neigh flush dev eth0")
    assert not alice.can_ping(bob.ip, timeout_s=0.3)
    alice.add_route("default", "10.1.0.9")
    assert alice.can_ping(bob.ip)
    assert alice.can_ping(bob.ip6)


def test_static_routes(lab: Lab) -> None:
    """What is behind a machine is reached by a route by way of it, for as long as there is one."""
    site = routed(lab)
    alice, bob = site.alice, site.bob
    behind = {"172.16.9.0/24": ("172.16.9.1", bob.ip), "fd00:9::/64": ("fd00:9::1", bob.ip6)}
    routes = [{"destination": net, "nexthop": hop} for net, (_, hop) in behind.items()]
    for target, _ in behind.values():
        bob.add_address(f"{target}/{128 if ':' in target else 32}", "lo")
        assert not alice.can_ping(target, timeout_s=0.3)
    path = f"routers/{site.router}"

    assert 200 == lab.api("PUT", path, {"router": {"routes": routes}}).status
    lab.sync()
    for target, _ in behind.values():
        assert alice.can_ping(target)
        with bob.serve_tcp(80, target):
            assert alice.exchange_tcp(target, 80)
    for verb, passes in (("remove", False), ("add", True)):
        body = {"router": {"routes": routes[:1]}}
        assert 200 == lab.api("PUT", f"{path}/{verb}_extraroutes", body).status
        lab.sync()
        assert passes == alice.can_ping("172.16.9.1", timeout_s=10.0 if passes else 0.3)
        assert alice.can_ping("fd00:9::1")


def test_a_network_with_a_smaller_mtu(lab: Lab) -> None:
    """A packet that is too long for the next network is answered with that one's MTU."""
    site = routed(lab, 1300)
    alice, bob = site.alice, site.bob
    for (start, place, size), target in zip(TOO_BIG, (alice.ip, alice.ip6)):
        with bob.capture() as heard:
            assert 3 == bob.ping(target, packet_bytes=1300)
            assert 0 == bob.ping(target, 1, packet_bytes=1301, timeout_s=0.3)
            answer = heard.wait_for(is_icmp(start))
        assert answer is not None
        assert (1300,) == struct.unpack_from(size, answer.payload, place)
    with alice.serve_tcp(80):
        for target in (alice.ip, alice.ip6):
            assert bob.exchange_tcp(target, 80, bytes(1_000_000), timeout_s=10.0)


def test_groups_of_another_network(lab: Lab) -> None:
    """A group lets in members of another one by way of a router, and nobody else."""
    site = routed(lab, port_security_enabled=True)
    alice, bob = site.alice, site.bob
    near = lab.create_vm(site.blue, lab.chassis[0])
    clients = a_group(lab)
    members = {"remote_group_id": clients["id"]}
    web = a_group(lab, tcp_80("IPv4", **members), tcp_80("IPv6", **members))
    lab.api.update("port", alice.port["id"], **in_groups(clients))
    lab.api.update("port", bob.port["id"], **in_groups(web))
    lab.sync()

    with bob.serve_tcp(80), bob.serve_tcp(81):
        for target in (bob.ip, bob.ip6):
            assert alice.exchange_tcp(target, 80)
            assert not alice.can_reach_tcp(target, 81, timeout_s=0.3)
            assert not near.can_reach_tcp(target, 80, timeout_s=0.3)
