# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Security group rules: their attributes, what makes them valid, and ACL rows as JSON.

Pure. Source: Networking API v2.0 "Security group rules", with the extensions
security-groups-normalized-cidr and security-groups-rules-belongs-to-default-sg.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from ..config import Config
from ..errors import BadRequest, Conflict
from ..nb import keys
from ..nb.rows import Acl, PortGroup
from . import readers
from .attributes import STANDARD, Attribute, AttributeTable, Values
from .common import Lookup, integer, standard
from .readers import shown

INGRESS, EGRESS = "ingress", "egress"
IPV4, IPV6 = "IPv4", "IPv6"
TCP, UDP, SCTP, ICMP, ICMP6 = 6, 17, 132, 1, 58

# Name -> number (IANA "Protocol Numbers").
PROTOCOLS: Mapping[str, int] = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": ICMP,
    "icmpv6": ICMP6,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": ICMP6,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": SCTP,
    "tcp": TCP,
    "udp": UDP,
    "udplite": 136,
    "vrrp": 112,
}
_OF_IPV6 = {41, 43, 44, ICMP6, 59, 60}
# The names and the number of IPv4's ICMP stand for IPv6's in a rule for IPv6.
_ICMP6_WORDS = {"icmp": "ipv6-icmp", "icmpv6": "ipv6-icmp", str(ICMP): str(ICMP6)}
_ALL_PORTS = (1, 65535)
_TEXT = readers.text()

# What two rules of one group must not have in common.
RuleKey = tuple[Any, ...]


# --- attributes ---


def _protocol(field: str, value: Any) -> str | None:
    """Read a protocol by name or number; "any" is none."""
    word = str(value).lower() if isinstance(value, (str, int)) else ""
    if word == "any":
        return None
    if word in PROTOCOLS:
        return word
    if re.fullmatch(r"[0-9]{1,3}", word) and int(word) <= 255:
        return str(int(word))
    raise BadRequest(
        "SecurityGroupRuleInvalidProtocol",
        f"Invalid input for {field}. Reason: {shown(value)} is neither a number from 0 to 255 "
        f"nor one of {', '.join(PROTOCOLS)}.",
    )


def _ethertype(field: str, value: Any) -> str:
    """Read IPv4 or IPv6, in any case."""
    for known in (IPV4, IPV6):
        if isinstance(value, str) and value.lower() == known.lower():
            return known
    raise BadRequest(
        "SecurityGroupRuleInvalidEtherType",
        f"Invalid input for {field}. Reason: {shown(value)} is not {IPV4} or {IPV6}.",
    )


def _port(field: str, value: Any) -> int:
    """Read a port, or a type or code of ICMP."""
    try:
        number: int = readers.integer(0, 65535)(field, value)
    except BadRequest as error:
        raise BadRequest(
            "SecurityGroupInvalidPortValue",
            f"Invalid input for {field}. Reason: {shown(value)} is no port.",
        ) from error
    return number


def _prefix(field: str, value: Any) -> str | None:
    """Read an address with or without a prefix length; host bits are kept, "" is none."""
    if value == "":
        return None
    try:
        # Neither a netmask nor a number is understood here, as `ipaddress` would.
        checked = readers.address_or_cidr(field, value)
    except BadRequest as error:
        raise BadRequest(
            "InvalidCIDR", f"Invalid input for {field}. Reason: {shown(value)} is no CIDR."
        ) from error
    length = ipaddress.ip_network(checked).prefixlen
    return f"{ipaddress.ip_address(value.partition('/')[0])}/{length}"


def _group(field: str, value: Any) -> str:
    """Read the id of a group; one that is no UUID is not found, rather than malformed."""
    return str(_TEXT(field, value)).lower()


def _remote_group(field: str, value: Any) -> str | None:
    """Read the id of a group; "" is none."""
    return _group(field, value) or None


def check_rules(rules: list[Values]) -> list[Values]:
    """Return new rules in their canonical form; raises BadRequest for any that makes no sense."""
    if len({rule["security_group_id"] for rule in rules}) > 1:
        raise BadRequest(
            "SecurityGroupNotSingleGroupRules",
            "The rules of one request have to be for one security group.",
        )
    checked = list(map(_checked, rules))
    seen = set()
    for rule in checked:
        key = rule_key(rule)
        if key in seen:
            raise Conflict(
                "DuplicateSecurityGroupRuleInPost", "Two rules of the request do the same."
            )
        seen.add(key)
    return checked


def _filter(name: str, read: readers.Reader, **flags: Any) -> Attribute:
    return Attribute(name, read, put=False, is_filter=True, is_sortable=True, **flags)


_SHARED_WITH_OTHERS = tuple(
    attribute for attribute in STANDARD if attribute.name not in ("name", "description")
)

SECURITY_GROUP_RULE = AttributeTable(
    "security_group_rule",
    "security_group_rules",
    (
        *_SHARED_WITH_OTHERS,
        Attribute("description", _TEXT, put=False, default="", is_filter=True),
        _filter("security_group_id", _group, required=True),
        _filter("direction", readers.choice(INGRESS, EGRESS), required=True),
        _filter("ethertype", _ethertype, default=IPV4),
        _filter("protocol", _protocol, default=None, null=None),
        _filter("port_range_min", _port, default=None, null=None),
        _filter("port_range_max", _port, default=None, null=None),
        _filter("remote_ip_prefix", _prefix, default=None, null=None, read_filter=_TEXT),
        _filter("remote_group_id", _remote_group, default=None, null=None, read_filter=_TEXT),
        Attribute("normalized_cidr", _TEXT, post=False, put=False, is_filter=True),
        Attribute("belongs_to_default_sg", readers.boolean, post=False, put=False, is_filter=True),
    ),
    check_rules,
)


