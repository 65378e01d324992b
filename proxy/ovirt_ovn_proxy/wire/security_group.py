# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Security groups: their attributes, and Port_Group rows as JSON.

Pure. Source: Networking API v2.0 "Security groups", with the extensions
stateful-security-group and security-groups-shared-filtering.
"""

from __future__ import annotations

from typing import Any

from ..config import Config
from ..errors import Conflict
from ..nb import keys
from ..nb.rows import PortGroup, SwitchPort
from . import readers
from .attributes import STANDARD, Attribute, AttributeTable
from .common import Lookup, standard
from .security_group_rule import encode_rule, project_of


def _name(field: str, value: Any) -> str:
    """Read a group's name; that of the default group is taken, in any case."""
    read: str = readers.text()(field, value)
    if read.lower() == keys.DEFAULT_GROUP.lower():
        raise Conflict(
            "SecurityGroupDefaultAlreadyExists", f"There is a security group {read} already."
        )
    return read


SECURITY_GROUP = AttributeTable(
    "security_group",
    "security_groups",
    (
        *STANDARD,
        Attribute(
            "name",
            _name,
            default="",
            is_filter=True,
            is_sortable=True,
            read_filter=readers.text(),
        ),
        Attribute("stateful", readers.boolean, default=True, is_filter=True),
        Attribute("shared", readers.boolean, post=False, put=False, is_filter=True),
        Attribute("security_group_rules", readers.list_of(readers.text()), post=False, put=False),
    ),
)


def is_default(row: PortGroup) -> bool:
    """Say whether it is the group of ports that name none."""
    return row.name == keys.DEFAULT_GROUP


def is_stateful(row: PortGroup) -> bool:
    """Say whether replies to what the group's rules allow are allowed too."""
    return row.external_ids.get(keys.GROUP_STATEFUL) != "False"


def groups_of_port(row: SwitchPort, lookup: Lookup) -> list[str]:
    """Return the ids of the security groups that a port is in, as its own row names them.

    The default group stands there by its name, as ovirt-provider-ovn writes it.
    """
    ids = dict.fromkeys(row.external_ids.get(keys.SECURITY_GROUPS, "").split())
    if keys.DEFAULT_GROUP in ids:
        del ids[keys.DEFAULT_GROUP]
        default = lookup.security_group_named(keys.DEFAULT_GROUP)
        if default is not None:
            ids[default.uuid] = None
    return list(ids)


def encode_security_group(row: PortGroup, lookup: Lookup, config: Config) -> dict[str, Any]:
    """Return a security group with its rules, oldest first, as JSON values."""
    rules = sorted(
        lookup.rules_of(row),
        key=lambda rule: (rule.external_ids.get(keys.CREATED_AT, ""), rule.uuid),
    )
    project = project_of(row, config)
    return {
        "id": row.uuid,
        **standard(row.external_ids, row.external_ids.get(keys.GROUP_NAME, row.name), config),
        "tenant_id": project,
        "project_id": project,
        "stateful": is_stateful(row),
        "shared": False,
        "security_group_rules": [encode_rule(rule, row, lookup, config) for rule in rules],
    }
