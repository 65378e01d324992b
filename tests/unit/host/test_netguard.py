# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What may happen to the link that has OVN's tunnel address, and what not."""

from __future__ import annotations

import pytest

from ovirt_ovn_host.ovnfacts import Interface, OvnFacts
from unit.host.guarding import A6, B6, A, B, Case, outcome, params
from unit.host.hosts import REMOVE, bond, host, net

V6 = OvnFacts(encap_value=A6)
BOTH = OvnFacts(encap_value=f"{A},{A6}")
WITH_VNIC = OvnFacts(encap_value=A, interfaces={"vnet0": Interface("br-int", is_vnic=True)})

# --- hosts, each with the tunnel address somewhere ---

BARE = host("eth0 = 192.0.2.10", "eth1")
ONE_NIC = host("eth0 = 192.0.2.10")
WITH_VDSM_OVS = host(
    *("eth0 = 192.0.2.10", "eth1", "red openvswitch"),
    networks={"red": net(nic="eth1", switch="ovs")},
)
BARE6 = host("eth0 = 2001:db8::10", "eth1")
MANAGED = host(
    "eth0",
    "eth1",
    "ovirtmgmt bridge eth0 = 192.0.2.10",
    networks={"ovirtmgmt": net(nic="eth0", ip=A, defaultRoute=True)},
)
MANAGED_DHCP = host(
    *("eth0", "eth1", "ovirtmgmt bridge eth0 = 192.0.2.10"),
    networks={"ovirtmgmt": net(nic="eth0", dhcp=True, defaultRoute=True)},
)
MANAGED6 = host(
    *("eth0", "eth1", "ovirtmgmt bridge eth0 = 192.0.2.10 2001:db8::10"),
    networks={"ovirtmgmt": net(nic="eth0", ip=A, ip6=A6)},
)
# The hook extra_ipv4_addrs of VDSM's, or an administrator, has added a second address.
TWO_ADDRESSES = host(
    *("eth0", "ovirtmgmt bridge eth0 = 192.0.2.20 192.0.2.10"),
    networks={"ovirtmgmt": net(nic="eth0", ip=B)},
)
NIC = host(
    *("eth0", "eth1 = 192.0.2.10", "eth2", "ovirtmgmt bridge eth0 = 198.51.100.1"),
    networks={
        "ovirtmgmt": net(nic="eth0", ip="198.51.100.1", defaultRoute=True),
        "tunnel": net(nic="eth1", ip=A, bridged=False),
    },
)
VLAN = host(
    *("eth0", "eth1", "eth0.100 vlan eth0 = 192.0.2.10"),
    networks={"tunnel": net(nic="eth0", vlan=100, ip=A, bridged=False)},
)
BOND = host(
    *("eth1", "eth2", "eth3", "bond0 bond eth1 eth2 = 192.0.2.10"),
    networks={"tunnel": net(bonding="bond0", ip=A, bridged=False)},
    bonds={"bond0": bond("eth1", "eth2")},
)
BOND_VLAN = host(
    *("eth1", "eth2", "bond0 bond eth1 eth2", "bond0.100 vlan bond0 = 192.0.2.10"),
    networks={"tunnel": net(bonding="bond0", vlan=100, ip=A, bridged=False)},
    bonds={"bond0": bond("eth1", "eth2")},
)
BRIDGED_BOND_VLAN = host(
    *("eth1", "eth2", "bond0 bond eth1 eth2", "bond0.100 vlan bond0"),
    "tunnel bridge bond0.100 = 192.0.2.10",
    networks={"tunnel": net(bonding="bond0", vlan=100, ip=A)},
    bonds={"bond0": bond("eth1", "eth2")},
)
# Made by an installer or the administrator: VDSM does not know them.
OWN_BOND = host("eth0", "eth1", "bond0 bond eth0 eth1 = 192.0.2.10")
OWN_BRIDGE = host("eth0", "eth1", "br0 bridge eth0 vnet9 = 192.0.2.10", "vnet9 tun")
OWN_VLAN = host("eth0", "bond0 bond eth0", "store vlan bond0 = 192.0.2.10")
NO_WAY_OUT = host("inner bridge vnet9 = 192.0.2.10", "vnet9 tun", networks={"inner": net(ip=A)})
NARROW_BEFORE = NIC._replace(links=host("eth0", "eth1 mtu 1400 = 192.0.2.10").links)
# VDSM takes the MTU of a network card from its VLANs, and forgets who has it untagged.
JUMBO_VLANS = host(
    *("eth1 mtu 9000 = 192.0.2.10", "eth1.5 vlan eth1 mtu 9000", "eth1.6 vlan eth1", "eth2"),
    "vnet0 tun mtu 8942",
    networks={
        "tunnel": net(nic="eth1", ip=A, bridged=False, mtu=9000),
        "green": net(nic="eth1", vlan=5, bridged=False, mtu=9000),
        "blue": net(nic="eth1", vlan=6, bridged=False),
    },
)
JUMBO = NIC._replace(links=host("eth1 mtu 9000 = 192.0.2.10", "vnet0 tun mtu 8942").links)

