# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for security group rules, by their operations."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import ApiError, BadRequest, Conflict, NotFound
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.ops import Operation
from ovirt_ovn_proxy.nb.rows import PortGroup, Row
from unit.proxy.plans import (
    DEFAULT,
    DROP,
    GROUP,
    GROUP2,
    LATER,
    NB,
    RULE,
    RULE2,
    a_group,
    a_rule,
    assert_answered,
    base_groups,
    changes,
    counted,
    delete,
    nb_global,
    post,
    put,
    row_id,
    row_uuid,
    rows_after,
    traces,
    view_of,
)

NEW = row_uuid("security_group_rule/0")
STAMP = {keys.CREATED_AT: LATER, keys.UPDATED_AT: LATER, keys.REVISION: "1"}
INGRESS = {"security_group_id": GROUP, "direction": "ingress"}
WEB = a_group(RULE)
SITE: tuple[Row, ...] = (counted("security_groups"), WEB, a_rule(), a_group(uuid=GROUP2))
OF_REMOTE = {keys.RULE_REMOTE_GROUP: a_group(uuid=GROUP2).name}
COUNTER = keys.SEQUENCE + "security_groups"
GUARD = ops.wait_key(schema.NB_GLOBAL, NB, "external_ids", COUNTER, "7")
ADVANCE = ops.set_key(schema.NB_GLOBAL, NB, "external_ids", COUNTER, "8")


def touched(group: PortGroup = WEB) -> tuple[Operation, Operation]:
    """Return the guard and the update that count a group's first change."""
    after = {**group.external_ids, keys.UPDATED_AT: LATER, keys.REVISION: "2"}
    return (
        ops.wait_columns(schema.PORT_GROUP, group.uuid, {"external_ids": group.external_ids}),
        ops.update(schema.PORT_GROUP, group.uuid, {"external_ids": after}),
    )


def test_create() -> None:
    """A new rule is one ACL in its port group, whose revision is counted."""
    plan = post("security-group-rules", {**INGRESS, "protocol": "tcp"})(view_of(*SITE))
    seen, count = touched()

    columns = {
        "name": NEW,
        "direction": "to-lport",
        "priority": 1001,
        "match": f"outport == @{WEB.name} && ip4 && tcp",
        "action": "allow-related",
        "external_ids": {
            **STAMP,
            keys.RULE_GROUP: WEB.name,
            keys.RULE_ETHERTYPE: "IPv4",
            keys.RULE_PROTOCOL: "tcp",
        },
    }
    assert [
        seen,
        ops.wait_exists(schema.PORT_GROUP, GROUP),
        ops.insert(schema.ACL, NEW, columns),
        count,
        ops.add_to_set(schema.PORT_GROUP, GROUP, "acls", [NEW]),
    ] == plan.operations
    after = assert_answered(plan, SITE, "security-group-rules")
    answer = plan.answer["security_group_rule"]
    assert (NEW, "tcp", GROUP) == (answer["id"], answer["protocol"], answer["security_group_id"])
    with pytest.raises(Conflict, match=rf"Rule id is {NEW}\.$"):
        post("security-group-rules", {**INGRESS, "protocol": "6"})(view_of(*after))


def test_create_in_a_stateless_group() -> None:
    """A rule does what its group is there for."""
    group = WEB.copy(external_ids={**WEB.external_ids, keys.GROUP_STATEFUL: "False"})
    plan = post("security-group-rules", {**INGRESS, "protocol": "tcp"})(view_of(group, a_rule()))

    assert "allow-stateless" == plan.operations[2]["row"]["action"]


@pytest.mark.parametrize("remote", [GROUP2, GROUP])
def test_create_with_a_remote_group(remote: str) -> None:
    """A rule that names another group advances the counter that keeps that group there."""
    values = {**INGRESS, "remote_group_id": remote}
    plan = post("security-group-rules", values)(view_of(*SITE))
    name = a_group(uuid=remote).name

    (insert,) = (one for one in plan.operations if one["op"] == "insert")
    assert f"outport == @{WEB.name} && ip4 && ip4.src == ${name}_ip4" == insert["row"]["match"]
    assert (remote == GROUP2) == (GUARD in plan.operations) == (ADVANCE in plan.operations)
    assert remote == plan.answer["security_group_rule"]["remote_group_id"]
    assert_answered(plan, SITE, "security-group-rules")


