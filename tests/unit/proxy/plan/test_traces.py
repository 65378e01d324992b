# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces are left by each deletion, and do not become many."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from ovirt_ovn_proxy.nb import keys, ops, schema
from ovirt_ovn_proxy.nb.ops import Operation
from ovirt_ovn_proxy.nb.rows import NbGlobal
from ovirt_ovn_proxy.plan import traces
from ovirt_ovn_proxy.plan.traces import Trace, deleter, leave_trace
from unit.proxy.plans import (
    GROUP,
    NB,
    NET,
    PORT,
    PORT2,
    REQUEST,
    SUBNET,
    a_group,
    a_localnet,
    a_network,
    a_port,
    a_subnet,
    draft_of,
    nb_global,
    row_id,
    view_of,
)

REQ = str(REQUEST)
NOW = "2026-01-02T03:30:00.000000Z"


def nb_with(found: Mapping[str, str], **others: str) -> NbGlobal:
    """Return the row of NB_Global with these traces, and other keys."""
    ids = {keys.DELETED + uuid: value for uuid, value in found.items()}
    return NbGlobal.new(NB, external_ids={**ids, **others})


def at(minutes: int, second: int = 0) -> str:
    """Return the trace of another request, left so many minutes after three."""
    return f"2026-01-02T03:{minutes:02}:{second:02}.000000Z other"


def left(found: Mapping[str, str], *deleted: str, now: str = NOW) -> Trace:
    """Return the step that leaves traces beside those that are there."""
    return leave_trace(nb_with(found, ovirt_sequence_x="7", foreign="0"), deleted, REQ, now)


def change(gone: list[str], new: Mapping[str, str]) -> Operation:
    """Return one mutation of traces."""
    pairs = {keys.DELETED + uuid: value for uuid, value in new.items()}
    names = [keys.DELETED + uuid for uuid in gone]
    return ops.change_keys(schema.NB_GLOBAL, NB, "external_ids", names, pairs)


def test_one_operation() -> None:
    """All traces of a plan come in one mutation, without a guard, and old ones go in it."""
    step = left({row_id(90): at(19), row_id(91): at(20), row_id(92): at(21)}, PORT, PORT2)
    value = f"{NOW} {REQ}"

    assert [] == list(step.guards())
    assert [change([row_id(90)], {PORT: value, PORT2: value})] == list(step.operations())
    assert step.is_done(view_of())


def test_row_that_was_there_again() -> None:
    """A trace of the same row gives way: a mutation alone would not replace it."""
    [operation] = left({PORT: at(29)}, PORT).operations()
    assert change([PORT], {PORT: f"{NOW} {REQ}"}) == operation
    [operation] = left({PORT: at(1)}, PORT).operations()
    assert change([PORT], {PORT: f"{NOW} {REQ}"}) == operation


def test_clocks_that_differ() -> None:
    """Nothing of the last minutes goes for a clock that is some minutes ahead, or behind."""
    assert () == left({NET: at(22), SUBNET: at(38)}, PORT).forgotten
    # One that would be there for ever otherwise was left by a clock that was wrong.
    assert (SUBNET,) == left({NET: at(22), SUBNET: at(41)}, PORT).forgotten


def test_one_in_sixteen() -> None:
    """Not every deletion looks for what can go: the first digit of its row's uuid decides."""
    found = {row_id(90): at(1)}
    digits = [digit for digit in "0123456789abcdef" if left(found, digit + PORT[1:]).forgotten]

    assert ["0"] == digits
    # One that replaces a trace does so always.
    assert (NET.replace("0", "8"),) == left(
        {NET.replace("0", "8"): at(1)}, NET.replace("0", "8")
    ).forgotten


@pytest.mark.parametrize("value", ["", "nonsense", "1"])
def test_damaged(value: str) -> None:
    """A trace that cannot be read harms nobody."""
    row = nb_with({NET: value})
    step = leave_trace(row, [PORT], REQ, NOW)

    assert (PORT,) == step.deleted
    assert step.forgotten in ((), (NET,))
    assert value == deleter(view_of(row), NET)


