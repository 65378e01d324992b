# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Our keys in the `external_ids` of Northbound rows.

Pure. A row without any of them belongs to another manager: it is never listed,
changed or deleted. The first group of each table is what ovirt-provider-ovn
writes too, so that a site can change over in place and go back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

PREFIX = "ovirt_"

# Logical_Switch: a network
NETWORK_NAME = "ovirt_network_name"
NETWORK_PORT_SECURITY = "ovirt_port_security"  # "True" or "False"
NETWORK_MTU = "mtu"  # absent: nobody asked for one
NETWORK_SHARED = "ovirt_shared"
NETWORK_EXTERNAL = "ovirt_router_external"

# Logical_Switch_Port: a port; LOCALNET_NIC_NAME marks the one of a physical network
NIC_NAME = "ovirt_nic_name"
DEVICE_ID = "ovirt_device_id"
DEVICE_OWNER = "ovirt_device_owner"
SECURITY_GROUPS = "ovirt_security_groups"  # ids, or DEFAULT_GROUP, with blanks between them
LOCALNET_NIC_NAME = "localnet_port"
HOST_ID = "ovirt_binding_host_id"
VNIC_TYPE = "ovirt_binding_vnic_type"
BINDING_PROFILE = "ovirt_binding_profile"  # JSON object
# JSON list of {host, vnic_type and profile if not the port's}; only during a migration
INACTIVE_BINDINGS = "ovirt_inactive_bindings"
ADDRESS_PAIRS = (
    "ovirt_allowed_address_pairs"  # JSON list of {ip_address, mac_address if not its own}
)
EXTRA_DHCP_OPTS = "ovirt_extra_dhcp_opts"  # JSON list of {opt_name, opt_value, ip_version}

# DHCP_Options: a subnet
SUBNET_NAME = "ovirt_name"
SUBNET_NETWORK = "ovirt_network_id"
SUBNET_IP_VERSION = "ip_version"  # "4" or "6"
SUBNET_GATEWAY_ROUTER = "gateway_router"
SUBNET_V6_GATEWAY = "router"  # DHCPv6 has no such option
SUBNET_V6_DNS = "dns_server"  # the first one; all are in the DHCPv6 option
SUBNET_V6_MTU = "mtu"
SUBNET_ADDRESS_MODE = "ovirt_ipv6_address_mode"  # with "_" where the API has "-"
SUBNET_RA_MODE = "ovirt_ipv6_ra_mode"
SUBNET_DHCP = "ovirt_enable_dhcp"  # absent: on
SUBNET_POOLS = "ovirt_allocation_pools"  # "START-END START-END", "": none; absent: all
SUBNET_ROUTES = "ovirt_host_routes"  # JSON list of {destination, nexthop}

# DHCP_Options: the options of one port that differ from its subnet's
PORT_OF_OPTIONS = "ovirt_port_id"
SUBNET_OF_OPTIONS = "ovirt_subnet_id"

# Port_Group: a security group. Two are there for all ports, known by the names of their
# rows: the default group, and the one that drops what no group's rule allows.
DEFAULT_GROUP = "Default"
DROP_GROUP = "DropAll"
GROUP_NAME = "ovirt_sec_group_name"
GROUP_PROJECT = "ovirt_project_id"
GROUP_TENANT = "ovirt_tenant_id"
GROUP_STATEFUL = "ovirt_stateful"  # "False"; absent: stateful

# ACL: a rule of a security group; groups stand here by the names of their rows
RULE_GROUP = "ovirt_port_group_id"
RULE_REMOTE_GROUP = "ovirt_remote_group_id"
RULE_ETHERTYPE = "ovirt_ethertype"
RULE_PROTOCOL = "ovirt_protocol"
RULE_PORT_MIN = "ovirt_min_port"
RULE_PORT_MAX = "ovirt_max_port"
RULE_PREFIX = "ovirt_ip_prefix"
RULE_DESCRIPTION = "ovirt_rule_description"
# What ovirt-provider-ovn writes, while it reads the one before.
RULE_DESCRIPTION_WRITTEN = "description"

# Logical_Router: a router; ROUTER_GATEWAY is the REST id of its external gateway's port
ROUTER_GATEWAY = "ovirt_gateway_port"
ROUTER_NAME = "ovirt_router_name"  # absent: the row's own name
ROUTER_SNAT = "ovirt_enable_snat"  # absent: off

# Logical_Router_Port: which of its options are ours to take away again, separated by blanks
ROUTER_PORT_OPTIONS = "ovirt_options"

# Logical_Router_Static_Route, NAT: rows that follow from a router's gateway
GATEWAY_ROUTE = "ovirt_gateway_route"
GATEWAY_SNAT = "ovirt_gateway_snat"

# Logical_Switch_Port on an external network: a floating IP, whose id is in DEVICE_ID.
# The last three only while it is associated.
FLOATING_ADDRESS = "ovirt_floating_ip_address"
FLOATING_MAC = "ovirt_floating_mac_address"
FLOATING_PORT = "ovirt_floating_port_id"
FLOATING_FIXED = "ovirt_floating_fixed_ip_address"
FLOATING_ROUTER = "ovirt_floating_router_id"

# Logical_Switch_Port of a VM: ids of its floating IPs, separated by blanks.
# NAT: the id of the floating IP that it works for.
FLOATING_IPS = "ovirt_floating_ips"
NAT_FLOATING_IP = "ovirt_floating_ip_id"

# Any of them
DESCRIPTION = "ovirt_description"
ADMIN_STATE = "ovirt_admin_state_up"
CREATED_AT = "ovirt_created_at"
UPDATED_AT = "ovirt_updated_at"
REVISION = "ovirt_revision_number"
TAGS = "ovirt_tags"  # JSON list of strings

# NB_Global: one counter for each network (or physical network), the guard of what
# is unique there (see docs/mechanisms.md, "Addresses")
SEQUENCE = "ovirt_sequence_"

# NB_Global: a trace of each row that was deleted lately, under its uuid: the time, and the
# uuid of the request (see docs/mechanisms.md, "Traces")
DELETED = "ovirt_deleted_"


# Asked for every row of many, so without a loop in Python.
_match_prefix = re.compile(PREFIX).match


def has_own(external_ids: Iterable[str]) -> bool:
    """Say whether any key of a row is one of ours."""
    return any(map(_match_prefix, external_ids))
