# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each step's guards and operations, and how to see that it is done."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.ops import Operation
from ovirt_ovn_proxy.nb.rows import DhcpOptions, Row
from ovirt_ovn_proxy.plan.draft import Plan
from ovirt_ovn_proxy.plan.steps import (
    Advance,
    Attach,
    Delete,
    Detach,
    Guard,
    Insert,
    Step,
    Update,
)
from unit.proxy.plans import (
    LATER,
    MAC,
    NB,
    NET,
    NOW,
    OTHER_NET,
    PORT,
    PORT2,
    SUBNET,
    a_network,
    a_port,
    a_subnet,
    changes,
    context,
    counted,
    draft_of,
    nb_global,
    row_uuid,
    rows_after,
    traces,
    view_of,
)

KEY = keys.SEQUENCE + NET
EMPTY: tuple[Row, ...] = (nb_global(), a_network())
FULL: tuple[Row, ...] = (nb_global(), a_network(PORT), a_port())
ALL = {KEY: "7", "other": "x"}


@pytest.mark.parametrize(
    ("step", "guards", "operations"),
    [
        (
            Insert(schema.DHCP, SUBNET, {"cidr": "::/0"}),
            [],
            [ops.insert(schema.DHCP, SUBNET, {"cidr": "::/0"})],
        ),
        (
            Update(schema.PORT, PORT, {"enabled": None}, {"enabled": True}),
            [ops.wait_columns(schema.PORT, PORT, {"enabled": None})],
            [ops.update(schema.PORT, PORT, {"enabled": True})],
        ),
        (
            Delete(schema.SWITCH, NET),
            [ops.wait_exists(schema.SWITCH, NET)],
            [ops.delete(schema.SWITCH, NET)],
        ),
        (
            Attach("Logical_Switch", NET, "ports", PORT),
            [ops.wait_exists(schema.SWITCH, NET)],
            [ops.add_to_set(schema.SWITCH, NET, "ports", [PORT])],
        ),
        (
            Attach("Logical_Switch", NET, "ports", PORT, is_new=True),
            [],
            [ops.add_to_set(schema.SWITCH, NET, "ports", [PORT])],
        ),
        (
            Detach("Logical_Switch", NET, "ports", PORT),
            [ops.wait_exists(schema.PORT, PORT)],
            [ops.remove_from_set(schema.SWITCH, NET, "ports", [PORT])],
        ),
        (
            Guard(schema.SWITCH, NET, {"name": "n"}),
            [ops.wait_columns(schema.SWITCH, NET, {"name": "n"})],
            [],
        ),
        (
            Advance(NET, NB, ALL),
            [ops.wait_key(schema.NB_GLOBAL, NB, "external_ids", KEY, "7")],
            [ops.set_key(schema.NB_GLOBAL, NB, "external_ids", KEY, "8")],
        ),
        (
            Advance(NET, NB, {"other": "x"}),
            ops.wait_no_keys(schema.NB_GLOBAL, NB, "external_ids", [KEY]),
            [ops.set_key(schema.NB_GLOBAL, NB, "external_ids", KEY, "1")],
        ),
        (
            Advance(NET, NB, {KEY: "broken"}),
            [ops.wait_key(schema.NB_GLOBAL, NB, "external_ids", KEY, "broken")],
            [ops.set_key(schema.NB_GLOBAL, NB, "external_ids", KEY, "1")],
        ),
        (
            Advance(NET, NB, {"other": "x"}, is_first=True),
            [],
            [ops.set_key(schema.NB_GLOBAL, NB, "external_ids", KEY, "1")],
        ),
        (
            Advance(NET, NB, ALL, is_last=True),
            [ops.wait_key(schema.NB_GLOBAL, NB, "external_ids", KEY, "7")],
            [ops.set_key(schema.NB_GLOBAL, NB, "external_ids", KEY, None)],
        ),
    ],
)
def test_step(step: Step, guards: Sequence[Operation], operations: Sequence[Operation]) -> None:
    """A step is these guards and these operations."""
    assert list(guards) == list(step.guards())
    assert list(operations) == list(step.operations())


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        (Insert(schema.PORT, PORT, {"name": PORT}), EMPTY, FULL),
        (Attach("Logical_Switch", NET, "ports", PORT), EMPTY, FULL),
        (Detach("Logical_Switch", NET, "ports", PORT), FULL, EMPTY),
        (Delete(schema.SWITCH, NET), EMPTY, (nb_global(),)),
        (
            Update(schema.SWITCH, NET, {"name": "ovirt"}, {"name": "new"}),
            EMPTY,
            (a_network().copy(name="new"),),
        ),
        (
            Update(schema.SWITCH, OTHER_NET, {}, {"name": "n"}),
            (),
            (a_network(uuid=OTHER_NET).copy(name="n"),),
        ),
    ],
)
def test_is_done(step: Step, before: Sequence[Row], after: Sequence[Row]) -> None:
    """A step is done once the view shows what it wanted."""
    assert not step.is_done(view_of(*before))
    assert step.is_done(view_of(*after))


