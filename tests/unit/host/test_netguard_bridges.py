# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What may happen to OVN's bridges, their ports and their names, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_host.netguard import judge
from ovirt_ovn_host.networks import decode_networks, decode_request
from ovirt_ovn_host.ovnfacts import Interface, OvnFacts
from unit.host.guarding import A, Case, outcome, params
from unit.host.hosts import REMOVE, bond, host, net

# An administrator's bridge br-ex for physical networks, with a network card and a bond.
OVN = OvnFacts(
    mappings={"physnet": "br-ex"},
    interfaces={
        "br-int": Interface("br-int", "internal"),
        "vnet0": Interface("br-int", is_vnic=True),
        "ovn-hv2-0": Interface("br-int", "geneve"),
        "br-ex": Interface("br-ex", "internal"),
        "eth3": Interface("br-ex"),
        "bond3": Interface("br-ex"),
    },
)
HOST = host(
    *("eth0", "eth1", "eth3", "eth4", "eth5", "bond3 bond eth4 eth5"),
    *("br-int openvswitch", "br-ex openvswitch", "vnet0 tun"),
    networks={"green": net(nic="eth1")},
    bonds={"bond3": bond("eth4", "eth5")},
)

# VDSM's own bridge of the switch type "ovs", on eth1, without and with a port of OVN's.
VDSM_OVS = host(
    *("eth0", "eth1", "red openvswitch = 192.0.2.10"),
    networks={"red": net(nic="eth1", ip=A, switch="ovs")},
)
UNUSED = OvnFacts(
    mappings={"red": "vdsmbr_x"},
    interfaces={"eth1": Interface("vdsmbr_x"), "red": Interface("vdsmbr_x", "internal")},
)
IN_USE = UNUSED._replace(
    interfaces={
        **UNUSED.interfaces,
        "patch-red": Interface("vdsmbr_x", "patch", is_localnet=True),
    }
)
VDSM_OVS_TWO = host(
    *("eth0", "eth1", "red openvswitch = 192.0.2.10", "blue openvswitch"),
    networks={
        "red": net(nic="eth1", ip=A, switch="ovs"),
        "blue": net(nic="eth1", vlan=3, switch="ovs"),
    },
)
VDSM_OVS_APART = VDSM_OVS_TWO._replace(
    networks={
        **VDSM_OVS_TWO.networks,
        **decode_networks({"blue": net(nic="eth0", switch="ovs")}),
    }
)
IN_USE_BY_TWO = IN_USE._replace(
    interfaces={**IN_USE.interfaces, "blue": Interface("vdsmbr_x", "internal")}
)
TUNNEL_ON_IT = UNUSED._replace(encap_value=A)
# The administrator's bridge has the tunnel address itself.
ON_BRIDGE = host("eth0", "eth3", "br-ex openvswitch = 192.0.2.10")
ON_BRIDGE_OVN = OvnFacts(
    encap_value=A,
    interfaces={"br-ex": Interface("br-ex", "internal"), "eth3": Interface("br-ex")},
)


def on_host(title: str, networks: Any, bonds: Any = None, expected: str = "") -> Case:
    """Return a case on the host with br-ex."""
    return Case(title, HOST, networks, bonds or {}, expected, ovn=OVN)


NAMES = params(
    "names",
    on_host("bridge br-int", {"br-int": net(nic="eth0")}, {}, "network br-int: name taken"),
    Case(
        "not even there",
        HOST,
        {"br-x": net(nic="eth0")},
        {},
        "network br-x: name taken",
        ovn=OvnFacts(integration_bridge="br-x"),
    ),
    on_host("mapped bridge", {"br-ex": net(nic="eth0")}, {}, "network br-ex: name taken"),
    on_host("a vNIC's", {"vnet0": net()}, {}, "network vnet0: name taken"),
    on_host("a tunnel's", {"ovn-hv2-0": net()}, {}, "network ovn-hv2-0: name taken"),
    on_host("the kernel's", {"genev_sys_6081": net()}, {}, "network genev_sys_6081: name taken"),
    on_host(
        "the kernel's, below",
        {"red": net(nic="genev_sys_6081")},
        {"bond1": bond("eth0", "genev_sys_6081")},
        "bond bond1: name taken, network red: name taken",
    ),
    on_host(
        "the kernel's others",
        {"vxlan_sys_4789": net(), "gre_sys": net(), "ovs-system": net()},
        {},
        "network vxlan_sys_4789: name taken, network gre_sys: name taken,"
        " network ovs-system: name taken",
    ),
    Case(
        "bridgeless gets a bridge",
        HOST._replace(networks=decode_networks({"br-int": net(nic="eth1", bridged=False)})),
        {"br-int": net(nic="eth1")},
        {},
        "network br-int: name taken",
        ovn=OVN,
    ),
    on_host("bond br-int", {}, {"br-int": bond("eth0")}, "bond br-int: name taken"),
    on_host("bridgeless needs no link", {"br-int": net(nic="eth0", bridged=False)}),
    on_host("unknown to VDSM", {"br-int": REMOVE}),
)