def test_create_in_bulk() -> None:
    """The rules of a bulk request are one change of their group."""
    several = [{**INGRESS, "protocol": number} for number in ("tcp", "udp", 47)]
    plan = post("security-group-rules", *several)(view_of(*SITE))
    seen, count = touched()

    ids = [row_uuid(f"security_group_rule/{number}") for number in range(3)]
    assert ids == [rule["id"] for rule in plan.answer["security_group_rules"]]
    assert [seen, ops.wait_exists(schema.PORT_GROUP, GROUP)] == plan.operations[:2]
    assert [count, ops.add_to_set(schema.PORT_GROUP, GROUP, "acls", ids)] == plan.operations[-2:]
    assert_answered(plan, SITE, "security-group-rules")


def test_bulk_takes_time_in_proportion() -> None:
    """Many rules at once do not look at each other."""
    many = [
        {**INGRESS, "protocol": "tcp", "port_range_min": port, "port_range_max": port}
        for port in range(1, 2001)
    ]
    rules = [a_rule(row_id(number)) for number in range(1000, 2000)]
    view = view_of(nb_global(), a_group(*[rule.uuid for rule in rules]), *rules)
    make_plan = post("security-group-rules", *many)
    started = time.thread_time()
    plan = make_plan(view)

    assert 2000 == len(plan.answer["security_group_rules"])
    assert 6 < len(plan.operations) < 2010
    assert time.thread_time() - started < 2


@pytest.mark.parametrize(
    ("values", "status", "error_type"),
    [
        ({"security_group_id": row_id(99)}, NotFound, "SecurityGroupNotFound"),
        ({"security_group_id": "no uuid"}, NotFound, "SecurityGroupNotFound"),
        ({"security_group_id": ""}, NotFound, "SecurityGroupNotFound"),
        ({"security_group_id": DROP}, NotFound, "SecurityGroupNotFound"),
        ({"security_group_id": row_id(60)}, NotFound, "SecurityGroupNotFound"),
        ({"remote_group_id": row_id(99)}, NotFound, "SecurityGroupNotFound"),
        ({"remote_group_id": DROP}, NotFound, "SecurityGroupNotFound"),
        ({}, Conflict, "SecurityGroupRuleExists"),
        ({"remote_ip_prefix": "0.0.0.0/0"}, Conflict, "SecurityGroupRuleExists"),
        ({"description": "other"}, Conflict, "SecurityGroupRuleExists"),
    ],
)
def test_create_refused(values: Any, status: type[ApiError], error_type: str) -> None:
    """What names nothing of ours, and what is there already, is refused."""
    theirs = PortGroup.new(row_id(60), name="theirs", external_ids={"owner": "k8s"})
    view = view_of(*SITE, *base_groups(), theirs)
    with pytest.raises(status) as refused:
        post("security-group-rules", {**INGRESS, **values})(view)

    assert error_type == refused.value.error_type


def test_update_changes_nothing() -> None:
    """A PUT without attributes, the only one there is, finds the rule as it was."""
    plan = put("security-group-rules", RULE)(view_of(*SITE))

    assert () == plan.steps
    assert_answered(plan, SITE, "security-group-rules")
    with pytest.raises(BadRequest):
        put("security-group-rules", RULE, description="d")


def test_delete() -> None:
    """A rule goes from its group, whose revision is counted."""
    plan = delete("security-group-rules", RULE)(view_of(*SITE))
    seen, count = touched()

    assert [
        seen,
        ops.wait_exists(schema.ACL, RULE),
        count,
        ops.remove_from_set(schema.PORT_GROUP, GROUP, "acls", [RULE]),
        traces(RULE),
    ] == plan.operations
    assert RULE not in {row.uuid for row in rows_after(SITE, plan)}
    assert plan.is_done(view_of(*rows_after(SITE, plan)))
    assert not plan.is_done(view_of(*SITE))


@pytest.mark.parametrize("rule_id", [row_id(99), row_id(100), RULE2])
def test_others_acls_are_not_there(rule_id: str) -> None:
    """What is no rule of ours is not found: the base groups' ACLs, and those of others."""
    theirs = a_rule(RULE2).copy(external_ids={"owner": "k8s"})
    view = view_of(a_group(RULE, RULE2), a_rule(), theirs, *base_groups())
    with pytest.raises(NotFound) as refused:
        delete("security-group-rules", rule_id)(view)

    assert "SecurityGroupRuleNotFound" == refused.value.error_type


def test_the_default_groups_rules_can_change() -> None:
    """Rules come to the default group, and go, as in any other group."""
    rows = base_groups()
    values = {**INGRESS, "security_group_id": DEFAULT, "protocol": "tcp"}
    plan = post("security-group-rules", values)(view_of(*rows))

    assert plan.answer["security_group_rule"]["belongs_to_default_sg"]
    assert 3 == len(changes(plan))
    after = assert_answered(plan, rows, "security-group-rules")
    assert 2 == len(changes(delete("security-group-rules", NEW)(view_of(*after))))
