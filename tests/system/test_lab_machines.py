# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lab's machines can do and see, on networks that work."""

from __future__ import annotations

import os
import signal
import time

import pytest

from daemon.ovsdb import wait_until
from system.lab import Lab, Vm, frames, reached
from system.lab.capture import Capture
from system.lab.offers import TRIES

GENEVE_PORT = 6081

pytestmark = pytest.mark.system


def test_live_migration(lab: Lab) -> None:
    """A machine moves between chassis with its connections, and its silence is measured."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24")
    alice = lab.create_moving_vm(red, hv1)
    bob = lab.create_vm(red, hv1)
    options = ("set", "Logical_Switch_Port", alice.port["id"])

    with alice.serve_tcp(80), bob.connect_tcp(alice.ip, 80) as connection:
        connection.sendall(b"here?")
        assert b"here?" == connection.recv(100)
        with bob.probe(alice.ip) as towards, alice.probe(bob.ip) as back:
            lab.nbctl(
                *options, "options:requested-chassis=hv1,hv2", "options:activation-strategy=rarp"
            )
            alice.prepare_on(hv2)
            hv2.wait_installed(alice.taps["hv2"])
            time.sleep(0.3)
            alice.resume_on(hv2)
            time.sleep(0.3)
            alice.remove_from(hv1)
            lab.nbctl("remove", *options[1:], "options", "requested-chassis", "activation-strategy")
            alice.wait_up()
        print(towards.result, back.result)
        connection.sendall(b"there?")
        assert b"there?" == connection.recv(100)
    with alice.capture() as heard:
        assert 3 == bob.ping(alice.ip)
        assert heard.frames(lambda frame: frame.source_mac == bob.mac)


def test_tunnel(lab: Lab) -> None:
    """What machines on two chassis say to each other goes through Geneve, and nowhere else."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24")
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)

    with Capture(lab.underlay, "hv1") as underlay:
        assert 3 == alice.ping(bob.ip)
        tunnelled = underlay.frames(
            lambda frame: bytes.fromhex(alice.mac.replace(":", "")) in frame.payload
        )
    assert tunnelled
    assert {(frames.UDP, GENEVE_PORT)} == {
        (frame.protocol, frame.destination_port) for frame in tunnelled
    }
    hv1.set_uplinks(False)
    assert not alice.can_ping(bob.ip, timeout_s=0.3)
    hv1.set_uplinks(True)
    assert alice.can_ping(bob.ip)


def test_dhcp(lab: Lab) -> None:
    """A real client gets everything that the subnet says."""
    red = lab.create_network(mtu=1400)
    lab.api.create(
        "subnet",
        network_id=red["id"],
        cidr="10.0.0.0/22",
        ip_version=4,
        gateway_ip="10.0.3.254",
        dns_nameservers=["192.0.2.53", "192.0.2.54"],
        host_routes=[{"destination": "172.16.0.0/13", "nexthop": "10.0.0.9"}],
    )
    alice = lab.create_vm(red, lab.chassis[0], configure=False)

    lease = alice.dhcp4()

    assert lease is not None
    assert f"{alice.ip}/22" == str(lease.address)
    assert [f"{alice.ip}/22"] == alice.addresses()
    assert ("10.0.3.254", 1400, 86400) == (lease.router, lease.mtu_bytes, lease.lease_time_s)
    assert ("192.0.2.53", "192.0.2.54") == lease.dns_servers
    assert ("172.16.0.0/13", "10.0.0.9") in lease.routes
    assert ("0.0.0.0/0", "10.0.3.254") in lease.routes
    assert 1400 == alice.mtu_bytes()
    assert "default via 10.0.3.254" in alice.namespace.run("ip", "route")


def test_no_dhcp(lab: Lab) -> None:
    """Where nobody answers there is no lease."""
    red = lab.create_network()
    lab.api.create(
        "subnet", network_id=red["id"], cidr="10.0.0.0/24", ip_version=4, enable_dhcp=False
    )
    alice = lab.create_vm(red, lab.chassis[0], configure=False)

    assert alice.dhcp4(timeout_s=1.0) is None
    assert [] == alice.addresses()


def test_capture(lab: Lab) -> None:
    """A capture hears what others send, in order, and not what its own machine does."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24")
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)

    with bob.capture() as heard, alice.capture() as own:
        for number in range(50):
            alice.send(greeting(alice, bob, str(number)))
        assert alice.delivers(greeting(alice, bob, "end"), bob)
        greetings = heard.frames(lambda frame: frame.protocol == frames.UDP)
        assert [*map(str, range(50)), "end"] == [it.payload.decode() for it in greetings]
        assert own.wait_for(lambda frame: frame.source_mac == alice.mac, timeout_s=0.1) is None


def greeting(sender: Vm, receiver: Vm, text: str, version: int = 4) -> bytes:
    ends = [(it.mac, it.ip if version == 4 else it.ip6) for it in (sender, receiver)]
    return frames.udp_frame(ends[0], ends[1], text.encode(), (4000, 4001))


def test_frames(lab: Lab) -> None:
    """The frames that are made here are such as a kernel takes for good."""
    red = lab.create_network("10.0.0.0/24", "fd00:a::/64")
    alice, bob = lab.create_vm(red, lab.chassis[0]), lab.create_vm(red, lab.chassis[1])

    with bob.serve_udp(4001) as service, bob.capture() as heard:
        for version, text in ((4, "even"), (4, "odd"), (6, "even"), (6, "odd")):
            alice.send(greeting(alice, bob, text, version))
        alice.send(frames.rarp_frame(alice.mac))
        rarp = heard.wait_for(lambda frame: frame.kind == frames.RARP)
        assert rarp is not None
        assert (alice.mac, frames.BROADCAST) == (rarp.source_mac, rarp.destination_mac)
        wait_until(lambda: len(service.received) >= 4)
    # In their order of flows, not of frames: a userspace datapath that gets several at once
    # sends the first of each new flow, then what has a flow by then.
    assert [
        ((alice.ip, 4000), b"even"),
        ((alice.ip, 4000), b"odd"),
        ((alice.ip6, 4000), b"even"),
        ((alice.ip6, 4000), b"odd"),
    ] == sorted(zip(service.clients, service.received))


def test_reached(lab: Lab) -> None:
    """What does not come is tried again by a connection of its own, which no switch knows."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24", port_security_enabled=True)
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2, security_groups=[])

    with Capture(hv1.namespace, alice.tap) as sent:
        assert set() == reached(alice, bob, "tcp 80")
        tries = sent.frames(lambda frame: frame.protocol == frames.TCP)
    assert TRIES == len(tries) == len({frame.source_port for frame in tries})


def test_probe(lab: Lab) -> None:
    """A probe measures how long a target was silent, and how many of its pings were lost."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24")
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)

    with alice.probe(bob.ip, interval_ms=5) as probe:
        time.sleep(0.2)
        began = time.monotonic()
        bob.set_up(False)
        time.sleep(0.2)
        bob.set_up()
        at_most_ms = 1000 * (time.monotonic() - began)
        time.sleep(0.2)
    silence = probe.stop()

    assert 200 <= silence.longest_gap_ms < at_most_ms + 100
    assert 30 < silence.lost < silence.sent - 30


def test_ctrl_c_while_a_probe_runs(lab: Lab) -> None:
    """Ctrl-C, which ends the probe too, is no failure of the probe."""
    alice = lab.create_vm(lab.create_network("10.0.0.0/24"), lab.chassis[0])

    def press() -> None:
        for pid in alice.namespace.pids():
            os.kill(pid, signal.SIGINT)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), alice.probe(alice.ip):
        press()
