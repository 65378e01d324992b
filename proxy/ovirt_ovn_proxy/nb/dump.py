# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Read the reply to a monitor request some rows at a time.

Pure. The reply holds the whole database. Decoding it in one call would keep
every other thread waiting for the interpreter lock, seconds long for a big
one; here a step is a few dozen rows (a fraction of a millisecond), or one big
row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .framing import ProtocolError

_BATCH_CHARS = 32 * 1024
# Between two rows, as ovsdb-server writes it. The quote cannot be the end of a text, which
# is followed by punctuation, so it begins a key; and only rows have such keys.
_NEXT_ROW = re.compile(r'\},(?="[0-9a-f-]{36}":)')
_SPACE = re.compile(r"[ \t\r\n]*")
_decode = json.JSONDecoder().raw_decode
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class Dump:
    """A reply to `monitor_cond_since` or `monitor_cond` (ovsdb-server(7) section 4.1).

    Iterate it once: it gives `(table, {uuid: change})`, a table in pieces, with
    change as in <row-update2>: `{"initial": row}`, or what happened since for a
    resumed monitor. `found` (the server knew our last transaction, the changes start
    there) and `last_txn_id` (None from `monitor_cond`) are known at once;
    `request_id` and `error` (None = no error) only after the last change,
    as the members of a reply come in any order.
    Raises ProtocolError where the text is not such a reply.
    """

    def __init__(self, text: str) -> None:
        self.found = False
        self.last_txn_id: str | None = None
        self.request_id: Any = None
        self.error: Any = None
        self._text = text
        self._at = 0
        self._members = self._object()
        self._has_rows = self._find_changes()

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        if not self._has_rows:
            return
        for table in self._object():
            for rows in self._rows():
                yield table, rows
        if self.last_txn_id is not None:
            self._expect("]")
        for name in self._members:
            self._other_member(name)

    def _find_changes(self) -> bool:
        """Go to the <table-updates2> object; false if the reply has none."""
        for name in self._members:
            if name != "result" or self._peek() not in "[{":
                self._other_member(name)
                continue
            if self._peek() == "[":
                self._expect("[")
                self.found = self._value() is True
                self._expect(",")
                self.last_txn_id = str(self._value())
                self._expect(",")
            return True
        if self.error is None:
            raise ProtocolError("a monitor reply without result and without error")
        return False

    def _other_member(self, name: str) -> None:
        value = self._value()
        if name == "id":
            self.request_id = value
        elif name == "error":
            self.error = value

    def _rows(self) -> Iterator[dict[str, Any]]:
        """Give the members of the object that starts here, some at a time."""
        self._expect("{")
        while cut := _NEXT_ROW.search(self._text, self._at + _BATCH_CHARS):
            # Braces make an object of a batch. If the object ends within the batch, its
            # own closing brace comes before ours, and the decoder stops there.
            rows, length = _decoded(f"{{{self._text[self._at : cut.end() - 1]}}}")
            yield rows
            self._at += length - 2
            if not self._more():
                return
        for uuid in self._keys():
            yield {uuid: self._value()}

    def _object(self) -> Iterator[str]:
        """Give each key of the object that starts here; its value is to be read meanwhile."""
        self._expect("{")
        yield from self._keys()

    def _keys(self) -> Iterator[str]:
        if self._peek() == "}":
            self._expect("}")
            return
        while True:
            key = self._value()
            self._expect(":")
            yield str(key)
            if not self._more():
                return

    def _more(self) -> bool:
        """Go behind a member of an object; false if it was the last one."""
        if self._peek() == "}":
            self._expect("}")
            return False
        self._expect(",")
        return True

    def _value(self) -> Any:
        try:
            value, self._at = _scan(self._text, self._at)
        except (StopIteration, ValueError):
            # White space before it, which ovsdb-server does not write; or an error.
            return self._spaced_value()
        return value

    def _spaced_value(self) -> Any:
        self._peek()
        value, self._at = _decoded(self._text, self._at)
        return value

    def _peek(self) -> str:
        """Skip white space and return the next character, "" at the end."""
        at = self._at
        if self._text[at : at + 1] in " \t\r\n":
            space = _SPACE.match(self._text, at)
            self._at = at = space.end() if space else at
        return self._text[at : at + 1]

    def _expect(self, character: str) -> None:
        if self._text[self._at : self._at + 1] != character and self._peek() != character:
            found = self._text[self._at : self._at + 20]
            raise ProtocolError(f"monitor reply: expected {character!r}, got {found!r}")
        self._at += 1


def _decoded(text: str, at: int = 0) -> tuple[Any, int]:
    """Return the value that starts there and where it ends."""
    try:
        return _decode(text, at)
    except ValueError as error:
        raise ProtocolError(f"bad JSON in a monitor reply: {error}") from error
