# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a later view tells of a plan whose reply was lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.rows import NbGlobal, Row, SwitchPort
from ovirt_ovn_proxy.plan.draft import Plan
from ovirt_ovn_proxy.plan.fate import Fate, fate, only_once
from ovirt_ovn_proxy.plan.steps import Delete, Detach, Insert, Step, Update
from ovirt_ovn_proxy.plan.traces import Trace
from unit.proxy.plans import (
    NB,
    NET,
    NOW,
    PORT,
    PORT2,
    SUBNET,
    a_network,
    a_port,
    a_subnet,
    nb_global,
    view_of,
)


def port(name: str, revision: int, time: str) -> SwitchPort:
    """Return a port of this name whose last change was so."""
    ids = {keys.NIC_NAME: name, keys.REVISION: str(revision), keys.UPDATED_AT: time}
    return a_port().copy(external_ids=ids)


OLD, NEW = port("old", 3, "t3"), port("new", 4, "t4")
UPDATE = Update(
    schema.PORT, PORT, {"external_ids": OLD.external_ids}, {"external_ids": NEW.external_ids}
)
INSERT = Insert(schema.PORT, PORT, {})
DELETE = Delete(schema.SWITCH, NET)


@pytest.mark.parametrize(
    ("rows", "steps", "expected"),
    [
        ([OLD], [UPDATE], Fate.OPEN),
        ([NEW], [UPDATE], Fate.DONE),
        # Written over by somebody who counts no revisions, before it or after it.
        ([port("theirs", 3, "t3")], [UPDATE], Fate.OPEN),
        ([port("theirs", 4, "t4")], [UPDATE], Fate.DONE),
        # Another change came first, or two others, or this and another one.
        ([port("theirs", 4, "t5")], [UPDATE], Fate.VOID),
        ([port("theirs", 5, "t5")], [UPDATE], Fate.DOUBTFUL),
        # Whoever wrote it, it is there.
        ([port("new", 5, "t5")], [UPDATE], Fate.DONE),
        ([], [UPDATE], Fate.OPEN),
        # One mark tells of all steps.
        ([OLD, a_network()], [INSERT, DELETE], Fate.DONE),
        ([NEW, a_network()], [UPDATE, DELETE], Fate.DONE),
        ([a_network()], [INSERT, DELETE], Fate.OPEN),
        ([a_network()], [DELETE], Fate.OPEN),
        ([], [DELETE], Fate.DONE),
        ([], [Update(schema.PORT, PORT, {"enabled": None}, {"enabled": True})], Fate.OPEN),
    ],
)
def test_fate(rows: Sequence[Row], steps: Sequence[Step], expected: Fate) -> None:
    """A plan is recognised by its rows and marks, also where others have gone on from it."""
    assert expected is fate(Plan(tuple(steps), None), view_of(*rows))


OURS, THEIRS = "ours", "theirs"
TRACE = Trace(NB, NOW, OURS, (NET, SUBNET, PORT), ())
SUBNET_DELETE = Delete(schema.DHCP, SUBNET)
PORT_DELETE = Detach(schema.SWITCH, NET, "ports", PORT)
OPEN_PORT = Detach(schema.PORT_GROUP, NET, "ports", PORT)


def traced(**requests: str) -> NbGlobal:
    """Return the row with traces of the network, the subnet and the port, by their deleters."""
    rows = {"net": NET, "subnet": SUBNET, "port": PORT}
    ids = {keys.DELETED + rows[name]: f"{NOW} {who}" for name, who in requests.items()}
    return NbGlobal.new(NB, external_ids=ids)


