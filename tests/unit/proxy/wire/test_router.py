# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Routers as JSON, and the bodies that ask for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.errors import BadRequest
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.rows import Router, Row, StaticRoute
from ovirt_ovn_proxy.wire.router import (
    ROUTER,
    encode_router,
    read_extra_routes,
    read_interface,
    read_new_interface,
)
from ovirt_ovn_proxy.wire.router_sides import connected, interfaces_of, sides_of, subnets_on
from unit.proxy import routed
from unit.proxy.plans import NET, NOW, SUBNET, TENANT, row_id, view_of
from unit.proxy.routed import CONNECTED, ROUTED, a_router, inside, outside, with_rows

ROUTER_ID = routed.ROUTER
PLAIN = {
    "id": ROUTER_ID,
    "name": "r1",
    "tenant_id": TENANT,
    "project_id": TENANT,
    "description": "",
    "created_at": NOW,
    "updated_at": NOW,
    "revision_number": 1,
    "tags": [],
    "admin_state_up": True,
    "status": "ACTIVE",
    "external_gateway_info": None,
    "routes": [],
    "availability_zone_hints": [],
    "availability_zones": [],
}
GATEWAY = {
    "network_id": routed.EXT,
    "enable_snat": False,
    "external_fixed_ips": [{"subnet_id": routed.EXT_SUBNET, "ip_address": "203.0.113.2"}],
}


def shown(*rows: Row) -> dict[str, Any]:
    """Return the JSON form of the router among the rows."""
    view = view_of(*rows)
    [router] = [row for row in rows if isinstance(row, Router)]
    return encode_router(router, view, Config())


def a_route(number: int, destination: str, nexthop: str, **columns: Any) -> StaticRoute:
    """Return a static route."""
    return StaticRoute.new(row_id(number), ip_prefix=destination, nexthop=nexthop, **columns)


@pytest.mark.parametrize(
    ("rows", "differences"),
    [
        ((a_router(),), {}),
        ((a_router(enabled=None),), {}),
        ((a_router(enabled=False),), {"admin_state_up": False}),
        (
            (
                a_router(
                    external_ids={
                        keys.ROUTER_NAME: "later",
                        keys.DESCRIPTION: "d",
                        keys.TAGS: '["a"]',
                        keys.REVISION: "7",
                    }
                ),
            ),
            {"name": "later", "description": "d", "tags": ["a"], "revision_number": 7},
        ),
        (
            (Router.new(ROUTER_ID, name="peer", enabled=True),),
            {"name": "peer", "created_at": None, "updated_at": None, "revision_number": 0},
        ),
        (CONNECTED, {"external_gateway_info": GATEWAY}),
        # The port that the key names is gone, or never was this router's.
        ((a_router(external_ids={keys.ROUTER_GATEWAY: routed.OUTSIDE}),), {}),
        (
            (
                a_router(static_routes=tuple(map(row_id, (90, 91, 92, 93)))),
                a_route(90, "10.9.0.0/16", "10.0.0.9"),
                a_route(91, "10.8.0.0/16", "10.0.0.9", policy="dst-ip"),
                a_route(92, "10.7.0.0/16", "10.0.0.9", policy="src-ip"),
                a_route(93, "0.0.0.0/0", "10.0.0.9", external_ids={keys.GATEWAY_ROUTE: "True"}),
            ),
            {
                "routes": [
                    {"destination": "10.8.0.0/16", "nexthop": "10.0.0.9"},
                    {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"},
                ]
            },
        ),
        # As ovirt-provider-ovn keeps what it is given, and as nobody can read it.
        (
            (
                a_router(static_routes=tuple(map(row_id, (90, 91)))),
                a_route(90, "FD09::9/64", "FD00:0::9"),
                a_route(91, "nonsense", "10.0.0.9"),
            ),
            {
                "routes": [
                    {"destination": "fd09::/64", "nexthop": "fd00::9"},
                    {"destination": "nonsense", "nexthop": "10.0.0.9"},
                ]
            },
        ),
    ],
)
def test_encode(rows: tuple[Row, ...], differences: dict[str, Any]) -> None:
    """A router shows its state, its gateway and the routes that are its user's."""
    assert {**PLAIN, **differences} == shown(*rows)


def test_snat_is_shown() -> None:
    """Whether SNAT is on stands in a key, for there may be nothing to translate yet."""
    ids = {keys.ROUTER_GATEWAY: routed.OUTSIDE, keys.ROUTER_SNAT: "True"}
    rows = with_rows(CONNECTED, a_router(routed.INSIDE_LRP, routed.OUTSIDE_LRP, external_ids=ids))

    assert {**GATEWAY, "enable_snat": True} == shown(*rows)["external_gateway_info"]


def test_sides() -> None:
    """A router's ports are pairs of rows; a gateway is no interface, half a pair nothing."""
    stranger = inside()[1].copy(name="hand-made", networks=("10.99.0.1/24", "nonsense"))
    stranger.uuid = row_id(95)
    rows = with_rows(
        CONNECTED,
        a_router(
            routed.INSIDE_LRP,
            routed.OUTSIDE_LRP,
            row_id(95),
            external_ids={keys.ROUTER_GATEWAY: routed.OUTSIDE},
        ),
        stranger,
    )
    view = view_of(*rows)
    router = view.router(ROUTER_ID)
    assert router is not None

    assert [NET, routed.EXT] == [side.network_id for side in sides_of(router, view)]
    [interface] = interfaces_of(router, view)
    assert ["10.0.0.1"] == interface.ips
    assert [SUBNET] == [subnet.id for subnet in subnets_on(interface, view)]
    assert ["10.0.0.1/24", "203.0.113.2/24", "10.99.0.1/24"] == [
        str(address) for address in connected(view.router_ports(router))
    ]


def read(body: Any, reader: Any = ROUTER.read_put) -> Any:
    """Return what a body asks for."""
    return reader(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"external_gateway_info": None}, None),
        ({"external_gateway_info": {}}, None),
        ({"external_gateway_info": {"network_id": NET.upper()}}, {"network_id": NET}),
        (
            {"external_gateway_info": {"network_id": NET, "enable_snat": "no"}},
            {"network_id": NET, "enable_snat": False},
        ),
        (
            {
                "external_gateway_info": {
                    "network_id": NET,
                    "external_fixed_ips": [{"ip_address": "10.0.0.9"}],
                }
            },
            {"network_id": NET, "external_fixed_ips": [{"ip_address": "10.0.0.9"}]},
        ),
        ({"routes": None}, ()),
        ({"routes": []}, []),
        (
            {"routes": [{"destination": "10.9.0.9/16", "nexthop": "10.0.0.9"}]},
            [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}],
        ),
    ],
)
def test_read(given: dict[str, Any], expected: Any) -> None:
    """A gateway is an object or none; routes are a list, their destinations whole networks."""
    assert [expected] == list(read({"router": given}).values())


