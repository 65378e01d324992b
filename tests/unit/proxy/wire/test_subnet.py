# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Subnets as values and as JSON: rows of ours, of ovirt-provider-ovn, and damaged ones."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.rows import DhcpOptions
from ovirt_ovn_proxy.wire.subnet import (
    SUBNET as TABLE,
)
from ovirt_ovn_proxy.wire.subnet import (
    Range,
    default_pools,
    encode_subnet,
    eui64,
    has_leases,
    host_limits,
    range_of,
    ranges_of,
    read_subnet,
)
from unit.proxy.plans import NET, NOW, SUBNET, SUBNET6, TENANT, a_subnet, a_subnet6

PLAIN = {
    "id": SUBNET,
    "name": "sub",
    "tenant_id": TENANT,
    "project_id": TENANT,
    "description": "",
    "created_at": NOW,
    "updated_at": NOW,
    "revision_number": 1,
    "tags": [],
    "network_id": NET,
    "ip_version": 4,
    "cidr": "10.0.0.0/24",
    "gateway_ip": "10.0.0.1",
    "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.254"}],
    "dns_nameservers": [],
    "host_routes": [],
    "enable_dhcp": True,
    "ipv6_address_mode": None,
    "ipv6_ra_mode": None,
}
PLAIN6 = {
    **PLAIN,
    "id": SUBNET6,
    "name": "sub6",
    "ip_version": 6,
    "cidr": "fd00::/64",
    "gateway_ip": "fd00::",
    "allocation_pools": [{"start": "fd00::1", "end": "fd00::ffff:ffff:ffff:ffff"}],
    "ipv6_address_mode": "dhcpv6-stateful",
}
ROUTES = '[{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]'


@pytest.mark.parametrize(
    ("row", "differences"),
    [
        (a_subnet(), {}),
        (
            a_subnet(external_ids={keys.SUBNET_DHCP: "False", keys.SUBNET_ROUTES: ROUTES}),
            {
                "enable_dhcp": False,
                "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}],
            },
        ),
        (
            a_subnet(options={"dns_server": "{10.0.0.8, 10.0.0.9}"}),
            {"dns_nameservers": ["10.0.0.8", "10.0.0.9"]},
        ),
        (a_subnet(options={"dns_server": "10.0.0.8"}), {"dns_nameservers": ["10.0.0.8"]}),
        (
            a_subnet(external_ids={keys.SUBNET_POOLS: "10.0.0.5-10.0.0.9 10.0.0.20-10.0.0.20"}),
            {
                "allocation_pools": [
                    {"start": "10.0.0.5", "end": "10.0.0.9"},
                    {"start": "10.0.0.20", "end": "10.0.0.20"},
                ]
            },
        ),
        # written by the peer: no pools, host bits left
        (
            a_subnet(cidr="10.0.0.7/24").copy(
                external_ids={
                    key: value
                    for key, value in a_subnet().external_ids.items()
                    if key != keys.SUBNET_POOLS
                }
            ),
            {},
        ),
        # asked for: none
        (a_subnet(external_ids={keys.SUBNET_POOLS: ""}), {"allocation_pools": []}),
        # damaged
        (a_subnet(external_ids={keys.SUBNET_POOLS: "everything"}), {}),
        (a_subnet(external_ids={keys.SUBNET_ROUTES: "[1, {}]"}), {}),
        (a_subnet(external_ids={keys.SUBNET_ROUTES: "{"}), {}),
        (a_subnet(external_ids={keys.SUBNET_ADDRESS_MODE: "magic"}), {}),
        (
            a_subnet(options={"router": "junk", "dns_server": "{junk, 10.0.0.8}"}),
            {"gateway_ip": None, "dns_nameservers": ["10.0.0.8"]},
        ),
        (a_subnet(options={"router": "fd00::1"}), {"gateway_ip": None}),
        (a_subnet(external_ids={keys.SUBNET_POOLS: "10.0.0.2-junk"}), {}),
        (a_subnet(external_ids={keys.SUBNET_POOLS: "10.0.0.2-fd00::9"}), {}),
        (a_subnet(external_ids={keys.CREATED_AT: "yesterday, at noon"}), {"created_at": None}),
        (
            a_subnet(options={"router": "", "dns_server": "{}"}, external_ids={"ovirt_pools": ""}),
            {"gateway_ip": None},
        ),
    ],
)
def test_encode(row: DhcpOptions, differences: dict[str, Any]) -> None:
    """Every attribute is shown, and a key that cannot be read counts as missing."""
    assert {**PLAIN, **differences} == encode_subnet(row, Config(), is_engine=False)


