# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that says what it should not: a relay that changes messages on their way.

I/O, but for `LIES`, which are pure: each makes of one message what is sent in its place.
"""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from daemon.northbound import Forwarder
from ovirt_ovn_proxy.nb.framing import Framer

Lie = Callable[[bytes, random.Random], bytes]

_WILD: Sequence[Any] = (
    *(None, True, 0, -1, 1e300, 10**30, "", "x", "\ud800", "\0", [], {}, {"": {}}, [[[]]]),
    *(["set", []], ["set", [1, []]], ["map", [["a"]]], ["map", [[1, 2]]], ["uuid", 5], ["uuid"]),
)
_NOBODY = "12345678-1234-4234-8234-123456789abc"


def truncate(message: bytes, choose: random.Random) -> bytes:
    """End it too early; the next one follows at once."""
    return message[: choose.randrange(len(message))]


def flip(message: bytes, choose: random.Random) -> bytes:
    """Change some bytes."""
    changed = bytearray(message)
    for _ in range(choose.randint(1, 5)):
        changed[choose.randrange(len(changed))] = choose.randrange(256)
    return bytes(changed)


def repeat(message: bytes, _choose: random.Random) -> bytes:
    """Say it twice."""
    return message + message


def drop(_message: bytes, _choose: random.Random) -> bytes:
    """Say nothing."""
    return b""


def nest(message: bytes, _choose: random.Random) -> bytes:
    """Say something deeper than anybody can follow first."""
    return (
        b'{"id":null,"method":"update3","params":%s%s}' % (b"[" * 100_000, b"]" * 100_000) + message
    )


def bloat(message: bytes, _choose: random.Random) -> bytes:
    """Say something very long first: a text, and a number."""
    row = {"Logical_Switch": {_NOBODY: {"insert": {"name": "x" * 20_000_000}}}}
    update = {"id": None, "method": "update3", "params": ["OVN_Northbound", "0", row]}
    number = b'{"id":null,"method":"news","params":[%s]}' % (b"9" * 100_000)
    return json.dumps(update).encode() + number + message


def replace(message: bytes, choose: random.Random) -> bytes:
    """Put something wild in the place of any value in it."""
    whole = [json.loads(message)]
    places: list[tuple[Any, Any]] = []

    def visit(container: Any) -> None:
        keys = container if isinstance(container, dict) else range(len(container))
        for key in keys:
            places.append((container, key))
            if isinstance(container[key], (dict, list)):
                visit(container[key])

    visit(whole[0])
    container, key = choose.choice(places)
    container[key] = choose.choice(_WILD)
    return json.dumps(whole[0]).encode()


def invent(message: bytes, choose: random.Random) -> bytes:
    """Say something first of what nobody knows, or in a form that nobody asked for."""
    changes: Sequence[Any] = (
        {"Logical_Switch": {_NOBODY: {"modify": {"name": "x"}}}},
        {"Logical_Switch": {_NOBODY: {"delete": None}}},
        {"Logical_Switch": {_NOBODY: {"insert": {"nonsense": "x"}}}},
        {"Nonsense": {_NOBODY: {"insert": {}}}},
        {"Port_Group": {_NOBODY: {"insert": {"ports": ["uuid", _NOBODY]}}}},
    )
    news: Sequence[Any] = (
        {"method": "update3", "params": ["OVN_Northbound", "0", choose.choice(changes)]},
        {"method": "update2", "params": ["OVN_Northbound", choose.choice(changes)]},
        {"method": "update2", "params": ["_Server", {"Database": {_NOBODY: {"modify": {}}}}]},
        {"method": "update", "params": ["OVN_Northbound", {}]},
        {"method": "monitor_canceled", "params": ["OVN_Northbound"]},
        {"method": "stolen", "params": ["x"]},
        {"method": choose.choice([5, [], {}]), "params": []},
        {"result": [], "error": None, "id": choose.choice([[], {}, "x", 10**9, None])},
    )
    return json.dumps({"id": None, **choose.choice(news)}).encode() + message


def refuse(message: bytes, choose: random.Random) -> bytes:
    """Make an error of a reply."""
    body = json.loads(message)
    if body.get("method") is not None:
        return message
    errors: Sequence[Any] = ("canceled", "x", 5, ["x"], {"error": "x"}, {"error": 5, "details": []})
    return json.dumps({**body, "result": None, "error": choose.choice(errors)}).encode()


class Reorder:
    """Keep one back until the next one has been said."""

    def __init__(self) -> None:
        self._kept = b""

    def __call__(self, message: bytes, _choose: random.Random) -> bytes:
        self._kept, said = (message, b"") if not self._kept else (b"", message + self._kept)
        return said


LIES: Mapping[str, Callable[[], Lie]] = {
    "truncate": lambda: truncate,
    "flip": lambda: flip,
    "repeat": lambda: repeat,
    "drop": lambda: drop,
    "nest": lambda: nest,
    "bloat": lambda: bloat,
    "replace": lambda: replace,
    "invent": lambda: invent,
    "refuse": lambda: refuse,
    "reorder": Reorder,
}


class Liar(Forwarder):
    """Tells a lie in the place of each of the next messages, as long as it has one."""

    def __init__(self, target: Path) -> None:
        super().__init__(target)
        self._framers: dict[socket.socket, Framer] = {}
        self._choose = random.Random(0)
        self._lie: Lie | None = None
        self._count = 0
        self._mutex = threading.Lock()

    def tell(self, lie: Lie, count: int, seed: str) -> None:
        """Do so with this one, so many times."""
        with self._mutex:
            self._choose, self._lie, self._count = random.Random(seed), lie, count

    def be_honest(self) -> None:
        """Pass on everything as it is, in sessions that come from now on."""
        with self._mutex:
            self._lie = None
        self.end_sessions()

    def changed(self, far: socket.socket, data: bytes) -> bytes:
        framer = self._framers.setdefault(far, Framer())
        said = []
        for message in framer.feed(data):
            with self._mutex:
                lie = self._lie if self._count > 0 else None
                self._count -= lie is not None
            said.append(lie(bytes(message), self._choose) if lie else bytes(message))
        return b"".join(said)
