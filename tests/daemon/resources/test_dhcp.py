# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCP: what a subnet offers, and the options that one port has of its own, on a real central."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
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
from ovirt_ovn_proxy.plan.dhcp import _V4_OPTIONS, _V6_OPTIONS

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
            {"host_routes": [{"destination": "0.0.0.0/0", "nexthop": "10.0.0.9"}]},
            "classless_static_route",
            "{0.0.0.0/0,10.0.0.9}",
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


def test_the_dhcp_server_follows_the_gateway(api: Api, nb: OvsdbServer) -> None:
    """The server's address is the gateway's, also after there was none for a while."""
    _, (subnet,) = make_network(api, "10.0.0.0/24")

    for gateway_ip, server in ((None, "10.0.0.0"), ("10.0.0.1", "10.0.0.1")):
        api.update("subnet", subnet["id"], gateway_ip=gateway_ip)
        assert server == of_subnet(nb, subnet, "options:server_id")


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


# A value of each type that OVN's options have (ovn-sb(5), "DHCP_Options").
_OF_TYPE = {
    **dict.fromkeys(("bool", "uint8", "uint16", "uint32"), "1"),
    **dict.fromkeys(("str", "host_id", "domains"), "nonsense $x"),
    "ipv4": "192.0.2.1,192.0.2.2",
    "ipv6": "fd05::8,fd05::9",
    "static_routes": "192.0.2.0/24,10.0.0.9",
}
_TEXTS = ("str", "host_id", "domains")
_ASKING = {
    4: "eth.dst == ff:ff:ff:ff:ff:ff && ip4.src == 0.0.0.0 && ip4.dst == 255.255.255.255"
    " && udp.src == 68 && udp.dst == 67",
    6: "eth.dst == 33:33:00:01:00:02 && ip6.src == fe80::1 && ip6.dst == ff02::1:2"
    " && udp.src == 546 && udp.dst == 547",
}


@pytest.mark.parametrize("text", sorted({*_OF_TYPE.values(), "10.0.0.300", "1,2", "192.0.2.0/24"}))
@pytest.mark.parametrize(
    ("version", "names", "table", "action"),
    [
        (4, _V4_OPTIONS, "DHCP_Options", "put_dhcp_opts"),
        (6, _V6_OPTIONS, "DHCPv6_Options", "put_dhcpv6_opts"),
    ],
)
def test_ovn_reads_every_extra_option(
    api: Api,
    central: Mapping[str, OvsdbServer],
    text: str,
    version: int,
    names: Mapping[str, str],
    table: str,
    action: str,
) -> None:
    """OVN knows each name and answers the port, with just the options that take the value."""
    nb, southbound = central["nb"], f"--db={central['sb'].remote}"
    listing = ["ovn-sbctl", southbound, "--format=csv", "--no-headings", "--columns=name,type"]
    types = dict(line.split(",") for line in _output(*listing, "list", table).splitlines())
    network_id, _ = make_network(api, "10.0.0.0/24" if version == 4 else "fd05::/64")
    plain = make_port(api, network_id)
    options = [
        {"opt_name": name, "opt_value": text, "ip_version": version}
        for name in {known: name for name, known in names.items()}.values()
    ]
    port = make_port(api, network_id, extra_dhcp_opts=options)

    offered, own = (
        nbctl(nb, "get", "DHCP_Options", of_port(nb, one, f"dhcpv{version}_options"), "options")
        for one in (plain, port)
    )
    changed = {pair[0] for pair in set(_OPTION.findall(own)) - set(_OPTION.findall(offered))}
    fits = {name for name in names.values() if _OF_TYPE[types[name]] == text}
    assert fits | {name for name in names.values() if types[name] in _TEXTS} == changed
    nbctl(nb, "--wait=sb", "sync")
    switch = nbctl(nb, "get", "Logical_Switch", network_id, "name")
    sent = f'inport == "{port["id"]}" && eth.src == {port["mac_address"]} && ip.ttl == 64'
    assert action in _output("ovn-trace", southbound, switch, f"{sent} && {_ASKING[version]}")


_OPTION = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^,}]*)')


def _output(*command: str) -> str:
    """Return what a command prints; it must not complain."""
    done = subprocess.run(command, check=True, capture_output=True, timeout=10)
    assert "" == done.stderr.decode()
    return done.stdout.decode()


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
        {"opt_name": "mtu"},
        {"opt_name": "mtu", "opt_value": ""},
        {"opt_name": "mtu", "opt_value": " "},
    ],
)
def test_dhcp_options_that_cannot_be(api: Api, option: Any) -> None:
    """Options without name or value, of several lines or too long are refused."""
    network_id, _ = make_network(api)

    answer = api("POST", "ports", {"port": {"network_id": network_id, "extra_dhcp_opts": [option]}})

    assert (400, "HTTPBadRequest") == refusal(answer)


def _subnets_of(api: Api, network_id: str) -> list[Any]:
    subnets: list[Any] = api.get(f"subnets?network_id={network_id}")["subnets"]
    return subnets