@pytest.mark.parametrize(
    ("row", "differences"),
    [
        (a_subnet6(), {}),
        (a_subnet6(None), {"ipv6_address_mode": None}),
        (a_subnet6("slaac"), {"ipv6_address_mode": "slaac"}),
        (a_subnet6("dhcpv6-stateless"), {"ipv6_address_mode": "dhcpv6-stateless"}),
        (
            a_subnet6(external_ids={keys.SUBNET_RA_MODE: "dhcpv6_stateful"}),
            {"ipv6_ra_mode": "dhcpv6-stateful"},
        ),
        # the peer keeps one DNS server here
        (a_subnet6(external_ids={keys.SUBNET_V6_DNS: "fd00::8"}), {"dns_nameservers": ["fd00::8"]}),
        (a_subnet6(cidr="FD00:0::7/64"), {}),
        (a_subnet6(external_ids={keys.SUBNET_IP_VERSION: "4"}), {}),
    ],
)
def test_encode_ipv6(row: DhcpOptions, differences: dict[str, Any]) -> None:
    """The gateway and the DNS server of IPv6 stand where DHCPv6 has no room for them."""
    assert {**PLAIN6, **differences} == encode_subnet(row, Config(), is_engine=False)


def test_peer_row() -> None:
    """A row with the peer's keys only is a whole subnet."""
    row = DhcpOptions.new(
        SUBNET,
        cidr="10.0.0.0/24",
        options={"router": "10.0.0.1", "dns_server": "10.0.0.8"},
        external_ids={"ovirt_name": "sub", "ovirt_network_id": NET, "ip_version": "4"},
    )
    unknown = {"created_at": None, "updated_at": None, "revision_number": 0}

    assert {**PLAIN, **unknown, "dns_nameservers": ["10.0.0.8"]} == encode_subnet(
        row, Config(), is_engine=False
    )


def test_engine() -> None:
    """The engine sees no host routes: objects break its parser."""
    found = encode_subnet(
        a_subnet(external_ids={keys.SUBNET_ROUTES: ROUTES}), Config(), is_engine=True
    )

    assert found == PLAIN


def test_every_attribute_is_shown() -> None:
    """The JSON form has each attribute of the table, and no other."""
    assert set(TABLE.by_name) == set(encode_subnet(a_subnet(), Config(), is_engine=False) or {})


@pytest.mark.parametrize("cidr", ["", "10.0.0.0/33", "nonsense", "10.0.0.0/24/24"])
def test_damaged_cidr(cidr: str) -> None:
    """A row whose CIDR cannot be read is no subnet, and no error."""
    row = a_subnet(cidr=cidr)

    assert read_subnet(row) is None
    assert range_of(row) is None
    assert encode_subnet(row, Config(), is_engine=False) is None
    assert [Range(SUBNET6, 6, 0xFD << 120, (0xFD << 120) + 2**64 - 1)] == ranges_of(
        [row, a_subnet6()]
    )


@pytest.mark.parametrize(
    ("number", "expected"),
    [((4, 0x0A000000), True), ((4, 0x0A0000FF), True), ((4, 0x0A000100), False), ((6, 10), False)],
)
def test_range(number: tuple[int, int], expected: bool) -> None:
    """A range holds its ends, and nothing of the other version."""
    found = range_of(a_subnet())

    assert found is not None
    assert expected is found.holds(number)


@pytest.mark.parametrize(
    ("cidr", "gateway_ip", "expected"),
    [
        ("10.0.0.0/24", "10.0.0.1", ["10.0.0.2-10.0.0.254"]),
        ("10.0.0.0/24", "10.0.0.254", ["10.0.0.1-10.0.0.253"]),
        ("10.0.0.0/24", "10.0.0.9", ["10.0.0.1-10.0.0.8", "10.0.0.10-10.0.0.254"]),
        ("10.0.0.0/24", None, ["10.0.0.1-10.0.0.254"]),
        ("10.0.0.0/24", "10.0.1.1", ["10.0.0.1-10.0.0.254"]),
        ("10.0.0.0/24", "fd00::1", ["10.0.0.1-10.0.0.254"]),
        ("10.0.0.0/24", "nonsense", ["10.0.0.1-10.0.0.254"]),
        ("10.0.0.0/30", "10.0.0.1", ["10.0.0.2-10.0.0.2"]),
        ("10.0.0.0/31", "10.0.0.0", ["10.0.0.1-10.0.0.1"]),
        ("10.0.0.4/32", None, ["10.0.0.4-10.0.0.4"]),
        ("10.0.0.4/32", "10.0.0.4", []),
        ("fd05::/64", "fd05::", ["fd05::1-fd05::ffff:ffff:ffff:ffff"]),
        ("fd05::/64", None, ["fd05::1-fd05::ffff:ffff:ffff:ffff"]),
        ("fd05::/64", "fd05::1", ["fd05::2-fd05::ffff:ffff:ffff:ffff"]),
        ("fd05::/127", None, ["fd05::-fd05::1"]),
    ],
)
def test_default_pools(cidr: str, gateway_ip: str | None, expected: list[str]) -> None:
    """Without pools every address is given that a host may have, but the gateway's."""
    pools = default_pools(ipaddress.ip_network(cidr), gateway_ip)

    assert expected == ["-".join(pool) for pool in pools]


