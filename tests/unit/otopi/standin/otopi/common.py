# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Values of the environment as text, TYPE:VALUE."""

from __future__ import annotations

from typing import Any


def parseTypedValue(text: str) -> Any:
    """Return the value of a text; any word but a few for false is true, as in otopi."""
    kind, colon, value = text.partition(":")
    if not colon:
        raise ValueError("Missing variable type")
    if kind == "none":
        return None
    if kind == "bool":
        return value not in ("f", "F", "false", "False")
    if kind == "int":
        return int(value)
    if kind == "str":
        return value
    if kind == "multi-str":
        return value.splitlines()
    raise KeyError(f"Invalid variable type {kind}")


def typeName(value: object) -> str:
    """Return the type of a value, as it stands before the colon."""
    if value is None:
        return "none"
    # A bool is an int too, so it goes first.
    for kind, name in ((bool, "bool"), (int, "int"), (str, "str"), ((list, tuple), "multi-str")):
        if isinstance(value, kind):
            return name
    return "object"
