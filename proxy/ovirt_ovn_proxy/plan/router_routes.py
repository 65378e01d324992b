# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Static routes that a router's user gives: Logical_Router_Static_Route rows. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn, cast

from ..errors import BadRequest
from ..nb.rows import Router, RouterPort, StaticRoute
from ..wire.router import MOST_ROUTES
from ..wire.router_sides import Route, connected, route_of, routes_of
from .draft import Draft
from .router_state import DEFAULT_ROUTE


def read_routes(given: Iterable[Mapping[str, str]]) -> list[Route]:
    """Return routes from their JSON form."""
    return [Route(route["destination"], route["nexthop"]) for route in given]


def shown_routes(draft: Draft, router: Router) -> list[Route]:
    """Return the routes that a router's user sees."""
    return [route_of(row) for row in routes_of(router, draft)]


def replace_routes(draft: Draft, router: Router, wanted: Sequence[Route]) -> None:
    """Plan a router with exactly these routes; raises BadRequest for more than it can have."""
    if len(wanted) > MOST_ROUTES:
        raise BadRequest(
            "RoutesExhausted",
            f"Unable to complete operation for {router.uuid}. The number of routes exceeds "
            f"the maximum {MOST_ROUTES}.",
        )
    missing = set(wanted)
    for row in routes_of(router, draft):
        route = route_of(row)
        if route in missing:
            missing.remove(route)
        else:
            draft.delete_from(router, "static_routes", row)
    for destination, nexthop in sorted(missing):
        uuid = draft.context.row_uuid(f"{router.uuid}/route/{destination}/{nexthop}")
        row = StaticRoute.new(uuid, ip_prefix=destination, nexthop=nexthop)
        draft.insert_into(router, "static_routes", row)


def check_routes(draft: Draft, router: Router) -> None:
    """Refuse routes whose next hop the router could not reach, or is itself.

    Routes of the view that were no better before are left alone.
    """
    old = draft.view.router(router.uuid)
    before = _Reach(draft.view.router_ports(old)) if old is not None else None
    kept = set(map(route_of, routes_of(old, draft.view))) if old else set()
    after = _Reach(cast("list[RouterPort]", draft.children(router, "ports")))
    for route in shown_routes(draft, router):
        reason = after.objection(route)
        if reason and (route not in kept or before is None or not before.objection(route)):
            _refuse(route, reason)


def drop_inherited_default(draft: Draft, router: Router, gateway_ips: Iterable[str]) -> None:
    """Plan a router without the default routes that came with its gateway.

    ovirt-provider-ovn makes them like any other route, with the gateway of the external
    subnet as next hop, and takes them away with the router's gateway.
    """
    came_with_it = set(gateway_ips)
    for row in routes_of(router, draft):
        if row.ip_prefix in DEFAULT_ROUTE.values() and row.nexthop in came_with_it:
            draft.delete_from(router, "static_routes", row)


class _Reach:
    """What a router reaches directly through its ports."""

    def __init__(self, router_ports: Iterable[RouterPort]) -> None:
        self._addresses = connected(router_ports)

    def objection(self, route: Route) -> str | None:
        """Return why a route cannot work, None if it can."""
        try:
            hop = ipaddress.ip_address(route.nexthop)
            version = ipaddress.ip_network(route.destination, strict=False).version
        except ValueError:
            return "it is malformed"
        if hop.version != version:
            return "destination and nexthop are of different IP versions"
        if not any(hop in address.network for address in self._addresses):
            return "the nexthop is not connected with router"
        if any(hop == address.ip for address in self._addresses):
            return "the nexthop is used by router"
        return None


def _refuse(route: Route, reason: str) -> NoReturn:
    raise BadRequest(
        "InvalidRoutes",
        f"Invalid format for routes: {route.destination} via {route.nexthop}, {reason}.",
    )
