# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the audit says of bulk requests without an answer, with others deleting meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from faults.audit import half_bulks
from faults.history import Action, Event, Held, History, Outcome


@pytest.mark.parametrize(
    ("left", "deletions", "is_half"),
    [
        ("", {}, False),
        ("abc", {}, False),
        ("ab", {}, True),
        ("ab", {"c": Outcome.DONE}, False),
        ("ab", {"c": Outcome.UNKNOWN}, False),
        ("ab", {"c": Outcome.REFUSED}, True),
        ("", {"c": Outcome.DONE}, True),
        ("", {"c": Outcome.DONE, "b": Outcome.DONE}, True),
        ("", {"c": Outcome.DONE, "b": Outcome.UNKNOWN, "a": Outcome.UNKNOWN}, False),
        ("a", {"c": Outcome.DONE, "b": Outcome.UNKNOWN}, False),
        ("a", {"c": Outcome.UNKNOWN}, True),
    ],
)
def test_half_bulks(left: str, deletions: Mapping[str, Outcome], is_half: bool) -> None:
    """All objects of a bulk request were made, or none; who was deleted had been made."""
    history = History()
    history.add_bulk("abc")
    for subject, outcome in deletions.items():
        history.add([Event("c1", subject, Action.DELETE, outcome, 0.0, 1.0, "holder")])

    assert is_half == bool(list(half_bulks(history, {one: Held(one, one) for one in left})))
