# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Other addresses for a router's port, asked for by the port itself. Pure."""

from __future__ import annotations

from ..errors import BadRequest
from ..nb.rows import SwitchPort
from ..wire.router import bad_router, has_snat
from ..wire.router_sides import Side, gateway_of
from .draft import Draft
from .router_gateway import change_gateway
from .router_interface import Entries, readdress_interface
from .router_routes import check_routes
from .router_state import count_change


def readdress_router_port(draft: Draft, port: SwitchPort, wanted: Entries) -> None:
    """Plan an interface or an external gateway with what `fixed_ips` entries name."""
    row = draft.router_port_of(port)
    router = draft.router(draft.owner(row) or "") if row is not None else None
    network_id = draft.owner(port)
    if row is None or router is None or network_id is None:
        raise BadRequest("BadRequest", f"Bad port request: port {port.name} has no router here.")
    gateway = gateway_of(router, draft)
    if gateway is None or gateway.port.name != port.name:
        readdress_interface(draft, router, Side(row, port, network_id), wanted)
    elif wanted:
        info = {
            "network_id": network_id,
            "enable_snat": has_snat(router),
            "external_fixed_ips": wanted,
        }
        change_gateway(draft, router, info, "port")
        check_routes(draft, router)
    else:
        raise bad_router("An external gateway must have at least one fixed IP")
    if row.difference(draft.current(row)):
        count_change(draft, router)
