# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for routers and their static routes, by their operations."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_proxy.errors import ApiError, BadRequest, Conflict
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.rows import Router, Row, StaticRoute
from unit.proxy.plans import (
    CREATED,
    LATER,
    NET,
    PORT,
    SUBNET,
    a_network,
    a_port,
    a_subnet,
    act,
    assert_answered,
    changes,
    counted,
    delete,
    post,
    put,
    row_id,
    row_uuid,
    rows_after,
    traces,
    view_of,
)
from unit.proxy.routed import (
    CONNECTED,
    DEFAULT_ROUTE,
    EXT,
    EXT_SUBNET,
    INSIDE,
    INSIDE_LRP,
    OUTSIDE,
    OUTSIDE_LRP,
    ROUTE,
    ROUTED,
    ROUTER,
    a_router,
    an_external_network,
    inside,
    outside,
    with_rows,
)

STAMP = {keys.CREATED_AT: LATER, keys.UPDATED_AT: LATER, keys.REVISION: "1"}
CHANGED = {**CREATED, keys.UPDATED_AT: LATER, keys.REVISION: "2"}
NEW = row_uuid("router/0")
HOP = {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}
HOP2 = {"destination": "10.8.0.0/16", "nexthop": "10.0.0.8"}


def a_route(given: dict[str, str], uuid: str = ROUTE, **columns: Any) -> StaticRoute:
    """Return the row of a route that a user gave."""
    return StaticRoute.new(
        uuid, ip_prefix=given["destination"], nexthop=given["nexthop"], **columns
    )


def route_uuid(given: dict[str, str]) -> str:
    """Return the UUID that a request gives to a new route."""
    return row_uuid(f"{ROUTER}/route/{given['destination']}/{given['nexthop']}")


def locked(*ports: str, routes: tuple[str, ...] = (), **external_ids: str) -> list[Any]:
    """Return the guard that holds a plan to a router as it was."""
    columns = {
        "ports": ports,
        "static_routes": routes,
        "nat": (),
        "external_ids": {**CREATED, **external_ids},
    }
    return [ops.wait_columns(schema.ROUTER, ROUTER, columns)]


def find(rows: list[Row], uuid: str = ROUTER) -> Router:
    """Return the router's row."""
    [row] = [row for row in rows if row.uuid == uuid]
    assert isinstance(row, Router)
    return row


# --- create ---


@pytest.mark.parametrize(
    ("given", "columns", "external_ids"),
    [
        ({}, {"enabled": True}, {}),
        ({"name": "r"}, {"enabled": True, "name": "r"}, {}),
        (
            {"name": "r", "description": "d", "admin_state_up": False},
            {"enabled": False, "name": "r"},
            {keys.DESCRIPTION: "d"},
        ),
        ({"external_gateway_info": None, "routes": None}, {"enabled": True}, {}),
        ({"external_gateway_info": {}, "routes": []}, {"enabled": True}, {}),
    ],
)
def test_create(given: Any, columns: Any, external_ids: dict[str, str]) -> None:
    """A new router is one row and contends for nothing; the name is the row's own."""
    plan = post("routers", given)(view_of(*ROUTED))
    expected = {**columns, "external_ids": {**STAMP, **external_ids}}

    assert [ops.insert(schema.ROUTER, NEW, expected)] == plan.operations
    assert_answered(plan, ROUTED, "routers")


