# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Values of columns survive OVSDB notation, and differences lead from old to new."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovirt_ovn_proxy.nb.rows import ROWS
from ovirt_ovn_proxy.nb.schema import DHCP, NB_GLOBAL, PORT, SWITCH, TABLES, Kind
from ovirt_ovn_proxy.nb.values import decode, default, encode, encode_set, patch

UUID_TEXT = "00000000-0000-0000-0000-00000000000a"
TEXT = st.text(max_size=5)
UUID = st.uuids().map(str)
MAP = st.dictionaries(TEXT, TEXT, max_size=4)
SET = st.lists(TEXT, unique=True, max_size=4).map(tuple)

# One column for each kind and each type of atom, with the values that it can hold.
COLUMNS: list[tuple[str, str, st.SearchStrategy[Any]]] = [
    (PORT, "name", TEXT),
    (PORT, "dynamic_addresses", st.none() | TEXT),
    (PORT, "enabled", st.none() | st.booleans()),
    (PORT, "tag", st.none() | st.integers(0, 4095)),
    (PORT, "dhcpv4_options", st.none() | UUID),
    (PORT, "addresses", SET),
    (SWITCH, "ports", st.sets(UUID, max_size=4)),
    (DHCP, "options", MAP),
]


def difference(kind: Kind, old: Any, new: Any) -> Any:
    """Return what ovsdb-server sends for this change (ovsdb-server(7), 4.1.14)."""
    if kind is Kind.MAP:
        added = {key: item for key, item in new.items() if old.get(key) != item}
        removed = {key: item for key, item in old.items() if key not in new}
        return ["map", [list(pair) for pair in {**added, **removed}.items()]]
    toggled = [*(item for item in old if item not in new), *(x for x in new if x not in old)]
    return toggled[0] if len(toggled) == 1 else ["set", toggled]


