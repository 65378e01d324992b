# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for security groups, by their operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import ApiError, Conflict, NotFound
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.rows import Acl, PortGroup, Row
from ovirt_ovn_proxy.plan.draft import Plan
from unit.proxy.plans import (
    DEFAULT,
    DROP,
    GROUP,
    GROUP2,
    LATER,
    NB,
    PORT,
    RULE,
    RULE2,
    a_group,
    a_rule,
    assert_answered,
    base_groups,
    changes,
    counted,
    delete,
    encoded,
    nb_global,
    post,
    put,
    row_id,
    row_uuid,
    rows_after,
    traces,
    view_of,
)

NEW = row_uuid("security_group/0")
NAME = f"ovirt_{NEW.replace('-', '_')}"
STAMP = {keys.CREATED_AT: LATER, keys.UPDATED_AT: LATER, keys.REVISION: "1"}
BASE: tuple[Row, ...] = (counted("security_groups"), *base_groups())
WEB = a_group(RULE)
COUNTER = keys.SEQUENCE + "security_groups"
GUARD = ops.wait_key(schema.NB_GLOBAL, NB, "external_ids", COUNTER, "7")
ADVANCE = ops.set_key(schema.NB_GLOBAL, NB, "external_ids", COUNTER, "8")


def changed_ids(row: Any, **changed: str) -> dict[str, str]:
    """Return the external_ids of a row after its first change."""
    return {**row.external_ids, keys.UPDATED_AT: LATER, keys.REVISION: "2", **changed}


# --- create ---


@pytest.mark.parametrize(
    ("given", "external_ids", "action"),
    [
        ({}, {keys.GROUP_NAME: ""}, "allow-related"),
        (
            {"name": "web", "description": "d", "stateful": False, "tenant_id": "p"},
            {
                keys.GROUP_NAME: "web",
                keys.DESCRIPTION: "d",
                keys.GROUP_STATEFUL: "False",
                keys.GROUP_PROJECT: "p",
                keys.GROUP_TENANT: "p",
            },
            "allow-stateless",
        ),
    ],
)
def test_create(given: Any, external_ids: dict[str, str], action: str) -> None:
    """A new group is a port group of its own name, with two rules that let everything out."""
    plan = post("security-groups", given)(view_of(*BASE))
    rules = [row_uuid(f"security_group/0/egress/{version}") for version in ("IPv4", "IPv6")]

    def rule(uuid: str, version: str) -> dict[str, Any]:
        ids = {**STAMP, keys.RULE_GROUP: NAME, keys.RULE_ETHERTYPE: f"IPv{version}"}
        return {
            "name": uuid,
            "direction": "from-lport",
            "priority": 1001,
            "match": f"inport == @{NAME} && ip{version}",
            "action": action,
            "external_ids": ids,
        }

    assert [
        ops.insert(
            schema.PORT_GROUP, NEW, {"name": NAME, "external_ids": {**STAMP, **external_ids}}
        ),
        ops.insert(schema.ACL, rules[0], rule(rules[0], "4")),
        ops.insert(schema.ACL, rules[1], rule(rules[1], "6")),
        ops.add_to_set(schema.PORT_GROUP, NEW, "acls", rules),
    ] == plan.operations
    assert_answered(plan, BASE, "security-groups")
    answer = plan.answer["security_group"]
    assert set(rules) == {one["id"] for one in answer["security_group_rules"]}


def test_create_in_bulk() -> None:
    """Groups of one name are several groups."""
    plan = post("security-groups", {"name": "web"}, {"name": "web"})(view_of(*BASE))

    assert [NEW, row_uuid("security_group/1")] == [
        group["id"] for group in plan.answer["security_groups"]
    ]
    assert_answered(plan, BASE, "security-groups")


