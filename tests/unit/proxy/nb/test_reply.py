# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the reply to a transaction means, one case per kind of reply."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_proxy.errors import GuardFailed, OutcomeUnknown, TransactionRefused
from ovirt_ovn_proxy.nb.reply import check_reply, refusal

INSERT = {"op": "insert", "table": "T", "row": {}}
WAIT = {"op": "wait", "table": "T", "where": [], "timeout": 0}
DONE = {"uuid": ["uuid", "u"]}


@pytest.mark.parametrize(
    ("operations", "results"), [([], []), ([INSERT], [DONE]), ([WAIT, INSERT], [{}, DONE])]
)
def test_committed(operations: list[Any], results: list[Any]) -> None:
    """The results of a committed transaction are returned as they are."""
    assert check_reply(operations, results) is results


def test_guard() -> None:
    """A wait that did not hold is a failed guard that names its table."""
    with pytest.raises(GuardFailed, match="T where"):
        check_reply([WAIT, INSERT], [{"error": "timed out", "details": "..."}, None])


@pytest.mark.parametrize(
    ("results", "operation"),
    [
        ([{}, {"error": "constraint violation", "details": "why"}], INSERT),
        ([{"error": "constraint violation", "details": "why"}, None], WAIT),
        ([{}, DONE, {"error": "constraint violation", "details": "why"}], None),
    ],
)
def test_refused(results: list[Any], operation: Any) -> None:
    """A refusal tells the server's words and the operation, None at commit."""
    with pytest.raises(TransactionRefused) as refused:
        check_reply([WAIT, INSERT], results)

    error = refused.value
    assert (error.error, error.details, error.operation) == (
        "constraint violation",
        "why",
        operation,
    )


def test_time_out_of_the_commit_is_no_guard() -> None:
    """Only a wait operation's own element makes a failed guard."""
    with pytest.raises(TransactionRefused):
        check_reply([INSERT], [DONE, {"error": "timed out"}])


@pytest.mark.parametrize("results", [None, {}, [], [DONE], [DONE, None], [DONE, DONE, DONE]])
def test_unintelligible(results: Any) -> None:
    """From a reply that does not fit nothing is concluded."""
    with pytest.raises(OutcomeUnknown):
        check_reply([INSERT, INSERT], results)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("unknown method", "unknown method: "),
        ({"error": "unknown database", "details": "no such"}, "unknown database: no such"),
    ],
)
def test_refusal(error: Any, text: str) -> None:
    """A refused request is told in the server's words, in both forms it uses."""
    assert str(refusal(error)) == text
