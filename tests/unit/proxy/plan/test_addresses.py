# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Address management: nobody gets what somebody has, and nobody is refused what is free."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovirt_ovn_proxy.errors import Conflict
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.rows import DhcpOptions, Row, SwitchPort
from ovirt_ovn_proxy.plan.addresses import Allocator, make_mac, take_mac
from ovirt_ovn_proxy.plan.draft import Draft
from unit.proxy.plans import (
    MAC,
    MAC2,
    NET,
    PORT,
    PORT2,
    SUBNET,
    SUBNET6,
    a_network,
    a_port,
    a_subnet,
    a_subnet6,
    draft_of,
    row_id,
)

POOLS = keys.SUBNET_POOLS


def allocator(draft: Draft, mac: str = MAC, own: tuple[str, ...] = ()) -> Allocator:
    """Return who takes addresses for a port of the network."""
    switch = draft.network(NET)
    assert switch is not None
    return Allocator(draft, switch, mac, own)


def ports(*addresses: str) -> list[SwitchPort]:
    """Return ports with these addresses and MACs of their own."""
    return [
        a_port(f"02:00:00:00:01:{index:02x} {text}".strip(), row_id(200 + index))
        for index, text in enumerate(addresses)
    ]


def draft_with(subnets: list[DhcpOptions], *addresses: str, **other_config: str) -> Draft:
    """Return a draft on a network where these addresses are taken."""
    taken = ports(*addresses)
    network = a_network(*(port.uuid for port in taken)).copy(other_config=other_config)
    rows: list[Row] = [network, *taken, *subnets]
    return draft_of(*rows)


@pytest.mark.parametrize(
    ("subnets", "taken", "other_config", "expected"),
    [
        ([], (), {}, []),
        ([a_subnet()], (), {}, ["10.0.0.2"]),
        ([a_subnet()], ("10.0.0.2", "10.0.0.3", "10.0.0.5"), {}, ["10.0.0.4"]),
        ([a_subnet()], ("10.0.0.3",), {}, ["10.0.0.2"]),
        ([a_subnet(external_ids={POOLS: "10.0.0.9-10.0.0.9"})], (), {}, ["10.0.0.9"]),
        (
            [a_subnet(external_ids={POOLS: "10.0.0.9-10.0.0.9 10.0.0.20-10.0.0.29"})],
            ("10.0.0.9", "10.0.0.20"),
            {},
            ["10.0.0.21"],
        ),
        ([a_subnet()], (), {"exclude_ips": "10.0.0.1..10.0.0.7 10.0.0.9"}, ["10.0.0.8"]),
        ([a_subnet()], (), {"exclude_ips": "nonsense 10.0.0.9..10.0.0.2 fd00::1"}, ["10.0.0.2"]),
        ([a_subnet()], (), {"exclude_ips": "0.0.0.0..255.255.255.255"}, ["10.0.0.2"]),
        # the second subnet takes over when the first is full
        (
            [
                a_subnet(external_ids={POOLS: "10.0.0.9-10.0.0.9"}),
                a_subnet(
                    uuid=row_id(30), cidr="10.1.0.0/24", external_ids={POOLS: "10.1.0.1-10.1.0.9"}
                ),
            ],
            ("10.0.0.9",),
            {},
            ["10.1.0.1"],
        ),
        # one of each version, and one of each subnet with automatic addresses
        ([a_subnet(), a_subnet6()], (), {}, ["10.0.0.2", "fd00::1"]),
        ([a_subnet6("slaac")], (), {}, ["fd00::ff:fe00:1"]),
        (
            [
                a_subnet(),
                a_subnet6(),
                a_subnet6("slaac", uuid=row_id(31), cidr="fd01::/64"),
                a_subnet6("dhcpv6-stateless", uuid=row_id(32), cidr="fd02::/64"),
            ],
            (),
            {},
            ["10.0.0.2", "fd00::1", "fd01::ff:fe00:1", "fd02::ff:fe00:1"],
        ),
        # damaged rows are no subnets and no pools
        ([a_subnet(cidr="nonsense"), a_subnet6()], (), {}, ["fd00::1"]),
        ([a_subnet(external_ids={POOLS: "x-y 10.0.0.9-10.0.0.9"})], (), {}, ["10.0.0.9"]),
    ],
)
def test_default(
    subnets: list[DhcpOptions],
    taken: tuple[str, ...],
    other_config: dict[str, str],
    expected: list[str],
) -> None:
    """A port that asks for nothing gets the lowest free address of each version."""
    assert expected == allocator(draft_with(subnets, *taken, **other_config)).default()


@pytest.mark.parametrize(
    ("pools", "taken"),
    [
        ("10.0.0.9-10.0.0.9", ("10.0.0.9",)),
        ("10.0.0.2-10.0.0.3", ("10.0.0.2", "10.0.0.3")),
        ("", ()),
    ],
)
def test_full(pools: str, taken: tuple[str, ...]) -> None:
    """409 is the answer to a pool that is truly full, and to a subnet without any."""
    draft = draft_with([a_subnet(external_ids={POOLS: pools})], *taken)
    with pytest.raises(Conflict) as refused:
        allocator(draft).default()

    assert refused.value.error_type == "IpAddressGenerationFailure"
    assert SUBNET in refused.value.message


