# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixed IPs and MACs of ports, on a real central."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daemon.objects import (
    MAC,
    NOWHERE,
    addresses,
    allocation_pools,
    make_network,
    make_port,
    make_subnet,
    of_port,
    refusal,
)
from daemon.ovsdb import OvsdbServer
from daemon.proxy import Api

pytestmark = pytest.mark.daemon


@pytest.fixture(scope="module")
def wide(api: Api) -> tuple[str, list[Any]]:
    """A network with the subnets 10.0.0.0/24, 10.1.0.0/24 and fd05::/64, and a port on .50."""
    network_id, subnets = make_network(api, "10.0.0.0/24", "10.1.0.0/24", "fd05::/64")
    make_port(api, network_id, fixed_ips=[{"ip_address": "10.0.0.50"}], mac_address=MAC)
    return network_id, subnets


@pytest.mark.parametrize(
    ("fixed_ips", "expected"),
    [
        ([], []),
        ([{"subnet_id": 1}], ["10.1.0.2"]),
        ([{"subnet_id": 0}, {"subnet_id": 0}], ["10.0.0.2", "10.0.0.3"]),
        (
            [{"subnet_id": 0}, {"subnet_id": 1}, {"subnet_id": 2}],
            ["10.0.0.2", "10.1.0.2", "fd05::1"],
        ),
        ([{"ip_address": "10.1.0.200"}], ["10.1.0.200"]),
        ([{"subnet_id": 0, "ip_address": "10.0.0.60"}], ["10.0.0.60"]),
        ([{"ip_address": "10.0.0.1"}], ["10.0.0.1"]),
        ([{"ip_address": "FD05:0::9"}], ["fd05::9"]),
        ([{"subnet_id": 0}, {"ip_address": "10.0.0.2"}], ["10.0.0.2", "10.0.0.3"]),
    ],
)
def test_addresses_of_a_new_port(
    api: Api, wide: tuple[str, list[Any]], fixed_ips: Any, expected: list[str]
) -> None:
    """A port gets the addresses that it asks for."""
    network_id, subnets = wide

    port = make_port(api, network_id, fixed_ips=_with_ids(fixed_ips, subnets))
    api.delete("port", port["id"])

    by_cidr = {"10.0": subnets[0], "10.1": subnets[1], "fd05": subnets[2]}
    assert sorted(expected) == sorted(addresses(port))
    assert all(
        by_cidr[entry["ip_address"][:4]]["id"] == entry["subnet_id"] for entry in port["fixed_ips"]
    )


def test_addresses_that_nobody_asked_for(api: Api) -> None:
    """A port that names no address gets one of each IP version."""
    network_id, _ = make_network(api, "10.0.0.0/24", "fd05::/64")

    assert ["10.0.0.2", "fd05::1"] == addresses(make_port(api, network_id))
    assert ["10.0.0.3", "fd05::2"] == addresses(make_port(api, network_id))


def _with_ids(fixed_ips: Any, subnets: list[Any]) -> Any:
    """Replace numbers of subnets by their ids."""
    return [
        {
            key: subnets[value]["id"] if isinstance(value, int) else value
            for key, value in entry.items()
        }
        for entry in fixed_ips
    ]


