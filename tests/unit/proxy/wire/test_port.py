# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports as JSON: rows of ours, of ovirt-provider-ovn, and damaged ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.errors import BadRequest
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.addresses import Addressing, addressing
from ovirt_ovn_proxy.nb.rows import SwitchPort
from ovirt_ovn_proxy.wire.port import (
    PORT as TABLE,
)
from ovirt_ovn_proxy.wire.port import (
    asked_admin_state,
    encode_port,
    fixed_ips,
    host_of,
)
from ovirt_ovn_proxy.wire.subnet import ranges_of
from unit.proxy.plans import (
    MAC,
    MAC2,
    NET,
    NOW,
    PORT,
    SUBNET,
    SUBNET6,
    TENANT,
    a_port,
    a_router_port,
    a_subnet,
    a_subnet6,
)

PAIR = {"ip_address": "10.0.0.9", "mac_address": MAC2}
OPTION = {"opt_name": "mtu", "opt_value": "9", "ip_version": 4}
RANGES = ranges_of([a_subnet(), a_subnet6()])
PLAIN = {
    "id": PORT,
    "name": "nic",
    "tenant_id": TENANT,
    "project_id": TENANT,
    "description": "",
    "created_at": NOW,
    "updated_at": NOW,
    "revision_number": 1,
    "tags": [],
    "network_id": NET,
    "admin_state_up": True,
    "mac_address": MAC,
    "fixed_ips": [],
    "device_id": "",
    "device_owner": "",
    "status": "DOWN",
    "security_groups": [],
    "port_security_enabled": False,
    "allowed_address_pairs": [],
    "extra_dhcp_opts": [],
    "binding:host_id": "",
    "binding:vnic_type": "normal",
    "binding:profile": {},
    "binding:vif_type": "unbound",
    "binding:vif_details": {},
}


def shown(row: SwitchPort, in_list: bool = False) -> dict[str, Any]:
    """Return the JSON form of a port on a network with two subnets."""
    return encode_port(row, NET, addressing(row, None), RANGES, [], Config(), in_list)


@pytest.mark.parametrize(
    ("row", "differences"),
    [
        (a_port(), {}),
        (a_port(up=True), {"status": "ACTIVE"}),
        (a_port(up=True, enabled=False), {"admin_state_up": False}),
        (a_port(enabled=None), {}),
        (
            a_port(f"{MAC} 10.0.0.5 fd00::5"),
            {
                "fixed_ips": [
                    {"subnet_id": SUBNET, "ip_address": "10.0.0.5"},
                    {"subnet_id": SUBNET6, "ip_address": "fd00::5"},
                ]
            },
        ),
        (a_port(f"{MAC} 192.168.0.5"), {}),
        (
            a_port(f"{MAC} dynamic", dynamic_addresses=f"{MAC} 10.0.0.6"),
            {"fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.0.0.6"}]},
        ),
        (a_port(port_security=(MAC,)), {"port_security_enabled": True}),
        (
            a_port(options={"requested-chassis": "h"}),
            {"binding:host_id": "h", "binding:vif_type": "ovs"},
        ),
        (
            a_port(
                external_ids={
                    keys.DESCRIPTION: "d",
                    keys.DEVICE_ID: "vm",
                    keys.DEVICE_OWNER: "oVirt",
                    keys.HOST_ID: "host1",
                    keys.VNIC_TYPE: "direct",
                    keys.BINDING_PROFILE: '{"a": 1}',
                    keys.ADDRESS_PAIRS: json.dumps([PAIR]),
                    keys.EXTRA_DHCP_OPTS: json.dumps([OPTION]),
                    keys.TAGS: '["t"]',
                }
            ),
            {
                "description": "d",
                "device_id": "vm",
                "device_owner": "oVirt",
                "binding:host_id": "host1",
                "binding:vif_type": "ovs",
                "binding:vnic_type": "direct",
                "binding:profile": {"a": 1},
                "allowed_address_pairs": [PAIR],
                "extra_dhcp_opts": [OPTION],
                "tags": ["t"],
            },
        ),
        # damaged
        (a_port("nonsense"), {"mac_address": ""}),
        (a_port(""), {"mac_address": ""}),
        (
            a_port(
                external_ids={
                    keys.BINDING_PROFILE: "[]",
                    keys.ADDRESS_PAIRS: "{}",
                    keys.EXTRA_DHCP_OPTS: "no JSON",
                    keys.TAGS: "5",
                }
            ),
            {},
        ),
        (
            a_port(
                external_ids={
                    keys.BINDING_PROFILE: '{"a": {"b": 1}}',
                    keys.ADDRESS_PAIRS: "[1]",
                    keys.EXTRA_DHCP_OPTS: '[{"name": "mtu"}]',
                    keys.TAGS: "[" * 5000,
                }
            ),
            {},
        ),
    ],
)
def test_encode(row: SwitchPort, differences: dict[str, Any]) -> None:
    """Every attribute is shown, and a key that cannot be read counts as missing."""
    assert {**PLAIN, **differences} == shown(row)