def default_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the default group as a GET shows it."""
    (default,) = (row for row in rows if isinstance(row, PortGroup) and row.name == "Default")
    found: dict[str, Any] = encoded("security-groups", default.uuid, rows)
    return found


@pytest.mark.parametrize(
    "make_plan",
    [
        post("security-groups", {}),
        post("networks", {"port_security_enabled": True}),
    ],
)
def test_the_default_group_comes_with_the_first_change(make_plan: Any) -> None:
    """The first group, or network with port security, brings the default group with its rules."""
    plan = make_plan(view_of(nb_global()))
    rows = rows_after([nb_global()], plan)
    default = default_of(rows)

    assert ("Default", True, "") == (default["name"], default["stateful"], default["description"])
    own = default["id"]
    assert sorted(
        [
            ("egress", "IPv4", None),
            ("egress", "IPv6", None),
            ("ingress", "IPv4", own),
            ("ingress", "IPv6", own),
        ]
    ) == sorted(
        (rule["direction"], rule["ethertype"], rule["remote_group_id"])
        for rule in default["security_group_rules"]
    )
    assert {
        "inport == @Default && ip4",
        "inport == @Default && ip6",
        "outport == @Default && ip4 && ip4.src == $Default_ip4",
        "outport == @Default && ip6 && ip6.src == $Default_ip6",
    } == {row.match for row in rows if isinstance(row, Acl) and "@Default " in row.match}
    # Once it is there nothing more is done for it.
    plan = make_plan(view_of(*BASE))
    assert "Default" not in str(plan.operations)


def test_a_port_group_of_others_with_the_name_is_left_alone() -> None:
    """Networks and groups can be had where another manager has the default group's name."""
    theirs = PortGroup.new(DEFAULT, name="Default", external_ids={"owner": "k8s"})
    for make_plan in (
        post("security-groups", {}),
        post("networks", {"port_security_enabled": True}),
    ):
        plan = make_plan(view_of(nb_global(), theirs))
        assert DEFAULT not in str(plan.operations)


# --- update ---


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"name": "new"}, {keys.GROUP_NAME: "new"}),
        ({"description": "d"}, {keys.DESCRIPTION: "d"}),
        ({"name": "", "description": ""}, {keys.GROUP_NAME: ""}),
    ],
)
def test_update_words(given: Any, changed: dict[str, str]) -> None:
    """What a group is called is one update; the row's own name, which rules use, stays."""
    rows = (*BASE, WEB, a_rule())
    plan = put("security-groups", GROUP, **given)(view_of(*rows))

    assert [
        ops.wait_columns(schema.PORT_GROUP, GROUP, {"external_ids": WEB.external_ids}),
        ops.update(schema.PORT_GROUP, GROUP, {"external_ids": changed_ids(WEB, **changed)}),
    ] == plan.operations
    assert_answered(plan, rows, "security-groups")


@pytest.mark.parametrize("given", [{}, {"name": "web"}, {"stateful": True}, {"description": ""}])
def test_update_without_change(given: Any) -> None:
    """A PUT of what is there already changes nothing, in use or not."""
    rows = (*BASE, WEB.copy(ports={PORT}), a_rule())
    plan = put("security-groups", GROUP, **given)(view_of(*rows))

    assert () == plan.steps
    assert_answered(plan, rows, "security-groups")


@pytest.mark.parametrize("is_stateful", [False, True])
def test_update_of_stateful(is_stateful: bool) -> None:
    """A group that becomes stateless, or stateful again, does so with all of its rules."""
    before, after = ("allow-stateless", "allow-related")[:: 1 if is_stateful else -1]
    key = {keys.GROUP_STATEFUL: "False"}
    group = WEB.copy(external_ids={**WEB.external_ids, **(key if is_stateful else {})})
    rows = (*BASE, group, a_rule(action=before))
    plan = put("security-groups", GROUP, stateful=is_stateful)(view_of(*rows))

    wanted = changed_ids(WEB, **({} if is_stateful else key))
    assert [
        ops.wait_columns(schema.PORT_GROUP, GROUP, {"ports": ()}),
        ops.wait_columns(schema.ACL, RULE, {"action": before}),
        ops.wait_columns(schema.PORT_GROUP, GROUP, {"external_ids": group.external_ids}),
        ops.update(schema.ACL, RULE, {"action": after}),
        ops.update(schema.PORT_GROUP, GROUP, {"external_ids": wanted}),
    ] == plan.operations
    assert_answered(plan, rows, "security-groups")


