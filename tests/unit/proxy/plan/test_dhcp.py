# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What OVN's DHCP servers answer, and that no client can make them answer more."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.errors import BadRequest
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.rows import DhcpOptions, Row, SwitchPort
from ovirt_ovn_proxy.plan.dhcp import _V4_OPTIONS, _V6_OPTIONS, with_dhcp, with_options
from ovirt_ovn_proxy.wire.subnet import read_subnet
from unit.proxy.plans import (
    MAC,
    NET,
    PORT,
    SUBNET,
    SUBNET6,
    a_network,
    a_port,
    a_subnet,
    a_subnet6,
    counted,
    draft_of,
    post,
    put,
    row_id,
    rows_after,
    view_of,
)

SITE: tuple[Row, ...] = (counted(NET), a_network(), a_subnet(), a_subnet6())
SERVER = "02:00:00:00:00:00"

# --- subnets ---


def options_of(row: DhcpOptions, network: Any = None, **options: Any) -> DhcpOptions:
    """Return the row with the options that its own values ask for, from scratch."""
    subnet = read_subnet(row)
    assert subnet is not None
    bare = row.copy(options={})
    return with_options(bare, subnet, network or a_network(), Config(**options))


V4 = {"server_mac": SERVER, "lease_time": "86400", "mtu": "1442"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (a_subnet(), {**V4, "server_id": "10.0.0.1", "router": "10.0.0.1"}),
        (a_subnet(options={"router": ""}), {**V4, "server_id": "10.0.0.0"}),
        (
            a_subnet(options={"dns_server": "10.0.0.8"}),
            {**V4, "server_id": "10.0.0.1", "router": "10.0.0.1", "dns_server": "10.0.0.8"},
        ),
        (
            a_subnet(options={"dns_server": "{10.0.0.8, 10.0.0.9}"}),
            {
                **V4,
                "server_id": "10.0.0.1",
                "router": "10.0.0.1",
                "dns_server": "{10.0.0.8, 10.0.0.9}",
            },
        ),
        # a client that asks for routes ignores the router (RFC 3442)
        (
            a_subnet(
                external_ids={
                    keys.SUBNET_ROUTES: '[{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]'
                }
            ),
            {
                **V4,
                "server_id": "10.0.0.1",
                "router": "10.0.0.1",
                "classless_static_route": "{10.9.0.0/16,10.0.0.9, 0.0.0.0/0,10.0.0.1}",
            },
        ),
    ],
)
def test_v4_options(row: DhcpOptions, expected: dict[str, str]) -> None:
    """OVN needs a server and a lease time; the rest follows from the subnet (ovn-nb(5))."""
    assert expected == options_of(row).options


@pytest.mark.parametrize(
    ("mode", "servers", "expected"),
    [
        ("dhcpv6-stateful", "", {"server_id": SERVER}),
        ("dhcpv6-stateless", "", {"server_id": SERVER, "dhcpv6_stateless": "true"}),
        ("slaac", "", {"server_id": SERVER}),
        ("dhcpv6-stateful", "fd00::8", {"server_id": SERVER, "dns_server": "fd00::8"}),
    ],
)
def test_v6_options(mode: str, servers: str, expected: dict[str, str]) -> None:
    """DHCPv6 knows neither router nor MTU."""
    row = options_of(a_subnet6(mode, external_ids={keys.SUBNET_V6_DNS: servers}))

    assert expected == row.options
    assert ("fd00::", "1442") == (
        row.external_ids[keys.SUBNET_V6_GATEWAY],
        row.external_ids[keys.SUBNET_V6_MTU],
    )


@pytest.mark.parametrize(
    ("asked", "options", "expected"),
    [
        (None, {}, "1442"),
        (None, {"dhcp_mtu_bytes": 1400}, "1400"),
        ("9000", {}, "9000"),
        ("9000", {"dhcp_enable_mtu": False}, None),
    ],
)
def test_mtu(asked: str | None, options: Any, expected: str | None) -> None:
    """DHCP tells the network's MTU, else the site's, or none if the site says so."""
    network = a_network(mtu=asked) if asked else a_network()
    row4 = options_of(a_subnet(), network, **options)
    row6 = options_of(a_subnet6(external_ids={keys.SUBNET_V6_MTU: ""}), network, **options)

    assert expected == row4.options.get("mtu")
    assert (expected or "") == row6.external_ids.get(keys.SUBNET_V6_MTU)


# The second is what ovirt-provider-ovn chooses, whatever the gateway is.
@pytest.mark.parametrize("server", ["10.0.0.99", "10.0.0.0"])
def test_what_others_set_stays(server: str) -> None:
    """A server address, lease time or option that somebody chose is kept."""
    chosen = {"server_id": server, "lease_time": "60", "domain_name": '"x"', "mtu": "1442"}
    row = a_subnet(options=chosen)
    subnet = read_subnet(row)
    assert subnet is not None

    assert row.options == with_options(row, subnet, a_network(), Config()).options