def test_create_in_bulk() -> None:
    """Several routers may have gateways on one network, each with an address of its own."""
    gateway = {"external_gateway_info": {"network_id": EXT, "enable_snat": False}}
    plan = post("routers", gateway, {}, gateway)(view_of(*ROUTED))
    infos = [router["external_gateway_info"] for router in plan.answer["routers"]]

    assert [["203.0.113.2"], [], ["203.0.113.3"]] == [
        [entry["ip_address"] for entry in info["external_fixed_ips"]] if info else []
        for info in infos
    ]
    after = assert_answered(plan, ROUTED, "routers")
    [switch] = [row for row in after if row.uuid == EXT]
    assert {"exclude_ips": "203.0.113.2 203.0.113.3"} == switch.other_config  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "routes",
    [
        [{"destination": "10.9.0.0/16", "nexthop": "203.0.113.99"}],
        [{"destination": "0.0.0.0/0", "nexthop": "203.0.113.99"}],
    ],
)
def test_create_with_routes(routes: list[dict[str, str]]) -> None:
    """Routes of a new router go by its gateway, and a default route of the user's wins."""
    given = {"external_gateway_info": {"network_id": EXT}, "routes": routes}
    plan = post("routers", given)(view_of(*ROUTED))

    assert routes == plan.answer["router"]["routes"]
    after = assert_answered(plan, ROUTED, "routers")
    defaults = [
        row.nexthop
        for row in after
        if isinstance(row, StaticRoute) and row.ip_prefix == "0.0.0.0/0"
    ]
    is_default = routes[0]["destination"] == "0.0.0.0/0"
    assert ["203.0.113.99" if is_default else "203.0.113.1"] == defaults


def test_create_with_a_route_to_nowhere() -> None:
    """A router without ports has no next hop."""
    with pytest.raises(BadRequest, match="not connected"):
        post("routers", {"routes": [HOP]})(view_of(*ROUTED))


# --- update ---


@pytest.mark.parametrize(
    ("given", "columns"),
    [
        ({"name": "other"}, {"external_ids": {**CHANGED, keys.ROUTER_NAME: "other"}}),
        ({"description": "d"}, {"external_ids": {**CHANGED, keys.DESCRIPTION: "d"}}),
        ({"admin_state_up": False}, {"enabled": False, "external_ids": CHANGED}),
    ],
)
def test_update(given: Any, columns: Any) -> None:
    """What the user changes is written, with a later revision; the row keeps its name."""
    plan = put("routers", ROUTER, **given)(view_of(*ROUTED))
    old = {**({"enabled": True} if "enabled" in columns else {}), "external_ids": CREATED}

    [guard, change] = plan.operations
    assert ops.wait_columns(schema.ROUTER, ROUTER, old) == guard
    assert ops.update(schema.ROUTER, ROUTER, columns) == change
    assert_answered(plan, ROUTED, "routers")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": "r1"},
        {"admin_state_up": True},
        {"description": ""},
        {"routes": []},
        {"external_gateway_info": None},
    ],
)
def test_update_of_nothing(given: Any) -> None:
    """A PUT of what is there already changes nothing."""
    assert put("routers", ROUTER, **given)(view_of(*ROUTED)).steps == ()


def test_the_first_name_again() -> None:
    """A router that gets the name of its row back needs no key for it."""
    rows = with_rows(ROUTED, a_router(INSIDE_LRP, external_ids={keys.ROUTER_NAME: "x"}))
    plan = put("routers", ROUTER, name="r1")(view_of(*rows))

    assert [ops.update(schema.ROUTER, ROUTER, {"external_ids": CHANGED})] == changes(plan)


def test_an_unset_state_is_up() -> None:
    """A router without `enabled` is up, and stays as it is until it is taken down."""
    rows = with_rows(ROUTED, a_router(INSIDE_LRP, enabled=None))

    assert put("routers", ROUTER, admin_state_up=True)(view_of(*rows)).steps == ()
    down = put("routers", ROUTER, admin_state_up=False)(view_of(*rows))
    assert find(rows_after(rows, down)).enabled is False


# --- routes ---