def test_tags() -> None:
    """Groups and rules have tags, as everything has."""
    rows = (*BASE, WEB, a_rule())
    tagged = a_group(RULE, external_ids={keys.TAGS: '["t"]'})
    rule = a_rule(external_ids={keys.TAGS: '["t"]'})

    assert ["t"] == encoded("security-groups", GROUP, (*BASE, tagged, rule))["tags"]
    assert ["t"] == encoded("security-group-rules", RULE, (*BASE, tagged, rule))["tags"]
    assert [] == encoded("security-groups", GROUP, rows)["tags"]


# --- delete ---


def test_delete() -> None:
    """A group goes if no port is in it at that moment, and its rules with it."""
    rows = (*BASE, WEB, a_rule())
    plan = delete("security-groups", GROUP)(view_of(*rows))

    assert [
        ops.wait_columns(schema.PORT_GROUP, GROUP, {"ports": ()}),
        GUARD,
        ops.wait_exists(schema.PORT_GROUP, GROUP),
        ADVANCE,
        ops.delete(schema.PORT_GROUP, GROUP),
        traces(GROUP),
    ] == plan.operations
    after = rows_after(rows, plan)
    assert not {GROUP, RULE} & {row.uuid for row in after}
    assert plan.is_done(view_of(*after))


def test_delete_takes_rules_that_name_it() -> None:
    """Rules of other groups that name the group go with it, and are counted there."""
    by_name = {keys.RULE_REMOTE_GROUP: WEB.name}
    other = a_group(RULE2, row_id(50), row_id(51), uuid=GROUP2)
    rows = (
        *BASE,
        WEB,
        a_rule(external_ids=by_name),
        other,
        a_rule(RULE2, GROUP2, external_ids=by_name),
        a_rule(row_id(50), GROUP2, external_ids=by_name, direction="from-lport"),
        a_rule(row_id(51), GROUP2),
    )
    plan = delete("security-groups", GROUP)(view_of(*rows))

    def gone(uuid: str) -> Any:
        return ops.remove_from_set(schema.PORT_GROUP, GROUP2, "acls", [uuid])

    assert [
        ADVANCE,
        ops.update(schema.PORT_GROUP, GROUP2, {"external_ids": changed_ids(other)}),
        gone(RULE2),
        gone(row_id(50)),
        ops.delete(schema.PORT_GROUP, GROUP),
        traces(RULE2, row_id(50), GROUP),
    ] == changes(plan)
    assert plan_names(plan, GROUP2) == [RULE2, row_id(50)]
    left = encoded("security-groups", GROUP2, rows_after(rows, plan))
    assert [row_id(51)] == [rule["id"] for rule in left["security_group_rules"]]
    assert 2 == left["revision_number"]


def plan_names(plan: Plan, group_id: str) -> list[str]:
    """Return the rules that must be there for the plan to be done, beside their group's row."""
    return [
        operation["rows"][0]["_uuid"][1]
        for operation in plan.operations
        if operation["op"] == "wait" and operation["table"] == schema.ACL
    ]


@pytest.mark.parametrize(
    ("request_", "status", "error_type"),
    [
        (delete("security-groups", DEFAULT), Conflict, "SecurityGroupCannotRemoveDefault"),
        (put("security-groups", DEFAULT, name="x"), Conflict, "SecurityGroupCannotUpdateDefault"),
        (delete("security-groups", GROUP), Conflict, "SecurityGroupInUse"),
        (put("security-groups", GROUP, stateful=False), Conflict, "SecurityGroupInUse"),
        (delete("security-groups", row_id(99)), NotFound, "SecurityGroupNotFound"),
        (delete("security-groups", DROP), NotFound, "SecurityGroupNotFound"),
        (put("security-groups", row_id(60), name="x"), NotFound, "SecurityGroupNotFound"),
    ],
)
def test_refused(request_: Any, status: type[ApiError], error_type: str) -> None:
    """What ports rest on, and what is not ours to change, stays."""
    theirs = PortGroup.new(row_id(60), name="theirs", external_ids={"owner": "k8s"})
    view = view_of(*BASE, WEB.copy(ports={PORT}), a_rule(), theirs)
    with pytest.raises(status) as refused:
        request_(view)

    assert error_type == refused.value.error_type


def test_the_default_group_can_be_described() -> None:
    """Of the default group only the name is fixed."""
    plan = put("security-groups", DEFAULT, description="d")(view_of(*BASE))

    assert "d" == plan.answer["security_group"]["description"]
    assert_answered(plan, BASE, "security-groups")