HOP = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}


@pytest.mark.parametrize(
    ("given", "error_type"),
    [
        ({"status": "DOWN"}, "HTTPBadRequest"),
        ({"ha": True}, "HTTPBadRequest"),
        ({"distributed": True}, "HTTPBadRequest"),
        ({"name": None}, "HTTPBadRequest"),
        ({"external_gateway_info": NET}, "HTTPBadRequest"),
        ({"external_gateway_info": []}, "HTTPBadRequest"),
        ({"external_gateway_info": {"enable_snat": True}}, "HTTPBadRequest"),
        ({"external_gateway_info": {"network_id": "x"}}, "HTTPBadRequest"),
        ({"external_gateway_info": {"network_id": None}}, "HTTPBadRequest"),
        ({"external_gateway_info": {"network_id": NET, "more": 1}}, "HTTPBadRequest"),
        ({"external_gateway_info": {"network_id": NET, "enable_snat": "?"}}, "HTTPBadRequest"),
        (
            {"external_gateway_info": {"network_id": NET, "external_fixed_ips": [{"ip": "x"}]}},
            "HTTPBadRequest",
        ),
        ({"routes": {}}, "HTTPBadRequest"),
        ({"routes": [{"destination": "10.9.0.0/16"}]}, "HTTPBadRequest"),
        ({"routes": [{**HOP, "more": 1}]}, "HTTPBadRequest"),
        ({"routes": [{**HOP, "nexthop": "10.0.0.0/8"}]}, "HTTPBadRequest"),
        ({"routes": [{**HOP, "destination": "10.9.0.1"}]}, "HTTPBadRequest"),
        ({"routes": [HOP, {**HOP, "destination": "10.9.0.1/16"}]}, "HTTPBadRequest"),
        (
            {
                "routes": [
                    {"destination": f"10.9.{number}.0/24", "nexthop": "10.0.0.9"}
                    for number in range(31)
                ]
            },
            "RoutesExhausted",
        ),
    ],
)
def test_read_refused(given: dict[str, Any], error_type: str) -> None:
    """What a router cannot be is refused with the attribute's name."""
    with pytest.raises(BadRequest) as refused:
        read({"router": given})

    assert error_type == refused.value.error_type
    assert next(iter(given)) in refused.value.message


@pytest.mark.parametrize(
    ("reader", "body", "expected"),
    [
        (read_new_interface, {"subnet_id": SUBNET}, {"subnet_id": SUBNET}),
        (read_new_interface, {"port_id": NET}, {"port_id": NET}),
        (read_interface, {"port_id": NET, "subnet_id": SUBNET}, None),
        (read_extra_routes, {"router": {"routes": [HOP]}}, {"routes": [HOP]}),
    ],
)
def test_actions(reader: Any, body: Any, expected: Any) -> None:
    """Interfaces have bare bodies, extra routes those of a router."""
    assert (expected or body) == read(body, reader)


@pytest.mark.parametrize(
    ("reader", "body", "error_type"),
    [
        (read_new_interface, {"port_id": NET, "subnet_id": SUBNET}, "BadRequest"),
        (read_new_interface, {}, "BadRequest"),
        (read_interface, {}, "BadRequest"),
        (read_interface, [], "HTTPBadRequest"),
        (read_interface, None, "HTTPBadRequest"),
        (read_interface, {"port_id": None}, "HTTPBadRequest"),
        (read_interface, {"subnet_id": "x"}, "HTTPBadRequest"),
        (read_interface, {"subnet_id": SUBNET, "more": 1}, "HTTPBadRequest"),
        (read_interface, {"router": {"subnet_id": SUBNET}}, "HTTPBadRequest"),
        (read_extra_routes, {"routes": [HOP]}, "HTTPBadRequest"),
        (read_extra_routes, {"router": {}}, "HTTPBadRequest"),
        (read_extra_routes, {"router": {"routes": [HOP], "name": "x"}}, "HTTPBadRequest"),
        (read_extra_routes, {"router": {"routes": [{}]}}, "HTTPBadRequest"),
    ],
)
def test_actions_refused(reader: Any, body: Any, error_type: str) -> None:
    """A body that an action cannot have is refused."""
    with pytest.raises(BadRequest) as refused:
        read(body, reader)

    assert error_type == refused.value.error_type


def test_damaged_gateway() -> None:
    """A gateway whose addresses nobody can read is shown without any."""
    rows = with_rows(CONNECTED, *outside("nonsense", "x/y"))

    assert {**GATEWAY, "external_fixed_ips": []} == shown(*rows)["external_gateway_info"]
    assert shown(*ROUTED)["external_gateway_info"] is None
