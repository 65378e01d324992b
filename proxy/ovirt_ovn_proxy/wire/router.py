# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Routers: their attributes and actions, and Logical_Router rows as JSON.

Pure. Source: Networking API v2.0 "Routers", with the extensions ext-gw-mode,
extraroute and extraroute-atomic.
"""

from __future__ import annotations

from typing import Any

from ..config import Config
from ..errors import BadRequest
from ..nb import keys
from ..nb.rows import Router
from . import readers
from .attributes import STANDARD, Attribute, AttributeTable, Values, read_json
from .common import Lookup, standard
from .port import fixed_ips, read_fixed_ips
from .router_sides import gateway_of, route_of, routes_of
from .subnet import ranges_of

MOST_ROUTES = 30

_GATEWAY = readers.record(
    {
        "network_id": readers.identifier,
        "enable_snat": readers.boolean,
        "external_fixed_ips": read_fixed_ips,
    },
    ("network_id",),
)
_ROUTES = readers.routes(MOST_ROUTES, "RoutesExhausted")


def _gateway(field: str, value: Any) -> dict[str, Any] | None:
    """Read an external gateway; an empty object is none."""
    read: dict[str, Any] | None = _GATEWAY(field, value) if value != {} else None
    return read


def _routes(field: str, value: Any) -> list[dict[str, str]]:
    """Read static routes; none is given twice."""
    routes: list[dict[str, str]] = _ROUTES(field, value)
    for route in routes:
        if routes.count(route) > 1:
            readers.invalid(field, route, "is there twice")
    return routes


ROUTER = AttributeTable(
    "router",
    "routers",
    (
        *STANDARD,
        Attribute(
            "admin_state_up", readers.boolean, default=True, is_filter=True, is_sortable=True
        ),
        Attribute("status", readers.text(), post=False, put=False, is_sortable=True),
        Attribute("external_gateway_info", _gateway, null=None),
        Attribute("routes", _routes, default=(), null=()),
        Attribute("availability_zone_hints", readers.list_of(readers.text(), limit=0), put=False),
        Attribute("availability_zones", readers.list_of(readers.text()), post=False, put=False),
    ),
)

_INTERFACE = readers.record({"subnet_id": readers.identifier, "port_id": readers.identifier})


def read_new_interface(body: bytes) -> Values:
    """Read the body of add_router_interface: a subnet or a port."""
    values = read_interface(body)
    if len(values) > 1:
        raise bad_router("Cannot specify both subnet-id and port-id")
    return values


def read_interface(body: bytes) -> Values:
    """Read the body of remove_router_interface: a subnet, a port or both."""
    values: Values = _INTERFACE("interface", read_json(body))
    if not values:
        raise bad_router("Either subnet_id or port_id must be specified")
    return values


def read_extra_routes(body: bytes) -> Values:
    """Read the body of add_extraroutes and remove_extraroutes: a router with routes alone."""
    values = ROUTER.read_put(body)
    if set(values) != {"routes"}:
        raise BadRequest("HTTPBadRequest", "The router must have one key, 'routes'.")
    return values


def bad_router(reason: str) -> BadRequest:
    """Return the error for a request that a router's state or rules forbid."""
    return BadRequest("BadRequest", f"Bad router request: {reason}.")


def router_name(router: Router) -> str:
    """Return the user's name of a router; the row's own name never changes."""
    return router.external_ids.get(keys.ROUTER_NAME, router.name)


def has_snat(router: Router) -> bool:
    """Say whether hosts behind the router leave it with the address of its gateway."""
    return router.external_ids.get(keys.ROUTER_SNAT) == "True"


def encode_router(router: Router, lookup: Lookup, config: Config) -> dict[str, Any]:
    """Return a router as JSON values."""
    return {
        "id": router.uuid,
        **standard(router.external_ids, router_name(router), config),
        "admin_state_up": router.enabled is not False,
        "status": "ACTIVE",
        "external_gateway_info": _encode_gateway(router, lookup),
        "routes": [route_of(row)._asdict() for row in routes_of(router, lookup)],
        "availability_zone_hints": [],
        "availability_zones": [],
    }


def _encode_gateway(router: Router, lookup: Lookup) -> dict[str, Any] | None:
    gateway = gateway_of(router, lookup)
    if gateway is None:
        return None
    ranges = ranges_of(lookup.subnets_of(gateway.network_id))
    return {
        "network_id": gateway.network_id,
        "enable_snat": has_snat(router),
        "external_fixed_ips": fixed_ips(lookup.addressing(gateway.port), ranges),
    }
