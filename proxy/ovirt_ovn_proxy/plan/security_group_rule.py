# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planners for security group rules: ACL rows of port groups. Pure.

Every change of a group's rules counts its revision, so that each rests on the rules
that it has seen. Rules that name another group advance a counter besides: no group
may go between the look at it and the rule that names it, and no such rule may come
between the look for it and the end of the group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Conflict, NotFound
from ..nb import keys
from ..nb.rows import Acl, PortGroup
from ..wire.security_group import is_stateful
from ..wire.security_group_rule import EGRESS, IPV4, IPV6, encode_rule, remote_group_of, rule_key
from .acl import action_of, rule_acl
from .common import created, updated
from .draft import Draft

Values = Mapping[str, Any]

# The counter of what is said above.
REMOTE_GROUPS = "security_groups"

# What a rule is that names nothing but a direction and an IP version.
_ANYTHING: Values = dict.fromkeys(
    (
        "protocol",
        "port_range_min",
        "port_range_max",
        "remote_ip_prefix",
        "remote_group_id",
        "description",
    )
)


def create(draft: Draft, values: Values, label: str) -> dict[str, Any]:
    """Plan a new rule; returns its JSON form. Raises NotFound for unknown groups."""
    remote_id = values["remote_group_id"]
    remote = _group(draft, remote_id) if remote_id is not None else None
    group = _group(draft, values["security_group_id"])
    twin = _rules_before(draft, group).get(rule_key(values))
    if twin is not None:
        raise Conflict(
            "SecurityGroupRuleExists", f"There is a rule that does the same. Rule id is {twin}."
        )
    if remote is not None and remote.uuid != group.uuid:
        draft.advance(REMOTE_GROUPS)
    rule = add_rule(draft, group, remote, values, label)
    return encode_rule(rule, group, draft, draft.context.config)


def update(draft: Draft, rule: Acl, values: Values) -> dict[str, Any]:
    """Plan nothing: no attribute of a rule can change; returns its JSON form."""
    group = draft.view.group_of(rule)
    if group is None or values:
        raise LookupError(f"{rule!r} cannot become {values!r}")
    return encode_rule(rule, group, draft, draft.context.config)


def delete(draft: Draft, rule: Acl) -> None:
    """Plan the end of a rule."""
    group = draft.view.group_of(rule)
    if group is not None:
        touch(draft, group)
        draft.delete_from(group, "acls", rule)


def add_rule(
    draft: Draft, group: PortGroup, remote: PortGroup | None, values: Values, label: str
) -> Acl:
    """Plan a rule that nothing speaks against; returns its row."""
    rule = rule_acl(
        draft.context.row_uuid(label),
        group,
        remote,
        values,
        action_of(is_stateful(group)),
        created({}, draft.context),
    )
    touch(draft, group)
    draft.insert_into(group, "acls", rule)
    return rule


def add_egress_rules(draft: Draft, group: PortGroup, label: str) -> None:
    """Plan the rules that every new group has: out goes everything."""
    for ethertype in (IPV4, IPV6):
        values = {**_ANYTHING, "direction": EGRESS, "ethertype": ethertype}
        add_rule(draft, group, None, values, f"{label}/egress/{ethertype}")


def add_inner_rules(draft: Draft, group: PortGroup, label: str) -> None:
    """Plan rules that let members of the group in."""
    for ethertype in (IPV4, IPV6):
        values = {**_ANYTHING, "direction": "ingress", "ethertype": ethertype}
        add_rule(draft, group, group, values, f"{label}/ingress/{ethertype}")


def touch(draft: Draft, group: PortGroup) -> None:
    """Count a change of the group's rules, once for the whole plan."""
    if draft.current(group) is draft.view.security_group(group.uuid):
        draft.update(group.copy(external_ids=updated(group.external_ids, draft.context)))


def _group(draft: Draft, group_id: str) -> PortGroup:
    group = draft.security_group(group_id)
    if group is None:
        raise NotFound("SecurityGroupNotFound", f"Security group {group_id} could not be found.")
    return group


def _rules_before(draft: Draft, group: PortGroup) -> Mapping[Any, str]:
    """Return the rules that the group has in the view, by what makes them the same."""
    if group.uuid not in draft.known_rules:
        config = draft.context.config
        rules = [encode_rule(rule, group, draft, config) for rule in draft.view.rules_of(group)]
        draft.known_rules[group.uuid] = {rule_key(rule): rule["id"] for rule in rules}
    return draft.known_rules[group.uuid]


def rules_about(draft: Draft, remote: PortGroup) -> list[tuple[PortGroup, Acl]]:
    """Return the rules of other groups that name a group, each with its own group."""
    return [
        (group, rule)
        for group in draft.view.security_groups()
        if group.uuid != remote.uuid
        for rule in draft.view.rules_of(group)
        if keys.RULE_REMOTE_GROUP in rule.external_ids
        and remote_group_of(rule, draft) == remote.uuid
    ]
