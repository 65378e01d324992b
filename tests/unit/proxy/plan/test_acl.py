# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""ACLs of rules, and that nothing a client says gets into a match as it is.

That ovn-controller understands the matches is tried in tests/daemon.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_proxy.errors import ApiError
from ovirt_ovn_proxy.nb import keys
from ovirt_ovn_proxy.nb.rows import Acl
from ovirt_ovn_proxy.plan.acl import base_acls, rule_acl
from ovirt_ovn_proxy.wire.security_group_rule import PROTOCOLS, SECURITY_GROUP_RULE
from unit.proxy.plans import GROUP, GROUP2, RULE, a_group

NAME, OTHER = "ovirt_web", "ovirt_db"
WEB, DB = a_group(name=NAME), a_group(uuid=GROUP2, name=OTHER)


def acl_of(values: dict[str, Any], action: str = "allow-related", **external_ids: str) -> Acl:
    """Return the ACL of a rule of the group WEB, from the body of a POST."""
    rule = {"security_group_id": GROUP, "direction": "ingress", **values}
    [read], _ = SECURITY_GROUP_RULE.read_post(json.dumps({"security_group_rule": rule}).encode())
    remote = DB if read["remote_group_id"] else None
    return rule_acl(RULE, WEB, remote, read, action, external_ids)


IN4, OUT4 = f"outport == @{NAME} && ip4", f"inport == @{NAME} && ip4"
IN6, OUT6 = f"outport == @{NAME} && ip6", f"inport == @{NAME} && ip6"
OUT: dict[str, Any] = {"direction": "egress"}
V6: dict[str, Any] = {"ethertype": "IPv6"}


def ports(protocol: str, low: Any = None, high: Any = None) -> dict[str, Any]:
    """Return a rule's protocol and ports."""
    return {"protocol": protocol, "port_range_min": low, "port_range_max": high}


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({}, IN4),
        (OUT, OUT4),
        (V6, IN6),
        ({**OUT, **V6}, OUT6),
        (ports("tcp"), f"{IN4} && tcp"),
        (ports("6", 80, 80), f"{IN4} && tcp && tcp.dst == 80"),
        ({**OUT, **ports("udp", 1, 2)}, f"{OUT4} && udp && udp.dst >= 1 && udp.dst <= 2"),
        (ports("sctp", 1, 65535), f"{IN4} && sctp"),
        (ports("icmp"), f"{IN4} && icmp4"),
        (ports("icmp", 8), f"{IN4} && icmp4 && icmp4.type == 8"),
        (ports("1", 3, 0), f"{IN4} && icmp4 && icmp4.type == 3 && icmp4.code == 0"),
        (
            {**V6, **ports("icmp", 128, 0)},
            f"{IN6} && icmp6 && icmp6.type == 128 && icmp6.code == 0",
        ),
        (ports("gre"), f"{IN4} && ip.proto == 47"),
        (ports("0"), f"{IN4} && ip.proto == 0"),
        ({**V6, **ports("ipv6-frag")}, f"{IN6} && ip.proto == 44"),
        ({"remote_ip_prefix": "10.0.0.5"}, f"{IN4} && ip4.src == 10.0.0.5/32"),
        ({**OUT, "remote_ip_prefix": "10.0.0.5/8"}, f"{OUT4} && ip4.dst == 10.0.0.0/8"),
        ({**V6, "remote_ip_prefix": "FD00::5/64"}, f"{IN6} && ip6.src == fd00::/64"),
        ({"remote_group_id": GROUP2}, f"{IN4} && ip4.src == ${OTHER}_ip4"),
        (
            {**OUT, **V6, "remote_group_id": GROUP2, **ports("tcp", 22, 22)},
            f"{OUT6} && ip6.dst == ${OTHER}_ip6 && tcp && tcp.dst == 22",
        ),
    ],
)
def test_match(values: dict[str, Any], match: str) -> None:
    """A match names the group's port, then IP version, remote, protocol and ports."""
    acl = acl_of(values)

    assert match == acl.match
    direction = "from-lport" if values.get("direction") == "egress" else "to-lport"
    assert (direction, 1001, "allow-related") == (acl.direction, acl.priority, acl.action)
    assert (RULE, RULE) == (acl.uuid, acl.name)