@pytest.mark.parametrize("step", [Guard(schema.SWITCH, NET, {"name": "n"}), Advance(NET, NB, {})])
def test_conditions_are_never_undone(step: Step) -> None:
    """What changes nothing, or moves on at once, does not tell whether a plan was committed."""
    assert step.is_done(view_of())


def test_update_of_a_row_that_is_gone() -> None:
    """An update of a row that somebody deleted is not done."""
    assert not Update(schema.PORT, PORT, {}, {"name": ""}).is_done(view_of())


# --- drafts ---


def test_guards_once_and_first() -> None:
    """Every guard stands once, before the first change; what comes into a set comes at once."""
    row = a_network(PORT)
    draft = draft_of(counted(NET), row, a_port())
    for number in (1, 2):
        draft.insert_into(row, "ports", a_port(uuid=row_uuid(str(number))))
    draft.advance(NET)
    draft.advance(NET)
    draft.rest_on(row, "name")
    plan = draft.finish({})

    kinds = ["wait"] * 3 + ["mutate"] + ["insert"] * 2 + ["mutate"]
    assert [op["op"] for op in plan.operations] == kinds
    members = [row_uuid("1"), row_uuid("2")]
    assert plan.operations[-1] == ops.add_to_set(schema.SWITCH, NET, "ports", members)


def test_nothing_to_change() -> None:
    """A draft that wants what is there gives a plan without steps, guards or counters."""
    row = a_network()
    draft = draft_of(nb_global(), row)
    draft.advance(NET)
    draft.rest_on(row, "name")
    draft.update(row.copy())

    assert Plan((), {"a": 1}) == draft.finish({"a": 1})


def test_insert_and_delete() -> None:
    """A row that the draft itself made goes as if it had never been; one of the view is deleted."""
    draft = draft_of(nb_global(), a_network(), a_subnet())
    new = DhcpOptions.new(row_uuid("x"), cidr="::/0")
    draft.insert(new)
    draft.update(new.copy(cidr="10.0.0.0/8"))
    draft.delete(new)
    draft.update(a_subnet(cidr="10.1.0.0/16"))
    draft.delete(a_subnet())

    assert [ops.delete(schema.DHCP, SUBNET), traces(SUBNET)] == changes(draft.finish(None))
    assert draft.subnets_of(NET) == []


def test_update_of_an_insert() -> None:
    """A row that the draft made and then changed is inserted once, as changed."""
    draft = draft_of(nb_global())
    new = DhcpOptions.new(row_uuid("x"), cidr="::/0")
    draft.insert(new)
    draft.update(new.copy(cidr="10.0.0.0/8"))

    assert [ops.insert(schema.DHCP, new.uuid, {"cidr": "10.0.0.0/8"})] == changes(
        draft.finish(None)
    )


def test_update_of_an_unknown_row() -> None:
    """To change a row that is not there is a defect, never a silent loss."""
    draft = draft_of(nb_global())
    draft.update(a_subnet())
    with pytest.raises(LookupError, match=SUBNET):
        draft.finish(None)


