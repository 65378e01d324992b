# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where external gateways are: the site's group of chassis, an HA_Chassis_Group.

Pure. OVN does NAT on the one chassis that a gateway port is placed on (ovn-nb(5),
"Logical_Router_Port: ha_chassis_group"); one that is not placed routes on every
chassis, without NAT, which is what ovirt-provider-ovn makes.
"""

from __future__ import annotations

from typing import cast

from ..nb import keys
from ..nb.rows import HaChassis, HaChassisGroup, Router
from ..wire.router_sides import Side
from .common import created
from .draft import Draft


def is_placed(side: Side) -> bool:
    """Say whether a gateway port is on a chassis."""
    return bool(side.router_port.ha_chassis_group or side.router_port.gateway_chassis)


def place(draft: Draft, router: Router, gateway: Side) -> bool:
    """Plan a gateway on the site's chassis, unless it is on some; False if the site names none.

    A gateway that is placed announces the addresses of its router's NAT. A router that
    somebody has put on a chassis as a whole, by hand, does NAT there.
    """
    if "chassis" in router.options:
        return True
    group = _group(draft)
    router_port, port = draft.current(gateway.router_port), draft.current(gateway.port)
    if not is_placed(Side(router_port, port, gateway.network_id)):
        if group is None:
            return False
        draft.update(router_port.copy(ha_chassis_group=group.uuid))
        draft.update(port.copy(options={**port.options, "nat-addresses": "router"}))
    return True


def _group(draft: Draft) -> HaChassisGroup | None:
    """Return the site's group, planned to have the chassis that the configuration names.

    One that an administrator made, and one where the configuration names no chassis,
    is used as it is.
    """
    config = draft.context.config
    uuid = draft.context.row_uuid("chassis group")
    row = draft.view.chassis_group(config.gateway_chassis_group) or draft.inserted(uuid)
    group = cast("HaChassisGroup | None", row)
    wanted = {
        name: priority for priority, name in enumerate(reversed(config.gateway_chassis), start=1)
    }
    if group is None:
        if not wanted:
            return None
        group = HaChassisGroup.new(
            uuid, name=config.gateway_chassis_group, external_ids=created({}, draft.context)
        )
        draft.insert(group)
    elif not wanted or keys.CREATED_AT not in group.external_ids:
        return group  # the server lets no gateway refer to one that is gone
    for row in cast("list[HaChassis]", draft.children(group, "ha_chassis")):
        if wanted.get(row.chassis_name) == row.priority:
            del wanted[row.chassis_name]
        else:
            draft.delete_from(group, "ha_chassis", row)
    for name, priority in wanted.items():
        row = HaChassis.new(
            draft.context.row_uuid(f"chassis {name}"), chassis_name=name, priority=priority
        )
        draft.insert_into(group, "ha_chassis", row)
    draft.rest_on(group, "ha_chassis")
    return group