def test_routes_are_replaced() -> None:
    """A list of routes is what there is afterwards; those that stay are not touched."""
    rows = with_rows(
        ROUTED,
        a_router(INSIDE_LRP, static_routes=(ROUTE, row_id(96))),
        a_route(HOP),
        a_route({"destination": "10.7.0.0/16", "nexthop": "10.0.0.7"}, row_id(96)),
    )
    plan = put("routers", ROUTER, routes=[HOP2, HOP])(view_of(*rows))
    new = route_uuid(HOP2)

    assert [
        *locked(INSIDE_LRP, routes=(ROUTE, row_id(96))),
        ops.wait_columns(schema.ROUTER, ROUTER, {"external_ids": CREATED}),
        ops.wait_exists(schema.ROUTER, ROUTER),
        ops.wait_exists(schema.ROUTE, row_id(96)),
        ops.insert(schema.ROUTE, new, {"ip_prefix": "10.8.0.0/16", "nexthop": "10.0.0.8"}),
        ops.update(schema.ROUTER, ROUTER, {"external_ids": CHANGED}),
        ops.add_to_set(schema.ROUTER, ROUTER, "static_routes", [new]),
        ops.remove_from_set(schema.ROUTER, ROUTER, "static_routes", [row_id(96)]),
        traces(row_id(96)),
    ] == plan.operations
    assert [HOP2, HOP] == plan.answer["router"]["routes"]
    assert_answered(plan, rows, "routers")


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("add_extraroutes", [HOP2], [HOP2, HOP]),
        ("add_extraroutes", [HOP], [HOP]),
        (
            "add_extraroutes",
            [{**HOP, "nexthop": "10.0.0.8"}],
            [{**HOP, "nexthop": "10.0.0.8"}, HOP],
        ),
        ("add_extraroutes", [], [HOP]),
        ("remove_extraroutes", [HOP], []),
        ("remove_extraroutes", [HOP2], [HOP]),
        ("remove_extraroutes", [{**HOP, "nexthop": "10.0.0.8"}], [HOP]),
    ],
)
def test_extra_routes(name: str, given: Any, expected: Any) -> None:
    """Routes come and go one by one; what is there or gone already is no error."""
    rows = with_rows(ROUTED, a_router(INSIDE_LRP, static_routes=(ROUTE,)), a_route(HOP))
    plan = act(name, ROUTER, {"router": {"routes": given}})(view_of(*rows))

    assert expected == plan.answer["router"]["routes"]
    assert (plan.steps == ()) == (expected == [HOP])
    assert_answered(plan, rows, "routers")


def test_a_route_in_another_spelling() -> None:
    """A route that ovirt-provider-ovn has kept with host bits is the same one without them."""
    written = a_route({**HOP, "destination": HOP["destination"].replace(".0/", ".5/")})
    rows = with_rows(ROUTED, a_router(INSIDE_LRP, static_routes=(ROUTE,)), written)
    same = put("routers", ROUTER, routes=[HOP])(view_of(*rows))
    gone = act("remove_extraroutes", ROUTER, {"router": {"routes": [HOP]}})(view_of(*rows))

    assert written.ip_prefix != HOP["destination"]
    assert ((), [HOP]) == (same.steps, same.answer["router"]["routes"])
    assert [] == gone.answer["router"]["routes"]
    assert_answered(gone, rows, "routers")


@pytest.mark.parametrize(
    ("destination", "nexthop"),
    [
        ("10.9.0.0/16", "192.0.2.1"),
        ("10.9.0.0/16", "10.0.0.1"),
        ("10.9.0.0/16", "203.0.113.2"),
        ("fd09::/64", "10.0.0.9"),
        ("10.9.0.0/16", "fd00::9"),
        ("fd09::/64", "fd00::9"),
    ],
)
def test_invalid_routes(destination: str, nexthop: str) -> None:
    """A next hop is another one's address on a network of the router."""
    with pytest.raises(BadRequest) as refused:
        put("routers", ROUTER, routes=[{"destination": destination, "nexthop": nexthop}])(
            view_of(*CONNECTED)
        )

    assert "InvalidRoutes" == refused.value.error_type
    assert nexthop in refused.value.message


def test_ipv6_routes() -> None:
    """A route of IPv6 goes by an IPv6 address of the router."""
    hop = {"destination": "fd09::/64", "nexthop": "fd00::9"}
    rows = with_rows(ROUTED, *inside("10.0.0.1/24", "fd00::/64"))
    plan = put("routers", ROUTER, routes=[hop])(view_of(*rows))

    assert [hop] == plan.answer["router"]["routes"]
    assert_answered(plan, rows, "routers")


def test_a_route_that_never_worked_stays() -> None:
    """A route of the site that leads nowhere is no reason to refuse another one."""
    lost = {"destination": "10.7.0.0/16", "nexthop": "192.0.2.1"}
    rows = with_rows(ROUTED, a_router(INSIDE_LRP, static_routes=(ROUTE,)), a_route(lost))
    plan = put("routers", ROUTER, routes=[lost, HOP])(view_of(*rows))

    assert [lost, HOP] == plan.answer["router"]["routes"]


