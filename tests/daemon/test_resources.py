# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks, subnets and ports, attribute by attribute, on one real central.

Tables of what a request gives and what comes of it: in the answer, and in the
columns that OVN acts upon. Every test makes networks of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from daemon.ovsdb import OvsdbServer, northd, wait_until
from daemon.proxy import ENGINE, Answer, Api, running_api

pytestmark = pytest.mark.daemon

NOWHERE = "12345678-1234-4234-8234-123456789abc"
LONG = "x" * 256


@pytest.fixture(scope="module")
def central() -> Iterator[Mapping[str, OvsdbServer]]:
    """Northbound, Southbound and ovn-northd, for all tests of this module."""
    with northd() as servers:
        yield servers


@pytest.fixture(scope="module")
def nb(central: Mapping[str, OvsdbServer]) -> OvsdbServer:
    """The Northbound of that central."""
    return central["nb"]


@pytest.fixture(scope="module")
def api(nb: OvsdbServer) -> Iterator[Api]:
    """The networking application on that central."""
    with running_api(nb) as api:
        yield api


def nbctl(nb: OvsdbServer, *command: str) -> str:
    """Run ovn-nbctl; returns what it prints."""
    done = subprocess.run(
        ["ovn-nbctl", f"--db={nb.remote}", *command], check=True, capture_output=True, timeout=10
    )
    return done.stdout.decode().strip()


def of_port(nb: OvsdbServer, port: Mapping[str, Any], column: str) -> str:
    """Return a column of a port's row, or `map:key`, as ovn-nbctl prints it ("": not there)."""
    return nbctl(nb, "--if-exists", "get", "Logical_Switch_Port", port["id"], column)


def of_subnet(nb: OvsdbServer, subnet: Mapping[str, Any], column: str) -> str:
    """Return a column of a subnet's row, likewise."""
    return nbctl(nb, "--if-exists", "get", "DHCP_Options", subnet["id"], column).strip('"')


def make_network(api: Api, *cidrs: str, **values: Any) -> tuple[str, list[Any]]:
    """Create a network with subnets; returns its id and them."""
    network_id = api.create("network", **values)["id"]
    return network_id, [make_subnet(api, network_id, cidr) for cidr in cidrs]


def make_subnet(api: Api, network_id: str, cidr: str, **values: Any) -> Any:
    """Create a subnet."""
    version = 6 if ":" in cidr else 4
    return api.create("subnet", network_id=network_id, cidr=cidr, ip_version=version, **values)


def make_port(api: Api, network_id: str, **values: Any) -> Any:
    """Create a port."""
    return api.create("port", network_id=network_id, **values)


def addresses(port: Mapping[str, Any]) -> list[str]:
    """Return the addresses that a port shows."""
    return [entry["ip_address"] for entry in port["fixed_ips"]]


def refusal(answer: Answer) -> tuple[int, str]:
    """Return status and type of an error, whose body has to be the API's."""
    assert {"NeutronError"} == set(answer.json), answer
    error = answer.json["NeutronError"]
    assert {"type", "message", "detail"} == set(error)
    assert error["message"]
    assert "" == error["detail"]
    return answer.status, error["type"]


# --- subnets: addresses -------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "cidr", "gateway", "pools"),
    [
        ({"cidr": "10.0.0.0/24"}, "10.0.0.0/24", "10.0.0.1", ["10.0.0.2-10.0.0.254"]),
        ({"cidr": "10.0.0.7/24"}, "10.0.0.0/24", "10.0.0.1", ["10.0.0.2-10.0.0.254"]),
        (
            {"cidr": "10.0.0.0/24", "gateway_ip": None},
            "10.0.0.0/24",
            None,
            ["10.0.0.1-10.0.0.254"],
        ),
        (
            {"cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.254"},
            "10.0.0.0/24",
            "10.0.0.254",
            ["10.0.0.1-10.0.0.253"],
        ),
        (
            {"cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.10"},
            "10.0.0.0/24",
            "10.0.0.10",
            ["10.0.0.1-10.0.0.9", "10.0.0.11-10.0.0.254"],
        ),
        ({"cidr": "10.0.0.0/30"}, "10.0.0.0/30", "10.0.0.1", ["10.0.0.2-10.0.0.2"]),
        (
            {"cidr": "10.0.0.0/31", "enable_dhcp": False},
            "10.0.0.0/31",
            "10.0.0.0",
            ["10.0.0.1-10.0.0.1"],
        ),
        (
            {"cidr": "FD05::/64", "ip_version": "6"},
            "fd05::/64",
            "fd05::",
            ["fd05::1-fd05::ffff:ffff:ffff:ffff"],
        ),
        (
            {"cidr": "fd05:0:0:0::/64", "ip_version": 6, "gateway_ip": "fd05::1"},
            "fd05::/64",
            "fd05::1",
            ["fd05::2-fd05::ffff:ffff:ffff:ffff"],
        ),
        (
            {"cidr": "fd05::/64", "ip_version": 6, "gateway_ip": "fe80::1"},
            "fd05::/64",
            "fe80::1",
            ["fd05::1-fd05::ffff:ffff:ffff:ffff"],
        ),
        (
            {
                "cidr": "10.0.0.0/24",
                "allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.20"}],
            },
            "10.0.0.0/24",
            "10.0.0.1",
            ["10.0.0.9-10.0.0.20"],
        ),
    ],
)
def test_gateway_and_pools_of_a_new_subnet(
    api: Api, values: Any, cidr: str, gateway: str | None, pools: list[str]
) -> None:
    """A subnet has what was asked for, and otherwise the first address and all others."""
    network_id, _ = make_network(api)

    subnet = api.create("subnet", network_id=network_id, **{"ip_version": 4, **values})

    shown = [f"{pool['start']}-{pool['end']}" for pool in subnet["allocation_pools"]]
    assert (cidr, gateway, pools) == (subnet["cidr"], subnet["gateway_ip"], shown)
    assert subnet == api.get(f"subnets/{subnet['id']}")["subnet"]


@pytest.mark.parametrize("values", [{}, {"gateway_ip": ""}, {"gateway_ip": None}])
def test_the_engine_means_no_gateway_by_none(api: Api, nb: OvsdbServer, values: Any) -> None:
    """A subnet of the engine without a gateway has none, and DHCP names no router."""
    network_id, _ = make_network(api)

    subnet = api.create(
        "subnet", ENGINE, network_id=network_id, cidr="10.0.0.0/24", ip_version=4, **values
    )

    assert subnet["gateway_ip"] is None
    assert "" == of_subnet(nb, subnet, "options:router")


_V4 = {"cidr": "10.0.0.0/24", "ip_version": 4}
_V6 = {"cidr": "fd05::/64", "ip_version": 6}


def _pools(*spans: str) -> dict[str, Any]:
    pairs = [span.split("-") for span in spans]
    return {"allocation_pools": [{"start": pair[0], "end": pair[1]} for pair in pairs]}


