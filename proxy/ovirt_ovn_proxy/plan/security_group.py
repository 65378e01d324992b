# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planners for security groups: Port_Group rows, with the ACLs that are their rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Conflict
from ..nb import keys
from ..nb.rows import PortGroup
from ..wire.security_group import encode_security_group, is_default, is_stateful
from .acl import action_of
from .base_groups import offer_default
from .common import created, put, updated
from .draft import Draft
from .security_group_rule import REMOTE_GROUPS, add_egress_rules, rules_about, touch

Values = Mapping[str, Any]


def create(draft: Draft, values: Values, label: str) -> dict[str, Any]:
    """Plan a new security group; returns its JSON form."""
    context = draft.context
    offer_default(draft)
    uuid = context.row_uuid(label)
    external_ids = {**created(values, context), keys.GROUP_NAME: values["name"]}
    project = values.get("project_id") or values.get("tenant_id")
    if project:
        external_ids[keys.GROUP_PROJECT] = external_ids[keys.GROUP_TENANT] = project
    put(external_ids, keys.GROUP_STATEFUL, values["stateful"], True)
    # OVN takes names without dashes only.
    name = f"ovirt_{uuid.replace('-', '_')}"
    group = PortGroup.new(uuid, name=name, external_ids=external_ids)
    draft.insert(group)
    add_egress_rules(draft, group, label)
    return _encode(draft, group)


def update(draft: Draft, group: PortGroup, values: Values) -> dict[str, Any]:
    """Plan a change of a security group; returns its JSON form."""
    if "name" in values and is_default(group):
        raise Conflict(
            "SecurityGroupCannotUpdateDefault", "The default security group keeps its name."
        )
    external_ids = dict(group.external_ids)
    if "name" in values:
        external_ids[keys.GROUP_NAME] = values["name"]
    if "description" in values:
        put(external_ids, keys.DESCRIPTION, values["description"], "")
    if "stateful" in values and values["stateful"] != is_stateful(group):
        # Who is in a connection must not be cut off.
        _check_unused(draft, group)
        put(external_ids, keys.GROUP_STATEFUL, values["stateful"], True)
        for rule in draft.rules_of(group):
            draft.update(rule.copy(action=action_of(values["stateful"])))
    wanted = group
    if external_ids != group.external_ids:
        wanted = group.copy(external_ids=updated(external_ids, draft.context))
    draft.update(wanted)
    return _encode(draft, wanted)


def delete(draft: Draft, group: PortGroup) -> None:
    """Plan the end of a security group, with all rules that name it; not while ports are in it."""
    if is_default(group):
        raise Conflict(
            "SecurityGroupCannotRemoveDefault", "The default security group cannot be deleted."
        )
    _check_unused(draft, group)
    draft.advance(REMOTE_GROUPS)
    for other, rule in rules_about(draft, group):
        touch(draft, other)
        draft.delete_from(other, "acls", rule)
    draft.delete(group)


def _check_unused(draft: Draft, group: PortGroup) -> None:
    if group.ports:
        raise Conflict("SecurityGroupInUse", f"Security group {group.uuid} is in use by ports.")
    draft.rest_on(group, "ports")


def _encode(draft: Draft, group: PortGroup) -> dict[str, Any]:
    return encode_security_group(group, draft, draft.context.config)