FIRST_DEPLOYMENT = params(
    "first deployment",
    Case("static", BARE, {"ovirtmgmt": net(nic="eth0", ip=A, defaultRoute=True)}),
    Case("dhcp", BARE, {"ovirtmgmt": net(nic="eth0", dhcp=True, defaultRoute=True)}),
    Case("tagged", BARE, {"ovirtmgmt": net(nic="eth0", vlan=5, ip=A)}),
    Case("bridgeless", BARE, {"ovirtmgmt": net(nic="eth0", ip=A, bridged=False)}),
    Case("v6 static", BARE6, {"ovirtmgmt": net(nic="eth0", ip6=A6)}, ovn=V6),
    Case("v6 dhcp", BARE6, {"ovirtmgmt": net(nic="eth0", dhcpv6=True)}, ovn=V6),
    Case("v6 autoconf", BARE6, {"ovirtmgmt": net(nic="eth0", ipv6autoconf=True)}, ovn=V6),
    Case(
        "on a new bond",
        BARE,
        {"ovirtmgmt": net(bonding="bond0", ip=A)},
        {"bond0": bond("eth0", "eth1")},
    ),
    Case(
        "on the installer's bond",
        OWN_BOND,
        {"ovirtmgmt": net(bonding="bond0", dhcp=True)},
        {"bond0": bond("eth0", "eth1")},
    ),
    Case(
        "with another address",
        BARE,
        {"ovirtmgmt": net(nic="eth0", ip=B)},
        expected="network ovirtmgmt: no link",
    ),
    Case(
        "v6 forgotten",
        BARE6,
        {"ovirtmgmt": net(nic="eth0", dhcp=True)},
        expected="network ovirtmgmt: no link",
        ovn=V6,
    ),
)

