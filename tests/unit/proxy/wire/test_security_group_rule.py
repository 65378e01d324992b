# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Security group rules: what a POST may ask for, and ACLs as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_proxy.config import Config
from ovirt_ovn_proxy.errors import ApiError, BadRequest, Conflict
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.rows import Acl, PortGroup, Row
from ovirt_ovn_proxy.wire.query import read_query
from ovirt_ovn_proxy.wire.security_group_rule import (
    PROTOCOLS,
    encode_rule,
    protocol_number,
    rule_key,
)
from ovirt_ovn_proxy.wire.security_group_rule import SECURITY_GROUP_RULE as TABLE
from unit.proxy.plans import DEFAULT, GROUP, GROUP2, NOW, RULE, TENANT, a_group, a_rule, view_of

INGRESS = {"security_group_id": GROUP, "direction": "ingress"}
PLAIN: dict[str, Any] = {
    **INGRESS,
    "ethertype": "IPv4",
    "protocol": None,
    "port_range_min": None,
    "port_range_max": None,
    "remote_ip_prefix": None,
    "remote_group_id": None,
    "description": "",
}


def read(*rules: Any) -> list[Any]:
    """Return the rules of a POST, a bulk one for several, as planners get them."""
    root = {"security_group_rule": rules[0]} if len(rules) == 1 else {"security_group_rules": rules}
    values, is_bulk = TABLE.read_post(json.dumps(root).encode())
    assert is_bulk == (len(rules) > 1)
    return values


def ports(protocol: Any, low: Any, high: Any, **more: Any) -> dict[str, Any]:
    """Return what a rule with a port range has beside direction and group."""
    return {"protocol": protocol, "port_range_min": low, "port_range_max": high, **more}


def _any(*values: Any) -> tuple[Any, ...]:
    """Return values of any types."""
    return values