@pytest.mark.parametrize(
    ("values", "status", "error_type"),
    [
        ({"ip_version": 4}, 400, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0/24"}, 400, "HTTPBadRequest"),
        ({"cidr": "10.0/16", "ip_version": 4}, 400, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0", "ip_version": 4}, 400, "HTTPBadRequest"),
        ({"cidr": None, "ip_version": 4}, 400, "HTTPBadRequest"),
        ({"cidr": 167772160, "ip_version": 4}, 400, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0/33", "ip_version": 4}, 400, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0/24", "ip_version": 5}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/24", "ip_version": 6}, 400, "InvalidInput"),
        ({"cidr": "0.0.0.0/0", "ip_version": 4}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/31", "ip_version": 4}, 400, "InvalidInput"),
        ({"cidr": "fd05::/127", "ip_version": 6}, 400, "InvalidInput"),
        ({"cidr": "224.0.0.0/24", "ip_version": 4}, 400, "InvalidInput"),
        ({"cidr": "127.0.0.0/24", "ip_version": 4}, 400, "InvalidInput"),
        ({**_V4, "name": " x"}, 400, "HTTPBadRequest"),
        ({**_V4, "name": LONG}, 400, "HTTPBadRequest"),
        ({**_V4, "unknown": 1}, 400, "HTTPBadRequest"),
        ({**_V4, "id": NOWHERE}, 400, "HTTPBadRequest"),
        ({**_V4, "enable_dhcp": "maybe"}, 400, "HTTPBadRequest"),
        ({**_V4, "tenant_id": "a", "project_id": "b"}, 400, "HTTPBadRequest"),
        ({**_V4, "network_id": NOWHERE}, 404, "NetworkNotFound"),
        ({**_V4, "network_id": "red"}, 400, "HTTPBadRequest"),
        ({**_V4, "gateway_ip": "x"}, 400, "HTTPBadRequest"),
        ({**_V4, "gateway_ip": "fd05::1"}, 400, "InvalidInput"),
        ({**_V4, "gateway_ip": "10.0.0.0"}, 400, "InvalidInput"),
        ({**_V4, "gateway_ip": "10.0.0.255"}, 400, "InvalidInput"),
        ({**_V4, **_pools("10.0.0.9-10.0.0.5")}, 400, "InvalidAllocationPool"),
        ({**_V4, **_pools("10.0.0.9-fd05::1")}, 400, "InvalidAllocationPool"),
        ({**_V4, **_pools("10.0.0.9-10.0.1.5")}, 400, "OutOfBoundsAllocationPool"),
        ({**_V4, **_pools("10.0.0.9-10.0.0.255")}, 400, "OutOfBoundsAllocationPool"),
        ({**_V4, **_pools("fd05::1-fd05::9")}, 400, "OutOfBoundsAllocationPool"),
        (
            {**_V4, **_pools("10.0.0.9-10.0.0.20", "10.0.0.20-10.0.0.30")},
            409,
            "OverlappingAllocationPools",
        ),
        ({**_V4, **_pools("10.0.0.1-10.0.0.9")}, 409, "GatewayConflictWithAllocationPools"),
        ({**_V4, "allocation_pools": [{"start": "10.0.0.9"}]}, 400, "HTTPBadRequest"),
        ({**_V4, "allocation_pools": None}, 400, "HTTPBadRequest"),
        (
            {**_V4, "dns_nameservers": [f"10.0.0.{n}" for n in range(1, 7)]},
            400,
            "DNSNameServersExhausted",
        ),
        ({**_V4, "dns_nameservers": ["10.0.0.5", "10.0.0.5"]}, 400, "InvalidInput"),
        ({**_V4, "dns_nameservers": ["fd05::1"]}, 400, "InvalidInput"),
        ({**_V4, "dns_nameservers": ["dns"]}, 400, "HTTPBadRequest"),
        (
            {
                **_V4,
                "host_routes": [
                    {"destination": f"10.{n}.0.0/16", "nexthop": "10.0.0.9"} for n in range(1, 22)
                ],
            },
            400,
            "HostRoutesExhausted",
        ),
        ({**_V4, "host_routes": [{"destination": "10.1.0.0/16"}]}, 400, "HTTPBadRequest"),
        (
            {**_V4, "host_routes": [{"destination": "fd06::/64", "nexthop": "fd05::9"}]},
            400,
            "InvalidInput",
        ),
        ({**_V4, "ipv6_address_mode": "slaac"}, 400, "InvalidInput"),
        ({**_V6, "ipv6_address_mode": "dhcp"}, 400, "HTTPBadRequest"),
        (
            {**_V6, "ipv6_address_mode": "slaac", "ipv6_ra_mode": "dhcpv6-stateful"},
            400,
            "InvalidInput",
        ),
        ({**_V6, "cidr": "fd05::/80", "ipv6_address_mode": "slaac"}, 400, "InvalidInput"),
        ({**_V6, "enable_dhcp": False, "ipv6_ra_mode": "slaac"}, 400, "InvalidInput"),
    ],
)
def test_a_subnet_that_cannot_be(api: Api, values: Any, status: int, error_type: str) -> None:
    """A subnet that breaks a rule is refused with the type of that rule, and not made."""
    network_id, _ = make_network(api)

    answer = api("POST", "subnets", {"subnet": {"network_id": network_id, **values}})

    assert (status, error_type) == refusal(answer)
    assert [] == api.get(f"networks/{network_id}")["network"]["subnets"]


def test_subnets_of_one_network_do_not_overlap(api: Api) -> None:
    """A CIDR may be used again on another network, not on the same one."""
    network_id, _ = make_network(api, "10.0.0.0/16")
    other_id, _ = make_network(api, "10.0.0.0/16")
    values = {"network_id": network_id, "cidr": "10.0.1.0/24", "ip_version": 4}

    assert (400, "InvalidInput") == refusal(api("POST", "subnets", {"subnet": values}))
    assert network_id != other_id


@pytest.mark.parametrize(
    ("values", "status", "error_type"),
    [
        ({"gateway_ip": "10.0.0.9"}, 409, "GatewayConflictWithAllocationPools"),
        ({"gateway_ip": "10.0.0.255"}, 400, "InvalidInput"),
        (_pools("10.0.0.1-10.0.0.9"), 409, "GatewayConflictWithAllocationPools"),
        (_pools("10.0.1.1-10.0.1.9"), 400, "OutOfBoundsAllocationPool"),
        ({"cidr": "10.0.0.0/25"}, 400, "HTTPBadRequest"),
        ({"ip_version": 4}, 400, "HTTPBadRequest"),
        ({"network_id": NOWHERE}, 400, "HTTPBadRequest"),
        ({"ipv6_address_mode": "slaac"}, 400, "HTTPBadRequest"),
        ({"tenant_id": "a"}, 400, "HTTPBadRequest"),
        ({"enable_dhcp": None}, 400, "HTTPBadRequest"),
        ({"name": None}, 400, "HTTPBadRequest"),
    ],
)
def test_a_change_of_a_subnet_that_cannot_be(
    api: Api, values: Any, status: int, error_type: str
) -> None:
    """A change that breaks a rule, or of what never changes, is refused and does nothing."""
    _, (subnet,) = make_network(api, "10.0.0.0/24")

    answer = api("PUT", f"subnets/{subnet['id']}", {"subnet": values})

    assert (status, error_type) == refusal(answer)
    assert subnet == api.get(f"subnets/{subnet['id']}")["subnet"]


def test_a_subnet_changes(api: Api) -> None:
    """A PUT changes what it names, replaces lists, and takes null lists for empty ones."""
    _, (subnet,) = make_network(api, "10.0.0.0/24")
    pools = [{"start": "10.0.0.100", "end": "10.0.0.120"}]
    routes = [{"destination": "192.0.2.0/24", "nexthop": "10.0.0.9"}]
    wanted = {
        "name": "renamed",
        "description": "text",
        "allocation_pools": pools,
        "gateway_ip": "10.0.0.2",
        "dns_nameservers": ["192.0.2.1", "192.0.2.2"],
        "host_routes": routes,
    }

    changed = api.update("subnet", subnet["id"], **wanted)

    assert wanted == {name: changed[name] for name in wanted}
    cleared = api.update("subnet", subnet["id"], dns_nameservers=None, host_routes=None)
    assert ([], []) == (cleared["dns_nameservers"], cleared["host_routes"])
    assert pools == cleared["allocation_pools"]


# --- subnets: DHCP ------------------------------------------------------------

_ROUTE = {"destination": "192.0.2.0/24", "nexthop": "10.0.0.9"}


@pytest.mark.parametrize(
    ("values", "option", "text"),
    [
        ({}, "router", "10.0.0.1"),
        ({}, "server_id", "10.0.0.1"),
        ({}, "lease_time", "86400"),
        ({}, "mtu", "1442"),
        ({}, "dns_server", ""),
        ({}, "classless_static_route", ""),
        ({"gateway_ip": None}, "router", ""),
        ({"gateway_ip": None}, "server_id", "10.0.0.0"),
        ({"dns_nameservers": ["192.0.2.1"]}, "dns_server", "192.0.2.1"),
        (
            {"dns_nameservers": ["192.0.2.1", "192.0.2.2"]},
            "dns_server",
            "{192.0.2.1, 192.0.2.2}",
        ),
        (
            {"host_routes": [_ROUTE]},
            "classless_static_route",
            "{192.0.2.0/24,10.0.0.9, 0.0.0.0/0,10.0.0.1}",
        ),
        (
            {"host_routes": [_ROUTE], "gateway_ip": None},
            "classless_static_route",
            "{192.0.2.0/24,10.0.0.9}",
        ),
    ],
)
def test_what_dhcp_offers(api: Api, nb: OvsdbServer, values: Any, option: str, text: str) -> None:
    """A subnet's attributes become OVN's DHCP options, at creation and at a change alike."""
    network_id, _ = make_network(api)
    made = make_subnet(api, network_id, "10.0.0.0/24", **values)
    assert text == of_subnet(nb, made, f"options:{option}")

    _, (changed,) = make_network(api, "10.0.0.0/24")
    api.update("subnet", changed["id"], **values)
    assert text == of_subnet(nb, changed, f"options:{option}")


def test_dhcp_is_switched_for_every_port(api: Api, nb: OvsdbServer) -> None:
    """Without enable_dhcp no port of the subnet refers to its DHCP options; with it all do."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    ports = [make_port(api, network_id) for _ in "12"]

    api.update("subnet", subnet["id"], enable_dhcp=False)
    ports.append(make_port(api, network_id))
    assert ["[]"] * 3 == [of_port(nb, port, "dhcpv4_options") for port in ports]

    api.update("subnet", subnet["id"], enable_dhcp=True)
    assert [subnet["id"]] * 3 == [of_port(nb, port, "dhcpv4_options") for port in ports]


# --- subnets: IPv6 modes ------------------------------------------------------

_MAC = "56:6f:1a:2b:00:01"
_AUTOMATIC = "fd05::546f:1aff:fe2b:1"


@pytest.mark.parametrize(
    ("mode", "address", "has_options", "stateless"),
    [
        ("dhcpv6-stateful", "fd05::1", True, ""),
        ("dhcpv6-stateless", _AUTOMATIC, True, "true"),
        ("slaac", _AUTOMATIC, False, ""),
    ],
)
def test_how_a_port_gets_its_ipv6_address(
    api: Api, nb: OvsdbServer, mode: str, address: str, has_options: bool, stateless: str
) -> None:
    """By the subnet's mode the address is given out, or follows from the MAC (EUI-64)."""
    network_id, _ = make_network(api)
    subnet = make_subnet(api, network_id, "fd05::/64", ipv6_address_mode=mode, ipv6_ra_mode=mode)

    port = make_port(api, network_id, mac_address=_MAC)

    assert (mode, mode) == (subnet["ipv6_address_mode"], subnet["ipv6_ra_mode"])
    assert [address] == addresses(port)
    assert (subnet["id"] if has_options else "[]") == of_port(nb, port, "dhcpv6_options")
    assert stateless == of_subnet(nb, subnet, "options:dhcpv6_stateless")


def test_a_subnet_without_a_mode_gets_the_configured_one(api: Api, nb: OvsdbServer) -> None:
    """Who names no IPv6 mode gets the site's; an explicit null is no mode."""
    network_id, _ = make_network(api)
    assert "dhcpv6-stateful" == make_subnet(api, network_id, "fd05::/64")["ipv6_address_mode"]
    plain = make_subnet(api, network_id, "fd06::/64", ipv6_address_mode=None)
    assert plain["ipv6_address_mode"] is None
    with running_api(nb, dhcp_default_ipv6_address_mode="slaac") as other:
        assert "slaac" == make_subnet(other, network_id, "fd07::/64")["ipv6_address_mode"]


def test_slaac_comes_to_ports_that_are_there_and_goes_again(api: Api, nb: OvsdbServer) -> None:
    """A new slaac subnet adds an address to each port, its end takes that away and no other."""
    network_id, (v4,) = make_network(api, "10.0.0.0/24")
    port = make_port(api, network_id, mac_address=_MAC, port_security_enabled=True)
    v6 = make_subnet(api, network_id, "fd05::/64", ipv6_address_mode="slaac")

    shown = api.get(f"ports/{port['id']}")["port"]
    assert [
        {"subnet_id": v4["id"], "ip_address": "10.0.0.2"},
        {"subnet_id": v6["id"], "ip_address": _AUTOMATIC},
    ] == shown["fixed_ips"]
    assert f'["{_MAC} 10.0.0.2 {_AUTOMATIC}"]' == of_port(nb, port, "port_security")

    api.delete("subnet", v6["id"])
    assert ["10.0.0.2"] == addresses(api.get(f"ports/{port['id']}")["port"])
    assert f'["{_MAC} 10.0.0.2"]' == of_port(nb, port, "addresses")
    assert f'["{_MAC} 10.0.0.2"]' == of_port(nb, port, "port_security")


def test_an_automatic_address_cannot_be_chosen_and_follows_the_mac(api: Api) -> None:
    """On a slaac subnet only the address made from the MAC is possible, also after a new MAC."""
    network_id, _ = make_network(api, "10.0.0.0/24")
    subnet = make_subnet(api, network_id, "fd05::/64", ipv6_address_mode="slaac")
    entry = {"subnet_id": subnet["id"], "ip_address": "fd05::9"}
    values = {"network_id": network_id, "fixed_ips": [entry]}
    assert (400, "AllocationOnAutoAddressSubnet") == refusal(api("POST", "ports", {"port": values}))

    port = make_port(api, network_id, mac_address=_MAC)
    changed = api.update("port", port["id"], mac_address="56:6f:1a:2b:00:02")
    assert ["10.0.0.2", "fd05::546f:1aff:fe2b:2"] == addresses(changed)
    changed = api.update("port", port["id"], fixed_ips=[{"ip_address": "10.0.0.7"}])
    assert ["10.0.0.7", "fd05::546f:1aff:fe2b:2"] == addresses(changed)


def test_dhcp_cannot_be_switched_off_with_a_mode(api: Api) -> None:
    """An IPv6 subnet with a mode of the user's keeps DHCP on; the site's default mode gives way."""
    network, (default,) = make_network(api, "fd05::/64")
    asked = api.create(
        "subnet",
        network_id=network,
        cidr="fd06::/64",
        ip_version=6,
        ipv6_address_mode="slaac",
    )

    answer = api("PUT", f"subnets/{asked['id']}", {"subnet": {"enable_dhcp": False}})

    assert (400, "InvalidInput") == refusal(answer)
    off = api.update("subnet", default["id"], enable_dhcp=False)
    assert (False, None) == (off["enable_dhcp"], off["ipv6_address_mode"])
    on = api.update("subnet", default["id"], enable_dhcp=True)
    assert (True, "dhcpv6-stateful") == (on["enable_dhcp"], on["ipv6_address_mode"])


def test_a_subnet_in_use_stays(api: Api) -> None:
    """A subnet whose address a port holds cannot be deleted; afterwards it can."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    port = make_port(api, network_id)

    assert (409, "SubnetInUse") == refusal(api("DELETE", f"subnets/{subnet['id']}"))
    api.delete("port", port["id"])
    api.delete("subnet", subnet["id"])
    assert (404, "SubnetNotFound") == refusal(api("GET", f"subnets/{subnet['id']}"))


# --- ports: addresses ---------------------------------------------------------


@pytest.fixture(scope="module")
def wide(api: Api) -> tuple[str, list[Any]]:
    """A network with the subnets 10.0.0.0/24, 10.1.0.0/24 and fd05::/64, and a port on .50."""
    network_id, subnets = make_network(api, "10.0.0.0/24", "10.1.0.0/24", "fd05::/64")
    make_port(api, network_id, fixed_ips=[{"ip_address": "10.0.0.50"}], mac_address=_MAC)
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
    make_subnet(api, network_id, "10.0.0.0/29", **_pools("10.0.0.2-10.0.0.3"))
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


# --- ports: MACs --------------------------------------------------------------


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
    make_port(api, network_id, mac_address=_MAC)
    second = make_port(api, network_id)

    again = {"network_id": network_id, "mac_address": _MAC.upper()}
    assert (409, "MacAddressInUse") == refusal(api("POST", "ports", {"port": again}))
    answer = api("PUT", f"ports/{second['id']}", {"port": {"mac_address": _MAC}})
    assert (409, "MacAddressInUse") == refusal(answer)
    assert _MAC == make_port(api, other_id, mac_address=_MAC)["mac_address"]


def test_macs_that_are_made(api: Api) -> None:
    """A port without a MAC gets one of its own: unicast and locally administered."""
    network_id, _ = make_network(api)
    body = {"ports": [{"network_id": network_id} for _ in range(20)]}

    macs = {port["mac_address"] for port in api("POST", "ports", body).json["ports"]}

    assert 20 == len(macs)
    assert {2} == {int(mac[:2], 16) & 3 for mac in macs}


# --- ports: security ----------------------------------------------------------


@pytest.mark.parametrize(
    ("of_network", "of_the_port", "is_on"),
    [
        (None, None, False),
        (True, None, True),
        (False, None, False),
        (False, True, True),
        (True, False, False),
        ("yes", None, True),
    ],
)
def test_port_security(
    api: Api, nb: OvsdbServer, of_network: Any, of_the_port: Any, is_on: bool
) -> None:
    """A port may send from its own addresses only where it, or else its network, says so."""
    values = {} if of_network is None else {"port_security_enabled": of_network}
    network_id, _ = make_network(api, "10.0.0.0/24", **values)
    values = {} if of_the_port is None else {"port_security_enabled": of_the_port}

    port = make_port(api, network_id, mac_address=_MAC, **values)

    column = f'["{_MAC} 10.0.0.2"]'
    assert is_on == port["port_security_enabled"]
    assert (column if is_on else "[]") == of_port(nb, port, "port_security")
    turned = api.update("port", port["id"], port_security_enabled=not is_on, security_groups=[])
    assert (not is_on) == turned["port_security_enabled"]
    assert ("[]" if is_on else column) == of_port(nb, port, "port_security")


def test_port_security_of_new_networks_is_an_option(nb: OvsdbServer) -> None:
    """The site's setting decides for networks that do not say."""
    with running_api(nb, port_security_enabled_default=True) as api:
        assert api.create("network")["port_security_enabled"]
        assert not api.create("network", port_security_enabled=False)["port_security_enabled"]


def test_allowed_address_pairs(api: Api, nb: OvsdbServer) -> None:
    """Pairs add to what a port may send from, and their MACs to what it receives."""
    network_id, _ = make_network(api, "10.0.0.0/24", port_security_enabled=True)
    pairs = [
        {"ip_address": "10.0.0.100"},
        {"ip_address": "192.0.2.0/24", "mac_address": "56-6F-1A-2B-00-EE"},
    ]

    port = make_port(api, network_id, mac_address=_MAC, allowed_address_pairs=pairs)

    assert [
        {"ip_address": "10.0.0.100", "mac_address": _MAC},
        {"ip_address": "192.0.2.0/24", "mac_address": "56:6f:1a:2b:00:ee"},
    ] == port["allowed_address_pairs"]
    assert ["10.0.0.2"] == addresses(port)
    assert f'["{_MAC} 10.0.0.2 10.0.0.100", "56:6f:1a:2b:00:ee 192.0.2.0/24"]' == of_port(
        nb, port, "port_security"
    )
    cleared = api.update("port", port["id"], allowed_address_pairs=None)
    assert [] == cleared["allowed_address_pairs"]
    assert f'["{_MAC} 10.0.0.2"]' == of_port(nb, port, "port_security")
    assert f'["{_MAC} 10.0.0.2"]' == of_port(nb, port, "addresses")


_PAIR = {"ip_address": "10.0.0.100"}


def test_address_pairs_leave_the_port_its_own_address(api: Api) -> None:
    """Pairs with the port's own MAC and with another one never hide the port's own address."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    pairs = [
        {"ip_address": "10.0.0.200"},
        {"ip_address": "10.0.0.201", "mac_address": "00:00:00:00:00:04"},
    ]
    port = make_port(
        api,
        network_id,
        mac_address=_MAC,
        port_security_enabled=True,
        allowed_address_pairs=pairs,
    )

    assert port == api.get(f"ports/{port['id']}")["port"]
    assert (_MAC, "10.0.0.2") == (port["mac_address"], port["fixed_ips"][0]["ip_address"])
    moved = api.update("port", port["id"], mac_address="56:6f:00:00:00:77")
    assert ["56:6f:00:00:00:77", "00:00:00:00:00:04"] == [
        pair["mac_address"] for pair in moved["allowed_address_pairs"]
    ]
    assert port["fixed_ips"] == moved["fixed_ips"]
    assert subnet["id"] == moved["fixed_ips"][0]["subnet_id"]


@pytest.mark.parametrize(
    ("values", "status", "error_type"),
    [
        (
            {"allowed_address_pairs": [_PAIR], "port_security_enabled": False},
            409,
            "AddressPairAndPortSecurityRequired",
        ),
        ({"allowed_address_pairs": [_PAIR, _PAIR]}, 400, "DuplicateAddressPairInRequest"),
        ({"allowed_address_pairs": [{"mac_address": _MAC}]}, 400, "AllowedAddressPairsMissingIP"),
        (
            {"allowed_address_pairs": [{"ip_address": f"10.0.1.{n}"} for n in range(11)]},
            400,
            "AllowedAddressPairExhausted",
        ),
        ({"allowed_address_pairs": [{"ip_address": "224.0.0.1"}]}, 400, "HTTPBadRequest"),
        ({"allowed_address_pairs": [{"ip_address": "x"}]}, 400, "HTTPBadRequest"),
        ({"allowed_address_pairs": {}}, 400, "HTTPBadRequest"),
    ],
)
def test_address_pairs_that_cannot_be(api: Api, values: Any, status: int, error_type: str) -> None:
    """Pairs that break a rule are refused by POST and by PUT, with the type of that rule."""
    network_id, _ = make_network(api, port_security_enabled=True)
    port = make_port(api, network_id)

    answer = api("POST", "ports", {"port": {"network_id": network_id, **values}})
    assert (status, error_type) == refusal(answer)
    answer = api("PUT", f"ports/{port['id']}", {"port": values})
    assert (status, error_type) == refusal(answer)


# --- ports: DHCP options of their own -----------------------------------------


def test_extra_dhcp_options(api: Api, nb: OvsdbServer) -> None:
    """A port with options of its own has a DHCP row of its own, for as long as it needs one."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    options = [
        {"opt_name": "bootfile-name", "opt_value": "pxe.0"},
        {"opt_name": "ntp-server", "opt_value": "192.0.2.1,192.0.2.2"},
    ]
    port = make_port(api, network_id, extra_dhcp_opts=options)
    own = of_port(nb, port, "dhcpv4_options")

    def of_own(option: str) -> str:
        return nbctl(nb, "--if-exists", "get", "DHCP_Options", own, f"options:{option}")

    assert [{**option, "ip_version": 4} for option in options] == port["extra_dhcp_opts"]
    assert own != subnet["id"]
    assert r'"\"pxe.0\""' == of_own("bootfile_name")
    assert '"{192.0.2.1,192.0.2.2}"' == of_own("ntp_server")
    assert '"10.0.0.1"' == of_own("router")
    assert [subnet["id"]] == [row["id"] for row in _subnets_of(api, network_id)]

    api.update("subnet", subnet["id"], dns_nameservers=["192.0.2.9"])
    assert '"192.0.2.9"' == of_own("dns_server")
    removed = [{"opt_name": option["opt_name"], "opt_value": None} for option in options]
    assert [] == api.update("port", port["id"], extra_dhcp_opts=removed)["extra_dhcp_opts"]
    assert subnet["id"] == of_port(nb, port, "dhcpv4_options")
    assert "" == nbctl(
        nb, "--bare", "find", "DHCP_Options", f"external_ids:ovirt_port_id={port['id']}"
    )


def test_extra_dhcp_options_go_with_their_port(api: Api, nb: OvsdbServer) -> None:
    """The row of a port's own options is deleted with the port."""
    network_id, _ = make_network(api, "10.0.0.0/24", "fd05::/64")
    options = [
        {"opt_name": "mtu", "opt_value": "1400"},
        {"opt_name": "dns-server", "opt_value": "fd05::9", "ip_version": 6},
    ]
    port = make_port(api, network_id, extra_dhcp_opts=options)
    find = ["--bare", "--columns=cidr", "find", "DHCP_Options"]
    find.append(f"external_ids:ovirt_port_id={port['id']}")
    assert {"10.0.0.0/24", "fd05::/64"} == set(nbctl(nb, *find).split())

    api.delete("port", port["id"])

    assert "" == nbctl(nb, *find)


@pytest.mark.parametrize(
    "option",
    [
        {"opt_value": "x"},
        {"opt_name": "", "opt_value": "x"},
        {"opt_name": "x" * 65, "opt_value": "x"},
        {"opt_name": "mtu", "opt_value": "1\n2"},
        {"opt_name": "mtu", "opt_value": LONG},
        {"opt_name": "mtu", "opt_value": "1", "ip_version": 5},
        {"opt_name": "mtu", "opt_value": "1", "more": 1},
    ],
)
def test_dhcp_options_that_cannot_be(api: Api, option: Any) -> None:
    """Options without a name, of several lines or too long are refused."""
    network_id, _ = make_network(api)

    answer = api("POST", "ports", {"port": {"network_id": network_id, "extra_dhcp_opts": [option]}})

    assert (400, "HTTPBadRequest") == refusal(answer)


def _subnets_of(api: Api, network_id: str) -> list[Any]:
    subnets: list[Any] = api.get(f"subnets?network_id={network_id}")["subnets"]
    return subnets


# --- ports: state and host ----------------------------------------------------


def test_admin_state_of_a_port(api: Api, nb: OvsdbServer) -> None:
    """A port that is switched off is off in OVN."""
    network_id, _ = make_network(api)
    port = make_port(api, network_id, admin_state_up="off")
    assert (False, "false") == (port["admin_state_up"], of_port(nb, port, "enabled"))

    assert api.update("port", port["id"], admin_state_up=True)["admin_state_up"]
    assert "true" == of_port(nb, port, "enabled")


def test_admin_state_of_a_network(api: Api, nb: OvsdbServer) -> None:
    """A network that is switched off has no port on; each remembers what was asked for it."""
    network_id, _ = make_network(api)
    ports = [make_port(api, network_id, admin_state_up=state) for state in (True, False)]

    assert not api.update("network", network_id, admin_state_up=False)["admin_state_up"]
    ports += [make_port(api, network_id, admin_state_up=state) for state in (True, False)]
    assert ["false"] * 4 == [of_port(nb, port, "enabled") for port in ports]
    shown = [api.get(f"ports/{port['id']}")["port"]["admin_state_up"] for port in ports]
    assert [True, False, True, False] == shown
    assert not api.update("port", ports[0]["id"], admin_state_up=False)["admin_state_up"]

    api.update("network", network_id, admin_state_up=True)
    enabled = [of_port(nb, port, "enabled") for port in ports]
    assert ["false", "false", "true", "false"] == enabled


def test_the_host_of_a_port_pins_nothing(api: Api, nb: OvsdbServer) -> None:
    """binding:host_id is shown as announced, and OVN hears nothing of it."""
    network_id, _ = make_network(api)
    port = make_port(api, network_id, **{"binding:host_id": "host1"})
    assert ("host1", "ovs") == (port["binding:host_id"], port["binding:vif_type"])
    assert "{}" == of_port(nb, port, "options")

    changed = api.update("port", port["id"], **{"binding:host_id": "host2"})
    assert "host2" == changed["binding:host_id"]
    assert "{}" == of_port(nb, port, "options")
    gone = api.update("port", port["id"], **{"binding:host_id": None})
    assert ("", "unbound") == (gone["binding:host_id"], gone["binding:vif_type"])


def test_a_site_can_have_hosts_pinned(nb: OvsdbServer) -> None:
    """With ovs-version-2.9 the host becomes OVN's requested-chassis, and goes with it."""
    with running_api(nb, ovs_version_2_9=True) as api:
        network_id, _ = make_network(api)
        port = make_port(api, network_id, **{"binding:host_id": "host1"})
        assert "host1" == of_port(nb, port, "options:requested-chassis")
        api.update("port", port["id"], **{"binding:host_id": "host2"})
        assert "host2" == of_port(nb, port, "options:requested-chassis")
        api.update("port", port["id"], **{"binding:host_id": ""})
        assert "{}" == of_port(nb, port, "options")


@pytest.mark.parametrize("host", ["host1", "host3", "", None])
def test_a_put_of_the_host_clears_leftovers(api: Api, nb: OvsdbServer, host: str | None) -> None:
    """What pinned a port once is gone after any announcement of its host; other options stay."""
    network_id, _ = make_network(api)
    port = make_port(api, network_id, **{"binding:host_id": "host1"})
    left = ["requested-chassis=host1,host2", "activation-strategy=rarp", "hairpin=true"]
    nbctl(nb, "lsp-set-options", port["id"], *left)

    api.update("port", port["id"], **{"binding:host_id": host})

    assert '{hairpin="true"}' == of_port(nb, port, "options")


def test_a_port_that_is_up(api: Api, central: Mapping[str, OvsdbServer]) -> None:
    """A port is ACTIVE once a chassis has it, its MAC is then fixed, and its host is listed."""
    network_id, _ = make_network(api)
    owner = {"device_owner": "oVirt", "binding:host_id": "host1"}
    port = make_port(api, network_id, **owner)
    path = f"ports?network_id={network_id}"
    assert "DOWN" == port["status"]
    assert [""] == [found["binding:host_id"] for found in api.get(path)["ports"]]
    _bind(central["sb"], port["id"])
    wait_until(lambda: "ACTIVE" == api.get(f"ports/{port['id']}")["port"]["status"])

    assert ["host1"] == [found["binding:host_id"] for found in api.get(path)["ports"]]
    assert "ACTIVE" == api.get(f"{path}&status=ACTIVE")["ports"][0]["status"]
    values = {"port": {"mac_address": _MAC}}
    assert (409, "PortBound") == refusal(api("PUT", f"ports/{port['id']}", values))
    assert 200 == api("PUT", f"ports/{port['id']}", values, ENGINE).status


def _bind(sb: OvsdbServer, port_id: str) -> None:
    """Claim a port like a chassis does."""
    command = ["ovn-sbctl", f"--db={sb.remote}"]
    wait = ["wait-until", "Port_Binding", port_id, f"logical_port={port_id}"]
    subprocess.run([*command, *wait], check=True, timeout=10)
    chassis = ["--may-exist", "chassis-add", "chassis", "geneve", "127.0.0.1"]
    bind = ["--may-exist", "lsp-bind", port_id, "chassis"]
    up = ["set", "Port_Binding", port_id, "up=true"]
    subprocess.run([*command, *chassis, "--", *bind, "--", *up], check=True, timeout=10)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a", "description": "b", "device_id": "c", "device_owner": "compute:d"},
        {"binding:vnic_type": "direct", "binding:profile": {"a": "b", "n": 1, "t": True}},
        {"security_groups": []},
        {"name": "ünïcödé 网络", "device_id": "=,{}\"'\\"},
    ],
)
def test_what_a_port_keeps_as_it_is(api: Api, values: Any) -> None:
    """Attributes that are data are given back as they came, from POST and from PUT."""
    network_id, _ = make_network(api)
    made = make_port(api, network_id, **values)
    changed = api.update("port", make_port(api, network_id)["id"], **values)

    assert values == {name: made[name] for name in values}
    assert values == {name: changed[name] for name in values}
    assert made == api.get(f"ports/{made['id']}")["port"]
    assert changed == api.get(f"ports/{changed['id']}")["port"]


