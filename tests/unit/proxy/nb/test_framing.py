# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a message ends in the stream, whatever the pieces it arrives in."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ovirt_ovn_proxy.nb.framing import SMALL, Framer, ProtocolError

MESSAGES = [
    b"{}",
    b'{"a":{"b":{}},"c":[{},{}]}',
    b'{"brace":"}{","more":"{{{"}',
    b'{"quote":"\\"}{\\""}',
    b'{"backslash":"\\\\"}',
    b'{"both":"\\\\\\"}{","x":"\\\\\\\\"}',
    b'{"\\"":"\\u007b","":""}',
    '{"text":"žluťoučký 🐎 } {"}'.encode(),
    b'{"near":"} {","nearer":"}","\\\\":"{"}',
]


def _feed(pieces: list[bytes]) -> list[bytearray]:
    framer = Framer()
    return [message for piece in pieces for message in framer.feed(piece)]


def test_messages_are_valid_json() -> None:
    """The cases of this file are JSON, so that the other tests mean something."""
    for message in MESSAGES:
        json.loads(message)


@pytest.mark.parametrize("size", range(1, 12))
def test_pieces_of_any_size(size: int) -> None:
    """Messages come out whole when the stream is cut into pieces of any size."""
    stream = b"".join(MESSAGES)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]

    assert _feed(pieces) == MESSAGES


def test_every_pair_of_cuts() -> None:
    """Messages come out whole wherever the stream is cut twice."""
    stream = b"".join(MESSAGES)
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1, 3):
            pieces = [stream[:first], stream[first:second], stream[second:]]

            assert _feed(pieces) == MESSAGES


def _read(pieces: list[bytes]) -> list[Any]:
    framer = Framer()
    read = [pair for piece in pieces for pair in framer.read(piece)]
    for text, body in read:
        assert body in (None, json.loads(text))
    return [json.loads(text) for text, _ in read]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 40, 1000])
def test_reading_is_feeding(size: int) -> None:
    """What is read is the same messages, wherever the stream is cut."""
    stream = b"".join(MESSAGES)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]

    assert _read(pieces) == [json.loads(message) for message in MESSAGES]
    assert _read(MESSAGES) == [json.loads(message) for message in MESSAGES]


def test_whole_messages_are_decoded() -> None:
    """Small messages that come whole are decoded, big ones and parts of one are not."""
    framer = Framer()
    small, big = b'{"a":1}', b'{"a":"' + b"x" * SMALL + b'"}'

    assert framer.read(small * 2) == [('{"a":1}', {"a": 1})] * 2
    assert framer.read(big) == [(big, None)]
    assert framer.read(small + b'{"b"') == [(small, None)]
    assert framer.read(b":2}") == [(b'{"b":2}', None)]
    assert framer.read(small) == [('{"a":1}', {"a": 1})]


def test_white_space_between_messages() -> None:
    """White space between two messages belongs to none of them."""
    assert [m.strip() for m in _feed([b' {"a":1}\n', b"\t ", b'{"b":2} {"c":"x"}\r\n'])] == [
        b'{"a":1}',
        b'{"b":2}',
        b'{"c":"x"}',
    ]


def test_message_is_given_as_soon_as_it_is_complete() -> None:
    """A message is not held back until the next one begins."""
    framer = Framer()

    assert framer.feed(b'{"a":1}{"b"') == [b'{"a":1}']
    assert framer.feed(b":2}") == [b'{"b":2}']


@pytest.mark.parametrize(
    "stream",
    [b"x", b"[]", b"{}}", b"{}x", b"{}[", b'"text"', b"}", b'{"a":1}}{', b"\x15\x03\x01\x00\x02"],
)
def test_garbage(stream: bytes) -> None:
    """Anything but objects, also a server that speaks TLS, is refused."""
    with pytest.raises(ProtocolError):
        _feed([stream])
    with pytest.raises(ProtocolError):
        _read([stream])


@pytest.mark.parametrize(
    "element",
    [b'{"name":"0123456789"},', b'"\\"\\"\\"\\"\\\\",', b'"}{}{}{}{}{",', b'"no end', b"{"],
)
def test_linear(element: bytes) -> None:
    """Four times as long a message takes about four times as long, whatever is in it."""

    def spent_s(count: int) -> float:
        stream = b'{"a":[' + element * count
        pieces = [stream[at : at + 65536] for at in range(0, len(stream), 65536)]
        best = 1e9
        for _ in range(3):
            start = time.process_time()
            _feed(pieces)
            best = min(best, time.process_time() - start)
        return best

    count = 500_000 // len(element)

    assert spent_s(4 * count) < 10 * spent_s(count) + 0.05