@pytest.mark.parametrize(
    ("fixed_ips", "status", "error_type"),
    [
        ([{"ip_address": "10.0.0.50"}], 409, "IpAddressAlreadyAllocated"),
        ([{"ip_address": "192.0.2.1"}], 400, "InvalidIpForNetwork"),
        ([{"subnet_id": 0, "ip_address": "10.1.0.9"}], 400, "InvalidIpForSubnet"),
        ([{"subnet_id": 0, "ip_address": "10.0.0.0"}], 400, "InvalidIpForSubnet"),
        ([{"subnet_id": 0, "ip_address": "10.0.0.255"}], 400, "InvalidIpForSubnet"),
        ([{"subnet_id": NOWHERE}], 404, "SubnetNotFound"),
        ([{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.9"}], 400, "HTTPBadRequest"),
        ([{}], 400, "InvalidInput"),
        ([{"ip_address": "x"}], 400, "HTTPBadRequest"),
        ([{"ip_address": None}], 400, "HTTPBadRequest"),
        ([{"address": "10.0.0.9"}], 400, "HTTPBadRequest"),
        (["10.0.0.9"], 400, "HTTPBadRequest"),
        (None, 400, "HTTPBadRequest"),
    ],
)
def test_addresses_that_a_port_cannot_have(
    api: Api, wide: tuple[str, list[Any]], fixed_ips: Any, status: int, error_type: str
) -> None:
    """Addresses that are taken, nowhere or nonsense are refused, each with its own type."""
    network_id, subnets = wide
    wanted = fixed_ips
    if isinstance(fixed_ips, list) and isinstance(fixed_ips[0], dict):
        wanted = _with_ids(fixed_ips, subnets)

    answer = api("POST", "ports", {"port": {"network_id": network_id, "fixed_ips": wanted}})

    assert (status, error_type) == refusal(answer)


def test_addresses_need_a_subnet_of_the_network(api: Api, wide: tuple[str, list[Any]]) -> None:
    """A subnet of another network, and a network without subnets, give no address."""
    other_id, _ = make_network(api)
    bare_id, _ = make_network(api)
    make_subnet(api, other_id, "10.0.0.0/24")
    elsewhere = {"network_id": other_id, "fixed_ips": [{"subnet_id": wide[1][0]["id"]}]}
    nowhere = {"network_id": bare_id, "fixed_ips": [{"ip_address": "10.0.0.9"}]}

    assert (400, "InvalidInput") == refusal(api("POST", "ports", {"port": elsewhere}))
    assert (400, "InvalidInput") == refusal(api("POST", "ports", {"port": nowhere}))
    assert [] == make_port(api, bare_id)["fixed_ips"]


def test_a_full_pool_says_so(api: Api) -> None:
    """The last address is given out, then the pool is full until a port goes."""
    network_id, _ = make_network(api)
    make_subnet(api, network_id, "10.0.0.0/29", **allocation_pools("10.0.0.2-10.0.0.3"))
    ports = [make_port(api, network_id) for _ in "12"]
    assert [["10.0.0.2"], ["10.0.0.3"]] == [addresses(port) for port in ports]

    answer = api("POST", "ports", {"port": {"network_id": network_id}})
    assert (409, "IpAddressGenerationFailure") == refusal(answer)
    outside = make_port(api, network_id, fixed_ips=[{"ip_address": "10.0.0.6"}])
    assert ["10.0.0.6"] == addresses(outside)

    api.delete("port", ports[0]["id"])
    assert ["10.0.0.2"] == addresses(make_port(api, network_id))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"name": "x"}, ["10.0.0.9"]),
        ({"fixed_ips": []}, []),
        ({"fixed_ips": [{"subnet_id": 0}]}, ["10.0.0.9"]),
        ({"fixed_ips": [{"ip_address": "10.0.0.9"}]}, ["10.0.0.9"]),
        ({"fixed_ips": [{"ip_address": "10.0.0.11"}]}, ["10.0.0.11"]),
        (
            {"fixed_ips": [{"ip_address": "10.0.0.9"}, {"subnet_id": 1}]},
            ["10.0.0.9", "10.1.0.2"],
        ),
        ({"fixed_ips": [{"subnet_id": 1}]}, ["10.1.0.2"]),
        ({"mac_address": "56:6f:1a:2b:00:77"}, ["10.0.0.9"]),
        ({"port_security_enabled": True}, ["10.0.0.9"]),
    ],
)
def test_a_port_keeps_its_addresses_unless_told(
    api: Api, nb: OvsdbServer, values: Any, expected: list[str]
) -> None:
    """A PUT of fixed_ips replaces the list and keeps what it can; any other leaves it alone."""
    network_id, subnets = make_network(api, "10.0.0.0/24", "10.1.0.0/24")
    port = make_port(api, network_id, fixed_ips=[{"ip_address": "10.0.0.9"}])
    given = dict(values)
    if "fixed_ips" in given:
        given["fixed_ips"] = _with_ids(given["fixed_ips"], subnets)

    changed = api.update("port", port["id"], **given)

    served = {"10.0.0.": subnets[0]["id"], "10.1.0.": subnets[1]["id"], "": "[]"}
    own = " ".join([changed["mac_address"], *expected])
    assert expected == addresses(changed)
    assert json.dumps([own]) == of_port(nb, port, "addresses")
    assert served[" ".join(expected)[:7]] == of_port(nb, port, "dhcpv4_options")


@pytest.mark.parametrize(
    "spelled", ["56:6F:1A:2B:00:0A", "56-6f-1a-2b-00-0a", "566f.1a2b.000a", "566F1A2B000A"]
)
def test_spellings_of_a_mac(api: Api, nb: OvsdbServer, spelled: str) -> None:
    """Any common spelling of a MAC is understood, and OVN gets the one that it understands."""
    network_id, _ = make_network(api)

    port = make_port(api, network_id, mac_address=spelled)

    assert "56:6f:1a:2b:00:0a" == port["mac_address"]
    assert '["56:6f:1a:2b:00:0a"]' == of_port(nb, port, "addresses")
    found = api.get(f"ports?network_id={network_id}&mac_address={spelled}")["ports"]
    assert [port["id"]] == [element["id"] for element in found]


@pytest.mark.parametrize(
    "spelled",
    ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "56:6f:1a", "", None, 5, "zz"],
)
def test_no_mac_of_a_station(api: Api, spelled: Any) -> None:
    """What is not the MAC of one station is refused."""
    network_id, _ = make_network(api)

    answer = api("POST", "ports", {"port": {"network_id": network_id, "mac_address": spelled}})

    assert (400, "HTTPBadRequest") == refusal(answer)


def test_a_mac_is_on_a_network_once(api: Api) -> None:
    """The same MAC is refused on one network, at creation and at a change, and fine on two."""
    network_id, _ = make_network(api)
    other_id, _ = make_network(api)
    make_port(api, network_id, mac_address=MAC)
    second = make_port(api, network_id)

    again = {"network_id": network_id, "mac_address": MAC.upper()}
    assert (409, "MacAddressInUse") == refusal(api("POST", "ports", {"port": again}))
    answer = api("PUT", f"ports/{second['id']}", {"port": {"mac_address": MAC}})
    assert (409, "MacAddressInUse") == refusal(answer)
    assert MAC == make_port(api, other_id, mac_address=MAC)["mac_address"]


def test_macs_that_are_made(api: Api) -> None:
    """A port without a MAC gets one of its own: unicast and locally administered."""
    network_id, _ = make_network(api)
    body = {"ports": [{"network_id": network_id} for _ in range(20)]}

    macs = {port["mac_address"] for port in api("POST", "ports", body).json["ports"]}

    assert 20 == len(macs)
    assert {2} == {int(mac[:2], 16) & 3 for mac in macs}
