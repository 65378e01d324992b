# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON at the start of a process. Pure.

The json package is the largest part of a hook's time: it imports `re` for the white space
around a document. The C functions that do json's work come without; whoever has another
Python, where they are missing or called differently, gets the json package.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONSTANTS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class _Reading:
    """The settings of a json.JSONDecoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = _CONSTANTS.__getitem__


def loads(content: bytes) -> Any:
    """Return what json.loads returns; ValueError, or RecursionError for what is too deep."""
    try:
        from _json import make_scanner

        # Its type says that it makes itself from itself.
        settings: Any = _Reading()
        scan = make_scanner(settings)
    except (ImportError, AttributeError, TypeError):
        import json

        return json.loads(content)
    text = content.decode().strip(" \t\r\n")
    try:
        value, end = scan(text, 0)
    except (StopIteration, SystemError):
        # The latter where Python 3.10 and 3.11 miss json, which has the class of most errors.
        end = -1
    if end != len(text):
        raise ValueError("no JSON document, or more than one")
    return value


def dumps(value: object) -> str:
    """Return what json.dumps returns; TypeError, ValueError, RecursionError."""
    try:
        from _json import encode_basestring_ascii, make_encoder

        encode = make_encoder(
            {}, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, True
        )
    except (ImportError, TypeError):
        import json

        return json.dumps(value)
    return "".join(encode(value, 0))


def _refuse(value: object) -> None:
    raise TypeError(f"{type(value).__name__} is not JSON")
