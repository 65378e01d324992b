# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers of the kernel that it seldom gives; the usual ones come from a real one elsewhere."""

from __future__ import annotations

import json
import struct
from base64 import b64decode
from pathlib import Path

import pytest

from ovirt_ovn_host import kernel
from ovirt_ovn_host.rtnetlink import NEW_LINK

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "rtnetlink.json").read_text())
LINK = b64decode(RECORDED["links"][0])
ERROR, DONE = 2, 3
INTERRUPTED = 0x10


def message(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """Return a message as netlink(7) has it."""
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload


WHOLE = [message(NEW_LINK, LINK) + message(DONE), message(DONE)]
CHANGED = [message(NEW_LINK, LINK, INTERRUPTED) + message(DONE)]


class FakeKernel:
    """Gives what it is told to, each list of answers on a socket of its own."""

    def __init__(self, *sockets: list[bytes]) -> None:
        self.sockets = list(sockets)
        self.answers: list[bytes] = []
        self.open = 0

    def __call__(self, *kind: int) -> FakeKernel:
        self.answers = list(self.sockets.pop(0))
        self.open += 1
        return self

    def settimeout(self, timeout_s: float) -> None:
        assert timeout_s > 0

    def send(self, request: bytes) -> None:
        assert len(request) == struct.unpack_from("=I", request)[0]

    def recv(self, size: int) -> bytes:
        return self.answers.pop(0)

    def close(self) -> None:
        self.open -= 1


def use(monkeypatch: pytest.MonkeyPatch, *sockets: list[bytes]) -> FakeKernel:
    """Have a kernel that gives these answers."""
    fake = FakeKernel(*sockets)
    monkeypatch.setattr(kernel, "socket", fake)
    return fake


def test_links_that_change_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dump that the kernel calls inconsistent is asked for again."""
    fake = use(monkeypatch, CHANGED, CHANGED, WHOLE)

    assert list(kernel.read_links()) == ["lo"]
    assert fake.open == 0


def test_links_that_never_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some time there is an end of asking."""
    fake = use(monkeypatch, *[CHANGED] * 100)

    with pytest.raises(OSError, match="change all the time"):
        kernel.read_links()
    assert fake.open == 0


def test_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own error is the reason."""
    fake = use(monkeypatch, [message(ERROR, struct.pack("=i", -1) + bytes(16))])

    with pytest.raises(PermissionError, match="Operation not permitted"):
        kernel.read_links()
    assert fake.open == 0