@settings(max_examples=60, deadline=None)
@given(
    taken=st.sets(st.integers(1, 30), max_size=30),
    excluded=st.sets(st.integers(1, 30), max_size=5),
    pools=st.lists(st.tuples(st.integers(2, 30), st.integers(0, 10)), min_size=1, max_size=3),
    wanted=st.integers(1, 12),
)
def test_against_a_model(
    taken: set[int], excluded: set[int], pools: list[tuple[int, int]], wanted: int
) -> None:
    """Addresses come out in order of the pools, each once, until there is none left."""
    base = int(ipaddress.ip_address("10.0.0.0"))
    text = " ".join(f"10.0.0.{first}-10.0.0.{first + more}" for first, more in pools)
    draft = draft_with(
        [a_subnet(external_ids={POOLS: text})],
        *(f"10.0.0.{number}" for number in sorted(taken)),
        exclude_ips=" ".join(f"10.0.0.{number}" for number in sorted(excluded)),
    )
    free = [
        number
        for first, more in pools
        for number in range(first, first + more + 1)
        if number not in taken | excluded
    ]
    expected = list(dict.fromkeys(free))[:wanted]
    found = []
    for index in range(wanted):
        try:
            [ip] = allocator(draft, f"02:00:00:00:02:{index:02x}").default()
        except Conflict:
            break
        found.append(int(ipaddress.ip_address(ip)) - base)

    assert expected == found


@pytest.mark.parametrize(
    ("own", "entries", "expected"),
    [
        # what the port has is free for it
        (("10.0.0.5",), [{"ip_address": "10.0.0.5"}], ["10.0.0.5"]),
        (("10.0.0.5",), [{"subnet_id": SUBNET}], ["10.0.0.5"]),
        (
            ("10.0.0.5",),
            [{"subnet_id": SUBNET}, {"subnet_id": SUBNET}],
            ["10.0.0.5", "10.0.0.2"],
        ),
        (
            ("10.0.0.5", "10.0.0.6"),
            [{"subnet_id": SUBNET}, {"subnet_id": SUBNET}],
            ["10.0.0.5", "10.0.0.6"],
        ),
        (
            ("10.0.0.5",),
            [{"subnet_id": SUBNET}, {"ip_address": "10.0.0.5"}],
            ["10.0.0.5", "10.0.0.2"],
        ),
        ((), [{"subnet_id": SUBNET6}], ["fd00::1"]),
        (("nonsense",), [{"subnet_id": SUBNET}], ["10.0.0.2"]),
    ],
)
def test_wanted(own: tuple[str, ...], entries: Any, expected: list[str]) -> None:
    """Exact addresses are taken first, then what the port has, then the lowest free one."""
    draft = draft_with([a_subnet(), a_subnet6()], " ".join(own))

    assert expected == allocator(draft, own=own).wanted(entries)


def test_pool_of_another_version() -> None:
    """A damaged pool is no pool, also where it can be read."""
    draft = draft_with([a_subnet(external_ids={POOLS: "fd00::1-fd00::9 10.0.0.9-10.0.0.9"})])

    assert ["10.0.0.9"] == allocator(draft).default()


def test_automatic_address_is_taken_once() -> None:
    """A port has one address that it makes from its MAC, however often its subnet is named."""
    draft = draft_with([a_subnet6("slaac")])

    assert ["fd00::ff:fe00:1"] == allocator(draft).wanted([{"subnet_id": SUBNET6}] * 2)


@pytest.mark.parametrize("ip", ["fd00::ff:fe00:1", "fd00::7"])
def test_automatic_address_is_taken(ip: str) -> None:
    """An address that another port holds is not given again, however it came about."""
    draft = draft_with([a_subnet6("slaac")], ip)
    if ip != "fd00::7":
        with pytest.raises(Conflict) as refused:
            allocator(draft).default()
        assert refused.value.error_type == "IpAddressAlreadyAllocated"
    else:
        assert ["fd00::ff:fe00:1"] == allocator(draft).default()


def test_taken_within_the_request() -> None:
    """What one object of a request takes the next one does not get."""
    draft = draft_with([a_subnet()])
    allocator(draft).wanted([{"ip_address": "10.0.0.2"}])
    with pytest.raises(Conflict):
        allocator(draft, MAC2).wanted([{"ip_address": "10.0.0.2"}])

    assert ["10.0.0.3"] == allocator(draft, MAC2).default()


def test_networks_are_apart() -> None:
    """The same address on another network is another address."""
    other = row_id(50)
    draft = draft_of(
        a_network(),
        a_subnet(),
        a_network(PORT2, uuid=other),
        a_port(f"{MAC} 10.0.0.2", PORT2),
        a_subnet(uuid=row_id(51), external_ids={keys.SUBNET_NETWORK: other}),
    )

    assert ["10.0.0.2"] == allocator(draft).default()
    switch = draft.network(NET)
    assert switch is not None
    assert MAC == take_mac(draft, switch, MAC)


def test_macs() -> None:
    """A MAC is one port's, of those that are there and those that the request makes."""
    draft = draft_of(a_network(PORT), a_port(MAC))
    switch = draft.network(NET)
    assert switch is not None

    assert MAC2 == take_mac(draft, switch, MAC2)
    for mac in (MAC, MAC2):
        with pytest.raises(Conflict) as refused:
            take_mac(draft, switch, mac)
        assert refused.value.error_type == "MacAddressInUse"


def test_made_macs() -> None:
    """A made MAC is locally administered, of one station, and the next one if it is taken."""
    draft = draft_of(a_network())
    switch = draft.network(NET)
    assert switch is not None
    first = make_mac(draft, switch, "port/0")
    second = make_mac(draft, switch, "port/0")

    assert first != second
    assert {"02"} == {mac[:2] for mac in (first, second)}
    again = draft_of(a_network(PORT), a_port(first))
    same_switch = again.network(NET)
    assert same_switch is not None
    assert second == make_mac(again, same_switch, "port/0")
