# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builders of OVSDB operations (RFC 7047 section 5.2), values and nothing else.

Pure. Column values are given in their Python form (`schema.Kind`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .schema import REFERENCES
from .values import encode, encode_set

Operation = Mapping[str, Any]

_NOBODYS = "nobody's"


def insert(table: str, uuid: str, columns: Mapping[str, Any]) -> Operation:
    """Insert a row whose UUID the caller chose (the "uuid" member, OVS 2.13)."""
    return {"op": "insert", "table": table, "uuid": uuid, "row": _row(table, columns)}


def update(table: str, uuid: str, columns: Mapping[str, Any]) -> Operation:
    """Replace the given columns of one row."""
    return {"op": "update", "table": table, "where": _by_uuid(uuid), "row": _row(table, columns)}


def delete(table: str, uuid: str) -> Operation:
    """Delete one row; without effect where it is gone already."""
    return {"op": "delete", "table": table, "where": _by_uuid(uuid)}


def add_to_set(table: str, uuid: str, column: str, elements: Iterable[Any]) -> Operation:
    """Add elements to a set column of one row, whatever else is in it."""
    return _mutate_set(table, uuid, column, "insert", elements)


def remove_from_set(table: str, uuid: str, column: str, elements: Iterable[Any]) -> Operation:
    """Remove elements from a set column of one row, whatever else is in it."""
    return _mutate_set(table, uuid, column, "delete", elements)


def set_key(table: str, uuid: str, column: str, key: str, value: str | None) -> Operation:
    """Set one key of a map column, or remove it (None); other keys stay.

    An "insert" mutation alone never replaces a value, hence the removal first.
    """
    return change_keys(table, uuid, column, [key], {} if value is None else {key: value})


def change_keys(
    table: str, uuid: str, column: str, gone: Iterable[str], new: Mapping[str, str]
) -> Operation:
    """Remove keys from a map column of one row, and add pairs whose keys it does not have then."""
    mutations: list[Any] = []
    removed, added = list(gone), [[key, value] for key, value in new.items()]
    if removed:
        mutations.append([column, "delete", ["set", removed]])
    if added:
        mutations.append([column, "insert", ["map", added]])
    return {"op": "mutate", "table": table, "where": _by_uuid(uuid), "mutations": mutations}


def wait_exists(table: str, uuid: str) -> Operation:
    """Guard: the row exists."""
    return _wait(table, _by_uuid(uuid), ["_uuid"], {"_uuid": ["uuid", uuid]})


def wait_columns(table: str, uuid: str, columns: Mapping[str, Any]) -> Operation:
    """Guard: the row exists and these columns hold exactly these values."""
    row = _row(table, columns)
    return _wait(table, _by_uuid(uuid), list(row), row)


def wait_key(table: str, uuid: str, column: str, key: str, value: str) -> Operation:
    """Guard: the map column of the row holds this pair, whatever else is in it."""
    return _wait_keys(table, uuid, column, {key: value})


def wait_no_keys(table: str, uuid: str, column: str, keys: Iterable[str]) -> list[Operation]:
    """Guard: the map column of the row has none of these keys, whatever else is in it.

    OVSDB cannot ask for that. But an "insert" mutation never replaces a value: so the keys
    come in with one that nobody gives them, have to be there with it, and go out again.
    """
    marks = dict.fromkeys(keys, _NOBODYS)
    return [
        change_keys(table, uuid, column, (), marks),
        _wait_keys(table, uuid, column, marks),
        change_keys(table, uuid, column, marks, {}),
    ]


def guarded_row(guard: Operation) -> str:
    """Return the UUID of the row that a guard is about."""
    uuid: str = guard["where"][0][2][1]
    return uuid


def comment(text: str) -> Operation:
    """Note that the server writes to its log with the transaction (`ovsdb-tool show-log`)."""
    return {"op": "comment", "comment": text}


def durable_commit() -> Operation:
    """Have the transaction on disk before its reply (RFC 7047 section 5.2.7)."""
    return {"op": "commit", "durable": True}


def _wait_keys(table: str, uuid: str, column: str, pairs: Mapping[str, str]) -> Operation:
    listed = [[key, value] for key, value in pairs.items()]
    where = [*_by_uuid(uuid), [column, "includes", ["map", listed]]]
    return _wait(table, where, ["_uuid"], {"_uuid": ["uuid", uuid]})


def _wait(table: str, where: list[Any], columns: list[str], row: Mapping[str, Any]) -> Operation:
    return {
        "op": "wait",
        "timeout": 0,
        "table": table,
        "where": where,
        "columns": columns,
        "until": "==",
        "rows": [row],
    }


def _mutate_set(
    table: str, uuid: str, column: str, mutator: str, elements: Iterable[Any]
) -> Operation:
    value = encode_set(elements, (table, column) in REFERENCES)
    mutations = [[column, mutator, value]]
    return {"op": "mutate", "table": table, "where": _by_uuid(uuid), "mutations": mutations}


def _by_uuid(uuid: str) -> list[Any]:
    return [["_uuid", "==", ["uuid", uuid]]]


def _row(table: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {column: encode(table, column, value) for column, value in columns.items()}
