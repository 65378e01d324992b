# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which port groups a port is in after a request, and what its row says of that."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import ApiError, BadRequest, Conflict, NotFound
from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.rows import Acl, PortGroup, Row, SwitchPort
from ovirt_ovn_proxy.plan.draft import Plan
from unit.proxy.plans import (
    DEFAULT,
    DROP,
    GROUP,
    GROUP2,
    MAC,
    NET,
    PORT,
    PORT2,
    a_group,
    a_network,
    a_port,
    a_subnet,
    assert_answered,
    base_groups,
    changes,
    counted,
    nb_global,
    post,
    put,
    put_by,
    row_id,
    row_uuid,
    rows_after,
    view_of,
)

NEW = row_uuid("port/0")
ON: dict[str, Any] = {"port_security_enabled": True}
OFF: dict[str, Any] = {"port_security_enabled": False}
STATELESS = a_group(uuid=row_id(60), external_ids={keys.GROUP_STATEFUL: "False"})
GROUPS: tuple[Row, ...] = (a_group(), a_group(uuid=GROUP2), STATELESS)
NETWORK: tuple[Row, ...] = (counted(NET), a_network(), a_subnet(), *base_groups(), *GROUPS)
NAMES = {DROP: "drop", DEFAULT: "default", GROUP: "web", GROUP2: "db", STATELESS.uuid: "stateless"}


def members(rows: Sequence[Row], port_id: str) -> set[str]:
    """Return the port groups that a port is in."""
    return {NAMES[row.uuid] for row in rows if isinstance(row, PortGroup) and port_id in row.ports}


def named(rows: Sequence[Row], port_id: str) -> str | None:
    """Return what the port's own row says of its groups."""
    (row,) = (row for row in rows if isinstance(row, SwitchPort) and row.uuid == port_id)
    return row.external_ids.get(keys.SECURITY_GROUPS)


# --- create ---


def test_operations() -> None:
    """A new port with port security is in two groups more, which must be there."""
    plan = post("ports", {"network_id": NET, **ON})(view_of(*NETWORK))

    guards = [ops.wait_exists(schema.PORT_GROUP, uuid) for uuid in (DROP, DEFAULT)]
    assert guards == [one for one in plan.operations if one["table"] == "Port_Group"][:2]
    assert [
        ops.add_to_set(schema.PORT_GROUP, DROP, "ports", [NEW]),
        ops.add_to_set(schema.PORT_GROUP, DEFAULT, "ports", [NEW]),
        ops.add_to_set(schema.SWITCH, NET, "ports", [NEW]),
    ] == plan.operations[-3:]
    (insert,) = (one for one in plan.operations if one["op"] == "insert")
    assert [keys.SECURITY_GROUPS, "Default"] in insert["row"]["external_ids"][1]


@pytest.mark.parametrize(
    ("given", "is_engine", "groups", "text"),
    [
        (OFF, False, set(), None),
        ({}, False, set(), None),
        (ON, False, {"drop", "default"}, "Default"),
        (ON, True, {"drop", "default"}, "Default"),
        ({**ON, "security_groups": []}, False, {"drop"}, None),
        ({**ON, "security_groups": []}, True, {"drop"}, None),
        ({**ON, "security_groups": None}, False, {"drop"}, None),
        ({**ON, "security_groups": None}, True, {"drop", "default"}, "Default"),
        ({**ON, "security_groups": [GROUP]}, False, {"drop", "web"}, GROUP),
        (
            {**ON, "security_groups": [GROUP2, GROUP]},
            False,
            {"drop", "web", "db"},
            f"{GROUP2} {GROUP}",
        ),
        ({**ON, "security_groups": [DEFAULT]}, False, {"drop", "default"}, "Default"),
        ({**ON, "security_groups": ["Default"]}, False, {"drop", "default"}, "Default"),
        # What the engine's users wrote into vNIC profiles is never too much.
        ({"security_groups": None}, True, set(), None),
        ({"security_groups": [GROUP]}, True, {"web"}, GROUP),
        ({**ON, "security_groups": [GROUP, GROUP]}, True, {"drop", "web"}, GROUP),
        ({**ON, "security_groups": [DEFAULT, "Default"]}, True, {"drop", "default"}, "Default"),
        (
            {**ON, "security_groups": [GROUP, STATELESS.uuid]},
            True,
            {"drop", "web", "stateless"},
            f"{GROUP} {STATELESS.uuid}",
        ),
        # Routers and servers of the network filter nothing.
        ({**ON, "device_owner": "network:dhcp"}, False, set(), None),
    ],
)
def test_create(given: Any, is_engine: bool, groups: set[str], text: str | None) -> None:
    """A new port is in the groups that it names, or in the default one; port security drops."""
    plan = post("ports", {"network_id": NET, **given}, is_engine=is_engine)(view_of(*NETWORK))
    after = assert_answered(plan, NETWORK, "ports")

    assert (groups, text) == (members(after, NEW), named(after, NEW))
    port = plan.answer["port"]
    assert port["port_security_enabled"] == ("drop" in groups)
    assert groups - {"drop"} == {NAMES[group_id] for group_id in port["security_groups"]}