@pytest.mark.parametrize(
    ("values", "status", "error_type"),
    [
        ({"network_id": NOWHERE}, 404, "NetworkNotFound"),
        ({"network_id": None}, 400, "HTTPBadRequest"),
        ({"status": "ACTIVE"}, 400, "HTTPBadRequest"),
        ({"binding:vif_type": "ovs"}, 400, "HTTPBadRequest"),
        ({"binding:vnic_type": "strange"}, 400, "HTTPBadRequest"),
        ({"binding:profile": {"a": {}}}, 400, "HTTPBadRequest"),
        ({"device_id": LONG}, 400, "HTTPBadRequest"),
        ({"device_id": "a\0"}, 400, "HTTPBadRequest"),
        ({"admin_state_up": 2}, 400, "HTTPBadRequest"),
        ({"unknown": None}, 400, "HTTPBadRequest"),
    ],
)
def test_a_port_that_cannot_be(api: Api, values: Any, status: int, error_type: str) -> None:
    """A port that breaks a rule is refused with the type of that rule."""
    network_id, _ = make_network(api)

    answer = api("POST", "ports", {"port": {"network_id": network_id, **values}})

    assert (status, error_type) == refusal(answer)


# --- networks -----------------------------------------------------------------

_PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")


def provider(*values: Any) -> dict[str, Any]:
    """Return provider attributes: type, physical network, VLAN; "-" leaves one out."""
    return {name: value for name, value in zip(_PROVIDER, values) if value != "-"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (("-", "-", "-"), ("geneve", None, None)),
        (("geneve", None, None), ("geneve", None, None)),
        (("flat", "made-1", "-"), ("flat", "made-1", None)),
        (("vlan", "made-1", 7), ("vlan", "made-1", 7)),
        (("vlan", "made-1", "8"), ("vlan", "made-1", 8)),
        (("-", "made-2", 9), ("vlan", "made-2", 9)),
        (("-", "made-2", "-"), ("flat", "made-2", None)),
    ],
)
def test_provider_attributes(api: Api, nb: OvsdbServer, given: Any, shown: Any) -> None:
    """A network on a physical network has one localnet port, which is no port of the API."""
    network = api.create("network", **provider(*given))

    assert shown == tuple(network[name] for name in _PROVIDER)
    assert network == api.get(f"networks/{network['id']}")["network"]
    assert [] == api.get(f"ports?network_id={network['id']}")["ports"]
    ports = nbctl(nb, "lsp-list", network["id"]).split()
    if shown[1] is None:
        assert [] == ports
        return
    name = ports[1].strip("()")
    assert "localnet" == nbctl(nb, "lsp-get-type", name)
    assert f"network_name={shown[1]}" == nbctl(nb, "lsp-get-options", name)
    assert str(shown[2] or "") == nbctl(nb, "lsp-get-tag", name)
    api.delete("network", network["id"])


