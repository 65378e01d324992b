# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the Northbound schema that we use (ovn-nb(5)), as constants.

Pure. `TABLES` says which columns the replica holds and how a value of each is
shaped; `OPTIONAL` which of them an older server may lack. The `ovirt_*` names
are our keys in `external_ids`: those of existing sites first, ours after them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

DATABASE = "OVN_Northbound"


class Kind(Enum):
    """How a column's OVSDB value (RFC 7047 section 5.1) looks in Python."""

    SCALAR = "exactly one text; a uuid is its text"
    OPTIONAL = "one text or None"
    NUMBER = "exactly one integer"
    OPTIONAL_NUMBER = "one integer or None"
    OPTIONAL_FLAG = "one boolean or None"
    SET = "a tuple"
    MEMBERS = "a set that is updated in place; for columns with very many elements"
    MAP = "a dict"


NB_GLOBAL = "NB_Global"
SWITCH = "Logical_Switch"
PORT = "Logical_Switch_Port"
DHCP = "DHCP_Options"
ROUTER = "Logical_Router"
ROUTER_PORT = "Logical_Router_Port"
ROUTE = "Logical_Router_Static_Route"
NAT = "NAT"
HA_GROUP = "HA_Chassis_Group"
HA_CHASSIS = "HA_Chassis"
PORT_GROUP = "Port_Group"
ACL = "ACL"

TABLES: Mapping[str, Mapping[str, Kind]] = {
    NB_GLOBAL: {"external_ids": Kind.MAP},
    SWITCH: {
        "name": Kind.SCALAR,
        "ports": Kind.MEMBERS,
        "other_config": Kind.MAP,
        "external_ids": Kind.MAP,
    },
    PORT: {
        "name": Kind.SCALAR,
        "type": Kind.SCALAR,
        "addresses": Kind.SET,
        "dynamic_addresses": Kind.OPTIONAL,
        "port_security": Kind.SET,
        "enabled": Kind.OPTIONAL_FLAG,
        "up": Kind.OPTIONAL_FLAG,
        "tag": Kind.OPTIONAL_NUMBER,
        "tag_request": Kind.OPTIONAL_NUMBER,
        "options": Kind.MAP,
        "external_ids": Kind.MAP,
        "dhcpv4_options": Kind.OPTIONAL,
        "dhcpv6_options": Kind.OPTIONAL,
    },
    DHCP: {"cidr": Kind.SCALAR, "options": Kind.MAP, "external_ids": Kind.MAP},
    ROUTER: {
        "name": Kind.SCALAR,
        "enabled": Kind.OPTIONAL_FLAG,
        "ports": Kind.SET,
        "static_routes": Kind.SET,
        "nat": Kind.SET,
        "options": Kind.MAP,
        "external_ids": Kind.MAP,
    },
    ROUTER_PORT: {
        "name": Kind.SCALAR,
        "mac": Kind.SCALAR,
        "networks": Kind.SET,
        "enabled": Kind.OPTIONAL_FLAG,
        "ha_chassis_group": Kind.OPTIONAL,
        "gateway_chassis": Kind.SET,
        "ipv6_ra_configs": Kind.MAP,
        "options": Kind.MAP,
        "external_ids": Kind.MAP,
    },
    ROUTE: {
        "ip_prefix": Kind.SCALAR,
        "nexthop": Kind.SCALAR,
        "output_port": Kind.OPTIONAL,
        "policy": Kind.OPTIONAL,
        "external_ids": Kind.MAP,
    },
    NAT: {
        "type": Kind.SCALAR,
        "external_ip": Kind.SCALAR,
        "external_mac": Kind.OPTIONAL,
        "logical_ip": Kind.SCALAR,
        "logical_port": Kind.OPTIONAL,
        "gateway_port": Kind.OPTIONAL,
        "external_ids": Kind.MAP,
    },
    HA_GROUP: {"name": Kind.SCALAR, "ha_chassis": Kind.SET, "external_ids": Kind.MAP},
    HA_CHASSIS: {"chassis_name": Kind.SCALAR, "priority": Kind.NUMBER, "external_ids": Kind.MAP},
    PORT_GROUP: {
        "name": Kind.SCALAR,
        "ports": Kind.MEMBERS,
        "acls": Kind.SET,
        "external_ids": Kind.MAP,
    },
    ACL: {
        "name": Kind.OPTIONAL,
        "direction": Kind.SCALAR,
        "priority": Kind.NUMBER,
        "match": Kind.SCALAR,
        "action": Kind.SCALAR,
        "external_ids": Kind.MAP,
    },
}

# Columns whose rows live only as long as something refers to them, and the table of
# those rows. (table, column) -> table
CHILDREN: Mapping[tuple[str, str], str] = {
    (SWITCH, "ports"): PORT,
    (ROUTER, "ports"): ROUTER_PORT,
    (ROUTER, "static_routes"): ROUTE,
    (ROUTER, "nat"): NAT,
    (HA_GROUP, "ha_chassis"): HA_CHASSIS,
    (PORT_GROUP, "acls"): ACL,
}

# Columns whose values are the uuids of other rows. (table, column)
REFERENCES = frozenset(
    {
        *CHILDREN,
        (PORT, "dhcpv4_options"),
        (PORT, "dhcpv6_options"),
        (ROUTER_PORT, "ha_chassis_group"),
        (ROUTER_PORT, "gateway_chassis"),
        (NAT, "gateway_port"),
        (PORT_GROUP, "ports"),
    }
)

# Columns that the proxy can do without: it asks for them only where the
# server's schema has them. (table, column)
OPTIONAL = frozenset({(PORT, "dynamic_addresses"), (NAT, "gateway_port")})