@pytest.mark.parametrize(
    ("given", "status", "error_type"),
    [
        ({**ON, "security_groups": [row_id(99)]}, NotFound, "SecurityGroupNotFound"),
        ({**ON, "security_groups": ["x"]}, NotFound, "SecurityGroupNotFound"),
        ({**ON, "security_groups": [""]}, NotFound, "SecurityGroupNotFound"),
        ({**ON, "security_groups": [DROP]}, NotFound, "SecurityGroupNotFound"),
        ({**ON, "security_groups": ["DropAll"]}, NotFound, "SecurityGroupNotFound"),
        ({**ON, "security_groups": [GROUP, GROUP]}, BadRequest, "HTTPBadRequest"),
        ({**ON, "security_groups": [DEFAULT, "Default"]}, BadRequest, "HTTPBadRequest"),
        ({**ON, "security_groups": [GROUP, STATELESS.uuid]}, Conflict, "SecurityGroupConflict"),
        (
            {**OFF, "security_groups": [GROUP]},
            BadRequest,
            "PortSecurityAndIPRequiredForSecurityGroups",
        ),
        (
            {**ON, "device_owner": "network:dhcp", "security_groups": [GROUP]},
            BadRequest,
            "PortSecurityAndIPRequiredForSecurityGroups",
        ),
    ],
)
def test_refused(given: Any, status: type[ApiError], error_type: str) -> None:
    """Groups that are not there, or that do nothing on the port, are refused, also in a PUT."""
    with pytest.raises(status) as refused:
        post("ports", {"network_id": NET, **given})(view_of(*NETWORK))
    assert error_type == refused.value.error_type
    if "device_owner" not in given:
        with pytest.raises(status) as refused:
            put_by("ports", PORT, given)(view_of(*site()))
        assert error_type == refused.value.error_type


@pytest.mark.parametrize("given", [[row_id(99)], ["SG1"]])
def test_the_engine_hears_of_unknown_groups(given: list[str]) -> None:
    """A group that is not there filters nothing: the engine's user must hear of it."""
    make_plan = post("ports", {"network_id": NET, "security_groups": given}, is_engine=True)
    with pytest.raises(NotFound):
        make_plan(view_of(*NETWORK))


def test_create_in_bulk() -> None:
    """The ports of a bulk request join each group in one mutation, and take time in proportion."""
    make_plan = post("ports", *[{"network_id": NET, "fixed_ips": [], **ON}] * 2000)
    started = time.thread_time()
    plan = make_plan(view_of(*NETWORK))
    operations = plan.operations

    assert time.thread_time() - started < 2
    ids = [port["id"] for port in plan.answer["ports"]]
    joined = [one for one in operations if one["op"] == "mutate" and one["table"] == "Port_Group"]
    expected = [ops.add_to_set(schema.PORT_GROUP, uuid, "ports", ids) for uuid in (DROP, DEFAULT)]
    assert expected == joined


