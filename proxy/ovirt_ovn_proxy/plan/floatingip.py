# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planners for floating IPs: Logical_Switch_Port rows on external networks. Pure.

The row holds the address, associated or not: OVN keeps NAT rows with a router alone.
It has no `addresses`, so that its switch does not answer for the address: the router does.
"""

from __future__ import annotations

from typing import Any

from ..nb import keys
from ..nb.rows import SwitchPort
from ..wire.attributes import Values
from ..wire.floatingip import bad_floating_ip, encode_floating_ip
from ..wire.network import is_external, is_up
from ..wire.port import FLOATING_IP_OWNER
from .addresses import Allocator, make_mac, release, reserve
from .common import created, network, put, updated
from .draft import Draft
from .floating_nat import associate, dissociate
from .port_row import with_asked_state


def create(draft: Draft, values: Values, label: str) -> dict[str, Any]:
    """Plan a new floating IP; returns its JSON form."""
    switch = draft.network(values["floating_network_id"])
    if switch is None or not is_external(switch):
        raise bad_floating_ip(
            f"Network {values['floating_network_id']} is not a valid external network"
        )
    _check(values)
    mac = make_mac(draft, switch, label)
    allocator = Allocator(draft, switch, mac)
    ip = allocator.floating(values.get("subnet_id"), values.get("floating_ip_address"))
    uuid = draft.context.row_uuid(f"{label}/port")
    row = SwitchPort.new(
        uuid,
        name=uuid,
        external_ids={
            **created(values, draft.context),
            keys.NIC_NAME: "",
            keys.DEVICE_ID: draft.context.row_uuid(label),
            keys.DEVICE_OWNER: FLOATING_IP_OWNER,
            keys.FLOATING_ADDRESS: ip,
            keys.FLOATING_MAC: mac,
        },
    )
    draft.insert_into(switch, "ports", with_asked_state(row, True, is_up(switch)))
    draft.advance(switch.uuid)
    reserve(draft, switch, [ip])
    if values.get("port_id") is not None:
        associate(draft, draft.current(row), values["port_id"], values.get("fixed_ip_address"))
    return _encode(draft, row)


def update(draft: Draft, row: SwitchPort, values: Values) -> dict[str, Any]:
    """Plan a change of a floating IP; returns its JSON form.

    Null for `port_id`, and a body that says nothing at all, end its association.
    """
    before = encode_floating_ip(row, draft.view, draft.context.config)
    _check(values)
    if values.get("port_id") is not None:
        associate(draft, row, values["port_id"], values.get("fixed_ip_address"))
    elif "port_id" in values or not values:
        dissociate(draft, row)
    if "description" in values:
        wanted = draft.current(row)
        external_ids = dict(wanted.external_ids)
        put(external_ids, keys.DESCRIPTION, values["description"], "")
        draft.update(wanted.copy(external_ids=external_ids))
    if _encode(draft, row) != before:
        wanted = draft.current(row)
        draft.update(wanted.copy(external_ids=updated(wanted.external_ids, draft.context)))
    return _encode(draft, row)


def delete(draft: Draft, row: SwitchPort) -> None:
    """Plan the end of a floating IP, and of its association."""
    switch = network(draft, draft.owner(row) or "")
    # Who associates it meanwhile would leave a rule behind.
    draft.rest_on(row, "external_ids")
    dissociate(draft, row)
    release(draft, switch, [row.external_ids.get(keys.FLOATING_ADDRESS, "")])
    draft.delete_from(switch, "ports", row)


def _check(values: Values) -> None:
    if values.get("fixed_ip_address") is not None and values.get("port_id") is None:
        raise bad_floating_ip("fixed_ip_address cannot be specified without a port_id")


def _encode(draft: Draft, row: SwitchPort) -> dict[str, Any]:
    return encode_floating_ip(draft.current(row), draft, draft.context.config)