def test_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the older half goes; the new ones stay, however many they are."""
    monkeypatch.setattr(traces, "_MOST", 10)
    found = {row_id(100 + number): at(25, number) for number in range(9)}

    assert () == left(found, PORT).forgotten
    assert tuple(map(row_id, range(100, 104))) == left(found, PORT, PORT2).forgotten
    many = [row_id(number) for number in range(200, 220)]
    assert tuple(map(row_id, range(100, 104))) == left(found, *many).forgotten
    # Those that are too old anyhow are among them.
    found |= {row_id(99): at(10), row_id(98): at(11)}
    assert (row_id(99), row_id(98)) == left(found, PORT).forgotten
    assert tuple(map(row_id, (99, 98, 100, 101, 102, 103))) == left(found, PORT, PORT2).forgotten


@pytest.mark.parametrize(("pause_s", "bound"), [(1.0, 600), (0.05, 1300)])
def test_the_bound_is_kept(pause_s: float, bound: int) -> None:
    """However many deletions there are, only as many stay, or those of a minute."""
    found: dict[str, str] = {}
    most = 0
    choose = random.Random(1)
    start = datetime.fromisoformat(NOW[:-1])
    for number in range(5000):
        time = start + timedelta(seconds=number * pause_s)
        now = time.isoformat(timespec="microseconds") + "Z"
        step = left(found, str(uuid.UUID(int=choose.getrandbits(128))), now=now)
        for row in step.forgotten:
            age = time - datetime.fromisoformat(found.pop(row).partition("Z")[0])
            assert age >= timedelta(minutes=1)
        found.update(dict.fromkeys(step.deleted, f"{step.time} {step.request}"))
        most = max(most, len(found))
    assert 500 <= most <= bound


def test_deleter() -> None:
    """Who deleted a row is known by its uuid, as long as there is a trace."""
    view = view_of(nb_with({PORT: f"{NOW} {REQ}"}, foreign="x"))

    assert REQ == deleter(view, PORT)
    assert deleter(view, PORT2) is None
    assert deleter(view_of(), PORT) is None


# --- drafts ---


def test_drafts_leave_traces() -> None:
    """Each row that a draft deletes leaves a trace; what is only taken out of a set leaves none."""
    rows = (a_network(PORT), a_port(), a_subnet(), a_group().copy(ports={PORT}))
    draft = draft_of(nb_global(), *rows)
    switch, port, subnet, group = rows
    draft.detach(group, "ports", port)
    draft.delete_from(switch, "ports", port)
    draft.delete(subnet)
    found = [step for step in draft.finish(None).steps if isinstance(step, Trace)]

    assert [{PORT, SUBNET}] == [set(step.deleted) for step in found]
    assert [(NB, REQ)] == [(step.uuid, step.request) for step in found]


def test_plans_without_traces() -> None:
    """What deletes nothing leaves none; nor does what has no row to leave it in."""
    group = a_group().copy(ports={PORT})
    draft = draft_of(nb_global(), a_network(PORT), a_port(), group)
    draft.detach(group, "ports", a_port())
    draft.update(a_network(PORT).copy(name="new"))
    without_row = draft_of(a_network(), a_group())
    without_row.delete(a_group())

    assert not [step for step in draft.finish(None).steps if isinstance(step, Trace)]
    assert [ops.wait_exists(schema.PORT_GROUP, GROUP), ops.delete(schema.PORT_GROUP, GROUP)] == (
        without_row.finish(None).operations
    )


def test_rows_that_follow() -> None:
    """A row that goes with the one that it belongs to leaves no trace of its own."""
    switch = a_network(row_id(10))
    draft = draft_of(nb_global(), switch, a_localnet(uuid=row_id(10)))
    draft.delete(switch)
    [found] = [step for step in draft.finish(None).steps if isinstance(step, Trace)]

    assert (NET,) == found.deleted
