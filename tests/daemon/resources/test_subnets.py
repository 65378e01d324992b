# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Subnets: gateway, pools and what else a subnet can be, on a real central."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.objects import (
    LONG,
    NOWHERE,
    allocation_pools,
    make_network,
    make_port,
    of_subnet,
    refusal,
)
from daemon.ovsdb import OvsdbServer
from daemon.proxy import ENGINE, Api

pytestmark = pytest.mark.daemon


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
        ({"cidr": "10.0.0.0/24", "allocation_pools": []}, "10.0.0.0/24", "10.0.0.1", []),
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
        ({**_V4, **allocation_pools("10.0.0.9-10.0.0.5")}, 400, "InvalidAllocationPool"),
        ({**_V4, **allocation_pools("10.0.0.9-fd05::1")}, 400, "InvalidAllocationPool"),
        ({**_V4, **allocation_pools("10.0.0.9-10.0.1.5")}, 400, "OutOfBoundsAllocationPool"),
        ({**_V4, **allocation_pools("10.0.0.9-10.0.0.255")}, 400, "OutOfBoundsAllocationPool"),
        ({**_V4, **allocation_pools("fd05::1-fd05::9")}, 400, "OutOfBoundsAllocationPool"),
        (
            {**_V4, **allocation_pools("10.0.0.9-10.0.0.20", "10.0.0.20-10.0.0.30")},
            409,
            "OverlappingAllocationPools",
        ),
        (
            {**_V4, **allocation_pools("10.0.0.1-10.0.0.9")},
            409,
            "GatewayConflictWithAllocationPools",
        ),
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
        (allocation_pools("10.0.0.1-10.0.0.9"), 409, "GatewayConflictWithAllocationPools"),
        (allocation_pools("10.0.1.1-10.0.1.9"), 400, "OutOfBoundsAllocationPool"),
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


def test_a_subnet_without_pools(api: Api) -> None:
    """Where all pools are taken away, ports get just the addresses that they name."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    api.update("subnet", subnet["id"], allocation_pools=[])
    api.update("subnet", subnet["id"], gateway_ip="10.0.0.9")
    named = {"network_id": network_id, "fixed_ips": [{"ip_address": "10.0.0.2"}]}

    refused = api("POST", "ports", {"port": {"network_id": network_id}})

    assert [] == api.get(f"subnets/{subnet['id']}")["subnet"]["allocation_pools"]
    assert (409, "IpAddressGenerationFailure") == refusal(refused)
    assert 201 == api("POST", "ports", {"port": named}).status


def test_a_subnet_in_use_stays(api: Api) -> None:
    """A subnet whose address a port holds cannot be deleted; afterwards it can."""
    network_id, (subnet,) = make_network(api, "10.0.0.0/24")
    port = make_port(api, network_id)

    assert (409, "SubnetInUse") == refusal(api("DELETE", f"subnets/{subnet['id']}"))
    api.delete("port", port["id"])
    api.delete("subnet", subnet["id"])
    assert (404, "SubnetNotFound") == refusal(api("GET", f"subnets/{subnet['id']}"))
