# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Floating IPs: their attributes, and the Logical_Switch_Port rows that hold them as JSON.

Pure. Source: Networking API v2.0 "Floating IPs", with the extension fip-port-details.
"""

from __future__ import annotations

from typing import Any

from ..config import Config
from ..errors import BadRequest
from ..nb import keys
from ..nb.rows import SwitchPort
from . import readers
from .attributes import STANDARD, Attribute, AttributeTable
from .common import Lookup, standard
from .port import encode_port

_DETAILS = (
    "name",
    "network_id",
    "mac_address",
    "admin_state_up",
    "status",
    "device_id",
    "device_owner",
)


def _ipv4(field: str, value: Any) -> str:
    """Read an IPv4 address."""
    read = readers.address(field, value)
    if ":" in read:
        readers.invalid(field, value, "is not an IPv4 address")
    return read


FLOATING_IP = AttributeTable(
    "floatingip",
    "floatingips",
    (
        *(attribute for attribute in STANDARD if attribute.name != "name"),
        Attribute(
            "floating_network_id",
            readers.identifier,
            put=False,
            required=True,
            is_filter=True,
            is_sortable=True,
        ),
        Attribute(
            "floating_ip_address", _ipv4, put=False, null=None, is_filter=True, is_sortable=True
        ),
        Attribute("subnet_id", readers.identifier, put=False, null=None),
        Attribute("port_id", readers.identifier, null=None, is_filter=True),
        Attribute("fixed_ip_address", _ipv4, null=None, is_filter=True, is_sortable=True),
        Attribute(
            "router_id",
            readers.identifier,
            post=False,
            put=False,
            is_filter=True,
            is_sortable=True,
        ),
        Attribute(
            "status", readers.text(), post=False, put=False, is_filter=True, is_sortable=True
        ),
        Attribute("port_details", readers.flat_object, post=False, put=False),
    ),
)


def bad_floating_ip(reason: str) -> BadRequest:
    """Return the error for a request that the rules of floating IPs forbid."""
    return BadRequest("BadRequest", f"Bad floatingip request: {reason}.")


def floating_ip_id(row: SwitchPort) -> str:
    """Return the id of the floating IP that a port holds."""
    return row.external_ids.get(keys.DEVICE_ID, "")


def encode_floating_ip(row: SwitchPort, lookup: Lookup, config: Config) -> dict[str, Any]:
    """Return a floating IP as JSON values.

    One whose port or router is gone by another hand shows as associated with nothing.
    """
    external_ids = row.external_ids
    port = lookup.port(external_ids.get(keys.FLOATING_PORT, ""))
    router = lookup.router(external_ids.get(keys.FLOATING_ROUTER, ""))
    shown = standard(external_ids, "", config)
    del shown["name"]
    floating_ip = {
        "id": floating_ip_id(row),
        **shown,
        "floating_network_id": lookup.owner(row),
        "floating_ip_address": external_ids.get(keys.FLOATING_ADDRESS),
        "port_id": None,
        "fixed_ip_address": None,
        "router_id": None,
        "status": "DOWN",
        "port_details": None,
    }
    if port is not None and router is not None:
        floating_ip["port_id"] = port.name
        floating_ip["fixed_ip_address"] = external_ids.get(keys.FLOATING_FIXED)
        floating_ip["router_id"] = router.uuid
        floating_ip["status"] = "ACTIVE"
        network_id = lookup.owner(port) or ""
        details = encode_port(port, network_id, lookup.addressing(port), (), [], config)
        floating_ip["port_details"] = {name: details[name] for name in _DETAILS}
    return floating_ip