@pytest.mark.parametrize(("table", "column", "values"), COLUMNS)
@given(data=st.data())
def test_round_trip(
    table: str, column: str, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """What is encoded is decoded to the same value, of the same type."""
    value = data.draw(values)
    found = decode(TABLES[table][column], encode(table, column, value))

    assert (type(value), value) == (type(found), found)


@pytest.mark.parametrize(
    ("table", "column", "value", "encoded"),
    [
        (PORT, "name", "p", "p"),
        (PORT, "enabled", True, ["set", [True]]),
        (PORT, "enabled", None, ["set", []]),
        (PORT, "tag", 5, ["set", [5]]),
        (PORT, "dhcpv4_options", "u1", ["set", [["uuid", "u1"]]]),
        (PORT, "dhcpv6_options", None, ["set", []]),
        (PORT, "addresses", ("b", "a"), ["set", ["b", "a"]]),
        (SWITCH, "ports", {"u1"}, ["set", [["uuid", "u1"]]]),
        (NB_GLOBAL, "external_ids", {"b": "2", "a": "1"}, ["map", [["a", "1"], ["b", "2"]]]),
        (NB_GLOBAL, "external_ids", {}, ["map", []]),
    ],
)
def test_encode(table: str, column: str, value: Any, encoded: Any) -> None:
    """Values are written as RFC 7047 section 5.1 says, maps in one order."""
    assert encoded == encode(table, column, value)


@pytest.mark.parametrize(
    ("kind", "value", "decoded"),
    [
        (Kind.SCALAR, "p", "p"),
        (Kind.SCALAR, ["uuid", "u1"], "u1"),
        (Kind.OPTIONAL, "p", "p"),
        (Kind.OPTIONAL, ["uuid", "u1"], "u1"),
        (Kind.OPTIONAL, ["set", []], None),
        (Kind.OPTIONAL, ["set", [["uuid", "u1"]]], "u1"),
        (Kind.OPTIONAL_FLAG, False, False),
        (Kind.SET, "one", ("one",)),
        (Kind.SET, ["set", []], ()),
        (Kind.SET, ["set", ["one", "two"]], ("one", "two")),
        (Kind.MEMBERS, ["uuid", "u1"], {"u1"}),
        (Kind.MEMBERS, ["set", [["uuid", "u1"], ["uuid", "u2"]]], {"u1", "u2"}),
        (Kind.MAP, ["map", [["a", "1"]]], {"a": "1"}),
    ],
)
def test_decode(kind: Kind, value: Any, decoded: Any) -> None:
    """All spellings that RFC 7047 allows are read, a set of one element without its brackets."""
    assert decoded == decode(kind, value)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_missing(table: str) -> None:
    """A column that an update leaves out holds the default of its kind."""
    row = ROWS[table]("u", {})

    assert {column: default(kind) for column, kind in TABLES[table].items()} == {
        column: getattr(row, column) for column in TABLES[table]
    }
    assert row.columns() == {}


def test_members_are_never_shared() -> None:
    """Two rows without members have a set each: they are updated in place."""
    one, two = ROWS[SWITCH]("u1", {}), ROWS[SWITCH]("u2", {})

    assert one.ports is not two.ports  # type: ignore[attr-defined]


@given(old=MAP, new=MAP)
def test_patch_map(old: dict[str, str], new: dict[str, str]) -> None:
    """The difference of two maps leads from one to the other, and leaves the old one alone."""
    before = dict(old)

    assert new == patch(Kind.MAP, old, difference(Kind.MAP, old, new))
    assert before == old


@given(old=SET, new=SET)
def test_patch_set(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """The difference of two sets leads from one to the other."""
    found = patch(Kind.SET, old, difference(Kind.SET, old, new))

    assert (set(new), len(new)) == (set(found), len(found))


@given(old=st.sets(UUID, max_size=4), new=st.sets(UUID, max_size=4))
def test_patch_members(old: set[str], new: set[str]) -> None:
    """Members change in place."""
    toggled = encode_set(sorted(old ^ new), is_reference=True)
    found = patch(Kind.MEMBERS, old, toggled)

    assert new == found
    assert found is old


@pytest.mark.parametrize(
    ("kind", "old", "value", "new"),
    [
        (Kind.SCALAR, "a", "b", "b"),
        (Kind.OPTIONAL_FLAG, None, True, True),
        (Kind.OPTIONAL_FLAG, True, ["set", []], None),
        (Kind.OPTIONAL, "u1", ["uuid", "u2"], "u2"),
    ],
)
def test_patch_single(kind: Kind, old: Any, value: Any, new: Any) -> None:
    """Of a single value the difference is the new value."""
    assert new == patch(kind, old, value)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("external_ids", ["map", [["a", "b"], ["key", 0.5]]]),
        ("external_ids", ["map", [["key", None]]]),
        ("external_ids", ["map", [[5, "item"]]]),
        ("addresses", ["set", ["a", 5]]),
        ("addresses", 5),
        ("addresses", {}),
        ("name", 0.5),
        ("name", 5),
        ("name", True),
        ("type", ["set", [5]]),
        ("tag", "5"),
        ("tag", True),
        ("up", 1),
        ("up", "true"),
        ("dhcpv4_options", 5),
        ("name", {"a": "b"}),
        ("name", ["uuid", []]),
        ("enabled", ["set", [None]]),
    ],
)
def test_no_value(column: str, value: Any) -> None:
    """What no server may say is not taken, as a value and as a difference."""
    kind = TABLES[PORT][column]

    with pytest.raises(TypeError):
        decode(kind, value)
    with pytest.raises(TypeError):
        patch(kind, default(kind), value)


@pytest.mark.parametrize(
    ("key", "is_shared"), [("ovirt_nic_name", True), (f"ovirt_deleted_{UUID_TEXT}", False)]
)
def test_keys_in_memory(key: str, is_shared: bool) -> None:
    """A word is one object for all rows; a key with a UUID in it is let go with its row."""

    def again() -> list[list[str]]:
        return [["".join(list(key)), "1"]]

    [one] = decode(Kind.MAP, ["map", again()])
    [other] = patch(Kind.MAP, {}, ["map", again()])
    assert (key, key) == (one, other)
    assert is_shared is (one is other)