@pytest.mark.parametrize(
    ("rows", "steps", "expected"),
    [
        # A deletion is whose trace there is.
        ([traced(net=OURS)], [DELETE], Fate.DONE),
        ([traced(net=THEIRS)], [DELETE], Fate.VOID),
        ([traced(port=OURS)], [PORT_DELETE], Fate.DONE),
        ([traced(port=THEIRS)], [PORT_DELETE], Fate.VOID),
        # Some other program did it, or an older version: nobody was told of another deletion.
        ([traced()], [DELETE], Fate.DONE),
        ([traced(subnet=THEIRS)], [DELETE], Fate.DONE),
        ([traced(), a_network()], [DELETE], Fate.OPEN),
        # A row that was there again: what goes on with it is not known by that trace.
        ([traced(net=THEIRS), a_network()], [DELETE], Fate.OPEN),
        ([traced(net=OURS), a_network()], [DELETE], Fate.OPEN),
        # All of a plan is done, or nothing.
        ([traced(subnet=THEIRS), a_network()], [SUBNET_DELETE, DELETE], Fate.VOID),
        ([traced(subnet=OURS, net=THEIRS)], [SUBNET_DELETE, DELETE], Fate.VOID),
        ([traced(subnet=OURS)], [SUBNET_DELETE, DELETE], Fate.DONE),
        ([traced(), a_network()], [SUBNET_DELETE, DELETE], Fate.OPEN),
        # A reference that goes is no deletion.
        ([traced(port=THEIRS), a_network()], [OPEN_PORT, DELETE], Fate.OPEN),
        # Deletions in a change of something else.
        ([traced(subnet=THEIRS), NEW], [UPDATE, SUBNET_DELETE], Fate.VOID),
        ([traced(subnet=OURS), port("theirs", 9, "t9")], [UPDATE, SUBNET_DELETE], Fate.DONE),
        ([traced(), NEW, a_subnet()], [UPDATE, SUBNET_DELETE], Fate.DONE),
        # What was deleted had been made.
        ([traced(port=THEIRS)], [INSERT], Fate.DONE),
        ([traced()], [INSERT], Fate.OPEN),
        ([traced(port=THEIRS), a_network()], [INSERT, DELETE], Fate.DONE),
        ([traced(port=THEIRS, net=THEIRS)], [INSERT, DELETE], Fate.VOID),
        # It may have been changed before, and may not.
        ([traced(port=THEIRS)], [UPDATE], Fate.DOUBTFUL),
        ([traced()], [UPDATE], Fate.OPEN),
        # What it was to delete is there, so it was not committed.
        ([traced(port=THEIRS), a_network()], [UPDATE, DELETE], Fate.OPEN),
        (
            [traced(port=THEIRS)],
            [Update(schema.PORT, PORT, {"enabled": None}, {"enabled": True})],
            Fate.OPEN,
        ),
    ],
)
def test_fate_by_traces(rows: Sequence[Row], steps: Sequence[Step], expected: Fate) -> None:
    """What came of rows that are gone is known by the traces that their deletion left."""
    assert expected is fate(Plan((*steps, TRACE), None), view_of(*rows))


def test_deletion_that_could_leave_no_trace() -> None:
    """A plan from a time without NB_Global left none, so a trace is another's."""
    assert Fate.VOID is fate(Plan((DELETE,), None), view_of(traced(net=THEIRS)))
    assert Fate.DONE is fate(Plan((DELETE,), None), view_of())


def test_only_once() -> None:
    """Another attempt is held to its new rows never having been deleted, and is else the same."""
    plan = Plan((DELETE, INSERT, Insert(schema.PORT, PORT2, {})), "answer")
    again = only_once(plan, view_of(nb_global()))
    names = [keys.DELETED + PORT, keys.DELETED + PORT2]
    guard = ops.wait_no_keys(schema.NB_GLOBAL, NB, "external_ids", names)

    assert [*guard, *plan.operations] == again.operations
    assert "answer" == again.answer
    assert not again.is_done(view_of(nb_global(), a_port()))
    assert again.is_done(view_of(a_port(), a_port(uuid=PORT2)))


@pytest.mark.parametrize("plan", [Plan((), 1), Plan((DELETE, UPDATE), 1), Plan((INSERT,), 1)])
def test_nothing_to_be_held_to(plan: Plan) -> None:
    """A plan without new rows, or on a database without traces, stays as it is."""
    rows = [] if INSERT in plan.steps else [nb_global()]
    assert plan is only_once(plan, view_of(*rows))