def test_too_many_routes() -> None:
    """A router has thirty routes at the most, however they come."""
    routes = [{"destination": f"10.9.{number}.0/24", "nexthop": "10.0.0.9"} for number in range(30)]
    rows = rows_after(ROUTED, put("routers", ROUTER, routes=routes)(view_of(*ROUTED)))

    with pytest.raises(BadRequest) as refused:
        act("add_extraroutes", ROUTER, {"router": {"routes": [HOP]}})(view_of(*rows))

    assert "RoutesExhausted" == refused.value.error_type


def test_default_route_of_the_users() -> None:
    """A default route of the user's takes the place of the gateway's, and gives it back."""
    mine = {"destination": "0.0.0.0/0", "nexthop": "10.0.0.9"}
    with_mine = put("routers", ROUTER, routes=[mine])(view_of(*CONNECTED))
    rows = assert_answered(with_mine, CONNECTED, "routers")
    router = find(rows)

    assert (route_uuid(mine),) == router.static_routes
    without = put("routers", ROUTER, routes=[])(view_of(*rows))
    [left] = [row for row in rows_after(rows, without) if isinstance(row, StaticRoute)]
    assert ("0.0.0.0/0", "203.0.113.1") == (left.ip_prefix, left.nexthop)
    assert keys.GATEWAY_ROUTE in left.external_ids
    assert without.answer["router"]["routes"] == []


def test_routes_of_the_peers_gateway() -> None:
    """The default route of a gateway that ovirt-provider-ovn made is like any other route.

    Taken out of the list, it comes back as the gateway's own: a client that never saw
    it cannot cut the router off.
    """
    rows = with_rows(
        CONNECTED,
        a_router(
            INSIDE_LRP,
            OUTSIDE_LRP,
            static_routes=(ROUTE,),
            external_ids={keys.ROUTER_GATEWAY: OUTSIDE},
        ),
        a_route({"destination": "0.0.0.0/0", "nexthop": "203.0.113.1"}, policy="dst-ip"),
        *outside(),
    )
    rows = tuple(row for row in rows if row.uuid != DEFAULT_ROUTE)
    same = put("routers", ROUTER, name="r1")(view_of(*rows))
    plan = put("routers", ROUTER, routes=[HOP])(view_of(*rows))

    assert same.steps == ()
    assert [HOP] == plan.answer["router"]["routes"]
    routes = [row for row in rows_after(rows, plan) if isinstance(row, StaticRoute)]
    assert {("0.0.0.0/0", True), ("10.9.0.0/16", False)} == {
        (row.ip_prefix, keys.GATEWAY_ROUTE in row.external_ids) for row in routes
    }


# --- delete ---


def test_delete() -> None:
    """A router without ports goes, if nobody has given it any since."""
    rows = with_rows(ROUTED, a_router())
    rows = tuple(row for row in rows if row.uuid not in (INSIDE, INSIDE_LRP))
    plan = delete("routers", ROUTER)(view_of(*rows))

    assert [
        *locked(),
        ops.wait_exists(schema.ROUTER, ROUTER),
        ops.delete(schema.ROUTER, ROUTER),
        traces(ROUTER),
    ] == plan.operations


def test_delete_with_gateway() -> None:
    """A gateway goes with its router, and its address can be given out again."""
    ids = {keys.ROUTER_GATEWAY: OUTSIDE}
    rows = with_rows(
        CONNECTED, a_router(OUTSIDE_LRP, static_routes=(DEFAULT_ROUTE,), external_ids=ids)
    )
    rows = tuple(row for row in rows if row.uuid not in (INSIDE, INSIDE_LRP))
    plan = delete("routers", ROUTER)(view_of(*rows))
    after = rows_after(rows, plan)

    assert not {ROUTER, OUTSIDE, OUTSIDE_LRP, DEFAULT_ROUTE} & {row.uuid for row in after}
    [switch] = [row for row in after if row.uuid == EXT]
    assert switch.other_config == {}  # type: ignore[attr-defined]
    assert locked(OUTSIDE_LRP, routes=(DEFAULT_ROUTE,), **ids)[0] in plan.operations
    assert plan.is_done(view_of(*after))


