# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""OVSDB notation of values (RFC 7047 section 5.1) to Python and back.

Pure. `decode` reads a column of a monitor update, `patch` applies the
difference form of `<table-updates2>` (ovsdb-server(7) section 4.1.14), `encode`
writes a column of an operation. What comes from the server and cannot be a value is a
TypeError, IndexError or ValueError: of our columns, maps and sets hold text alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from sys import intern
from typing import Any

from .schema import REFERENCES, TABLES, Kind

# What a column holds when an update leaves it out. Shared, hence never mutated.
_NO_ENTRIES: dict[str, str] = {}
# Of the kinds with one value; text is the rule.
_ATOMS = {Kind.NUMBER: int, Kind.OPTIONAL_NUMBER: int, Kind.OPTIONAL_FLAG: bool}

# The keys of maps are the same few words in every row: one object for each. Not so those
# with a UUID in them, and Python 3.12 never lets go of what was interned.
_LONGEST_WORD = 36


def default(kind: Kind) -> Any:
    """Return what a column of this kind holds when nobody set it."""
    if kind is Kind.MAP:
        return _NO_ENTRIES
    if kind is Kind.SET:
        return ()
    if kind is Kind.MEMBERS:
        return set()
    if kind is Kind.NUMBER:
        return 0
    return "" if kind is Kind.SCALAR else None


def decode(kind: Kind, value: Any) -> Any:
    """Return the Python form of one column's OVSDB value."""
    return DECODERS[kind](value)


def _decode_map(value: Any) -> dict[str, str]:
    found = {intern(key) if len(key) < _LONGEST_WORD else key: item for key, item in value[1]}
    _check_texts(found.values())
    return found


def _decode_set(value: Any) -> tuple[Any, ...]:
    return (value,) if value.__class__ is str else tuple(_elements(value))


def _decode_members(value: Any) -> set[Any]:
    return set(_elements(value))


def _single(kind: Kind) -> Callable[[Any], Any]:
    atom = _ATOMS.get(kind, str)

    def decode_single(value: Any) -> Any:
        if value.__class__ is list:
            if value[0] != "uuid" and not value[1]:
                return None
            value = value[1] if value[0] == "uuid" else _atom(value[1][0])
        if value.__class__ is not atom:
            raise TypeError(f"{value!r} is no {kind.value}")
        return value

    return decode_single


DECODERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.SCALAR: _single(Kind.SCALAR),
    Kind.OPTIONAL: _single(Kind.OPTIONAL),
    Kind.NUMBER: _single(Kind.NUMBER),
    Kind.OPTIONAL_NUMBER: _single(Kind.OPTIONAL_NUMBER),
    Kind.OPTIONAL_FLAG: _single(Kind.OPTIONAL_FLAG),
    Kind.SET: _decode_set,
    Kind.MEMBERS: _decode_members,
    Kind.MAP: _decode_map,
}


def patch(kind: Kind, old: Any, difference: Any) -> Any:
    """Return `old` with the difference of a "modify" update applied.

    Sets toggle the listed elements; of a map, an equal pair is removed and any
    other pair is set; single values are replaced. Only `MEMBERS` changes in place.
    """
    if kind is Kind.MAP:
        new = dict(old)
        _check_texts(item for _, item in difference[1])
        for key, item in difference[1]:
            if new.get(key) == item:
                del new[key]
            else:
                new[intern(key) if len(key) < _LONGEST_WORD else key] = item
        return new
    if kind is Kind.SET:
        toggled = tuple(_elements(difference))
        kept = [element for element in old if element not in toggled]
        # In the server's own order, in which a new load would bring them.
        return tuple(sorted(kept + [element for element in toggled if element not in old]))
    if kind is Kind.MEMBERS:
        old.symmetric_difference_update(_elements(difference))
        return old
    return decode(kind, difference)


def encode(table: str, column: str, value: Any) -> Any:
    """Return the OVSDB notation of a Python value of this column."""
    kind = TABLES[table][column]
    if kind is Kind.MAP:
        return ["map", sorted(map(list, value.items()))]
    if kind in (Kind.SCALAR, Kind.NUMBER):
        return value
    if kind not in (Kind.SET, Kind.MEMBERS):
        value = () if value is None else (value,)
    return encode_set(value, (table, column) in REFERENCES)


def encode_set(elements: Iterable[Any], is_reference: bool) -> Any:
    """Return a set in OVSDB notation; uuids of rows are marked as such."""
    if is_reference:
        return ["set", [["uuid", element] for element in elements]]
    return ["set", list(elements)]


def _elements(value: Any) -> Iterable[Any]:
    """Return the atoms of a set, which RFC 7047 writes bare when there is one."""
    if isinstance(value, list) and value[0] == "set":
        found = [_atom(element) for element in value[1]]
    else:
        found = [_atom(value)]
    _check_texts(found)
    return found


def _check_texts(values: Iterable[Any]) -> None:
    """Raise TypeError unless all are text; the cheapest way to look at each of very many."""
    "".join(values)


def _atom(value: Any) -> Any:
    return value[1] if isinstance(value, list) else value