# --- attributes ---


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"direction": "egress"}, {"direction": "egress"}),
        ({"ethertype": "ipv6"}, {"ethertype": "IPv6"}),
        ({"ethertype": "IPV4"}, {}),
        ({"description": "d"}, {"description": "d"}),
        ({"tenant_id": "p"}, {"tenant_id": "p"}),
        # protocols
        ({"protocol": "any"}, {}),
        ({"protocol": "ANY"}, {}),
        ({"protocol": "TCP"}, {"protocol": "tcp"}),
        ({"protocol": 6}, {"protocol": "6"}),
        ({"protocol": "006"}, {"protocol": "6"}),
        ({"protocol": "0"}, {"protocol": "0"}),
        ({"protocol": 255}, {"protocol": "255"}),
        ({"protocol": "udplite"}, {"protocol": "udplite"}),
        ({"protocol": "icmp", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp", "ethertype": "IPv6"}),
        (
            {"protocol": "icmpv6", "ethertype": "IPv6"},
            {"protocol": "ipv6-icmp", "ethertype": "IPv6"},
        ),
        ({"protocol": "1", "ethertype": "IPv6"}, {"protocol": "58", "ethertype": "IPv6"}),
        ({"protocol": "1"}, {"protocol": "1"}),
        # ports
        (ports("tcp", 80, "443"), ports("tcp", 80, 443)),
        (ports("sctp", 1, 1), ports("sctp", 1, 1)),
        (ports(17, 65535, 65535), ports("17", 65535, 65535)),
        (ports("tcp", 1, 65535), {"protocol": "tcp"}),
        (ports(None, "1", "65535"), {}),
        (ports("icmp", 8, 0), ports("icmp", 8, 0)),
        (ports("icmp", 255, None), ports("icmp", 255, None)),
        (
            ports("58", 128, 255, ethertype="IPv6"),
            ports("58", 128, 255, ethertype="IPv6"),
        ),
        # the other side
        ({"remote_ip_prefix": "10.0.0.5"}, {"remote_ip_prefix": "10.0.0.5/32"}),
        ({"remote_ip_prefix": "10.0.0.5/8"}, {"remote_ip_prefix": "10.0.0.5/8"}),
        ({"remote_ip_prefix": "0.0.0.0/0"}, {"remote_ip_prefix": "0.0.0.0/0"}),
        (
            {"remote_ip_prefix": "FD00::0:1", "ethertype": "IPv6"},
            {"remote_ip_prefix": "fd00::1/128", "ethertype": "IPv6"},
        ),
        ({"remote_ip_prefix": ""}, {}),
        ({"remote_group_id": GROUP2.upper()}, {"remote_group_id": GROUP2}),
        ({"remote_group_id": ""}, {}),
        ({"remote_group_id": "no uuid"}, {"remote_group_id": "no uuid"}),
    ],
)
def test_read(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """A rule is read into one form, whatever form its values come in."""
    assert [{**PLAIN, **expected}] == read({**INGRESS, **given})


@pytest.mark.parametrize(
    ("given", "error_type"),
    [
        ({"direction": None}, "HTTPBadRequest"),
        ({"direction": "in"}, "HTTPBadRequest"),
        ({"direction": ["ingress"]}, "HTTPBadRequest"),
        ({"security_group_id": None}, "HTTPBadRequest"),
        ({"security_group_id": 5}, "HTTPBadRequest"),
        ({"id": RULE}, "HTTPBadRequest"),
        ({"name": "n"}, "HTTPBadRequest"),
        ({"normalized_cidr": "10.0.0.0/8"}, "HTTPBadRequest"),
        ({"remote_address_group_id": None}, "HTTPBadRequest"),
        ({"description": "x" * 256}, "HTTPBadRequest"),
        ({"ethertype": None}, "HTTPBadRequest"),
        ({"ethertype": "IPv5"}, "SecurityGroupRuleInvalidEtherType"),
        ({"ethertype": 4}, "SecurityGroupRuleInvalidEtherType"),
        *(
            ({"protocol": protocol}, "SecurityGroupRuleInvalidProtocol")
            for protocol in _any(
                "",
                "tcp ",
                "x",
                -1,
                256,
                "-1",
                1.5,
                True,
                [],
                {},
                "٦",
                "1 || ip",
                "0x6",
            )
        ),
        *(
            (ports("tcp", port, 80), "SecurityGroupInvalidPortValue")
            for port in _any(-1, 65536, "x", 1.5, True, [], "", "80 || 1", 0)
        ),
        (ports("tcp", 0, 0), "SecurityGroupInvalidPortValue"),
        (ports("tcp", None, 0), "SecurityGroupInvalidPortValue"),
        (ports("tcp", 81, 80), "SecurityGroupInvalidPortRange"),
        (ports("udp", 81, None), "SecurityGroupInvalidPortRange"),
        (ports("132", None, 81), "SecurityGroupInvalidPortRange"),
        (ports(None, 80, 80), "SecurityGroupProtocolRequiredWithPorts"),
        (ports("any", 80, 80), "SecurityGroupProtocolRequiredWithPorts"),
        (ports("gre", 80, 80), "SecurityGroupInvalidProtocolForPort"),
        (ports("0", 80, 80), "SecurityGroupInvalidProtocolForPort"),
        # They have ports, which OVN cannot tell apart.
        (ports("dccp", 80, 80), "SecurityGroupInvalidProtocolForPort"),
        (ports("udplite", 80, 80), "SecurityGroupInvalidProtocolForPort"),
        (ports("icmp", 256, None), "SecurityGroupInvalidIcmpValue"),
        (ports("icmp", 8, 256), "SecurityGroupInvalidIcmpValue"),
        (ports("1", None, 5), "SecurityGroupMissingIcmpType"),
        (ports("icmpv6", None, 5, ethertype="IPv6"), "SecurityGroupMissingIcmpType"),
        *(
            ({"protocol": protocol}, "SecurityGroupEthertypeConflictWithProtocol")
            for protocol in (
                *("ipv6-encap", "ipv6-frag", "ipv6-icmp", "icmpv6"),
                *("ipv6-nonxt", "ipv6-opts", "ipv6-route"),
                *("41", "43", "44", "58", "59", "60"),
            )
        ),
        *(
            ({"remote_ip_prefix": prefix}, "InvalidCIDR")
            for prefix in _any(
                *("x", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "10/8", "fe80::1%eth0", "fe80::1%a/64"),
                *(5, [], {}, True, "10.0.0.1 || ip", "10.0.0.٣", "10.0.0.0/8/8"),
            )
        ),
        ({"remote_ip_prefix": "fd00::/8"}, "SecurityGroupRuleParameterConflict"),
        (
            {"remote_ip_prefix": "10.0.0.0/8", "ethertype": "IPv6"},
            "SecurityGroupRuleParameterConflict",
        ),
        ({"remote_group_id": 5}, "HTTPBadRequest"),
        (
            {"remote_group_id": GROUP2, "remote_ip_prefix": "10.0.0.0/8"},
            "SecurityGroupMultipleRemoteEntites",
        ),
    ],
)
def test_refused(given: dict[str, Any], error_type: str) -> None:
    """What makes no sense is refused with the API's type."""
    with pytest.raises(BadRequest) as refused:
        read({**INGRESS, **given})

    assert error_type == refused.value.error_type
    # All of a bulk request is.
    with pytest.raises(BadRequest):
        read({**INGRESS, "protocol": "tcp"}, {**INGRESS, **given})


@pytest.mark.parametrize("missing", ["security_group_id", "direction"])
def test_required(missing: str) -> None:
    """A rule belongs to a group, and has a direction."""
    with pytest.raises(BadRequest, match=missing):
        read({key: value for key, value in INGRESS.items() if key != missing})


TCP = {**INGRESS, "protocol": "tcp"}


@pytest.mark.parametrize(
    ("rules", "status", "error_type"),
    [
        (
            (INGRESS, {**INGRESS, "security_group_id": GROUP2}),
            BadRequest,
            "SecurityGroupNotSingleGroupRules",
        ),
        ((TCP, INGRESS, {**TCP, "protocol": "6"}), Conflict, "DuplicateSecurityGroupRuleInPost"),
    ],
)
def test_bulk_refused(rules: Any, status: type[ApiError], error_type: str) -> None:
    """A bulk request is for one group, and holds no rule twice."""
    with pytest.raises(status) as refused:
        read(*rules)

    assert error_type == refused.value.error_type


def test_nothing_can_change() -> None:
    """No attribute of a rule is for PUT."""
    for name in TABLE.by_name:
        with pytest.raises(BadRequest, match=name):
            TABLE.read_put(json.dumps({"security_group_rule": {name: None}}).encode())
    assert {} == TABLE.read_put(b'{"security_group_rule": {}}')


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("protocol=TCP", True),
        ("protocol=any", False),
        ("port_range_min=80", True),
        ("port_range_min=81", False),
        ("ethertype=ipv4&direction=ingress", True),
        ("direction=egress", False),
        ("remote_ip_prefix=10.0.0.5/8", True),
        ("normalized_cidr=10.0.0.0/8", True),
        ("remote_ip_prefix=nonsense", False),
        (f"security_group_id={GROUP.upper()}", True),
        (f"remote_group_id={GROUP2}", False),
        ("belongs_to_default_sg=no", True),
        ("description=", True),
        (f"tenant_id={TENANT}", True),
    ],
)
def test_filters(query: str, is_found: bool) -> None:
    """Rules are found by what they are shown with, in any form that a body may have."""
    rule = a_rule(
        external_ids={
            keys.RULE_PROTOCOL: "tcp",
            keys.RULE_PORT_MIN: "80",
            keys.RULE_PREFIX: "10.0.0.5/8",
        }
    )

    assert is_found == read_query(query, TABLE).matches(shown(rule))


