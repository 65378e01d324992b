# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCP: what a subnet offers, and the options that one port has of its own, on a real central."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.objects import (
    LONG,
    make_network,
    make_port,
    make_subnet,
    nbctl,
    of_port,
    of_subnet,
    refusal,
)
from daemon.ovsdb import OvsdbServer
from daemon.proxy import Api

pytestmark = pytest.mark.daemon

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
