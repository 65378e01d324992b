# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service says of itself: versions, extensions, quotas, availability zones.

Pure. Only aliases are advertised of which every attribute works.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_EXTENSIONS: Mapping[str, tuple[str, str]] = {
    "allowed-address-pairs": ("Allowed Address Pairs", "Further addresses that a port may use."),
    "availability_zone": ("Availability Zone", "The availability zones; there are none."),
    "binding": ("Port Binding", "The host that a port is on."),
    "binding-extended": ("Port Bindings Extended", "The host that a port is about to move to."),
    "empty-string-filtering": ("Empty String Filtering", "Filters may look for empty values."),
    "ext-gw-mode": ("Neutron L3 Configurable external gateway mode", "SNAT can be switched off."),
    "external-net": ("Neutron external network", "Networks can be external."),
    "extra_dhcp_opt": ("Extra DHCP options", "DHCP options of single ports."),
    "extraroute": ("Neutron Extra Route", "Routers have static routes."),
    "extraroute-atomic": ("Atomically add/remove extra routes", "Routes come and go one by one."),
    "fip-port-details": ("Floating IP Port Details Extension", "Floating IPs show their port."),
    "ip-substring-filtering": ("IP address substring filtering", "Filters for parts of addresses."),
    "net-mtu": ("Network MTU", "The MTU of a network."),
    "net-mtu-writable": ("Network MTU (writable)", "The MTU of a network can be set."),
    "pagination": ("Pagination support", "Lists can be read page by page."),
    "port-security-groups-filtering": (
        "Port filtering on security groups",
        "Ports can be listed by security group.",
    ),
    "port-security": ("Port Security", "Ports send from their own addresses only."),
    "project-id": ("project_id field enabled", "project_id beside tenant_id."),
    "provider": ("Provider Network", "Networks on physical networks, flat or VLAN."),
    "router": ("Neutron L3 Router", "Routers between networks, with external gateways."),
    "security-group": ("security-group", "The traffic that ports let in and out."),
    "security-groups-normalized-cidr": (
        "Normalized CIDR field for security group rules",
        "Rules show their prefix without host bits, too.",
    ),
    "security-groups-rules-belongs-to-default-sg": (
        "Security group rules of the default group",
        "Rules tell whether they are the default group's.",
    ),
    "security-groups-shared-filtering": (
        "Security group filtering on the shared field",
        "Groups can be listed by whether they are shared; none is.",
    ),
    "sorting": ("Sorting support", "Lists can be sorted."),
    "standard-attr-description": ("standard-attr-description", "Everything has a description."),
    "standard-attr-revisions": ("Resource revision numbers", "Everything counts its changes."),
    "standard-attr-tag": ("Tag support for resources", "Everything can have tags."),
    "standard-attr-timestamp": ("Resource timestamps", "Everything knows when it was changed."),
    "stateful-security-group": (
        "Stateful security group",
        "Groups may do without connection tracking.",
    ),
}

# Far beyond what a site has; a limit is a promise of the API, not a need of OVN.
_QUOTAS = dict.fromkeys(
    (
        "network",
        "subnet",
        "port",
        "router",
        "floatingip",
        "security_group",
        "security_group_rule",
    ),
    -1,
)


def extension(alias: str) -> dict[str, Any] | None:
    """Return one extension, None for an alias that is not offered."""
    if alias not in _EXTENSIONS:
        return None
    name, description = _EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": description,
        "updated": "2026-01-01T00:00:00-00:00",
        "links": [],
    }


def extensions() -> list[dict[str, Any]]:
    """Return all extensions."""
    return [found for found in map(extension, _EXTENSIONS) if found is not None]


def quotas(project_id: str, used: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Return the quotas of a project, with what is `used` of each where that is given."""
    if used is None:
        return {**_QUOTAS, "project_id": project_id, "tenant_id": project_id}
    return {
        name: {"limit": limit, "used": used.get(name, 0), "reserved": 0}
        for name, limit in _QUOTAS.items()
    }


def versions(url: str) -> dict[str, Any]:
    """Return the version document of the service whose root is `url`."""
    links = [{"rel": "self", "href": f"{url}v2.0/"}]
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]}


def collections(url: str, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the document of version 2.0: its collections, path -> singular name."""
    resources = [
        {
            "name": singular,
            "collection": path,
            "links": [{"rel": "self", "href": f"{url}v2.0/{path}"}],
        }
        for path, singular in names.items()
    ]
    return {"resources": resources}