@pytest.mark.parametrize(
    ("given", "status", "error_type"),
    [
        (("flat", "-", "-"), 400, "InvalidInput"),
        (("vlan", "made-3", "-"), 400, "InvalidInput"),
        (("vlan", "-", 7), 400, "InvalidInput"),
        (("flat", "made-3", 7), 400, "InvalidInput"),
        (("geneve", "made-3", "-"), 400, "InvalidInput"),
        (("vlan", "made-3", 0), 400, "HTTPBadRequest"),
        (("vlan", "made-3", 4095), 400, "HTTPBadRequest"),
        (("vlan", "made-3", "x"), 400, "HTTPBadRequest"),
        (("token-ring", "made-3", "-"), 400, "HTTPBadRequest"),
        (("flat", "x" * 65, "-"), 400, "HTTPBadRequest"),
        (("flat", "taken", "-"), 409, "FlatNetworkInUse"),
        (("vlan", "taken", 100), 409, "VlanIdInUse"),
    ],
)
def test_provider_attributes_that_cannot_be(
    api: Api, given: Any, status: int, error_type: str
) -> None:
    """Attributes that do not go together, or a segment that is taken, are refused."""
    taken = {api.create("network", **provider(*segment))["id"] for segment in _TAKEN}

    answer = api("POST", "networks", {"network": provider(*given)})
    for network_id in taken:
        api.delete("network", network_id)

    assert (status, error_type) == refusal(answer)