PORTS = params(
    "ports",
    on_host("NIC to a bridge", {"red": net(nic="eth3")}, {}, "network red: port taken"),
    on_host("NIC to a bond", {}, {"bond1": bond("eth0", "eth3")}, "bond bond1: port taken"),
    on_host("NIC moved", {"green": net(nic="eth3")}, {}, "network green: port taken"),
    on_host("VLAN on the NIC", {"red": net(nic="eth3", vlan=7)}),
    on_host("vNIC to a bond", {}, {"bond1": bond("vnet0")}, "bond bond1: port taken"),
    on_host("br-int to a bond", {}, {"bond1": bond("br-int")}, "bond bond1: port taken"),
    on_host("bond removed", {}, {"bond3": REMOVE}, "bond bond3: port taken"),
    on_host("bond's NIC removed", {}, {"bond3": bond("eth4")}),
    on_host("bond's NICs taken", {}, {"bond1": bond("eth4", "eth5")}, "bond bond1: no NIC"),
    on_host("others", {"green": REMOVE, "red": net(bonding="bond1")}, {"bond1": bond("eth0")}),
    Case(
        "tunnel's NIC",
        ON_BRIDGE,
        {"red": net(nic="eth3")},
        {},
        "network red: no NIC",
        ovn=ON_BRIDGE_OVN,
    ),
)

VDSM_OWN = params(
    "VDSM's own",
    Case("removed, not in use", VDSM_OVS, {"red": REMOVE}, ovn=UNUSED),
    Case("removed, in use", VDSM_OVS, {"red": REMOVE}, {}, "network red: port taken", ovn=IN_USE),
    Case("edited", VDSM_OVS, {"red": net(nic="eth1", vlan=3, switch="ovs")}, ovn=IN_USE),
    Case("another on it", VDSM_OVS, {"blue": net(nic="eth1", vlan=3, switch="ovs")}, ovn=IN_USE),
    Case(
        "removed, in use, beside another",
        VDSM_OVS_APART,
        {"red": REMOVE},
        {},
        "network red: port taken",
        ovn=IN_USE,
    ),
    Case("another removed", VDSM_OVS_TWO, {"blue": REMOVE}, ovn=IN_USE_BY_TWO),
    Case(
        "tunnel kept",
        VDSM_OVS,
        {"red": net(nic="eth1", vlan=3, ip=A, switch="ovs")},
        ovn=TUNNEL_ON_IT,
    ),
    Case("tunnel removed", VDSM_OVS, {"red": REMOVE}, {}, "network red: no link", ovn=TUNNEL_ON_IT),
    Case("tunnel moved", VDSM_OVS, {"red": net(nic="eth0", ip=A, switch="ovs")}, ovn=TUNNEL_ON_IT),
    on_host(
        "over other mappings",
        {"red": net(nic="eth0", switch="ovs")},
        {},
        "network red: mapping dropped",
    ),
    on_host(
        "bond over other mappings",
        {},
        {"bond1": bond("eth0", switch="ovs")},
        "bond bond1: mapping dropped",
    ),
)


@pytest.mark.parametrize("case", [*NAMES, *PORTS, *VDSM_OWN])
def test_bridges(case: Case) -> None:
    """A request is refused exactly if it would take something from OVN's bridges."""
    assert case.expected == outcome(case)


def test_message_says_it_all() -> None:
    """A refusal names the network, what would be lost and for what, and what to do."""
    request = decode_request({"request": {"networks": {"red": net(nic="eth3")}}})

    (refusal,) = judge(HOST, OVN, request).refusals

    assert refusal == (
        "network red: eth3 is a port of OVN's bridge br-ex (physical network physnet), and would"
        " be taken from it. Use another one, or remove it from the bridge first"
    )


def test_running_configuration_again() -> None:
    """What VDSM has running may always be asked for again."""
    running = {"green": net(nic="eth1")}
    assert decode_networks(running) == HOST.networks

    assert outcome(Case("", HOST, running, {"bond3": bond("eth4", "eth5")}, ovn=OVN)) == ""