# --- which row serves a port ---


@pytest.mark.parametrize(
    ("addresses", "rows", "expected"),
    [
        (MAC, [a_subnet(), a_subnet6()], (None, None)),
        (f"{MAC} 10.0.0.5", [a_subnet(), a_subnet6()], (SUBNET, None)),
        (f"{MAC} 10.0.0.5 fd00::5", [a_subnet(), a_subnet6()], (SUBNET, SUBNET6)),
        (f"{MAC} fd00::5", [a_subnet6("slaac")], (None, None)),
        (f"{MAC} fd00::5", [a_subnet6("dhcpv6-stateless")], (None, SUBNET6)),
        (f"{MAC} 10.0.0.5", [a_subnet(external_ids={keys.SUBNET_DHCP: "False"})], (None, None)),
        (f"{MAC} 192.168.0.5", [a_subnet()], (None, None)),
        (f"{MAC} 10.0.0.5", [a_subnet(cidr="damaged")], (None, None)),
        # the first address decides
        (
            f"{MAC} 10.0.0.5 10.1.0.5",
            [a_subnet(uuid=row_id(30), cidr="10.1.0.0/24"), a_subnet()],
            (SUBNET, None),
        ),
    ],
)
def test_serving(
    addresses: str, rows: list[DhcpOptions], expected: tuple[str | None, str | None]
) -> None:
    """A port refers to the subnet of its address, where that one has a DHCP server."""
    port = a_port(addresses)
    found = with_dhcp(draft_of(a_network(PORT), port, *rows), port, rows)

    assert expected == (found.dhcpv4_options, found.dhcpv6_options)


# --- options of single ports ---

OPTION = re.compile(r'[0-9A-Za-z.:/,{} -]*|"[^"\\]*"')


def own_options(*options: Any) -> dict[str, str]:
    """Return what a new port with these extra options adds to its subnets' options."""
    given_port = {"network_id": NET, "mac_address": MAC, "extra_dhcp_opts": list(options)}
    plan = post("ports", given_port)(view_of(*SITE))
    rows = [row for row in rows_after(SITE, plan) if isinstance(row, DhcpOptions)]
    shared = {SUBNET: a_subnet().options, SUBNET6: a_subnet6().options}
    added: dict[str, str] = {}
    for row in rows:
        if row.uuid not in shared:
            base = shared[row.external_ids[keys.SUBNET_OF_OPTIONS]]
            added.update(
                {name: value for name, value in row.options.items() if base.get(name) != value}
            )
    return added


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("mtu", "9000", {"mtu": "9000"}),
        ("26", "9000", {"mtu": "9000"}),
        ("interface-mtu", "9000", {"mtu": "9000"}),
        ("dns-server", "10.0.0.8,10.0.0.9", {"dns_server": "{10.0.0.8,10.0.0.9}"}),
        ("dns-server", "10.0.0.8", {"dns_server": "10.0.0.8"}),
        ("dns-server", "{10.0.0.8, 10.0.0.9}", {"dns_server": "{10.0.0.8,10.0.0.9}"}),
        ("router", "10.0.0.254,10.0.0.253", {"router": "{10.0.0.254,10.0.0.253}"}),
        ("bootfile-name", "pxelinux.0", {"bootfile_name": '"pxelinux.0"'}),
        ("domain-name", "example.org", {"domain_name": '"example.org"'}),
        ("tftp-server", "10.0.0.8", {"tftp_server": '"10.0.0.8"'}),
        ("server-ip-address", "10.0.0.8", {"tftp_server_address": "10.0.0.8"}),
        ("router", "10.0.0.254", {"router": "10.0.0.254"}),
        (
            "classless-static-route",
            "{10.9.0.0/16,10.0.0.9}",
            {"classless_static_route": "{10.9.0.0/16,10.0.0.9}"},
        ),
        (
            "classless-static-route",
            "10.9.0.1/16, 10.0.0.9, 0.0.0.0/0,10.0.0.1",
            {"classless_static_route": "{10.9.0.0/16,10.0.0.9,0.0.0.0/0,10.0.0.1}"},
        ),
        # kept and shown, but OVN cannot send it
        ("no-such-option", "x", {}),
        ("server_id", "10.0.0.66", {}),
        ("server_mac", "02:00:00:00:00:66", {}),
        # kept and shown as well: OVN could not read it, and would answer nothing at all
        ("mtu", "much", {}),
        ("mtu", "65536", {}),
        ("lease-time", "-1", {}),
        ("lease-time", "007", {"lease_time": "7"}),
        ("ip-forward-enable", "2", {}),
        ("arp-timeout", "10.0.0.1", {}),
        ("router", "router.example.org", {}),
        ("router", "10.0.0.300", {}),
        ("router", "10.0.0.254;", {}),
        ("router", "fd00::1", {}),
        ("router", "10.0.0.254,fd00::1", {}),
        ("router", "{}", {}),
        ("classless-static-route", "10.9.0.0/16", {}),
        ("classless-static-route", "10.9.0.0/16,10.0.0.9,10.8.0.0/16", {}),
        ("classless-static-route", "10.0.0.9,10.9.0.0/16", {}),
        ("classless-static-route", "fd09::/64,fd00::9", {}),
        # refused by not being sent
        ("mtu", "9000); drop; next(", {}),
        ("mtu", "1; output", {}),
        ("router", "$set", {}),
        ("lease-time", "1\\", {}),
        ("lease-time", "1'", {}),
        ("lease-time", "１", {}),  # noqa: RUF001
        # a quote cannot end the text
        ("domain-name", 'a", lease_time = 1, domain_name = "b', None),
        ("hostname", "a\\", {"hostname": '"a"'}),
    ],
)
def test_own_options(name: str, value: str, expected: dict[str, str] | None) -> None:
    """An option is sent under OVN's name, and only as what OVN reads as one value."""
    found = own_options({"opt_name": name, "opt_value": value})

    if expected is None:
        expected = {"domain_name": '"a, lease_time = 1, domain_name = b"'}
    assert expected == found