_TAKEN = [("flat", "taken", "-"), ("vlan", "taken", 100)]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"name": "x"}, ("vlan", "before", 7)),
        (provider("vlan", "before", 7), ("vlan", "before", 7)),
        (provider("-", "-", 8), ("vlan", "before", 8)),
        (provider("-", "after", "-"), ("vlan", "after", 7)),
        (provider("flat", "-", "-"), ("flat", "before", None)),
        (provider("geneve", "-", "-"), ("geneve", None, None)),
    ],
)
def test_a_network_moves_to_another_segment(
    api: Api, nb: OvsdbServer, values: Any, shown: Any
) -> None:
    """A PUT moves the localnet port, or removes it; one without provider keys leaves it."""
    network = api.create("network", **provider("vlan", "before", 7))
    before = nbctl(nb, "lsp-list", network["id"])

    changed = api.update("network", network["id"], **values)

    after = nbctl(nb, "lsp-list", network["id"])
    api.delete("network", network["id"])
    assert shown == tuple(changed[name] for name in _PROVIDER)
    assert (before if shown[1] else "") == after


def test_a_network_comes_to_a_segment_and_leaves_it(api: Api) -> None:
    """An overlay network can get a physical network, and give it up for another one to take."""
    first, second = (api.create("network")["id"] for _ in "12")
    api.update("network", first, **provider("flat", "moving", "-"))
    taken = {"network": provider("flat", "moving", "-")}
    assert (409, "FlatNetworkInUse") == refusal(api("PUT", f"networks/{second}", taken))

    api.update("network", first, **provider("geneve", "-", "-"))

    moved = api.update("network", second, **provider("flat", "moving", "-"))
    assert "moving" == moved["provider:physical_network"]