def test_the_base_groups_come_with_the_first_port() -> None:
    """On a new site the first port with port security brings what filters, all of it."""
    rows = (nb_global(), a_network())
    plan = post("ports", *[{"network_id": NET, **ON}] * 2)(view_of(*rows))
    after = rows_after(rows, plan)
    groups = {row.name: row for row in after if isinstance(row, PortGroup)}

    ids = {port["id"] for port in plan.answer["ports"]}
    assert {"Default": ids, "DropAll": ids} == {name: row.ports for name, row in groups.items()}
    assert (4, 4) == tuple(len(row.acls) for row in groups.values())
    assert "DropAll" == groups["DropAll"].external_ids[keys.GROUP_NAME]
    assert_answered(plan, rows, "ports")


def test_a_group_that_drops_is_completed() -> None:
    """What a site of ovirt-provider-ovn drops by stays, and what a guest needs is added."""
    default, drop, *acls = base_groups()
    assert isinstance(drop, PortGroup)
    theirs = [acl for acl in acls if isinstance(acl, Acl) and acl.action == "drop"]
    drop = drop.copy(acls=tuple(acl.uuid for acl in theirs))
    rows = (counted(NET), a_network(), a_subnet(), default, drop, *theirs)
    plan = post("ports", {"network_id": NET, **ON})(view_of(*rows))

    assert ops.wait_columns(schema.PORT_GROUP, DROP, {"acls": drop.acls}) in plan.operations
    added = [one for one in plan.operations if one["op"] == "insert" and one["table"] == "ACL"]
    assert ["allow", "allow"] == [one["row"]["action"] for one in added]
    after = rows_after(rows, plan)
    assert {acl.uuid for acl in theirs} < {row.uuid for row in after}
    again = post("ports", {"network_id": NET, **ON, "name": "x"})(view_of(*after))
    assert "ACL" not in {one["table"] for one in changes(again)}


@pytest.mark.parametrize("name", ["Default", "DropAll"])
def test_names_of_others_are_not_taken(name: str) -> None:
    """Where another manager has a port group of that name, it is neither used nor changed."""
    base = [row for row in base_groups() if getattr(row, "name", None) != name]
    theirs = PortGroup.new(row_id(61), name=name, external_ids={"owner": "k8s"})
    view = view_of(counted(NET), a_network(), *base, theirs)
    with pytest.raises(Conflict, match="another manager"):
        post("ports", {"network_id": NET, **ON})(view)
    plan = post("ports", {"network_id": NET, **OFF})(view)

    assert row_id(61) not in str(plan.operations)


def test_several_groups_rest_on_what_they_are() -> None:
    """That groups are all stateful, or all stateless, is held to."""
    given = {"network_id": NET, **ON, "security_groups": [GROUP, GROUP2]}
    plan = post("ports", given)(view_of(*NETWORK))

    for group in GROUPS[:2]:
        assert isinstance(group, PortGroup)
        columns = {"external_ids": group.external_ids}
        assert ops.wait_columns(schema.PORT_GROUP, group.uuid, columns) in plan.operations


# --- update ---


def site(groups: str | None = "Default", is_secured: bool = True) -> tuple[Row, ...]:
    """Return a network with a port in these groups, and another port in all of them."""
    external_ids = {} if groups is None else {keys.SECURITY_GROUPS: groups}
    security = (f"{MAC} 10.0.0.5",) if is_secured else ()
    port = a_port(f"{MAC} 10.0.0.5", port_security=security, external_ids=external_ids)
    ids = (groups or "").replace("Default", DEFAULT).split() + [DROP] * is_secured
    rows = [
        row.copy(ports={PORT2} | ({PORT} if row.uuid in ids else set()))
        if isinstance(row, PortGroup)
        else row
        for row in (*base_groups(), *GROUPS)
    ]
    return (counted(NET), a_network(PORT), port, a_subnet(), *rows)


