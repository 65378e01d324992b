# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The two port groups that are there for all ports: the default group, and what drops. Pure.

They are made by the first change that needs them, in its own transaction. Names of port
groups are unique, so of two proxies that do so at once one plans again.
"""

from __future__ import annotations

from ..errors import Conflict
from ..nb import keys
from ..nb.rows import Acl, PortGroup
from ..nb.view import is_ours
from .acl import base_acls, identity
from .common import created
from .draft import Draft
from .security_group_rule import add_egress_rules, add_inner_rules


def ensure_default(draft: Draft) -> PortGroup:
    """Return the default group, planned if it is not there."""
    group = _find(draft, keys.DEFAULT_GROUP)
    if group is None:
        group = _insert(draft, keys.DEFAULT_GROUP)
        add_inner_rules(draft, group, keys.DEFAULT_GROUP)
        add_egress_rules(draft, group, keys.DEFAULT_GROUP)
    return group


def offer_default(draft: Draft) -> None:
    """Plan the default group where clients expect it to be there, though nothing needs it yet."""
    if draft.port_group(keys.DEFAULT_GROUP) is None:
        ensure_default(draft)


def ensure_drop(draft: Draft) -> PortGroup:
    """Return the group of all ports with port security, with all of its ACLs.

    On it is dropped what no security group allows, but not what a guest cannot do
    without. A site of ovirt-provider-ovn has the first half: its ACLs stay, ours are added.
    """
    group = _find(draft, keys.DROP_GROUP)
    if group is None:
        group = _insert(draft, keys.DROP_GROUP)
    elif group.name in draft.ready_groups:
        return group
    draft.ready_groups.add(group.name)
    found = {identity(acl) for acl in draft.children(group, "acls") if isinstance(acl, Acl)}
    for number, (what, acl) in enumerate(base_acls(group.name).items()):
        if what not in found:
            uuid = draft.context.row_uuid(f"{group.name}/{number}")
            # Nobody else may add it meanwhile.
            draft.rest_on(group, "acls")
            draft.insert_into(group, "acls", Acl.new(uuid, **acl.columns()))
    return group


def _find(draft: Draft, name: str) -> PortGroup | None:
    group = draft.port_group(name)
    if group is not None and not is_ours(group):
        raise Conflict(
            "SecurityGroupConflict",
            f"The port group {name} in OVN belongs to another manager of it.",
        )
    return group


def _insert(draft: Draft, name: str) -> PortGroup:
    group = PortGroup.new(
        draft.context.row_uuid(f"port_group/{name}"),
        name=name,
        external_ids={**created({}, draft.context), keys.GROUP_NAME: name},
    )
    draft.insert(group)
    return group