def test_two_networks_of_one_bulk_want_one_segment(api: Api) -> None:
    """A bulk request conflicts with itself like with others, and makes nothing."""
    before = len(api.get("networks")["networks"])
    body = {"networks": [provider("vlan", "twice", 7)] * 2}

    assert (409, "VlanIdInUse") == refusal(api("POST", "networks", body))
    assert before == len(api.get("networks")["networks"])


def test_the_mtu_of_a_network(api: Api, nb: OvsdbServer) -> None:
    """DHCP tells the network's MTU, also after a change; 0 means the site's default."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    port = make_port(
        api, network_id, extra_dhcp_opts=[{"opt_name": "domain-name", "opt_value": "a.b"}]
    )
    own = of_port(nb, port, "dhcpv4_options")
    for given, shown in ((9000, 9000), ("1500", 1500), (0, 1442)):
        assert shown == api.update("network", network_id, mtu=given)["mtu"]
        assert str(shown) == of_subnet(nb, subnet, "options:mtu")
        assert str(shown) == of_subnet(nb, {"id": own}, "options:mtu")
    assert 1442 == api.get(f"networks/{network_id}")["network"]["mtu"]
    asked = api("GET", f"networks/{network_id}", headers=ENGINE).json["network"]["mtu"]
    assert asked is None


@pytest.mark.parametrize(
    ("cidr", "mtu", "status"),
    [("10.0.0.0/24", 67, 409), ("10.0.0.0/24", 68, 200), ("fd05::/64", 1279, 409)],
)
def test_an_mtu_too_small_for_a_subnet(api: Api, cidr: str, mtu: int, status: int) -> None:
    """An IP version needs its MTU, whichever of network's MTU and subnet comes last."""
    network_id, _ = make_network(api, cidr)
    answer = api("PUT", f"networks/{network_id}", {"network": {"mtu": mtu}})
    assert status == answer.status
    if status == 409:
        assert (409, "NetworkMTUSubnetConflict") == refusal(answer)
        other_id, _ = make_network(api, mtu=mtu)
        version = 6 if ":" in cidr else 4
        values = {"network_id": other_id, "cidr": cidr, "ip_version": version}
        answer = api("POST", "subnets", {"subnet": values})
        assert (409, "NetworkMTUSubnetConflict") == refusal(answer)


def test_a_site_limits_the_mtu(nb: OvsdbServer) -> None:
    """An MTU above the configured largest one is refused, by POST and by PUT."""
    with running_api(nb, validation_max_allowed_mtu_bytes=1500) as api:
        assert (400, "InvalidInput") == refusal(api("POST", "networks", {"network": {"mtu": 1501}}))
        network = api.create("network", mtu=1500)
        answer = api("PUT", f"networks/{network['id']}", {"network": {"mtu": 1501}})
        assert (400, "InvalidInput") == refusal(answer)


def test_a_network_in_use_stays(api: Api) -> None:
    """A network with a port cannot be deleted; without one it goes, and its subnets with it."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    port = make_port(api, network_id)

    assert (409, "NetworkInUse") == refusal(api("DELETE", f"networks/{network_id}"))
    api.delete("port", port["id"])
    api.delete("network", network_id)
    for kind, element_id in (("Network", network_id), ("Subnet", subnet["id"])):
        answer = api("GET", f"{kind.lower()}s/{element_id}")
        assert (404, f"{kind}NotFound") == refusal(answer)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a", "description": "b"},
        {"shared": True, "router:external": True},
        {"name": "x" * 255, "description": "ünïcödé\nlines"},
        {"port_security_enabled": True, "mtu": 1300},
    ],
)
def test_what_a_network_keeps_as_it_is(api: Api, values: Any) -> None:
    """Attributes are given back as they came, from POST and from PUT."""
    made = api.create("network", **values)
    changed = api.update("network", api.create("network")["id"], **values)

    assert values == {name: made[name] for name in values}
    assert values == {name: changed[name] for name in values}
    assert changed == api.get(f"networks/{changed['id']}")["network"]


def test_a_rename_leaves_the_row_its_name(api: Api, nb: OvsdbServer) -> None:
    """A network is renamed where it shows, not in the column that other clients index."""
    network = api.create("network", name="red")
    before = nbctl(nb, "get", "Logical_Switch", network["id"], "name")

    assert "blue" == api.update("network", network["id"], name="blue")["name"]

    assert before == nbctl(nb, "get", "Logical_Switch", network["id"], "name")
    assert "red" in before


@pytest.mark.parametrize(
    "values",
    [
        {"mtu": -1},
        {"mtu": 65536},
        {"mtu": "big"},
        {"mtu": None},
        {"mtu": 10**30},
        {"name": 5},
        {"name": "a\tb"},
        {"status": "ACTIVE"},
        {"subnets": []},
        {"admin_state_up": "up"},
        {"description": LONG},
        {"segments": []},
        {"tags": ["a"]},
    ],
)
def test_a_network_that_cannot_be(api: Api, values: Any) -> None:
    """A network that breaks a rule is refused by POST and by PUT."""
    network = api.create("network")

    assert 400 == refusal(api("POST", "networks", {"network": values}))[0]
    assert 400 == refusal(api("PUT", f"networks/{network['id']}", {"network": values}))[0]
    assert network == api.get(f"networks/{network['id']}")["network"]


# --- bulk ---------------------------------------------------------------------


def test_a_bulk_request_is_one_transaction(api: Api, nb: OvsdbServer) -> None:
    """Many objects come in the order asked for, by one transaction that tells its request."""
    network_id, _ = make_network(api, "10.0.0.0/24")
    names = [f"p{number}" for number in (3, 1, 2)]
    body = {"ports": [{"name": name, "network_id": network_id} for name in names]}

    answer = api("POST", "ports", body)

    assert 201 == answer.status
    ports = answer.json["ports"]
    assert names == [port["name"] for port in ports]
    assert ["10.0.0.2", "10.0.0.3", "10.0.0.4"] == [addresses(port)[0] for port in ports]
    log = subprocess.run(
        ["ovsdb-tool", "show-log", str(nb.database)], check=True, capture_output=True, timeout=10
    )
    assert 1 == log.stdout.decode().count(answer.headers["X-Openstack-Request-Id"])


def test_a_bulk_request_is_all_or_nothing(api: Api) -> None:
    """One element that cannot be undoes all, and the error is that of the first such."""
    network_id, _ = make_network(api, "10.0.0.0/24")
    good = {"network_id": network_id}
    taken = {**good, "fixed_ips": [{"ip_address": "10.0.0.9"}]}
    for elements, expected in (
        ([good, {**good, "network_id": NOWHERE}, taken], (404, "NetworkNotFound")),
        ([taken, taken, {**good, "network_id": NOWHERE}], (409, "IpAddressAlreadyAllocated")),
        ([good, {**good, "unknown": 1}], (400, "HTTPBadRequest")),
    ):
        assert expected == refusal(api("POST", "ports", {"ports": elements}))
        assert [] == api.get(f"ports?network_id={network_id}")["ports"]


@pytest.mark.parametrize("kind", ["network", "subnet", "port"])
def test_bulk_of_every_kind(api: Api, kind: str) -> None:
    """Every kind can be made in bulk, its elements bare or wrapped."""
    network_id, _ = make_network(api)
    elements: list[Any] = [{"name": "a"}, {"name": "b"}]
    for number, element in enumerate(elements):
        if kind != "network":
            element["network_id"] = network_id
        if kind == "subnet":
            element.update(cidr=f"10.{number}.0.0/24", ip_version=4)

    answer = api("POST", f"{kind}s", {f"{kind}s": [elements[0], {kind: elements[1]}]})

    assert (201, {f"{kind}s"}) == (answer.status, set(answer.json))
    assert ["a", "b"] == [element["name"] for element in answer.json[f"{kind}s"]]


@pytest.mark.parametrize(
    "body",
    [
        {"networks": []},
        {"networks": {}},
        {"networks": [5]},
        {"network": []},
        {"network": {}, "more": 1},
        {"port": {}},
        {},
        [],
        5,
        None,
        b"",
        b"{",
        b"\xff",
        b'{"network": {"name": NaN}}',
        b"[" * 5000,
    ],
)
def test_a_body_that_is_none(api: Api, body: Any) -> None:
    """What is no object with the one right key is refused as a bad request."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    assert (400, "HTTPBadRequest") == refusal(api("POST", "networks", content))


