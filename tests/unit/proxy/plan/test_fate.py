# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a later view tells of a plan whose reply was lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ovirt_ovn_proxy.nb import keys, schema
from ovirt_ovn_proxy.nb.rows import Row, SwitchPort
from ovirt_ovn_proxy.plan.draft import Plan
from ovirt_ovn_proxy.plan.fate import Fate, fate
from ovirt_ovn_proxy.plan.steps import Delete, Insert, Update
from unit.proxy.plans import NET, PORT, a_network, a_port, view_of


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
def test_fate(
    rows: Sequence[Row], steps: Sequence[Insert | Update | Delete], expected: Fate
) -> None:
    """A plan is recognised by its rows and marks, also where others have gone on from it."""
    assert expected is fate(Plan(tuple(steps), None), view_of(*rows))
