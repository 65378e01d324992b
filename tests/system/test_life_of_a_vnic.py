# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a machine's network while its vNIC is plugged, changed and taken away."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.proxy import ENGINE
from daemon.routing import attach
from system.lab import Lab, frames

pytestmark = pytest.mark.system

OTHER_MAC = "02:66:6f:6f:00:09"


def test_an_address_is_used_again(lab: Lab) -> None:
    """What a port has given back, another one gets, and is reached there by it."""
    hv1, hv2 = lab.chassis
    red = lab.create_network(port_security_enabled=True)
    subnet = {"network_id": red["id"], "cidr": "10.0.0.0/24", "ip_version": 4}
    pool = [{"start": "10.0.0.10", "end": "10.0.0.11"}]
    lab.api.create("subnet", **subnet, allocation_pools=pool)
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)
    assert 3 == alice.ping(bob.ip)
    full = lab.api("POST", "ports", {"port": {"network_id": red["id"]}})
    assert (409, "IpAddressGenerationFailure") == (full.status, full.json["NeutronError"]["type"])

    bob.stop()
    lab.api.delete("port", bob.port["id"])
    carol = lab.create_vm(red, hv1)

    assert bob.ip == carol.ip
    assert bob.mac != carol.mac
    # As a neighbour that has been silent for some seconds.
    alice.namespace.ip("neigh flush dev eth0")
    assert 3 == alice.ping(carol.ip)


def test_an_address_that_is_taken_back(lab: Lab) -> None:
    """A port that loses one of its addresses can use it no more, and goes on with the other."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24", port_security_enabled=True)
    two = [{"ip_address": f"10.0.0.{number}"} for number in (10, 11)]
    alice, bob = lab.create_vm(red, hv1, fixed_ips=two), lab.create_vm(red, hv2)
    for source in ("10.0.0.10", "10.0.0.11"):
        assert 3 == alice.ping(bob.ip, source=source)

    lab.api.update("port", alice.port["id"], fixed_ips=two[:1])
    lab.sync()

    assert 3 == alice.ping(bob.ip, source="10.0.0.10")
    assert 0 == alice.ping(bob.ip, source="10.0.0.11", timeout_s=0.3)
    carol = lab.create_vm(red, hv2, fixed_ips=two[1:])
    bob.namespace.ip("neigh flush dev eth0")
    assert 3 == bob.ping(carol.ip)


def test_lease_time() -> None:
    """A lease lasts as long as the site's configuration says."""
    with Lab(1, dhcp_lease_time_s=4242) as lab:
        alice = lab.create_vm(lab.create_network("10.0.0.0/24"), lab.chassis[0], configure=False)
        lease = alice.dhcp4()

        assert lease is not None
        assert (4242, f"{alice.ip}/24") == (lease.lease_time_s, str(lease.address))


def test_both_versions_on_one_vnic(lab: Lab) -> None:
    """A guest gets its IPv4 address by DHCP and its IPv6 address by SLAAC, and uses both."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24", port_security_enabled=True)
    modes: dict[str, Any] = {"ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}
    six = lab.api.create("subnet", network_id=red["id"], cidr="fd00:1::/64", ip_version=6, **modes)
    attach(lab.api, lab.api.create("router")["id"], subnet_id=six["id"])
    alice = lab.create_vm(red, hv1, configure=False)
    bob = lab.create_vm(red, hv2)

    lease = alice.dhcp4()

    assert lease is not None
    assert f"{alice.ip}/24" == str(lease.address)
    assert alice.ip6 == alice.slaac("fd00:1::/64")
    assert 3 == alice.ping(bob.ip)
    assert alice.can_ping(bob.ip6)
    assert {f"{alice.ip}/24", f"{alice.ip6}/64"} == set(alice.addresses())


def test_another_mac(lab: Lab) -> None:
    """A running machine whose port gets another MAC is heard with that one only."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24", port_security_enabled=True)
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)
    assert 3 == alice.ping(bob.ip)

    port = {"port": {"mac_address": OTHER_MAC}}
    answer = lab.api("PUT", f"ports/{alice.port['id']}", port, ENGINE)
    assert 200 == answer.status, answer
    lab.sync()

    assert 0 == alice.ping(bob.ip, timeout_s=0.3)
    alice.namespace.ip("link set eth0 down", f"link set eth0 address {OTHER_MAC}")
    alice.set_up()
    bob.namespace.ip("neigh flush dev eth0")
    assert 3 == bob.ping(alice.ip)
    with bob.capture() as heard:
        assert 3 == alice.ping(bob.ip)
        pings = heard.frames(lambda frame: frame.protocol == frames.ICMP)
    assert {OTHER_MAC} == {frame.source_mac for frame in pings}


@pytest.mark.alone
def test_hot_unplug_and_plug(lab: Lab) -> None:
    """A vNIC that is taken out of a running machine is gone, and works when it is back."""
    hv1, hv2 = lab.chassis
    red = lab.create_network("10.0.0.0/24")
    alice, bob, carol = (lab.create_vm(red, chassis) for chassis in (hv1, hv2, hv2))

    with carol.probe(bob.ip) as undisturbed:
        alice.unplug()
        alice.wait_down()
        assert 0 == bob.ping(alice.ip, timeout_s=0.3)
        assert alice.tap not in hv1.vsctl("list-ports", hv1.bridge).split()
        alice.plug()
        alice.wait_up()
        assert 3 == bob.ping(alice.ip)

        alice.unplug()
        alice.wait_down()
        lab.api.delete("port", alice.port["id"])
        lab.sync()
        bound = lab.sbctl("--bare", "--columns=logical_port", "list", "Port_Binding").split()
        assert alice.port["id"] not in bound
    assert 0 == undisturbed.stop().lost


@pytest.mark.alone
def test_a_network_that_is_deleted_while_in_use(lab: Lab) -> None:
    """A network with ports stays; without them it goes, plugged machines or not."""
    hv1, hv2 = lab.chassis
    red, blue = lab.create_network("10.0.0.0/24"), lab.create_network("10.0.0.0/24")
    alice, bob = lab.create_vm(red, hv1), lab.create_vm(red, hv2)
    carol, dave = lab.create_vm(blue, hv1), lab.create_vm(blue, hv2)
    refused = lab.api("DELETE", f"networks/{red['id']}")
    assert (409, "NetworkInUse") == (refused.status, refused.json["NeutronError"]["type"])
    assert 3 == alice.ping(bob.ip)

    with carol.probe(dave.ip) as undisturbed:
        for machine in (alice, bob):
            lab.api.delete("port", machine.port["id"])
        lab.api.delete("network", red["id"])
        lab.sync()

        for one, other in ((alice, bob), (bob, alice)):
            greeting = frames.udp_frame((one.mac, one.ip), (other.mac, other.ip), b"hello")
            assert not one.delivers(greeting, other, timeout_s=0.5)
    assert 0 == undisturbed.stop().lost
    bound = lab.sbctl("--bare", "--columns=logical_port", "list", "Port_Binding").split()
    assert not {alice.port["id"], bob.port["id"]} & set(bound)
    datapaths = lab.sbctl("--bare", "--columns=external_ids", "list", "Datapath_Binding")
    assert red["id"] not in datapaths
    assert blue["id"] in datapaths