# --- what makes rules the same ---


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({}, {"description": "other"}, True),
        ({}, {"direction": "egress"}, False),
        ({}, {"ethertype": "IPv6"}, False),
        ({"protocol": "tcp"}, {"protocol": "6"}, True),
        ({"protocol": "tcp"}, {"protocol": "17"}, False),
        ({"protocol": "tcp"}, {}, False),
        (ports("tcp", 80, 80), ports("6", 80, 80), True),
        (ports("tcp", 80, 80), ports("tcp", 80, 81), False),
        ({"remote_ip_prefix": "0.0.0.0/0"}, {}, True),
        ({"remote_ip_prefix": "10.0.0.5/8"}, {"remote_ip_prefix": "10.0.0.0/8"}, True),
        ({"remote_ip_prefix": "10.0.0.0/8"}, {"remote_ip_prefix": "10.0.0.0/9"}, False),
        ({"remote_group_id": GROUP}, {}, False),
        ({"remote_group_id": GROUP}, {"remote_group_id": GROUP2}, False),
    ],
)
def test_same_rules(one: dict[str, Any], other: dict[str, Any], is_same: bool) -> None:
    """Rules are the same if OVN would do the same for both."""
    assert is_same == (rule_key({**PLAIN, **one}) == rule_key({**PLAIN, **other}))


# --- rows ---