def test_external_ids() -> None:
    """What was asked for stands beside the match, and nothing where nothing was."""
    assert {keys.RULE_GROUP: NAME, keys.RULE_ETHERTYPE: "IPv4"} == acl_of({}).external_ids
    values = {**ports("icmp", 8, 0), "description": "d", "remote_ip_prefix": "10.0.0.5/8"}
    assert {
        keys.RULE_GROUP: NAME,
        keys.RULE_ETHERTYPE: "IPv4",
        keys.RULE_PROTOCOL: "icmp",
        keys.RULE_PORT_MIN: "8",
        keys.RULE_PORT_MAX: "0",
        keys.RULE_PREFIX: "10.0.0.5/8",
        keys.RULE_DESCRIPTION: "d",
        "more": "m",
    } == acl_of(values, more="m").external_ids
    assert OTHER == acl_of({"remote_group_id": GROUP2}).external_ids[keys.RULE_REMOTE_GROUP]


_WILD = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.integers(),
    st.sampled_from(
        [
            *PROTOCOLS,
            *("IPv6", "egress", "10.0.0.5/8", "fd00::5/64", "::ffff:10.0.0.5", "80", 80, 8, 0),
            *("10.0.0.1 || ip", "tcp || ip", "80 || 1", "$x", "@x", 'a" || 1', "ip4 # x", GROUP),
        ]
    ),
)
# Words, comparisons and addresses, joined by "and"; never "or", brackets or quotes.
_TERM = r"(in|out)port == @ovirt_web|ip[46]|tcp|udp|sctp|icmp[46]"
_NUMBER = (
    r"(tcp|udp|sctp)\.dst (==|>=|<=) \d{1,5}|icmp[46]\.(type|code) == \d{1,3}|ip\.proto == \d{1,3}"
)
_REMOTE = r"ip4\.(src|dst) == [\d.]+/\d+|ip6\.(src|dst) == [\da-f:.]+/\d+"
_GROUP = r"ip[46]\.(src|dst) == \$ovirt_db_ip[46]"
_TERMS = re.compile(f"({_TERM}|{_NUMBER}|{_REMOTE}|{_GROUP})")


@given(
    st.dictionaries(
        st.sampled_from([name for name, one in SECURITY_GROUP_RULE.by_name.items() if one.post]),
        _WILD,
    )
)
def test_no_text_of_a_client_is_in_a_match(values: dict[str, Any]) -> None:
    """Whatever a rule says, it is refused, or its match is made of known terms alone."""
    try:
        acl = acl_of(values)
    except ApiError:
        return
    terms = acl.match.split(" && ")
    assert all(map(_TERMS.fullmatch, terms)), acl.match


def test_base_acls() -> None:
    """Everything is dropped below what rules allow, but DHCP, neighbours, routers and groups."""
    acls = {(acl.direction, acl.action): acl for acl in base_acls("D").values()}
    allowed = (
        "{} == @D && ((ip4 && udp.src == {} && udp.dst == {}) || "
        "(ip6 && udp.src == {} && udp.dst == {}) || {} || nd || mldv1 || mldv2)"
    )

    assert {
        ("from-lport", "drop"): (1000, "inport == @D && ip"),
        ("to-lport", "drop"): (1000, "outport == @D && ip"),
        ("from-lport", "allow"): (1001, allowed.format("inport", 68, 67, 546, 547, "nd_rs")),
        ("to-lport", "allow"): (1001, allowed.format("outport", 67, 68, 547, 546, "nd_ra")),
    } == {key: (acl.priority, acl.match) for key, acl in acls.items()}