# --- lists --------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed(api: Api) -> dict[str, Any]:
    """A network "net" with five ports p0 to p4, in the order of their ids, that differ."""
    network_id, subnets = make_network(api, "10.7.0.0/24", "fd07::/64")
    ports = [make_port(api, network_id) for _ in range(5)]
    ports.sort(key=lambda port: str(port["id"]))
    for number, port in enumerate(ports):
        api.update(
            "port",
            port["id"],
            name=f"p{number}",
            description="even" if number % 2 == 0 else "",
            device_id=f"device{number // 2}",
            admin_state_up=number != 3,
            fixed_ips=[{"ip_address": f"10.7.0.{10 + number}"}],
        )
        assert 200 == api("PUT", f"ports/{port['id']}/tags", {"tags": _TAGS[number]}).status
    return {"id": network_id, "ids": [port["id"] for port in ports], "subnets": subnets}


_TAGS = [["a"], ["a", "b"], ["b"], [], ["c"]]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "01234"),
        ("name=p1", "1"),
        ("name=p1&name=p3", "13"),
        ("name=p1&description=even", ""),
        ("admin_state_up=True", "0124"),
        ("admin_state_up=false", "3"),
        ("admin_state_up=0", "3"),
        ("device_id=device1", "23"),
        ("device_id=device1&device_id=device2", "234"),
        ("device_id=", ""),
        ("description=", "13"),
        ("project_id=00000000000000000000000000000001", "01234"),
        ("tenant_id=other", ""),
        ("status=DOWN", "01234"),
        ("unknown=1", "01234"),
        ("all_tenants=True", "01234"),
        ("security_groups=x", ""),
        ("port_security_enabled=False", "01234"),
        ("fixed_ips=ip_address%3D10.7.0.12", "2"),
        ("fixed_ips=ip_address%3D10.7.0.12&fixed_ips=ip_address%3D10.7.0.13", "23"),
        ("fixed_ips=ip_address_substr%3D0.1", "01234"),
        ("fixed_ips=ip_address_substr%3D.13", "3"),
        ("fixed_ips=subnet_id%3DV4", "01234"),
        ("fixed_ips=subnet_id%3DV6", ""),
        ("fixed_ips=subnet_id%3DV4&fixed_ips=ip_address%3D10.7.0.12", "2"),
        ("tags=a", "01"),
        ("tags=a,b", "1"),
        ("tags-any=a,b", "012"),
        ("not-tags=a,b", "0234"),
        ("not-tags-any=a,b", "34"),
        ("changed_since=2000-01-01T00:00:00Z", "01234"),
        ("changed_since=2999-01-01T00:00:00Z", ""),
        ("mac_address=nonsense", ""),
        ("id=nonsense", ""),
        ("sort_key=name&sort_dir=desc", "43210"),
        ("sort_key=device_id&sort_key=name&sort_dir=desc&sort_dir=asc", "42301"),
        ("sort_key=admin_state_up&sort_dir=asc", "30124"),
        ("limit=0", "01234"),
        ("limit=2", "01"),
        ("limit=2&sort_key=name&sort_dir=desc", "43"),
        ("limit=2&marker=ID1", "23"),
        ("marker=ID3", "4"),
        ("marker=ID4", ""),
        ("limit=2&marker=ID3&page_reverse=True", "12"),
        ("limit=2&page_reverse=True", "34"),
        ("limit=2&marker=ID3&sort_key=name&sort_dir=desc", "21"),
    ],
)
def test_queries_of_a_list(api: Api, listed: dict[str, Any], query: str, names: str) -> None:
    """A list shows what its query asks for, in the order asked for and else by id."""
    query = _with_listed_ids(query, listed)

    found = api.get(f"ports?network_id={listed['id']}&{query}")["ports"]

    assert [f"p{name}" for name in names] == [port["name"] for port in found]


def _with_listed_ids(query: str, listed: Mapping[str, Any]) -> str:
    query = query.replace("V4", listed["subnets"][0]["id"]).replace(
        "V6", listed["subnets"][1]["id"]
    )
    return re.sub("ID([0-4])", lambda match: str(listed["ids"][int(match[1])]), query)


@pytest.mark.parametrize(
    ("query", "status", "error_type"),
    [
        ("limit=-1", 400, "BadRequest"),
        ("limit=x", 400, "BadRequest"),
        ("sort_key=name&sort_dir=asc&sort_dir=asc", 400, "HTTPBadRequest"),
        ("sort_key=fixed_ips&sort_dir=asc", 400, "HTTPBadRequest"),
        ("sort_key=unknown&sort_dir=asc", 400, "HTTPBadRequest"),
        ("sort_key=name&sort_dir=up", 400, "HTTPBadRequest"),
        (f"marker={NOWHERE}", 404, "PortNotFound"),
        ("admin_state_up=maybe", 400, "HTTPBadRequest"),
        ("fixed_ips=10.0.0.1", 400, "HTTPBadRequest"),
        ("page_reverse=maybe", 400, "HTTPBadRequest"),
    ],
)
def test_queries_that_cannot_be(api: Api, query: str, status: int, error_type: str) -> None:
    """Nonsense in a query is refused, not taken for a filter that nothing passes."""
    assert (status, error_type) == refusal(api("GET", f"ports?{query}"))


def test_fields_are_a_projection(api: Api, listed: dict[str, Any]) -> None:
    """`fields` picks attributes, of lists and of one object; unknown ones are left out."""
    port_id = listed["ids"][2]
    wanted = {"id": port_id, "name": "p2"}

    found = api.get(f"ports?id={port_id}&fields=name&fields=id&fields=unknown")["ports"]
    assert [wanted] == found
    assert {"port": wanted} == api.get(f"ports/{port_id}?fields=name&fields=id")
    sorted_and_cut = api.get(f"ports?network_id={listed['id']}&fields=name&sort_key=id&limit=1")
    assert [{"name": "p0"}] == sorted_and_cut["ports"]


def test_pages_lead_to_all_objects(api: Api, listed: dict[str, Any]) -> None:
    """Following `next` shows every object once, and `previous` leads back the same way."""
    first = f"/v2.0/ports?network_id={listed['id']}&limit=2&fields=name&fields=id"
    forwards = _follow(api, first, "next")
    assert ["p0p1", "p2p3", "p4"] == forwards

    backwards = _follow(api, f"{first}&page_reverse=True", "previous")
    assert ["p3p4", "p1p2", "p0"] == backwards


def _follow(api: Api, url: str, rel: str) -> list[str]:
    pages = []
    while url:
        body = api.get(url)
        pages.append("".join(port["name"] for port in body["ports"]))
        links = {link["rel"]: link["href"] for link in body["ports_links"]}
        target = urlsplit(links.get(rel, ""))
        url = f"{target.path}?{target.query}" if rel in links else ""
        assert len(pages) < 9
    return pages


@pytest.mark.parametrize(
    ("query", "rels"),
    [
        ("limit=2", {"next", "previous"}),
        ("limit=5", {"next", "previous"}),
        ("limit=9", {"previous"}),
        ("limit=2&marker=ID4", set()),
        ("limit=2&marker=ID1&page_reverse=True", {"next"}),
    ],
)
def test_links_of_a_page(api: Api, listed: dict[str, Any], query: str, rels: set[str]) -> None:
    """A page has links to where more can be: `next` unless it is short."""
    query = _with_listed_ids(query, listed)

    body = api.get(f"ports?network_id={listed['id']}&{query}")

    assert rels == {link["rel"] for link in body["ports_links"]}


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("networks?router%3Aexternal=True&name=LIST", 1),
        ("networks?router:external=False&name=LIST", 1),
        ("networks?provider:physical_network=listed&name=LIST", 1),
        ("networks?provider:segmentation_id=77&name=LIST", 1),
        ("networks?provider:network_type=geneve&name=LIST", 1),
        ("networks?mtu=9000&name=LIST", 1),
        ("networks?shared=false&name=LIST", 2),
        ("subnets?cidr=10.70.0.0/24&name=LIST", 1),
        ("subnets?ip_version=6&name=LIST", 1),
        ("subnets?enable_dhcp=true&name=LIST", 2),
        ("subnets?gateway_ip=10.70.0.1&name=LIST", 1),
    ],
)
def test_filters_of_networks_and_subnets(api: Api, path: str, count: int) -> None:
    """Filters compare as the attribute's own type, with names that hold a colon too."""
    name = re.sub(r"\W", "", path)
    external: dict[str, Any] = {
        "router:external": True,
        "mtu": 9000,
        **provider("vlan", "listed", 77),
    }
    first = api.create("network", name=name, **external)["id"]
    second = api.create("network", name=name)["id"]
    make_subnet(api, first, "10.70.0.0/24", name=name)
    make_subnet(api, first, "fd70::/64", name=name)

    found = api.get(path.replace("LIST", name))
    for network_id in (first, second):
        api.delete("network", network_id)

    assert count == len(next(iter(found.values())))