@pytest.mark.parametrize("rows", [ROUTED, CONNECTED])
def test_delete_in_use(rows: tuple[Row, ...]) -> None:
    """A router with an interface stays."""
    with pytest.raises(Conflict) as refused:
        delete("routers", ROUTER)(view_of(*rows))

    assert "RouterInUse" == refused.value.error_type


def test_delete_with_a_port_of_another_hand() -> None:
    """A port that somebody gave a router by hand keeps it."""
    _, stranger = inside()
    rows = (a_router(INSIDE_LRP), stranger.copy(name="hand-made"))

    with pytest.raises(Conflict, match="hand-made"):
        delete("routers", ROUTER)(view_of(*rows))


# --- networks and subnets around routers ---


@pytest.mark.parametrize(
    ("request_of", "error_type"),
    [
        (delete("networks", EXT), "NetworkInUse"),
        (delete("subnets", EXT_SUBNET), "SubnetInUse"),
        (delete("subnets", SUBNET), "SubnetInUse"),
        (delete("ports", OUTSIDE), "ServicePortInUse"),
        (delete("ports", INSIDE), "ServicePortInUse"),
        (put("networks", EXT, **{"router:external": False}), "ExternalNetworkInUse"),
        (put("subnets", SUBNET, gateway_ip="10.0.0.254", allocation_pools=[]), "GatewayIpInUse"),
    ],
)
def test_in_use(request_of: Any, error_type: str) -> None:
    """What a router needs is neither deleted nor changed from under it."""
    with pytest.raises(Conflict) as refused:
        request_of(view_of(*CONNECTED))

    assert error_type == refused.value.error_type


def test_an_unused_external_network_becomes_internal() -> None:
    """A network without gateways stops being external behind its counter."""
    rows = (counted(EXT), an_external_network())
    plan = put("networks", EXT, **{"router:external": False})(view_of(*rows))
    guard = ops.wait_key(schema.NB_GLOBAL, row_id(1), "external_ids", keys.SEQUENCE + EXT, "7")

    assert guard in plan.operations
    assert_answered(plan, rows, "networks")


@pytest.mark.parametrize(
    ("values", "is_allowed"),
    [
        ({"name": "n", "description": "d", "admin_state_up": False}, True),
        ({"device_id": ROUTER, "device_owner": "network:router_interface"}, True),
        ({"fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.0.0.1"}]}, True),
        ({"binding:host_id": "", "security_groups": []}, True),
        ({"binding:host_id": None, "security_groups": None, "binding:profile": None}, True),
        ({"allowed_address_pairs": None, "extra_dhcp_opts": None}, True),
        # The rest of what a port's addresses can become is in test_router_addresses.py.
        ({"fixed_ips": [{"ip_address": "10.0.0.9"}], "name": "n"}, True),
        ({"mac_address": "02:00:00:00:00:99"}, False),
        ({"device_id": ""}, False),
        ({"device_owner": ""}, False),
        ({"port_security_enabled": True}, False),
        ({"binding:host_id": "hv1"}, False),
        ({"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]}, False),
        ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}]}, False),
    ],
)
def test_a_port_of_a_router(values: Any, is_allowed: bool) -> None:
    """Of a router's port a PUT changes names, state and addresses, and nothing else."""
    make = put("ports", INSIDE, **values)
    if is_allowed:
        assert_answered(make(view_of(*ROUTED)), ROUTED, "ports")
        return
    with pytest.raises(ApiError) as refused:
        make(view_of(*ROUTED))

    assert (400, "BadRequest") == (refused.value.status, refused.value.error_type)
    assert next(iter(values)) in refused.value.message


def test_other_ports_are_free() -> None:
    """A VM's port may name a router as its device; that makes it no port of the router."""
    ids = {keys.DEVICE_ID: ROUTER, keys.DEVICE_OWNER: "network:router_interface"}
    rows = (counted(NET), a_network(PORT), a_subnet(), a_router(), a_port(external_ids=ids))

    assert delete("ports", PORT)(view_of(*rows)).steps
    assert delete("routers", ROUTER)(view_of(*rows)).steps
