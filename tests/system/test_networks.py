# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a network lets through, and what it does not."""

from __future__ import annotations

import ipaddress
import time
from typing import Any

import pytest

from system.lab import Lab, Vm, delivered, frames
from system.lab.service import Service, service
from system.write_stream import WriteStream

pytestmark = pytest.mark.system

SPOOFED_MAC = "02:66:6f:6f:00:01"


def test_machines_on_two_chassis_talk(lab: Lab) -> None:
    """Machines on one network reach each other through the tunnel."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24", "fd00:a::/64")
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)

    assert 3 == alice.ping(bob.ip)
    assert 3 == alice.ping(bob.ip6)
    with bob.serve_tcp(80), bob.serve_udp(53):
        assert alice.exchange_tcp(bob.ip, 80, bytes(1_000_000))
        assert alice.exchange_tcp(bob.ip6, 80, bytes(1_000_000))
        assert alice.exchange_udp(bob.ip, 53)


def test_networks_are_isolated(lab: Lab) -> None:
    """Two networks with the same subnet have nothing in common."""
    hv1, hv2 = lab.chassis
    red, blue = lab.create_network("10.0.0.0/24"), lab.create_network("10.0.0.0/24")
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)
    eve, mallory = lab.create_vm(blue, hv1), lab.create_vm(blue, hv2)
    assert (alice.ip, bob.ip) == (eve.ip, mallory.ip)

    to_all = frames.udp_frame((alice.mac, alice.ip), (frames.BROADCAST, "10.0.0.255"), b"hello")
    with (
        bob.serve_tcp(80),
        mallory.serve_tcp(80) as wrong,
        eve.capture() as near,
        mallory.capture() as far,
    ):
        assert alice.exchange_tcp(bob.ip, 80)
        assert 3 == alice.ping(bob.ip)
        assert alice.delivers(to_all, bob)
        assert [] == wrong.clients
        for heard in (near, far):
            assert [] == heard.frames(lambda frame: frame.source_mac in (alice.mac, bob.mac))
    lab.api.delete("port", bob.port["id"])
    lab.sync()
    assert not alice.can_ping(bob.ip, timeout_s=0.5)


@pytest.mark.parametrize("mtu_bytes", [1442, 1300])
def test_mtu(lab: Lab, mtu_bytes: int) -> None:
    """A lease tells the MTU; a packet of that size passes, and none that is a byte larger."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24", mtu=mtu_bytes)
    alice = lab.create_vm(red, hv1, configure=False)
    bob = lab.create_vm(red, hv2)
    lease = alice.dhcp4()

    assert lease is not None
    assert mtu_bytes == lease.mtu_bytes == alice.mtu_bytes()
    assert 3 == alice.ping(bob.ip, packet_bytes=mtu_bytes)
    assert 0 == alice.ping(bob.ip, packet_bytes=mtu_bytes + 1, timeout_s=0.3)


def test_default_mtu_is_the_largest(lab: Lab) -> None:
    """The MTU that a network has by itself is what the tunnel has room for, not a byte less."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24")
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)
    room_bytes = alice.mtu_bytes()
    for machine in alice, bob:
        machine.set_mtu(1500)

    assert 3 == alice.ping(bob.ip, packet_bytes=room_bytes)
    assert 0 == alice.ping(bob.ip, packet_bytes=room_bytes + 1, timeout_s=0.3)


def two_on_a_guarded_network(lab: Lab, **values: Any) -> tuple[Vm, Vm]:
    """Return two machines on a network with port security; `values` are the first port's."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24", "fd00:a::/64", port_security_enabled=True)
    # Security groups are another matter: here nothing but the addresses is looked at.
    group = lab.api.create("security_group")["id"]
    rule = {"security_group_id": group, "direction": "ingress"}
    for ethertype in ("IPv4", "IPv6"):
        lab.api.create("security_group_rule", **rule, ethertype=ethertype)
    alice = lab.create_vm(red, hv1, **values)
    bob = lab.create_vm(red, hv2, security_groups=[group])
    return alice, bob


def greeting(source: tuple[str, str], to: Vm) -> bytes:
    return frames.udp_frame(source, (to.mac, to.ip6 if ":" in source[1] else to.ip), b"hello")


def claim(sender: Vm, ip: str) -> bytes:
    """Return a frame that tells everybody that an address is a machine's."""
    if ":" not in ip:
        packet = frames.arp(sender.mac, ip, ip)
        return frames.ethernet(sender.mac, frames.BROADCAST, frames.ARP, packet)
    # A neighbour advertisement to all nodes, which overrides, with the MAC (RFC 4861, 4.4).
    mac = bytes.fromhex(sender.mac.replace(":", ""))
    told = b"\x20\0\0\0" + ipaddress.ip_address(ip).packed + b"\x02\x01" + mac
    packet = frames.icmp(sender.ip6, "ff02::1", 136, told, hops=255)
    return frames.ip_frame(sender.mac, "33:33:00:00:00:01", packet)