LOST = "network tunnel: no link"
REMOVED = params(
    "removed",
    Case("bridged", MANAGED, {"ovirtmgmt": REMOVE}, expected="network ovirtmgmt: no link"),
    Case("dhcp", MANAGED_DHCP, {"ovirtmgmt": REMOVE}, expected="network ovirtmgmt: no link"),
    Case("on a NIC", NIC, {"tunnel": REMOVE}, expected=LOST),
    Case("on a VLAN", VLAN, {"tunnel": REMOVE}, expected=LOST),
    Case("on a bond", BOND, {"tunnel": REMOVE}, expected=LOST),
    Case("on a bond's VLAN", BOND_VLAN, {"tunnel": REMOVE}, expected=LOST),
    Case("and its bond", BRIDGED_BOND_VLAN, {"tunnel": REMOVE}, {"bond0": REMOVE}, LOST),
    Case("followed by OVN", NIC, {"tunnel": REMOVE}, expected=LOST, follows="tunnel"),
    Case(
        "for a VLAN on its NIC",
        NIC,
        {"tunnel": REMOVE, "green": net(nic="eth1", vlan=7)},
        expected=LOST,
    ),
    Case(
        "while another gets dhcp",
        NIC,
        {"tunnel": REMOVE, "green": net(nic="eth2", dhcp=True)},
        expected=LOST,
    ),
    Case(
        "both tunnel addresses",
        MANAGED6,
        {"ovirtmgmt": REMOVE},
        ovn=BOTH,
        expected="network ovirtmgmt: no link, network ovirtmgmt: no link",
    ),
    Case("another", NIC, {"ovirtmgmt": REMOVE}),
    Case("unknown to VDSM", MANAGED, {"gone": REMOVE}),
    Case("renamed", NIC, {"tunnel": REMOVE, "other": net(nic="eth1", ip=A, bridged=False)}),
    Case("renamed on its VLAN", VLAN, {"tunnel": REMOVE, "other": net(nic="eth0", vlan=100, ip=A)}),
    Case("address to another", NIC, {"tunnel": REMOVE, "ovirtmgmt": net(nic="eth0", ip=A)}),
)

EDITED = params(
    "edited",
    Case("not at all", MANAGED, {"ovirtmgmt": net(nic="eth0", ip=A, defaultRoute=True)}),
    Case("not at all, dhcp", MANAGED_DHCP, {"ovirtmgmt": net(nic="eth0", dhcp=True)}),
    Case(
        "default route",
        NIC,
        {
            "ovirtmgmt": net(nic="eth0", ip="198.51.100.1"),
            "tunnel": net(nic="eth1", ip=A, bridged=False, defaultRoute="true", gateway=B),
        },
    ),
    Case("now bridged", NIC, {"tunnel": net(nic="eth1", ip=A)}),
    Case("no more bridged", MANAGED, {"ovirtmgmt": net(nic="eth0", ip=A, bridged=False)}),
    Case("static to dhcp", NIC, {"tunnel": net(nic="eth1", dhcp=True, bridged=False)}),
    Case("v6 spelled out", MANAGED6, {"ovirtmgmt": net(nic="eth0", ip6="2001:DB8:0::10")}, ovn=V6),
    Case("v6 dropped, not needed", MANAGED6, {"ovirtmgmt": net(nic="eth0", ip=A)}),
    Case(
        "v6 dropped",
        MANAGED6,
        {"ovirtmgmt": net(nic="eth0", ip=A)},
        expected="network ovirtmgmt: no link",
        ovn=BOTH,
    ),
    Case("address", NIC, {"tunnel": net(nic="eth1", ip=B, bridged=False)}, expected=LOST),
    Case("no address", NIC, {"tunnel": net(nic="eth1", bridged=False)}, expected=LOST),
    Case(
        "dhcp to another static",
        MANAGED_DHCP,
        {"ovirtmgmt": net(nic="eth0", ip=B)},
        expected="network ovirtmgmt: no link",
    ),
    Case("followed", NIC, {"tunnel": net(nic="eth1", ip=B, bridged=False)}, follows="tunnel"),
    Case(
        "nothing to follow",
        NIC,
        {"tunnel": net(nic="eth1", ip6=B6, bridged=False)},
        expected=LOST,
        follows="tunnel",
    ),
    Case(
        "second address unsaid",
        TWO_ADDRESSES,
        {"ovirtmgmt": net(nic="eth0", ip=B)},
        expected="network ovirtmgmt: no link",
    ),
    Case(
        "second address by VDSM's hook",
        TWO_ADDRESSES,
        {
            "ovirtmgmt": net(
                nic="eth0", ip=B, custom={"ipv4_addrs": "198.51.100.9/24, 192.0.2.10/24"}
            )
        },
    ),
    Case("no NIC", MANAGED, {"ovirtmgmt": net(ip=A)}, expected="network ovirtmgmt: no NIC"),
)