@pytest.mark.parametrize(
    ("rows", "given", "is_engine", "groups", "text"),
    [
        # Nobody mentions groups.
        (site(), {"name": "n"}, False, {"drop", "default"}, "Default"),
        (site(GROUP), ON, False, {"drop", "web"}, GROUP),
        (site(GROUP), {"binding:host_id": "h", "mac_address": MAC}, True, {"drop", "web"}, GROUP),
        # Other groups, or none.
        (site(), {"security_groups": [GROUP]}, False, {"drop", "web"}, GROUP),
        (site(GROUP), {"security_groups": [GROUP, GROUP2]}, False, {"drop", "web", "db"}, None),
        (site(f"{GROUP} {GROUP2}"), {"security_groups": [GROUP2]}, False, {"drop", "db"}, GROUP2),
        (site(GROUP), {"security_groups": ["Default"]}, False, {"drop", "default"}, "Default"),
        (site(GROUP), {"security_groups": []}, False, {"drop"}, None),
        (site(GROUP), {"security_groups": None}, False, {"drop"}, None),
        # null means the default group to the engine
        (site(None), {"security_groups": None}, True, {"drop", "default"}, "Default"),
        (site(GROUP), {"security_groups": None}, True, {"drop", "default"}, "Default"),
        (site(None, False), {"security_groups": None}, True, set(), None),
        (site(None, False), {"security_groups": [GROUP]}, True, {"web"}, GROUP),
        (site(GROUP, False), {"security_groups": None}, True, set(), None),
        # Port security comes and goes.
        (site(None, False), ON, False, {"drop"}, None),
        (site(None), OFF, False, set(), None),
        (site(None, False), {**ON, "security_groups": [GROUP]}, False, {"drop", "web"}, GROUP),
        (site(GROUP), {**OFF, "security_groups": []}, False, set(), None),
        # ovirt-provider-ovn leaves groups to ports without port security
        (site(GROUP, False), {"name": "n"}, False, {"web"}, GROUP),
        (site(GROUP, False), OFF, False, {"web"}, GROUP),
        (site(GROUP, False), ON, False, {"drop", "web"}, GROUP),
    ],
)
def test_update(
    rows: tuple[Row, ...], given: Any, is_engine: bool, groups: set[str], text: str | None
) -> None:
    """A PUT moves a port between groups, in and out of the one that drops, and no other port."""
    plan = put_by("ports", PORT, given, is_engine=is_engine)(view_of(*rows))
    after = assert_answered(plan, rows, "ports")

    assert groups == members(after, PORT)
    assert text is None or text == named(after, PORT)
    assert set(NAMES.values()) == members(after, PORT2)
    if plan.steps and groups != members(rows, PORT):
        port = next(row for row in rows if row.uuid == PORT)
        assert isinstance(port, SwitchPort)
        seen = {"external_ids": port.external_ids, "port_security": port.port_security}
        assert ops.wait_columns(schema.PORT, PORT, seen) in plan.operations


@pytest.mark.parametrize(
    "given", [{"security_groups": [GROUP]}, {**ON, "security_groups": [GROUP]}, ON, {"name": "nic"}]
)
def test_update_without_change(given: Any) -> None:
    """A PUT of what is there already changes nothing."""
    plan = put_by("ports", PORT, given)(view_of(*site(GROUP)))

    assert () == plan.steps


def test_port_security_stays_on_while_groups_are_named() -> None:
    """Port security goes together with the groups, not while they are there."""
    for is_engine in (False, True):
        with pytest.raises(Conflict) as refused:
            put_by("ports", PORT, OFF, is_engine=is_engine)(view_of(*site(GROUP)))
        assert "PortSecurityPortHasSecurityGroup" == refused.value.error_type


def test_what_others_moved_is_put_right() -> None:
    """A port that its row and its groups disagree about is put where its row says."""
    rows = [
        row.copy(ports=row.ports ^ {PORT}) if isinstance(row, PortGroup) else row
        for row in site(GROUP)
    ]
    assert {"default", "db", "stateless"} == members(rows, PORT)

    plan = put("ports", PORT, security_groups=[GROUP])(view_of(*rows))

    assert {"drop", "web"} == members(rows_after(rows, plan), PORT)
    assert [schema.PORT_GROUP] * 5 == [one["table"] for one in changes(plan)]


def test_groups_that_are_gone_are_forgotten() -> None:
    """A port that names a group which somebody took away can be moved to others."""
    rows = [row for row in site(GROUP) if row.uuid != GROUP]
    after = rows_after(rows, put("ports", PORT, security_groups=[GROUP2])(view_of(*rows)))
    assert ({"drop", "db"}, GROUP2) == (members(after, PORT), named(after, PORT))

    secured: Plan = put("ports", PORT, **ON)(view_of(*rows))
    assert {"drop"} == members(rows_after(rows, secured), PORT)