def test_port_security(lab: Lab) -> None:
    """A machine sends from its own MAC and addresses, claims no others, and sends from none."""
    alice, bob = two_on_a_guarded_network(lab)
    sent: dict[object, bytes] = {}
    for own, spoofed in ((alice.ip, "10.0.0.66"), (alice.ip6, "fd00:a::66")):
        for source in ((alice.mac, own), (SPOOFED_MAC, own), (alice.mac, spoofed)):
            sent[source] = greeting(source, bob)
        for ip in (own, spoofed):
            sent["claim", ip] = claim(alice, ip)

    allowed = {(what, ip) for ip in (alice.ip, alice.ip6) for what in (alice.mac, "claim")}
    assert allowed == delivered(sent, alice, bob)


def test_without_port_security(lab: Lab) -> None:
    """A port without it sends what it likes."""
    alice, bob = two_on_a_guarded_network(lab, port_security_enabled=False)

    assert alice.delivers(greeting((SPOOFED_MAC, "10.0.0.66"), bob), bob)


def test_allowed_address_pairs(lab: Lab) -> None:
    """An allowed pair passes: a further address, one with a MAC of its own, a whole network."""
    pairs = [
        {"ip_address": "10.0.0.66"},
        {"ip_address": "10.0.0.67", "mac_address": SPOOFED_MAC},
        {"ip_address": "172.16.0.0/16"},
        {"ip_address": "fd00:a::66"},
    ]
    alice, bob = two_on_a_guarded_network(lab, allowed_address_pairs=pairs)

    allowed = {
        (alice.mac, alice.ip),
        (alice.mac, "10.0.0.66"),
        (SPOOFED_MAC, "10.0.0.67"),
        (alice.mac, "172.16.5.5"),
        (alice.mac, alice.ip6),
        (alice.mac, "fd00:a::66"),
    }
    forbidden = {
        (SPOOFED_MAC, "10.0.0.66"),
        (alice.mac, "10.0.0.68"),
        (SPOOFED_MAC, "fd00:a::66"),
        (alice.mac, "fd00:a::68"),
    }
    sent = {source: greeting(source, bob) for source in allowed | forbidden}
    assert allowed == delivered(sent, alice, bob)


def test_admin_state(lab: Lab) -> None:
    """A port that is switched off lets nothing through in either direction, until it is on."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24")
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)
    assert 3 == alice.ping(bob.ip)

    lab.api.update("port", alice.port["id"], admin_state_up=False)
    lab.sync()
    assert not alice.delivers(greeting((alice.mac, alice.ip), bob), bob, timeout_s=0.5)
    assert not bob.delivers(greeting((bob.mac, bob.ip), alice), alice, timeout_s=0.5)

    lab.api.update("port", alice.port["id"], admin_state_up=True)
    lab.sync()
    assert 3 == alice.ping(bob.ip)


def test_a_new_address_needs_no_new_plug(lab: Lab) -> None:
    """A port that gets another address works with it while its machine runs."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24", port_security_enabled=True)
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)

    lab.api.update("port", alice.port["id"], fixed_ips=[{"ip_address": "10.0.0.99"}])
    lab.sync()
    assert not alice.can_ping(bob.ip, timeout_s=0.5)
    alice.forget()
    lease = alice.dhcp4()
    assert lease is not None
    assert "10.0.0.99/24" == str(lease.address)
    assert alice.can_ping(bob.ip)


@pytest.mark.alone
def test_a_port_that_is_deleted_while_in_use(lab: Lab) -> None:
    """Its machine is cut off, keeps its tap, and everybody else goes on."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24")
    alice, bob, carol = (lab.create_vm(red, chassis) for chassis in (hv1, hv2, hv2))

    with carol.probe(bob.ip) as undisturbed:
        lab.api.delete("port", alice.port["id"])
        lab.sync()
        for one, other in ((alice, bob), (bob, alice)):
            assert not one.delivers(greeting((one.mac, one.ip), other), other, timeout_s=0.5)
        bound = lab.sbctl("--bare", "--columns=logical_port", "list", "Port_Binding").split()
        assert alice.port["id"] not in bound
        assert alice.tap in hv1.vsctl("list-ports", hv1.bridge).split()
    assert 0 == undisturbed.stop().lost
    again = lab.create_vm(red, hv1)
    assert 3 == again.ping(bob.ip)


def test_machine_starts_elsewhere(lab: Lab) -> None:
    """A machine that is stopped and started on another host has its network there."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24")
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv1)

    alice.unplug()
    alice.wait_down()
    alice.restart_on(hv2)
    alice.wait_up()
    assert alice.can_ping(bob.ip)


@pytest.mark.alone
def test_restart_of_the_proxy() -> None:
    """The proxy's death and return, amid writes too, lose none of them and no packet."""
    with Lab(2, proxy=service) as lab:
        proxy = lab.rest
        assert isinstance(proxy, Service)
        red = lab.create_network("10.0.0.0/16")
        alice, bob = (lab.create_vm(red, chassis) for chassis in lab.chassis)
        before = lab.dump_northbound()
        with alice.probe(bob.ip) as traffic:
            proxy.process.kill()
            proxy.start()
            assert before == lab.dump_northbound()
            with WriteStream(proxy, red["id"]) as stream:
                stream.wait_acknowledged(time.monotonic(), 10.0)
                proxy.process.kill()
                proxy.start()
                stream.wait_acknowledged(time.monotonic(), 10.0)
            stream.check(lab)
            carol = lab.create_vm(red, lab.chassis[0])
            assert 3 == bob.ping(carol.ip)
        assert 0 == traffic.stop().lost
