# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading the reply to a monitor request piece by piece gives what decoding it whole would."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest

from ovirt_ovn_proxy.nb.dump import Dump
from ovirt_ovn_proxy.nb.framing import ProtocolError

UPDATES: dict[str, dict[str, Any]] = {
    "Logical_Switch": {
        "u1": {"initial": {"name": 'brace } { quote " end', "ports": ["set", []]}},
        "u2": {"initial": {}},
    },
    "NB_Global": {},
    "Logical_Switch_Port": {"u3": {"initial": {"name": "ž"}}},
}


def flat(pieces: Iterable[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, str, Any]]:
    """Return the rows of a dump, or of tables, one by one."""
    return [(table, uuid, change) for table, rows in pieces for uuid, change in rows.items()]


ROWS = flat(UPDATES.items())


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("order", list(itertools.permutations(["id", "result", "error"])))
def test_members_in_any_order(order: tuple[str, ...], indent: int | None) -> None:
    """All is found whatever the order of the reply's members and the white space."""
    reply = {"id": 7, "result": [True, "t-1", UPDATES], "error": None}
    dump = Dump(json.dumps({name: reply[name] for name in order}, indent=indent))

    assert (dump.found, dump.last_txn_id) == (True, "t-1")
    assert flat(dump) == ROWS
    assert (dump.request_id, dump.error) == (7, None)


# What stands between two rows, within a text.
TRAP = '}},"00000000-0000-0000-0000-000000000000":{"initial":{}}}'


def many(rows: int, name: str = TRAP) -> dict[str, Any]:
    """Return a table of so many rows, about 300 characters each."""
    changes = ({"insert": {"name": name * 3}}, {"modify": {"a": ["set", []]}}, {"delete": None})
    return {str(UUID(int=number)): changes[number % 3] for number in range(rows)}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize(
    "sizes", [(1000,), (0, 1, 1000, 0), (3, 300, 300, 3), (1, 1, 1, 1), (150, 0, 150)]
)
def test_many_rows(sizes: Sequence[int], separators: tuple[str, str]) -> None:
    """Tables may begin and end anywhere, and texts hold anything."""
    updates = {f"T{number}": many(size) for number, size in enumerate(sizes)}
    reply = {"id": 7, "error": None, "result": [True, "t-1", updates]}
    dump = Dump(json.dumps(reply, separators=separators))

    assert flat(dump) == flat(updates.items())
    assert (dump.request_id, dump.error) == (7, None)


def test_rows_are_decoded_some_at_a_time() -> None:
    """Never all of a long reply, which would keep the other threads from the interpreter."""
    reply = {"id": 7, "error": None, "result": [True, "t-1", {"T": many(10_000)}]}
    text = json.dumps(reply, separators=(",", ":"))
    tracemalloc.start()
    try:
        rows = 0
        for _, piece in Dump(text):
            rows += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert rows == 10_000
    # Whole, it is four times as long as its text.
    assert peak < len(text) / 2


def test_big_row() -> None:
    """A row may be longer than what is decoded at a time."""
    updates = {"T": {**many(2), **many(500, "x" * 10_000)}}
    dump = Dump(json.dumps({"result": updates, "error": None, "id": 7}, separators=(",", ":")))

    assert flat(dump) == flat(updates.items())


def test_broken_off() -> None:
    """A reply that ends early is refused wherever it ends, never taken for a smaller one."""
    updates = {"T": many(300), "U": many(300)}
    reply = {"result": [True, "t", updates], "error": None, "id": 7}
    text = json.dumps(reply, separators=(",", ":"))
    for end in range(0, len(text), 501):
        with pytest.raises(ProtocolError):
            list(Dump(text[:end]))


def test_monitor_cond() -> None:
    """A reply without transaction id is read too."""
    dump = Dump(json.dumps({"result": UPDATES, "error": None, "id": "m"}))

    assert (dump.found, dump.last_txn_id) == (False, None)
    assert flat(dump) == ROWS
    assert dump.request_id == "m"


@pytest.mark.parametrize("result", [{}, [False, "0", {}]])
def test_empty_database(result: Any) -> None:
    """An empty database is a reply without rows, and no error."""
    dump = Dump(json.dumps({"result": result, "error": None, "id": 1}))

    assert list(dump) == []
    assert dump.error is None
    assert dump.request_id == 1


@pytest.mark.parametrize(
    "reply",
    [
        {"id": 1, "error": "unknown method"},
        {"result": None, "id": 1, "error": "unknown method"},
        {"error": "unknown method", "result": None, "id": 1},
    ],
)
def test_error(reply: dict[str, Any]) -> None:
    """A refusal has no rows and tells its error."""
    dump = Dump(json.dumps(reply))

    assert list(dump) == []
    assert (dump.error, dump.request_id) == ("unknown method", 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"id":1}',
        '{"id":1,"result":null,"error":null}',
        '{"id":1,"result":[false,"0",7],"error":null}',
        '{"id":1,"result":[false],"error":null}',
        '{"id":1,"result":{"T":{"u":{"initial":{}}}',
        '{"id":1,"result":{"T":{"u":}}}',
        '{"id":1,"result":{"T":[]}}',
        '{"id" 1}',
    ],
)
def test_garbage(text: str) -> None:
    """What is no reply is refused, never taken for an empty database."""
    with pytest.raises(ProtocolError):
        list(Dump(text))
