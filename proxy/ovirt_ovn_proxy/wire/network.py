# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks: their attributes, and Logical_Switch rows as JSON.

Pure. Source: Networking API v2.0 "Networks", with the extensions external-net,
net-mtu-writable, port-security, provider.
"""

from __future__ import annotations

from typing import Any

from ..config import Config
from ..nb import keys
from ..nb.rows import Switch, SwitchPort
from . import readers
from .attributes import STANDARD, Attribute, AttributeTable
from .common import Lookup, integer, standard
from .subnet import ranges_of

NETWORK_TYPE = "provider:network_type"
PHYSICAL_NETWORK = "provider:physical_network"
SEGMENTATION_ID = "provider:segmentation_id"

OVERLAY, FLAT, VLAN = "geneve", "flat", "vlan"

NETWORK = AttributeTable(
    "network",
    "networks",
    (
        *STANDARD,
        Attribute(
            "admin_state_up", readers.boolean, default=True, is_filter=True, is_sortable=True
        ),
        Attribute(
            "status", readers.text(), post=False, put=False, is_filter=True, is_sortable=True
        ),
        Attribute("subnets", readers.list_of(readers.text()), post=False, put=False),
        Attribute("shared", readers.boolean, default=False, is_filter=True),
        Attribute("router:external", readers.boolean, default=False, is_filter=True),
        Attribute("mtu", readers.integer(0, 65535), is_filter=True, is_sortable=True),
        Attribute("port_security_enabled", readers.boolean, is_filter=True),
        Attribute(NETWORK_TYPE, readers.choice(OVERLAY, FLAT, VLAN), null=None, is_filter=True),
        Attribute(PHYSICAL_NETWORK, readers.text(64), null=None, is_filter=True),
        Attribute(SEGMENTATION_ID, readers.integer(1, 4094), null=None, is_filter=True),
        Attribute("availability_zone_hints", readers.list_of(readers.text(), limit=0), put=False),
        Attribute("availability_zones", readers.list_of(readers.text()), post=False, put=False),
    ),
)


def network_name(switch: Switch) -> str:
    """Return the user's name of a network; the row's own name never changes."""
    return switch.external_ids.get(keys.NETWORK_NAME, switch.name)


def is_up(switch: Switch) -> bool:
    """Say whether the network's admin_state_up is true."""
    return switch.external_ids.get(keys.ADMIN_STATE) != "False"


def is_external(switch: Switch) -> bool:
    """Say whether routers may have their external gateways on the network."""
    return switch.external_ids.get(keys.NETWORK_EXTERNAL) == "True"


def has_port_security(switch: Switch, config: Config) -> bool:
    """Say whether new ports of the network get port security."""
    stored = switch.external_ids.get(keys.NETWORK_PORT_SECURITY)
    return config.port_security_enabled_default if stored is None else stored == "True"


def asked_mtu(switch: Switch) -> int | None:
    """Return the MTU that somebody asked for, None if nobody did."""
    return integer(switch.external_ids.get(keys.NETWORK_MTU)) or None


def encode_provider(localnet: SwitchPort | None) -> dict[str, Any]:
    """Return the provider attributes for the network's localnet port (None: overlay)."""
    if localnet is None:
        return {NETWORK_TYPE: OVERLAY, PHYSICAL_NETWORK: None, SEGMENTATION_ID: None}
    # OVN takes no tag and tag 0 alike as untagged.
    tag = localnet.tag or localnet.tag_request or None
    return {
        NETWORK_TYPE: FLAT if tag is None else VLAN,
        PHYSICAL_NETWORK: localnet.options.get("network_name"),
        SEGMENTATION_ID: tag,
    }


def encode_network(
    switch: Switch, lookup: Lookup, config: Config, is_engine: bool
) -> dict[str, Any]:
    """Return a network as JSON values.

    The engine stores what it sees in `mtu` and in the provider attributes as its own
    settings, so it gets null where nobody asked for any; other clients get the
    effective values.
    """
    mtu = asked_mtu(switch)
    localnet = lookup.localnet(switch)
    provider = encode_provider(localnet)
    if is_engine and localnet is None:
        provider[NETWORK_TYPE] = None
    return {
        "id": switch.uuid,
        **standard(switch.external_ids, network_name(switch), config),
        "admin_state_up": is_up(switch),
        "status": "ACTIVE",
        "subnets": [subnet.subnet_id for subnet in ranges_of(lookup.subnets_of(switch.uuid))],
        "shared": switch.external_ids.get(keys.NETWORK_SHARED) == "True",
        "router:external": is_external(switch),
        "mtu": mtu if mtu is not None or is_engine else config.dhcp_mtu_bytes,
        "port_security_enabled": has_port_security(switch, config),
        **provider,
        "availability_zone_hints": [],
        "availability_zones": [],
    }
