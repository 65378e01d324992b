# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planners for routers: Logical_Router rows with their routes and external gateways. Pure."""

from __future__ import annotations

from typing import Any

from ..errors import Conflict
from ..nb import keys
from ..nb.rows import Router, RouterPort
from ..wire.attributes import Values
from ..wire.router import encode_router
from ..wire.router_sides import gateway_of
from .common import created, put
from .draft import Draft
from .router_gateway import change_gateway, remove_gateway
from .router_routes import check_routes, read_routes, replace_routes, shown_routes
from .router_state import count_change, lock, refresh_routes


def create(draft: Draft, values: Values, label: str) -> dict[str, Any]:
    """Plan a new router; returns its JSON form."""
    router = Router.new(
        draft.context.row_uuid(label),
        name=values["name"],
        enabled=values["admin_state_up"],
        external_ids=created(values, draft.context),
    )
    draft.insert(router)
    _connect(draft, router, values, label)
    return _encode(draft, router)


def update(draft: Draft, router: Router, values: Values) -> dict[str, Any]:
    """Plan a change of a router; returns its JSON form."""
    before = encode_router(router, draft.view, draft.context.config)
    external_ids = dict(router.external_ids)
    if "name" in values:
        # The row's own name stays: other clients index it and lose a renamed row.
        put(external_ids, keys.ROUTER_NAME, values["name"], router.name)
    if "description" in values:
        put(external_ids, keys.DESCRIPTION, values["description"], "")
    enabled = router.enabled
    if values.get("admin_state_up", enabled is not False) != (enabled is not False):
        enabled = values["admin_state_up"]
    draft.update(router.copy(external_ids=external_ids, enabled=enabled))
    _connect(draft, router, values, "router")
    if encode_router(draft.current(router), draft, draft.context.config) != before:
        count_change(draft, router)
    return _encode(draft, router)


def delete(draft: Draft, router: Router) -> None:
    """Plan the end of a router; refused while it has interfaces, but not for its gateway."""
    lock(draft, router)
    gateway = gateway_of(router, draft)
    others = [
        row.name
        for row in draft.children(router, "ports")
        if isinstance(row, RouterPort) and (gateway is None or row.uuid != gateway.router_port.uuid)
    ]
    if others:
        raise Conflict(
            "RouterInUse",
            f"Router {router.uuid} is still in use: has ports still attached: {', '.join(others)}.",
        )
    if gateway is not None:
        remove_gateway(draft, router, gateway)
    draft.delete(router)


def add_routes(draft: Draft, router: Router, values: Values) -> dict[str, Any]:
    """Plan static routes more (extension extraroute-atomic); those there already stay."""
    given = values["routes"]
    present = [route._asdict() for route in shown_routes(draft, router)]
    wanted = [*present, *(route for route in given if route not in present)]
    return {"router": update(draft, router, {"routes": wanted})}


def remove_routes(draft: Draft, router: Router, values: Values) -> dict[str, Any]:
    """Plan static routes less; those that are not there are no error."""
    given = values["routes"]
    present = [route._asdict() for route in shown_routes(draft, router)]
    return {"router": update(draft, router, {"routes": [r for r in present if r not in given]})}


def _connect(draft: Draft, router: Router, values: Values, label: str) -> None:
    """Plan gateway and routes, as far as they are given; checked when both are as wanted."""
    if "external_gateway_info" in values:
        change_gateway(draft, router, values["external_gateway_info"], label)
    if "routes" in values:
        replace_routes(draft, router, read_routes(values["routes"]))
    if {"external_gateway_info", "routes"} & set(values):
        refresh_routes(draft, router)
        check_routes(draft, router)


def _encode(draft: Draft, router: Router) -> dict[str, Any]:
    return encode_router(draft.current(router), draft, draft.context.config)
