# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks as JSON: rows of ours, of ovirt-provider-ovn, and damaged ones."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.rows import Row, Switch, SwitchPort
from ovirt_ovn_proxy.wire.network import NETWORK, asked_mtu, encode_network, encode_provider
from unit.proxy.plans import (
    LOCALNET,
    NET,
    NOW,
    SUBNET,
    TENANT,
    a_localnet,
    a_network,
    a_subnet,
    view_of,
)

PLAIN = {
    "id": NET,
    "name": "blue",
    "tenant_id": TENANT,
    "project_id": TENANT,
    "description": "",
    "created_at": NOW,
    "updated_at": NOW,
    "revision_number": 1,
    "tags": [],
    "admin_state_up": True,
    "status": "ACTIVE",
    "subnets": [],
    "shared": False,
    "router:external": False,
    "mtu": 1442,
    "port_security_enabled": False,
    "provider:network_type": "geneve",
    "provider:physical_network": None,
    "provider:segmentation_id": None,
    "availability_zone_hints": [],
    "availability_zones": [],
}


def shown(*rows: Row, is_engine: bool = False, **options: Any) -> dict[str, Any]:
    """Return the JSON form of the first row among the others."""
    view = view_of(*rows)
    row = rows[0]
    assert isinstance(row, Switch)
    return encode_network(row, view, Config(**options), is_engine)


@pytest.mark.parametrize(
    ("rows", "differences"),
    [
        ((a_network(),), {}),
        ((a_network(), a_subnet()), {"subnets": [SUBNET]}),
        (
            (
                a_network(
                    ovirt_description="d",
                    ovirt_tags='["a"]',
                    ovirt_shared="True",
                    ovirt_router_external="True",
                    ovirt_admin_state_up="False",
                    ovirt_port_security="True",
                    mtu="9000",
                ),
            ),
            {
                "description": "d",
                "tags": ["a"],
                "shared": True,
                "router:external": True,
                "admin_state_up": False,
                "port_security_enabled": True,
                "mtu": 9000,
            },
        ),
        (
            (a_network(LOCALNET), a_localnet()),
            {"provider:network_type": "flat", "provider:physical_network": "phys"},
        ),
        (
            (a_network(LOCALNET), a_localnet(5)),
            {
                "provider:network_type": "vlan",
                "provider:physical_network": "phys",
                "provider:segmentation_id": 5,
            },
        ),
        # damaged, or written by the peer
        (
            (a_network(ovirt_tags="no JSON", mtu="many", ovirt_revision_number="-"),),
            {"revision_number": 0},
        ),
        ((a_network(ovirt_tags='{"a": 1}', mtu="-5"),), {}),
        ((a_network(ovirt_tags='["a", 1, null]', mtu=""),), {}),
        ((a_network(mtu="9" * 5000),), {}),
        ((a_network(mtu="0"),), {}),
        ((a_network(ovirt_port_security="true"),), {}),
    ],
)
def test_encode(rows: tuple[Row, ...], differences: dict[str, Any]) -> None:
    """Every attribute is shown, and a key that cannot be read counts as missing."""
    assert {**PLAIN, **differences} == shown(*rows)


def test_peer_row() -> None:
    """A row with the peer's keys only is a whole network."""
    row = Switch.new(NET, name="plain", external_ids={"ovirt_network_name": "plain"})
    unknown = {"name": "plain", "created_at": None, "updated_at": None, "revision_number": 0}

    assert {**PLAIN, **unknown} == shown(row)
    assert shown(row, port_security_enabled_default=True)["port_security_enabled"] is True


def test_name_of_the_row() -> None:
    """A network without the key for its name has the row's name."""
    row = Switch.new(NET, name="only", external_ids={"ovirt_port_security": "True"})

    assert shown(row)["name"] == "only"


def test_every_attribute_is_shown() -> None:
    """The JSON form has each attribute of the table, and no other."""
    assert set(NETWORK.by_name) == set(shown(a_network()))


@pytest.mark.parametrize(
    ("mtu", "is_engine", "expected"),
    [(None, False, 1442), (None, True, None), ("9000", False, 9000), ("9000", True, 9000)],
)
def test_mtu(mtu: str | None, is_engine: bool, expected: int | None) -> None:
    """The engine gets null where nobody asked for an MTU, others what is in force."""
    row = a_network() if mtu is None else a_network(mtu=mtu)

    assert expected == shown(row, is_engine=is_engine)["mtu"]


@pytest.mark.parametrize(
    ("tag", "tag_request", "options", "expected"),
    [
        (None, None, {"network_name": "p"}, ("flat", "p", None)),
        (0, None, {"network_name": "p"}, ("flat", "p", None)),
        (7, None, {"network_name": "p"}, ("vlan", "p", 7)),
        (None, 7, {"network_name": "p"}, ("vlan", "p", 7)),
        (None, 0, {"network_name": "p"}, ("flat", "p", None)),
        (7, None, {}, ("vlan", None, 7)),
    ],
)
def test_provider(
    tag: int | None, tag_request: int | None, options: dict[str, str], expected: tuple[Any, ...]
) -> None:
    """A localnet port is a flat network or, with a tag other than 0, a VLAN."""
    row = SwitchPort.new("p", type="localnet", tag=tag, tag_request=tag_request, options=options)

    assert expected == tuple(encode_provider(row).values())


@pytest.mark.parametrize(
    ("text", "expected"), [("1500", 1500), ("0", None), ("", None), ("x", None), ("²", None)]
)
def test_asked_mtu(text: str, expected: int | None) -> None:
    """Only a positive number is an MTU that somebody asked for."""
    assert expected == asked_mtu(Switch.new(NET, external_ids={keys.NETWORK_MTU: text}))
