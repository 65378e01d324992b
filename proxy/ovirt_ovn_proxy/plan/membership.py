# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which security groups a port is in: what a request asks for, and Port_Group.ports. Pure.

A port's own row names its groups, for readers; what filters is who is in
Port_Group.ports. Both change together here, and every port with port security is
in the group that drops (`base_groups.ensure_drop`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Conflict, NotFound
from ..nb import keys
from ..nb.rows import PortGroup, SwitchPort
from ..wire.port import has_port_security
from ..wire.readers import invalid
from ..wire.security_group import groups_of_port, is_default, is_stateful
from .base_groups import ensure_default, ensure_drop
from .common import put
from .draft import Draft

Values = Mapping[str, Any]


def join_groups(draft: Draft, port: SwitchPort, values: Values, is_secured: bool) -> SwitchPort:
    """Plan the groups of a new port; returns its row, which names them."""
    given = values.get("security_groups")
    if given is not None:
        groups = _named(draft, given, is_secured)
    elif is_secured and ("security_groups" not in values or draft.context.is_engine):
        groups = [ensure_default(draft)]
    else:
        groups = []
    for group in _filtering(draft, groups, is_secured):
        draft.attach(group, "ports", port)
    return _naming(port, groups)


def change_groups(draft: Draft, old: SwitchPort, wanted: SwitchPort, values: Values) -> SwitchPort:
    """Plan the groups of a port that a PUT changes; returns its row, which names them.

    `wanted` is secured if that is asked for. A port whose groups nobody mentions stays
    where it is.
    """
    if not {"security_groups", "port_security_enabled"} & set(values):
        return wanted
    before = groups_of_port(old, draft)
    groups = _wanted(draft, old, has_port_security(wanted), before, values)
    filtering = _filtering(draft, groups, has_port_security(wanted))
    joined = [group for group in filtering if old.uuid not in group.ports]
    left = [group for group in draft.view.port_groups_of(old) if group not in filtering]
    for group in joined:
        draft.attach(group, "ports", old)
    for group in left:
        draft.detach(group, "ports", old)
    if joined or left:
        # Whoever else moves the port names other groups in its row, or secures it.
        draft.rest_on(old, "external_ids", "port_security")
    if {group.uuid for group in groups} == set(before):
        return wanted
    return _naming(wanted, groups)


def _wanted(
    draft: Draft, port: SwitchPort, is_secured: bool, before: list[str], values: Values
) -> list[PortGroup]:
    """Return the groups that a PUT asks for."""
    if "security_groups" not in values:
        if before and has_port_security(port) and not is_secured:
            raise Conflict(
                "PortSecurityPortHasSecurityGroup",
                f"Port {port.name} is in security groups {', '.join(before)}: port security "
                "goes with them at the earliest.",
            )
        return [group for group in map(draft.security_group, before) if group is not None]
    given = values["security_groups"]
    if given is not None:
        return _named(draft, given, is_secured)
    return [ensure_default(draft)] if is_secured and draft.context.is_engine else []


def _named(draft: Draft, words: list[str], is_secured: bool) -> list[PortGroup]:
    """Return the groups that a request names, by their ids; the default one by its name too.

    The engine sends what its users wrote into vNIC profiles, whatever the port's network
    is like: it is given what it asks for.
    """
    found: dict[str, PortGroup] = {}
    for word in words:
        is_name = word == keys.DEFAULT_GROUP
        group = ensure_default(draft) if is_name else draft.security_group(word.lower())
        if group is None:
            raise NotFound("SecurityGroupNotFound", f"Security group {word} could not be found.")
        if group.uuid in found and not draft.context.is_engine:
            invalid("security_groups", word, "is there twice")
        found[group.uuid] = group
    groups = list(found.values())
    if not draft.context.is_engine:
        _check(draft, groups, is_secured)
    return groups


def _check(draft: Draft, groups: list[PortGroup], is_secured: bool) -> None:
    if groups and not is_secured:
        invalid(
            "security_groups",
            [group.uuid for group in groups],
            "do nothing on a port whose port_security_enabled is False",
            "PortSecurityAndIPRequiredForSecurityGroups",
        )
    if len(groups) > 1:
        for group in groups:
            draft.rest_on(group, "external_ids")
        if len(set(map(is_stateful, groups))) > 1:
            raise Conflict(
                "SecurityGroupConflict",
                "A port cannot be in stateful and in stateless security groups at the same time.",
            )


def _filtering(draft: Draft, groups: list[PortGroup], is_secured: bool) -> list[PortGroup]:
    """Return the port groups that a port has to be in."""
    return [ensure_drop(draft), *groups] if is_secured else groups


def _naming(port: SwitchPort, groups: list[PortGroup]) -> SwitchPort:
    external_ids = dict(port.external_ids)
    words = [keys.DEFAULT_GROUP if is_default(group) else group.uuid for group in groups]
    put(external_ids, keys.SECURITY_GROUPS, " ".join(words), "")
    return port.copy(external_ids=external_ids)
