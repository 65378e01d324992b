# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What changes of networks and subnets mean for the routers on them. Pure."""

from __future__ import annotations

from ..nb.rows import Router, Switch
from ..wire.router_sides import Side, gateway_of, interfaces_of
from ..wire.subnet import Subnet
from .draft import Draft
from .floating_nat import refresh_rules
from .router_ports import mark_gateways
from .router_routes import drop_inherited_default
from .router_state import (
    lock,
    refresh_announcements,
    refresh_router,
    refresh_routes,
    routers_on,
)


def follow_network(draft: Draft, switch: Switch) -> None:
    """Plan what another MTU or physical network means for the routers on a network."""
    for router in routers_on(draft, switch):
        _announce(draft, router, switch)
        refresh_router(draft, router)
        refresh_rules(draft, router)


def follow_subnet(draft: Draft, switch: Switch, old: Subnet, new: Subnet) -> None:
    """Plan what a change of a subnet means for the routers on its network."""
    for router in routers_on(draft, switch):
        lock(draft, router)
        for side in _announce(draft, router, switch):
            mark_gateways(draft, router, side, is_joined=True)
        gateway = gateway_of(router, draft)
        if old.gateway_ip == new.gateway_ip or gateway is None:
            continue
        if gateway.network_id == switch.uuid:
            if old.gateway_ip is not None:
                drop_inherited_default(draft, router, [old.gateway_ip])
            refresh_routes(draft, router)


def _announce(draft: Draft, router: Router, switch: Switch) -> list[Side]:
    """Plan anew what a router announces on a network; returns its interfaces there."""
    sides = [side for side in interfaces_of(router, draft) if side.network_id == switch.uuid]
    for side in sides:
        refresh_announcements(draft, side)
    return sides