MOVED = params(
    "moved",
    Case("to a NIC", NIC, {"tunnel": net(nic="eth2", ip=A, bridged=False)}),
    Case("to a NIC, bridged", MANAGED, {"ovirtmgmt": net(nic="eth1", ip=A)}),
    Case("to a NIC, dhcp", MANAGED_DHCP, {"ovirtmgmt": net(nic="eth1", dhcp=True)}),
    Case("to a NIC nobody knows", NIC, {"tunnel": net(nic="eth9", ip=A, bridged=False)}),
    Case("and changed", NIC, {"tunnel": net(nic="eth2", ip=B, bridged=False)}, expected=LOST),
    Case("to a VLAN", NIC, {"tunnel": net(nic="eth1", vlan=9, ip=A, bridged=False)}),
    Case("to another VLAN", VLAN, {"tunnel": net(nic="eth0", vlan=101, ip=A, bridged=False)}),
    Case("without it", VLAN, {"tunnel": net(nic="eth0", vlan=101)}, expected=LOST),
    Case(
        "to a bond with its NIC",
        NIC,
        {"tunnel": net(bonding="bond0", ip=A, bridged=False)},
        {"bond0": bond("eth1", "eth2")},
    ),
    Case(
        "from a bond to its NIC",
        BOND,
        {"tunnel": net(nic="eth1", ip=A, bridged=False)},
        {"bond0": REMOVE},
    ),
    Case("to Open vSwitch", ONE_NIC, {"tunnel": net(nic="eth0", ip=A, switch="ovs")}),
    Case(
        "to Open vSwitch without it",
        WITH_VDSM_OVS,
        {"green": net(nic="eth0", switch="ovs")},
        expected="network green: no link",
    ),
)

BOND_LOST = "bond bond0: no link"
BELOW = params(
    "below",
    Case("its NIC into a bond", NIC, {}, {"bond0": bond("eth1", "eth2")}, BOND_LOST),
    Case("a bare NIC into a bond", BARE, {}, {"bond0": bond("eth0", "eth1")}, BOND_LOST),
    Case("bond removed", BOND, {}, {"bond0": REMOVE}, BOND_LOST),
    Case("bond of a VLAN removed", BOND_VLAN, {}, {"bond0": REMOVE}, BOND_LOST),
    Case(
        "bond of a bridge removed", BRIDGED_BOND_VLAN, {}, {"bond0": REMOVE}, "bond bond0: no NIC"
    ),
    Case("a NIC out of the bond", BOND, {}, {"bond0": bond("eth1")}),
    Case("other NICs into the bond", BOND, {}, {"bond0": bond("eth3")}),
    Case("a NIC to another bond", BOND, {}, {"bond1": bond("eth1")}),
    Case(
        "all NICs to another bond",
        BOND_VLAN,
        {},
        {"bond1": bond("eth1", "eth2")},
        "bond bond1: no NIC",
    ),
    Case(
        "a VLAN beside it",
        BOND,
        {"green": net(bonding="bond0", vlan=7)},
        {"bond0": bond("eth1", "eth2")},
    ),
    Case(
        "VDSM takes over a bond",
        OWN_BOND,
        {"green": net(bonding="bond0", vlan=7)},
        {"bond0": bond("eth0", "eth1")},
        BOND_LOST,
    ),
    Case("own bridge's NIC", OWN_BRIDGE, {"green": net(nic="eth0")}, {}, "network green: no NIC"),
    Case("a VLAN on own bridge's NIC", OWN_BRIDGE, {"green": net(nic="eth0", vlan=7)}),
    Case("own VLAN's bond removed", OWN_VLAN, {}, {"bond0": REMOVE}, BOND_LOST),
    Case(
        "a network on own VLAN's bond",
        OWN_VLAN,
        {"green": net(bonding="bond0")},
        {"bond0": bond("eth0")},
    ),
)