def test_only_differences_are_written() -> None:
    """An update writes the changed columns, and guards what they were."""
    draft = draft_of(nb_global(), a_network(), a_subnet())
    draft.update(a_subnet(cidr="10.0.0.0/25"))

    assert [
        ops.wait_columns(schema.DHCP, SUBNET, {"cidr": "10.0.0.0/24"}),
        ops.update(schema.DHCP, SUBNET, {"cidr": "10.0.0.0/25"}),
    ] == draft.finish(None).operations


def test_steps_do_not_follow_the_replica() -> None:
    """A plan holds what its planner saw, whatever happens to the rows meanwhile."""
    draft = draft_of(counted(NET), a_network(PORT), a_port())
    row = draft.network(NET)
    assert row is not None
    draft.rest_on(row, "ports")
    draft.delete(row)
    plan = draft.finish(None)
    before = plan.operations
    row.ports.add(PORT2)

    assert before == plan.operations


def test_reading() -> None:
    """Who plans on sees the rows as they are wanted so far."""
    draft = draft_of(nb_global(), a_network(PORT), a_port(), a_subnet())
    draft.update(a_network(PORT).copy(name="new"))
    found = draft.network(NET)

    assert found is not None
    assert found.name == "new"
    assert draft.network(OTHER_NET) is None


def test_reading_between_changes() -> None:
    """What was read before a change is not what is read after it."""
    draft = draft_of(nb_global(), a_network(), a_subnet())
    seen = [draft.subnets_of(NET)]
    draft.insert(a_subnet(uuid=row_uuid("x"), cidr="10.1.0.0/24"))
    seen.append(draft.subnets_of(NET))
    draft.update(a_subnet(cidr="10.2.0.0/24"))
    seen.append(draft.subnets_of(NET))
    draft.delete(a_subnet())
    seen.append(draft.subnets_of(NET))

    assert [
        ["10.0.0.0/24"],
        ["10.0.0.0/24", "10.1.0.0/24"],
        ["10.2.0.0/24", "10.1.0.0/24"],
        ["10.1.0.0/24"],
    ] == [[row.cidr for row in rows] for rows in seen]


def test_copied_switch_keeps_its_usage() -> None:
    """The second object of a bulk request still finds what is taken on its network."""
    draft = draft_of(nb_global(), a_network(PORT), a_port())
    row = draft.network(NET)
    assert row is not None
    draft.update(row.copy(name="new"))
    found = draft.network(NET)

    assert found is not None
    assert draft.view.usage(found).macs == {MAC: 1}


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a", "a"]])
def test_database_without_nb_global(names: list[str]) -> None:
    """Where nobody has made the row of NB_Global, a plan makes it, once for all counters."""
    draft = draft_of(a_network())
    for name in names:
        draft.advance(name)
    draft.update(a_network().copy(name="new"))
    operations = draft.finish(None).operations
    inserts = [op for op in operations if op["op"] == "insert"]

    assert [schema.NB_GLOBAL] == [op["table"] for op in inserts]


def test_row_uuid() -> None:
    """Ids follow from the request: the same again for one request, others for another."""
    assert context().row_uuid("port/0") == context(now=NOW).row_uuid("port/0")
    assert context().row_uuid("port/0") != context().row_uuid("port/1")
    assert LATER != NOW


def test_rows_after() -> None:
    """The helper of these tests does to rows what the steps say."""
    plan = Plan(
        (
            Advance(NET, NB, {KEY: "7"}),
            Insert(schema.PORT, PORT2, {"name": PORT2}),
            Update(schema.SWITCH, NET, {}, {"name": "new"}),
            Attach("Logical_Switch", NET, "ports", PORT2),
            Detach("Logical_Switch", NET, "ports", PORT),
        ),
        None,
    )
    view = view_of(*rows_after([counted(NET), a_network(PORT), a_port()], plan))
    switch = view.network(NET)

    assert switch is not None
    assert ({PORT2}, "new") == (switch.ports, switch.name)
    assert view.nb_global is not None
    assert view.nb_global.external_ids == {KEY: "8"}
    assert view.row(schema.PORT, PORT) is None