# --- what makes a rule valid ---


def protocol_number(protocol: str | None) -> int | None:
    """Return the number of a protocol, None for none and for a word that is not known."""
    return PROTOCOLS.get(protocol or "", integer(protocol))


def normalized(prefix: str | None) -> str | None:
    """Return a prefix without host bits, None for none and for a malformed one."""
    try:
        return str(ipaddress.ip_network(prefix or "", strict=False))
    except ValueError:
        return None


def rule_key(rule: Mapping[str, Any]) -> RuleKey:
    """Return what makes a rule the same as another one of its group."""
    cidr = normalized(rule["remote_ip_prefix"])
    return (
        rule["direction"],
        rule["ethertype"],
        protocol_number(rule["protocol"]),
        rule["port_range_min"],
        rule["port_range_max"],
        None if cidr in ("0.0.0.0/0", "::/0") else cidr,
        rule["remote_group_id"],
    )


def _checked(given: Values) -> Values:
    rule = dict(given)
    if rule["ethertype"] == IPV6:
        rule["protocol"] = _ICMP6_WORDS.get(rule["protocol"], rule["protocol"])
    if (rule["port_range_min"], rule["port_range_max"]) == _ALL_PORTS:
        rule["port_range_min"] = rule["port_range_max"] = None
    _check_ports(rule, rule["port_range_min"], rule["port_range_max"])
    prefix, ethertype = rule["remote_ip_prefix"], rule["ethertype"]
    if prefix is not None and (":" in prefix) != (ethertype == IPV6):
        raise BadRequest(
            "SecurityGroupRuleParameterConflict",
            f"remote_ip_prefix {prefix} is none of ethertype {ethertype}.",
        )
    if ethertype == IPV4 and protocol_number(rule["protocol"]) in _OF_IPV6:
        raise BadRequest(
            "SecurityGroupEthertypeConflictWithProtocol",
            f"Protocol {rule['protocol']} is none of ethertype {ethertype}.",
        )
    if prefix is not None and rule["remote_group_id"] is not None:
        raise BadRequest(
            "SecurityGroupMultipleRemoteEntites",
            "A rule has a remote_ip_prefix or a remote_group_id, not both.",
        )
    return rule


def _check_ports(rule: Values, low: int | None, high: int | None) -> None:
    if low is None and high is None:
        return
    number = protocol_number(rule["protocol"])
    if number is None:
        raise BadRequest(
            "SecurityGroupProtocolRequiredWithPorts",
            "A rule with ports has to name their protocol.",
        )
    if number in (ICMP, ICMP6):
        _check_icmp(low, high)
    elif number not in (TCP, UDP, SCTP):
        # DCCP and UDP-Lite have ports too, but OVN has no fields for them: such a rule
        # would allow every port.
        raise BadRequest(
            "SecurityGroupInvalidProtocolForPort",
            f"Rules for protocol {rule['protocol']} cannot have ports; "
            "those for SCTP, TCP and UDP can.",
        )
    elif 0 in (low, high):
        raise BadRequest("SecurityGroupInvalidPortValue", "0 is no port.")
    elif low is None or high is None or low > high:
        raise BadRequest(
            "SecurityGroupInvalidPortRange",
            f"port_range_min {low} and port_range_max {high} are no range.",
        )


def _check_icmp(kind: int | None, code: int | None) -> None:
    for field, name, value in (("type", "port_range_min", kind), ("code", "port_range_max", code)):
        if value is not None and value > 255:
            raise BadRequest(
                "SecurityGroupInvalidIcmpValue",
                f"{name} {value} is no {field} of ICMP, which goes from 0 to 255.",
            )
    if kind is None:
        raise BadRequest(
            "SecurityGroupMissingIcmpType",
            f"port_range_max {code}, a code of ICMP, needs a type in port_range_min.",
        )


# --- rows ---


def project_of(group: PortGroup, config: Config) -> str:
    """Return the project that a group, and its rules with it, was made for."""
    external_ids = group.external_ids
    given = external_ids.get(keys.GROUP_PROJECT) or external_ids.get(keys.GROUP_TENANT)
    return given or config.openstack_tenant_id


def remote_group_of(row: Acl, lookup: Lookup) -> str | None:
    """Return the id of the group that a rule names, None for none.

    Of a group that is not there any more, what the row says.
    """
    text = row.external_ids.get(keys.RULE_REMOTE_GROUP)
    group = lookup.security_group_named(text) if text else None
    return group.uuid if group is not None else text or None


def encode_rule(row: Acl, group: PortGroup, lookup: Lookup, config: Config) -> dict[str, Any]:
    """Return a rule of a group as JSON values."""
    external_ids = row.external_ids
    prefix = external_ids.get(keys.RULE_PREFIX) or None
    project = project_of(group, config)
    shared = standard(external_ids, "", config)
    del shared["name"]
    return {
        "id": row.uuid,
        **shared,
        "tenant_id": project,
        "project_id": project,
        "description": external_ids.get(keys.RULE_DESCRIPTION)
        or external_ids.get(keys.RULE_DESCRIPTION_WRITTEN, ""),
        "security_group_id": group.uuid,
        "direction": INGRESS if row.direction == "to-lport" else EGRESS,
        "ethertype": external_ids.get(keys.RULE_ETHERTYPE, IPV4),
        "protocol": external_ids.get(keys.RULE_PROTOCOL) or None,
        "port_range_min": integer(external_ids.get(keys.RULE_PORT_MIN)),
        "port_range_max": integer(external_ids.get(keys.RULE_PORT_MAX)),
        "remote_ip_prefix": prefix,
        "normalized_cidr": normalized(prefix),
        "remote_group_id": remote_group_of(row, lookup),
        "belongs_to_default_sg": group.name == keys.DEFAULT_GROUP,
    }