NETWORKS = st.builds(
    lambda number, length: ipaddress.ip_network((number, length), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(20, 32),
) | st.builds(
    lambda number, length: ipaddress.ip_network((number, length), strict=False),
    st.integers(2**32, 2**128 - 1),
    st.integers(118, 128),
)


@given(network=NETWORKS)
def test_host_limits(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    """The host addresses are those that Python's own `hosts()` gives."""
    first, last = host_limits(network)
    hosts = [int(host) for host in network.hosts()]

    assert (min(hosts), max(hosts)) == (first, last)


@settings(max_examples=50, deadline=None)
@given(network=NETWORKS, at=st.integers(0, 5000))
def test_default_pools_leave_the_gateway_out(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, at: int
) -> None:
    """The pools are the hosts without the gateway, each address once, in order."""
    gateway = network[at % network.num_addresses]
    given_out = [
        number
        for start, end in default_pools(network, str(gateway))
        for number in range(int(ipaddress.ip_address(start)), int(ipaddress.ip_address(end)) + 1)
    ]
    hosts = sorted(map(int, network.hosts()))

    assert [number for number in hosts if number != int(gateway)] == given_out


@pytest.mark.parametrize(
    ("cidr", "mac", "expected"),
    [
        ("fd00::/64", "02:00:00:00:00:01", "fd00::ff:fe00:1"),
        ("2001:db8::/64", "00:0c:29:0c:47:d5", "2001:db8::20c:29ff:fe0c:47d5"),
    ],
)
def test_eui64(cidr: str, mac: str, expected: str) -> None:
    """A host's own address is made from its MAC as RFC 4291 appendix A says."""
    assert expected == eui64(ipaddress.ip_network(cidr), mac)


@pytest.mark.parametrize(
    ("row", "is_auto", "is_served"),
    [
        (a_subnet(), False, True),
        (a_subnet(external_ids={keys.SUBNET_DHCP: "False"}), False, False),
        (a_subnet6(), False, True),
        (a_subnet6("dhcpv6-stateless"), True, True),
        (a_subnet6("slaac"), True, False),
        (a_subnet6(None), False, False),
        (a_subnet6(None, external_ids={keys.SUBNET_RA_MODE: "slaac"}), True, False),
        (a_subnet6(external_ids={keys.SUBNET_DHCP: "False"}), False, False),
    ],
)
def test_modes(row: DhcpOptions, is_auto: bool, is_served: bool) -> None:
    """SLAAC hosts ask nobody, stateful ones ask for everything, stateless ones for the rest."""
    found = read_subnet(row)

    assert found is not None
    assert (is_auto, is_served) == (found.is_auto, has_leases(row))


@pytest.mark.parametrize(
    ("column", "value", "attribute", "expected"),
    [
        ("cidr", "10.1.0.0/24", "network", ipaddress.ip_network("10.1.0.0/24")),
        ("options", {"router": "10.0.0.9"}, "gateway_ip", "10.0.0.9"),
        ("external_ids", {keys.SUBNET_DHCP: "False"}, "enable_dhcp", False),
    ],
)
def test_a_row_is_read_again_when_it_changes(
    column: str, value: Any, attribute: str, expected: Any
) -> None:
    """A row that stays the same is read once; one that the replica changes in place, again."""
    row = DhcpOptions.new("one", cidr="10.0.0.0/24", options={"router": "10.0.0.1"})
    before = read_subnet(row)
    assert read_subnet(row) is before
    setattr(row, column, value)

    assert expected == getattr(read_subnet(row), attribute) != getattr(before, attribute)


@pytest.mark.parametrize(
    ("pools", "expected"),
    [
        ("10.0.0.5-10.0.0.9 10.0.0.20-10.0.0.20", [5, 9, 20, 20]),
        ("", []),
        ("10.0.0.9-10.0.0.5 10.0.0.9-10.0.0.30", [9, 30]),
        ("10.0.0.5-fd00::9 fd00::5-fd00::9 10.0.0.5-it 10.0.0.6-10.0.0.7", [6, 7]),
    ],
)
def test_pools_as_numbers(pools: str, expected: list[int]) -> None:
    """Of what others wrote, the pools that have no addresses are left out."""
    found = read_subnet(a_subnet(external_ids={keys.SUBNET_POOLS: pools}))

    assert found is not None
    base = int(ipaddress.ip_address("10.0.0.0"))
    assert expected == [number - base for span in found.spans for number in span]