@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize(
    ("name", "option"),
    [("router", "router"), ("classless-static-route", "classless_static_route")],
)
def test_blank_options(name: str, option: str, blank: str) -> None:
    """A blank value takes from one port what its subnet offers to all."""
    offered = {"router": "10.0.0.1", "classless_static_route": "{10.9.0.0/16,10.0.0.9}"}
    rows = (counted(NET), a_network(), a_subnet(options=offered))
    given_port = {"network_id": NET, "extra_dhcp_opts": [{"opt_name": name, "opt_value": blank}]}
    plan = post("ports", given_port)(view_of(*rows))
    [own] = [
        row.options
        for row in rows_after(rows, plan)
        if isinstance(row, DhcpOptions) and row.uuid != SUBNET
    ]

    assert {*offered} - {option} == {*offered} & own.keys()


@settings(max_examples=60, deadline=None)
@given(
    options=st.lists(
        st.fixed_dictionaries(
            {
                "opt_name": st.sampled_from(sorted({*_V4_OPTIONS, *_V6_OPTIONS}))
                | st.text(min_size=1, max_size=8),
                "opt_value": st.text(max_size=20)
                | st.text("0aZ.:/,{} -\"\\;()=$&|!<>[]'\n", max_size=20),
                "ip_version": st.sampled_from([4, 6]),
            }
        ),
        max_size=3,
    )
)
def test_options_are_safe(options: list[dict[str, Any]]) -> None:
    """No client can write into OVN's logical flows: ovn-northd copies values as they are."""
    try:
        found = own_options(*options)
    except BadRequest:
        return

    assert set(found) <= {*_V4_OPTIONS.values(), *_V6_OPTIONS.values()}
    for value in found.values():
        assert OPTION.fullmatch(value)
        assert value.isprintable()


@pytest.mark.parametrize("stored", ['a"b', "a\\", "a\nb", "a\0b", "1; drop;", None])
@pytest.mark.parametrize("name", ["domain-name", "mtu", "x = 1"])
def test_stored_options_are_safe(stored: str | None, name: str) -> None:
    """Nor can a row that somebody else wrote."""
    text = json.dumps([{"opt_name": name, "opt_value": stored, "ip_version": 4}])
    port = a_port(f"{MAC} 10.0.0.5", external_ids={keys.EXTRA_DHCP_OPTS: text})
    rows = (counted(NET), a_network(PORT), port, a_subnet())
    plan = put("ports", PORT, mac_address="02:00:00:00:00:09")(view_of(*rows))
    for row in rows_after(rows, plan):
        if isinstance(row, DhcpOptions):
            assert all(map(OPTION.fullmatch, row.options.values()))
            assert all(map(str.isprintable, row.options.values()))


def test_other_version() -> None:
    """An option of one IP version is not sent by the other."""
    found = own_options(
        {"opt_name": "dns-server", "opt_value": "fd00::8", "ip_version": 6},
        {"opt_name": "mtu", "opt_value": "9000", "ip_version": 6},
    )

    assert found == {"dns_server": "fd00::8"}


def test_port_without_address() -> None:
    """A port without an address has no lease, hence no row of its own; the options are kept."""
    given_port = {
        "network_id": NET,
        "fixed_ips": [],
        "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "9000"}],
    }
    plan = post("ports", given_port)(view_of(*SITE))
    [port] = [row for row in rows_after(SITE, plan) if isinstance(row, SwitchPort)]

    assert (None, None) == (port.dhcpv4_options, port.dhcpv6_options)
    assert [{"opt_name": "mtu", "opt_value": "9000", "ip_version": 4}] == plan.answer["port"][
        "extra_dhcp_opts"
    ]
