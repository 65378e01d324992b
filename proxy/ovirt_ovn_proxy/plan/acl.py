# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Columns of an ACL from what it is to allow. Pure.

Source: ovn-nb(5), "ACL", and ovn-sb(5), "Logical_Flow", for matches. A match is made of
names of rows, of numbers and of addresses that `ipaddress` has written: no text of a
client gets into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ..nb import keys
from ..nb.rows import Acl, PortGroup
from ..wire.security_group_rule import (
    EGRESS,
    ICMP,
    ICMP6,
    IPV6,
    SCTP,
    TCP,
    UDP,
    normalized,
    protocol_number,
)

ALLOW_PRIORITY = 1001
DROP_PRIORITY = 1000

_WITH_PORTS = {TCP: "tcp", UDP: "udp", SCTP: "sctp"}


class Side(NamedTuple):
    """How OVN speaks of one direction: the ACL's own, the port's side, the remote's."""

    direction: str
    port: str
    remote: str


_EGRESS = Side("from-lport", "inport", "dst")
_INGRESS = Side("to-lport", "outport", "src")

# Without these a guest gets no address and finds no neighbour. A link with a stateful
# group on it has the ICMPv6 ones allowed by OVN itself, since 23.06 every link has.
_ESSENTIALS = {
    _EGRESS: (
        "(ip4 && udp.src == 68 && udp.dst == 67)",
        "(ip6 && udp.src == 546 && udp.dst == 547)",
        "nd_rs",
        "nd",
        "mldv1",
        "mldv2",
    ),
    _INGRESS: (
        "(ip4 && udp.src == 67 && udp.dst == 68)",
        "(ip6 && udp.src == 547 && udp.dst == 546)",
        "nd_ra",
        "nd",
        "mldv1",
        "mldv2",
    ),
}


def action_of(is_stateful: bool) -> str:
    """Return what rules of a group do with what they match."""
    return "allow-related" if is_stateful else "allow-stateless"


def rule_acl(
    uuid: str,
    group: PortGroup,
    remote: PortGroup | None,
    rule: Mapping[str, Any],
    action: str,
    external_ids: Mapping[str, str],
) -> Acl:
    """Return the row of a rule; `external_ids` are added to those that the rule asks for."""
    own = {
        keys.RULE_GROUP: group.name,
        keys.RULE_REMOTE_GROUP: remote.name if remote is not None else None,
        keys.RULE_ETHERTYPE: rule["ethertype"],
        keys.RULE_PROTOCOL: rule["protocol"],
        keys.RULE_PORT_MIN: rule["port_range_min"],
        keys.RULE_PORT_MAX: rule["port_range_max"],
        keys.RULE_PREFIX: rule["remote_ip_prefix"],
        keys.RULE_DESCRIPTION: rule["description"] or None,
    }
    side = _EGRESS if rule["direction"] == EGRESS else _INGRESS
    given = {key: str(value) for key, value in own.items() if value is not None}
    return Acl.new(
        uuid,
        name=uuid,
        direction=side.direction,
        priority=ALLOW_PRIORITY,
        match=" && ".join(_match(side, group, remote, rule)),
        action=action,
        external_ids={**external_ids, **given},
    )


def _match(
    side: Side, group: PortGroup, remote: PortGroup | None, rule: Mapping[str, Any]
) -> Iterable[str]:
    version = "6" if rule["ethertype"] == IPV6 else "4"
    yield f"{side.port} == @{group.name}"
    yield f"ip{version}"
    prefix = normalized(rule["remote_ip_prefix"])
    if prefix is not None:
        yield f"ip{version}.{side.remote} == {prefix}"
    if remote is not None:
        yield f"ip{version}.{side.remote} == ${remote.name}_ip{version}"
    number = protocol_number(rule["protocol"])
    low, high = rule["port_range_min"], rule["port_range_max"]
    if number in _WITH_PORTS:
        name = _WITH_PORTS[number]
        yield name
        if low is not None:
            yield from (
                [f"{name}.dst == {low}"]
                if low == high
                else [f"{name}.dst >= {low}", f"{name}.dst <= {high}"]
            )
    elif number in (ICMP, ICMP6):
        yield f"icmp{version}"
        if low is not None:
            yield f"icmp{version}.type == {low}"
        if high is not None:
            yield f"icmp{version}.code == {high}"
    elif number is not None:
        yield f"ip.proto == {number}"


def identity(acl: Acl) -> tuple[str, int, str, str]:
    """Return what an ACL does, whoever wrote it."""
    return acl.direction, acl.priority, acl.match, acl.action


@lru_cache(maxsize=1)
def base_acls(group_name: str) -> Mapping[tuple[str, int, str, str], Acl]:
    """Return what keeps all IP traffic from ports but what `_ESSENTIALS` lists.

    By their identities, and without UUIDs: asked for at each new port.
    """
    acls = []
    for side, essentials in _ESSENTIALS.items():
        port = f"{side.port} == @{group_name}"
        for priority, action, match in (
            (DROP_PRIORITY, "drop", "ip"),
            (ALLOW_PRIORITY, "allow", f"({' || '.join(essentials)})"),
        ):
            acls.append(
                Acl.new(
                    "",
                    direction=side.direction,
                    priority=priority,
                    match=f"{port} && {match}",
                    action=action,
                    external_ids={keys.RULE_GROUP: group_name},
                )
            )
    return {identity(acl): acl for acl in acls}
