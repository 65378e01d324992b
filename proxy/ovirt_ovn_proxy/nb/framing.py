# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Cut the byte stream of a JSON-RPC session into messages.

Pure. OVSDB sends JSON objects one after the other with nothing between them
(RFC 7047 section 4), so a message ends where its braces balance. Braces are
counted a whole piece at a time by C-level bytes methods: no Python loop over
characters, and no second look at bytes that were counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Union

from ..errors import NorthboundError

# Inside one JSON text "}" is never directly followed by "{". So a message can
# end only here or at the end of the data; in a string it may also stand for
# itself, which the depth then tells.
_BOUNDARY = re.compile(rb"\}(?=\s*\{)")

# Bigger messages are decoded by whoever knows how not to keep other threads waiting.
SMALL = 64 * 1024

_decode = json.JSONDecoder().raw_decode

_NEITHER = bytes(byte for byte in range(256) if byte not in b'{}"')


class ProtocolError(NorthboundError):
    """The server sent what is no JSON-RPC message; the session is of no more use."""


Text = Union[str, bytes, bytearray]


class Framer:
    """Splits one stream; make a new one for each session.

    Only braces and strings are looked at: whether a message is valid JSON is
    for its decoder to say. There is no limit on the size of a message.
    """

    def __init__(self) -> None:
        self._begun = bytearray()  # the message that has not ended yet
        self._depth = 0
        self._in_string = False
        self._escaped = False  # the last byte was a backslash that escapes the next

    def read(self, data: bytes) -> Iterable[tuple[Text, Any]]:
        """Do as feed() does; beside each message there is what it says, None if not known yet.

        Nearly always small messages come whole, and decoding finds where they end.
        """
        if not self._begun and len(data) <= SMALL and data.endswith(b"}"):
            messages = _decode_all(data)
            if messages is not None:
                return messages
        return [(message, None) for message in self.feed(data)]

    def feed(self, data: bytes) -> list[bytearray]:
        """Take the next bytes of the stream and return the messages that end in them.

        Raises ProtocolError for anything but white space between two objects.
        """
        messages: list[bytearray] = []
        plain = self._mask_escapes(data)
        marks = plain.translate(None, _NEITHER)
        if b"}{" not in marks:  # so there is no boundary: a look at much less
            self._take(data, marks, messages)
            return messages
        quotes = int(self._in_string)
        start = counted = 0
        for boundary in _BOUNDARY.finditer(plain):
            end = boundary.end()
            quotes += plain.count(b'"', counted, end)
            counted = end
            if quotes % 2 == 0:  # outside strings
                self._take(data[start:end], plain[start:end].translate(None, _NEITHER), messages)
                start = end
        self._take(data[start:], plain[start:].translate(None, _NEITHER), messages)
        return messages

    def _mask_escapes(self, data: bytes) -> bytes:
        """Return the data, as long as before, with escaped quotes and backslashes overwritten."""
        if data and self._escaped:
            data = b"_" + data[1:]
            self._escaped = False
        if b"\\" in data:
            # Pairs first: what is left of a run of backslashes escapes the next byte.
            data = data.replace(b"\\\\", b"__").replace(b'\\"', b"__")
            self._escaped = data.endswith(b"\\")
        return data

    def _take(self, piece: bytes, marks: bytes, messages: list[bytearray]) -> None:
        """Add a piece, `marks` its braces and quotes; a message can end at its end only."""
        if not self._begun:
            piece = piece.lstrip()
            if piece and not piece.startswith(b"{"):
                raise ProtocolError(f"expected a JSON object, got {piece[:40]!r}")
        if not piece:
            return
        self._begun += piece
        self._count(marks)
        if self._depth > 0 or self._in_string:
            return
        if self._depth < 0 or not piece.rstrip().endswith(b"}"):
            raise ProtocolError(f"garbage after a JSON object: {piece[-40:]!r}")
        messages.append(self._begun)
        self._begun = bytearray()

    def _count(self, marks: bytes) -> None:
        # Every quote opens or closes a string, and strings without braces do not
        # matter: two quotes side by side cancel out, whatever they open or close.
        between = marks.replace(b'""', b"").split(b'"')
        outside = b"".join(between[self._in_string :: 2])
        self._in_string ^= len(between) % 2 == 0
        self._depth += outside.count(b"{") - outside.count(b"}")


def _decode_all(data: bytes) -> list[tuple[Text, Any]] | None:
    """Return the objects side by side that the data consists of, None if it is anything else."""
    messages: list[tuple[Text, Any]] = []
    end = 0
    try:
        text = data.decode()
        while end < len(text):
            start = end
            body, end = _decode(text, start)
            if not isinstance(body, dict):
                return None
            messages.append((text[start:end], body))
    except (ValueError, RecursionError):
        return None
    return messages