# --- tags, revisions, times ---------------------------------------------------


@pytest.mark.parametrize("kind", ["network", "subnet", "port"])
def test_tags(api: Api, kind: str) -> None:
    """Tags are a sub-resource of every object: set, added, looked for, removed, cleared."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    ids = {"network": network_id, "subnet": subnet["id"]}
    path = f"{kind}s/{ids.get(kind) or make_port(api, network_id)['id']}"

    def shown() -> list[str]:
        tags: list[str] = api.get(path)[kind]["tags"]
        assert {"tags": tags} == api.get(f"{path}/tags")
        return tags

    answer = api("PUT", f"{path}/tags", {"tags": ["a", "b", "a"]})
    assert (200, {"tags": ["a", "b"]}) == (answer.status, answer.json)
    assert 201 == api("PUT", f"{path}/tags/c%20d").status
    assert 201 == api("PUT", f"{path}/tags/a").status
    assert ["a", "b", "c d"] == shown()
    assert 204 == api("GET", f"{path}/tags/c%20d").status
    assert (404, "TagNotFound") == refusal(api("GET", f"{path}/tags/x"))
    assert (404, "TagNotFound") == refusal(api("DELETE", f"{path}/tags/x"))
    assert 204 == api("DELETE", f"{path}/tags/a").status
    assert ["b", "c d"] == shown()
    assert 204 == api("DELETE", f"{path}/tags").status
    assert [] == shown()


@pytest.mark.parametrize(
    "body",
    [{"tags": "a"}, {"tags": [5]}, {"tags": [LONG]}, {}, [], {"tags": list(map(str, range(51)))}],
)
def test_tags_that_cannot_be(api: Api, body: Any) -> None:
    """Tags are up to 50 strings of up to 255 characters."""
    network = api.create("network")

    assert 400 == refusal(api("PUT", f"networks/{network['id']}/tags", body))[0]
    answer = api("PUT", f"networks/{NOWHERE}/tags", {"tags": []})
    assert (404, "NetworkNotFound") == refusal(answer)


@pytest.mark.parametrize("kind", ["network", "subnet", "port"])
def test_revisions_and_times(api: Api, kind: str) -> None:
    """Every change raises the revision by one; a PUT that changes nothing does not."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    ids = {"network": network_id, "subnet": subnet["id"]}
    path = f"{kind}s/{ids.get(kind) or make_port(api, network_id)['id']}"
    made = api.get(path)[kind]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["created_at"])
    assert made["created_at"] == made["updated_at"]

    changed = api("PUT", path, {kind: {"name": "new"}}).json[kind]
    same = api("PUT", path, {kind: {"name": "new"}}).json[kind]
    api("PUT", f"{path}/tags/a")

    assert made["revision_number"] + 1 == changed["revision_number"] == same["revision_number"]
    assert made["revision_number"] + 2 == api.get(path)[kind]["revision_number"]
    assert made["created_at"] == changed["created_at"] <= changed["updated_at"]


def test_twins_of_the_project(api: Api) -> None:
    """Both names of the project are always there and the same, whichever was given."""
    projects: list[dict[str, str]] = [{}, {"tenant_id": "oVirt"}, {"project_id": "x"}]
    for given in (*projects, {"tenant_id": "", "project_id": ""}):
        answer = api("POST", "networks", {"network": given})
        network = answer.json["network"]
        assert network["tenant_id"] == network["project_id"] == "0" * 31 + "1"


# --- paths and verbs ----------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/v2.0/networks/ID", "/v2.0/networks/ID.json", "//v2.0//networks///ID/", "/v2.0/networks/ID/"],
)
def test_spellings_of_a_path(api: Api, path: str) -> None:
    """A .json suffix, doubled and trailing slashes mean nothing."""
    network = api.create("network")

    assert {"network": network} == api.get(path.replace("ID", network["id"]))


@pytest.mark.parametrize("path", ["networks.json", "networks/", "/v2.0//networks"])
def test_spellings_of_a_collection(api: Api, path: str) -> None:
    """A collection has these spellings as well, for lists and for creation."""
    assert api.get("networks") == api.get(path)
    assert 201 == api("POST", path, {"network": {}}).status


@pytest.mark.parametrize("kind", ["network", "subnet", "port"])
def test_post_to_a_member_is_an_update(api: Api, kind: str) -> None:
    """POST to an existing object changes it like PUT does."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    ids = {"network": network_id, "subnet": subnet["id"]}
    path = f"{kind}s/{ids.get(kind) or make_port(api, network_id)['id']}"

    answer = api("POST", path, {kind: {"name": "new"}})

    assert (200, "new") == (answer.status, answer.json[kind]["name"])
    assert answer.json == api.get(path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "networks", {"GET", "POST"}),
        ("DELETE", "ports", {"GET", "POST"}),
        ("PATCH", f"networks/{NOWHERE}", {"GET", "PUT", "POST", "DELETE"}),
        ("POST", f"networks/{NOWHERE}/tags", {"GET", "PUT", "DELETE"}),
        ("POST", f"networks/{NOWHERE}/tags/a", {"GET", "PUT", "DELETE"}),
        ("POST", "/", {"GET"}),
        ("POST", "/v2.0", {"GET"}),
        ("DELETE", "extensions", {"GET"}),
        ("PATCH", "security-groups", {"GET", "POST"}),
    ],
)
def test_verbs_that_a_path_lacks(api: Api, method: str, path: str, allowed: set[str]) -> None:
    """A verb that a known path does not have is 405 with the verbs that it has."""
    answer = api(method, path, {})

    assert (405, "HTTPMethodNotAllowed") == refusal(answer)
    assert allowed <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("path", ["nothing", "/v3/networks", "networks/a/b", "networks/a/tags/b/c"])
def test_paths_that_are_none(api: Api, path: str) -> None:
    """An unknown path is 404."""
    assert (404, "HTTPNotFound") == refusal(api("GET", path))


@pytest.mark.parametrize("kind", ["network", "subnet", "port"])
@pytest.mark.parametrize("member", [NOWHERE, "red", "a%20b", "%00", "x" * 300])
def test_ids_that_do_not_exist(api: Api, kind: str, member: str) -> None:
    """An unknown id, also one that can be none, is 404 for every verb."""
    expected = (404, f"{kind.title()}NotFound")

    assert expected == refusal(api("GET", f"{kind}s/{member}"))
    assert expected == refusal(api("PUT", f"{kind}s/{member}", {kind: {"name": "x"}}))
    assert expected == refusal(api("DELETE", f"{kind}s/{member}"))


def test_a_delete_has_no_body(api: Api) -> None:
    """A DELETE that carries a body is refused, one without answers with nothing."""
    network = api.create("network")

    assert (400, "HTTPBadRequest") == refusal(api("DELETE", f"networks/{network['id']}", {}))
    answer = api("DELETE", f"networks/{network['id']}")
    assert (204, None) == (answer.status, answer.json)


def test_every_attribute_is_always_there(api: Api) -> None:
    """Objects have all their attributes whoever made them, with null or [] where nothing is."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    port = make_port(api, network_id)
    standard = {"id", "name", "tenant_id", "project_id", "description", "tags"}
    standard |= {"created_at", "updated_at", "revision_number"}
    network = {"admin_state_up", "status", "subnets", "shared", "router:external", "mtu"}
    network |= {"port_security_enabled", *_PROVIDER}
    network |= {"availability_zone_hints", "availability_zones"}
    of_subnet = {"network_id", "ip_version", "cidr", "gateway_ip", "allocation_pools"}
    of_subnet |= {"dns_nameservers", "host_routes", "enable_dhcp"}
    of_subnet |= {"ipv6_address_mode", "ipv6_ra_mode"}
    of_port = {"network_id", "admin_state_up", "mac_address", "fixed_ips", "device_id", "status"}
    of_port |= {"device_owner", "security_groups", "port_security_enabled"}
    of_port |= {"allowed_address_pairs", "extra_dhcp_opts"}
    of_port |= {f"binding:{name}" for name in ("host_id", "vnic_type", "profile", "vif_type")}
    of_port |= {"binding:vif_details"}

    assert set() == (standard | network) - set(api.get(f"networks/{network_id}")["network"])
    assert set() == (standard | of_subnet) - set(subnet)
    assert set() == (standard | of_port) - set(port)


def test_extensions_describe_themselves(api: Api) -> None:
    """Each listed extension can be asked for alone; an unknown alias is 404."""
    for extension in api.get("extensions")["extensions"]:
        assert {"extension": extension} == api.get(f"extensions/{extension['alias']}")
    assert 404 == refusal(api("GET", "extensions/nothing"))[0]