NARROW = "warning: narrow"
NARROWED = params(
    "narrowed",
    Case("a little", NIC, {"tunnel": net(nic="eth1", ip=A, bridged=False, mtu=1400)}, {}, NARROW),
    Case(
        "a bond's VLAN",
        BOND_VLAN,
        {"tunnel": net(bonding="bond0", vlan=100, ip=A, bridged=False, mtu=1400)},
        {"bond0": bond("eth1", "eth2")},
        NARROW,
    ),
    Case(
        "below a jumbo vNIC",
        JUMBO,
        {"tunnel": net(nic="eth1", ip=A, bridged=False)},
        expected=NARROW,
        ovn=WITH_VNIC,
    ),
    Case("before", NARROW_BEFORE, {"tunnel": net(nic="eth1", ip=A, bridged=False, mtu=1400)}),
    Case(
        "below a vNIC without a link",
        NIC,
        {"tunnel": net(nic="eth1", ip=A, bridged=False, mtu=1400)},
        expected=NARROW,
        ovn=WITH_VNIC,
    ),
    Case("by a VLAN that goes", JUMBO_VLANS, {"green": REMOVE}, {}, NARROW, ovn=WITH_VNIC),
    Case("by a VLAN, not", JUMBO_VLANS, {"blue": REMOVE, "red": net(nic="eth2")}, ovn=WITH_VNIC),
    Case("below no vNIC", JUMBO, {"tunnel": net(nic="eth1", ip=A, bridged=False)}),
    Case(
        "v6 still has it",
        MANAGED6,
        {"ovirtmgmt": net(nic="eth0", ip6=A6, mtu=1280)},
        {},
        NARROW,
        ovn=V6,
    ),
    Case(
        "below v6",
        MANAGED6,
        {"ovirtmgmt": net(nic="eth0", ip6=A6, mtu=1279)},
        expected="network ovirtmgmt: no IPv6",
        ovn=V6,
    ),
    Case("not", NIC, {"tunnel": net(nic="eth1", ip=A, bridged=False, mtu=9000)}),
)

PASSED = params(
    "passed",
    Case("nothing asked", MANAGED),
    Case("a rollback", MANAGED, {"ovirtmgmt": REMOVE}, options={"_inRollback": True}),
    Case("an address on no link", NIC, {"tunnel": REMOVE}, ovn=OvnFacts(encap_value="203.0.113.1")),
    Case("no tunnel address", NIC, {"tunnel": REMOVE}, ovn=OvnFacts()),
    Case("a tunnel address that is none", NIC, {"tunnel": REMOVE}, ovn=OvnFacts(encap_value="x")),
    Case("no way out before", NO_WAY_OUT, {"inner": net(ip=A, mtu=9000)}),
    Case(
        "several others",
        NIC,
        {
            "green": net(nic="eth2", vlan=7),
            "blue": net(nic="eth2", vlan=8, dhcp=True),
            "inner": net(),
            "ovirtmgmt": net(nic="eth0", ip="198.51.100.2", mtu=1400),
        },
    ),
    Case(
        "but for one of several",
        NIC,
        {"green": net(nic="eth2", vlan=7), "tunnel": REMOVE, "inner": net()},
        expected=LOST,
    ),
    Case(
        "unknown keys",
        NIC,
        {"tunnel": net(nic="eth1", ip=A, bridged=False, future=[{}])},
        options={"commitOnSuccess": True, "connectivityTimeout": 120, "future": None},
    ),
)


@pytest.mark.parametrize(
    "case", [*FIRST_DEPLOYMENT, *REMOVED, *EDITED, *MOVED, *BELOW, *NARROWED, *PASSED]
)
def test_tunnel_address(case: Case) -> None:
    """A request is refused exactly if the tunnel address would provably be lost."""
    assert case.expected == outcome(case)
