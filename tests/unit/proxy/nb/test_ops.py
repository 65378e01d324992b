# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Operations are exactly the JSON that RFC 7047 section 5.2 describes."""

from __future__ import annotations

from typing import Any

import pytest

from ovirt_ovn_proxy.nb import ops
from ovirt_ovn_proxy.nb.ops import Operation
from ovirt_ovn_proxy.nb.schema import DHCP, NB_GLOBAL, PORT, SWITCH

U = "00000000-0000-0000-0000-00000000000a"
BY_UUID = [["_uuid", "==", ["uuid", U]]]


def wait(table: str, where: Any, columns: list[str], row: Any) -> dict[str, Any]:
    """Return the one form of `wait` that is used: at once, and for equality."""
    return {
        "op": "wait",
        "timeout": 0,
        "table": table,
        "where": where,
        "columns": columns,
        "until": "==",
        "rows": [row],
    }


def mutate(table: str, mutations: Any) -> dict[str, Any]:
    """Return a mutation of the row."""
    return {"op": "mutate", "table": table, "where": BY_UUID, "mutations": mutations}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (
            ops.change_keys(NB_GLOBAL, U, "external_ids", ["a", "b"], {"c": "d"}),
            mutate(
                NB_GLOBAL,
                [
                    ["external_ids", "delete", ["set", ["a", "b"]]],
                    ["external_ids", "insert", ["map", [["c", "d"]]]],
                ],
            ),
        ),
        (
            ops.change_keys(NB_GLOBAL, U, "external_ids", (), {"c": "d", "e": "f"}),
            mutate(NB_GLOBAL, [["external_ids", "insert", ["map", [["c", "d"], ["e", "f"]]]]]),
        ),
        (
            ops.insert(SWITCH, U, {"name": "n", "external_ids": {"k": "v"}}),
            {
                "op": "insert",
                "table": SWITCH,
                "uuid": U,
                "row": {"name": "n", "external_ids": ["map", [["k", "v"]]]},
            },
        ),
        (
            ops.update(PORT, U, {"enabled": None, "dhcpv4_options": "d"}),
            {
                "op": "update",
                "table": PORT,
                "where": BY_UUID,
                "row": {"enabled": ["set", []], "dhcpv4_options": ["set", [["uuid", "d"]]]},
            },
        ),
        (ops.delete(DHCP, U), {"op": "delete", "table": DHCP, "where": BY_UUID}),
        (
            ops.add_to_set(SWITCH, U, "ports", ["p"]),
            mutate(SWITCH, [["ports", "insert", ["set", [["uuid", "p"]]]]]),
        ),
        (
            ops.remove_from_set(SWITCH, U, "ports", ["p", "q"]),
            mutate(SWITCH, [["ports", "delete", ["set", [["uuid", "p"], ["uuid", "q"]]]]]),
        ),
        (
            ops.add_to_set(PORT, U, "addresses", ["unknown"]),
            mutate(PORT, [["addresses", "insert", ["set", ["unknown"]]]]),
        ),
        (
            ops.set_key(NB_GLOBAL, U, "external_ids", "k", "v"),
            mutate(
                NB_GLOBAL,
                [
                    ["external_ids", "delete", ["set", ["k"]]],
                    ["external_ids", "insert", ["map", [["k", "v"]]]],
                ],
            ),
        ),
        (
            ops.set_key(NB_GLOBAL, U, "external_ids", "k", None),
            mutate(NB_GLOBAL, [["external_ids", "delete", ["set", ["k"]]]]),
        ),
        (ops.wait_exists(PORT, U), wait(PORT, BY_UUID, ["_uuid"], {"_uuid": ["uuid", U]})),
        (
            ops.wait_columns(PORT, U, {"name": "p", "addresses": ("a", "b")}),
            wait(
                PORT,
                BY_UUID,
                ["name", "addresses"],
                {"name": "p", "addresses": ["set", ["a", "b"]]},
            ),
        ),
        (
            ops.wait_key(NB_GLOBAL, U, "external_ids", "k", "v"),
            wait(
                NB_GLOBAL,
                [*BY_UUID, ["external_ids", "includes", ["map", [["k", "v"]]]]],
                ["_uuid"],
                {"_uuid": ["uuid", U]},
            ),
        ),
        (ops.comment("req-1"), {"op": "comment", "comment": "req-1"}),
        (ops.durable_commit(), {"op": "commit", "durable": True}),
    ],
)
def test_operation(operation: Operation, expected: Any) -> None:
    """Each builder gives this JSON and nothing else."""
    assert expected == operation


def test_wait_no_keys() -> None:
    """That a map lacks keys is asked by bringing them in, which replaces nothing, and out again."""
    marks = [["k", "nobody's"], ["l", "nobody's"]]
    assert [
        mutate(NB_GLOBAL, [["external_ids", "insert", ["map", marks]]]),
        wait(
            NB_GLOBAL,
            [*BY_UUID, ["external_ids", "includes", ["map", marks]]],
            ["_uuid"],
            {"_uuid": ["uuid", U]},
        ),
        mutate(NB_GLOBAL, [["external_ids", "delete", ["set", ["k", "l"]]]]),
    ] == ops.wait_no_keys(NB_GLOBAL, U, "external_ids", ["k", "l"])