def test_peer_row() -> None:
    """A row with the peer's keys only is a whole port, under its name."""
    row = SwitchPort.new(
        "row-uuid",
        name=PORT,
        addresses=(f"{MAC} dynamic",),
        external_ids={"ovirt_nic_name": "nic", "ovirt_device_id": "vm"},
    )
    unknown = {"created_at": None, "updated_at": None, "revision_number": 0}

    assert {**PLAIN, **unknown, "device_id": "vm"} == shown(row)


def test_router_port() -> None:
    """A router's port is up without any chassis."""
    row, router_side = a_router_port(PORT)
    found = encode_port(row, NET, addressing(row, router_side), RANGES, [], Config())
    addresses = [{"subnet_id": SUBNET, "ip_address": "10.0.0.1"}]

    assert {**PLAIN, "mac_address": MAC2, "fixed_ips": addresses, "status": "ACTIVE"} == found


def test_every_attribute_is_shown() -> None:
    """The JSON form has each attribute of the table, and no other."""
    assert set(TABLE.by_name) == set(shown(a_port()))


ENGINE = {keys.DEVICE_OWNER: "oVirt", keys.HOST_ID: "host1"}


@pytest.mark.parametrize(
    ("external_ids", "up", "in_list", "host"),
    [
        (ENGINE, False, False, "host1"),
        (ENGINE, False, True, ""),
        (ENGINE, None, True, ""),
        (ENGINE, True, True, "host1"),
        ({**ENGINE, keys.DEVICE_OWNER: "compute:nova"}, False, True, "host1"),
        ({keys.HOST_ID: "host1"}, False, True, "host1"),
    ],
)
def test_host_in_lists(
    external_ids: dict[str, str], up: bool | None, in_list: bool, host: str
) -> None:
    """In a list, a port of the engine that is not up shows no host, so that it gets a PUT."""
    found = shown(a_port(external_ids=external_ids, up=up), in_list)

    assert (host, "ovs" if host else "unbound") == (
        found["binding:host_id"],
        found["binding:vif_type"],
    )


def test_stored_host_wins() -> None:
    """The host that was announced last is shown, not what an option was left at."""
    row = a_port(external_ids={keys.HOST_ID: "new"}, options={"requested-chassis": "old,new"})

    assert host_of(row) == "new"


@pytest.mark.parametrize(
    ("enabled", "asked", "expected"),
    [
        (True, None, True),
        (None, None, True),
        (False, None, False),
        (False, "True", True),
        (False, "False", False),
    ],
)
def test_asked_admin_state(enabled: bool | None, asked: str | None, expected: bool) -> None:
    """What was asked for outlives its network being down."""
    row = a_port(enabled=enabled, external_ids={keys.ADMIN_STATE: asked} if asked else {})

    assert expected is asked_admin_state(row)


@pytest.mark.parametrize(
    ("ips", "expected"),
    [
        ((), []),
        (("10.0.0.5", "10.0.0.6"), [(SUBNET, "10.0.0.5"), (SUBNET, "10.0.0.6")]),
        (("fd00::5", "nonsense", "10.1.0.1"), [(SUBNET6, "fd00::5")]),
    ],
)
def test_fixed_ips(ips: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    """Addresses are shown with the subnet that holds them; others are not shown."""
    found = fixed_ips(Addressing(MAC, ips), RANGES)

    assert [{"subnet_id": one, "ip_address": ip} for one, ip in expected] == found


@pytest.mark.parametrize(
    ("given_option", "expected"),
    [
        (
            {"opt_name": "mtu", "opt_value": "9"},
            {"opt_name": "mtu", "opt_value": "9", "ip_version": 4},
        ),
        (
            {"opt_name": "mtu", "opt_value": None, "ip_version": "6"},
            {"opt_name": "mtu", "opt_value": None, "ip_version": 6},
        ),
    ],
)
def test_extra_dhcp_opts(given_option: Any, expected: Any) -> None:
    """An extra DHCP option is of IPv4 unless it says otherwise; null removes."""
    values = TABLE.read_put(json.dumps({"port": {"extra_dhcp_opts": [given_option]}}).encode())

    assert {"extra_dhcp_opts": [expected]} == values


def test_address_pairs() -> None:
    """Address pairs are addresses or CIDRs in their one form."""
    pairs = [
        {"ip_address": "FD00:0::/64"},
        {"ip_address": "10.0.0.9", "mac_address": "02-" * 5 + "02"},
    ]
    values = TABLE.read_put(json.dumps({"port": {"allowed_address_pairs": pairs}}).encode())

    assert values["allowed_address_pairs"] == [
        {"ip_address": "fd00::/64"},
        {"ip_address": "10.0.0.9", "mac_address": "02:02:02:02:02:02"},
    ]


@given(text=st.text(max_size=300))
def test_option_is_one_line(text: str) -> None:
    """A value with a line break, or anything that cannot be printed, is no option."""
    body = json.dumps({"port": {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": text}]}})
    try:
        TABLE.read_put(body.encode())
    except BadRequest:
        return

    assert text.isprintable()
    assert len(text) <= 255