SHOWN: dict[str, Any] = {
    "id": RULE,
    "tenant_id": TENANT,
    "project_id": TENANT,
    "description": "",
    "created_at": NOW,
    "updated_at": NOW,
    "revision_number": 1,
    "tags": [],
    **INGRESS,
    "ethertype": "IPv4",
    "protocol": None,
    "port_range_min": None,
    "port_range_max": None,
    "remote_ip_prefix": None,
    "normalized_cidr": None,
    "remote_group_id": None,
    "belongs_to_default_sg": False,
}


def shown(rule: Acl, group: PortGroup | None = None, *rows: Row) -> dict[str, Any]:
    """Return the JSON form of a rule in a group."""
    group = group or a_group(RULE)
    return encode_rule(rule, group, view_of(rule, group, *rows), Config())


@pytest.mark.parametrize(
    ("rule", "differences"),
    [
        (a_rule(), {}),
        (a_rule(direction="from-lport"), {"direction": "egress"}),
        (
            a_rule(
                external_ids={
                    keys.RULE_ETHERTYPE: "IPv6",
                    keys.RULE_PROTOCOL: "tcp",
                    keys.RULE_PORT_MIN: "80",
                    keys.RULE_PORT_MAX: "443",
                    keys.RULE_PREFIX: "fd00::5/8",
                    keys.RULE_DESCRIPTION: "d",
                    keys.TAGS: '["t"]',
                }
            ),
            {
                "ethertype": "IPv6",
                **ports("tcp", 80, 443),
                "remote_ip_prefix": "fd00::5/8",
                "normalized_cidr": "fd00::/8",
                "description": "d",
                "tags": ["t"],
            },
        ),
        (a_rule(external_ids={"description": "of the peer"}), {"description": "of the peer"}),
        # damaged
        (a_rule(external_ids={keys.RULE_PORT_MIN: "x"}), {}),
        (
            a_rule(external_ids={keys.RULE_PREFIX: "x"}),
            {"remote_ip_prefix": "x", "normalized_cidr": None},
        ),
        (a_rule(external_ids={keys.RULE_REMOTE_GROUP: "gone"}), {"remote_group_id": "gone"}),
        (a_rule(external_ids={keys.RULE_REMOTE_GROUP: ""}), {}),
        (a_rule(external_ids={keys.RULE_PROTOCOL: "strange"}), {"protocol": "strange"}),
        (
            a_rule(external_ids={keys.CREATED_AT: "", keys.UPDATED_AT: "", keys.REVISION: "x"}),
            {"created_at": None, "updated_at": None, "revision_number": 0},
        ),
    ],
)
def test_shown(rule: Acl, differences: dict[str, Any]) -> None:
    """An ACL is shown with every attribute of a rule."""
    assert {**SHOWN, **differences} == shown(rule)


def test_groups_are_shown_by_their_ids() -> None:
    """The row names groups by their port groups; the default group's rules say so."""
    default = a_group(RULE, uuid=DEFAULT, name="Default")
    rule = a_rule(external_ids={keys.RULE_REMOTE_GROUP: "Default"})

    expected = {"security_group_id": DEFAULT, "remote_group_id": DEFAULT}
    assert {**SHOWN, **expected, "belongs_to_default_sg": True} == shown(rule, default)


def test_project() -> None:
    """A rule belongs to its group's project."""
    for key in (keys.GROUP_PROJECT, keys.GROUP_TENANT):
        found = shown(a_rule(), a_group(RULE, external_ids={key: "p1"}))
        assert ("p1", "p1") == (found["project_id"], found["tenant_id"])


@given(
    st.dictionaries(st.sampled_from([v for k, v in vars(keys).items() if k.isupper()]), st.text())
)
def test_any_row_is_shown(external_ids: dict[str, str]) -> None:
    """Whatever stands in a row, it is shown, and can be compared with others."""
    found = shown(a_rule(external_ids=external_ids))

    assert set(SHOWN) == set(found)
    json.dumps(found)
    hash(rule_key(found))


def test_protocols_have_numbers() -> None:
    """Names of protocols stand for the numbers that IANA gave them."""
    assert (6, 17, 132, 1, 58) == tuple(
        map(PROTOCOLS.get, ("tcp", "udp", "sctp", "icmp", "icmpv6"))
    )
    assert {None: None, "47": 47, "gre": 47, "x": None, "": None} == {
        word: protocol_number(word) for word in (None, "47", "gre", "x", "")
    }
