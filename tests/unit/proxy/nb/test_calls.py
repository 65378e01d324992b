# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hand-over between request threads and the connection's thread."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ovirt_ovn_proxy.errors import NotReady, OutcomeUnknown, TransactionRefused
from ovirt_ovn_proxy.nb.calls import Call, CallQueue, encode


class Owner:
    """Has a queue, and counts the wake-ups; while `is_sending`, calls go at once.

    `read` is what a thread does that waits for a reply.
    """

    def __init__(self, patience_s: float = 5.0, is_sending: bool = False) -> None:
        self.woken = 0
        self.is_sending = is_sending
        self.sent: list[Call] = []
        self.read: Callable[[Call, float], None] = lambda call, deadline: None
        self.queue = CallQueue(patience_s, self._send, self._read, self._wake, lambda: "the status")

    def _read(self, call: Call, deadline: float) -> None:
        self.read(call, deadline)

    def _send(self, call: Call) -> bool:
        assert self.queue.lock.locked()
        if self.is_sending:
            self.sent.append(call)
        return self.is_sending

    def _wake(self) -> None:
        self.woken += 1

    def call(self, payload: bytes = b"p", timeout_s: float = 5.0) -> list[Any]:
        """Call in a thread; the list gets the outcome."""
        outcome: list[Any] = []

        def run() -> None:
            try:
                outcome.append(self.queue.call(payload, 1, time.monotonic() + timeout_s))
            except Exception as error:
                outcome.append(error)

        known = self._number
        threading.Thread(target=run, daemon=True).start()
        _until(lambda: self._number > known)
        return outcome

    @property
    def _number(self) -> int:
        return len(self.queue._calls) + len(self.sent)

    def take(self) -> list[Call]:
        """Take calls as the connection's thread does."""
        with self.queue.lock:
            return self.queue.take()


def _until(condition: Any) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_reply() -> None:
    """A call is taken in order and gets its reply; only the first one wakes the thread."""
    owner = Owner()
    owner.queue.open()
    outcomes = [owner.call(b"one"), owner.call(b"two")]
    calls = owner.take()

    assert [call.payload for call in calls] == [b"one", b"two"]
    assert owner.woken == 1
    assert not owner.queue
    for number, call in enumerate(calls):
        call.succeed({"n": number})
    _until(lambda: all(outcomes))
    assert outcomes == [[{"n": 0}], [{"n": 1}]]
    owner.call()
    assert owner.woken == 2


def test_sent_at_once() -> None:
    """A call that goes at once wakes nobody, is in no queue, and is unknown without a reply."""
    owner = Owner(is_sending=True)
    owner.queue.open()
    outcome, silent = owner.call(b"one"), owner.call(b"two", timeout_s=0.1)
    owner.sent[0].succeed({"n": 0})
    _until(lambda: outcome and silent)

    assert outcome == [{"n": 0}]
    assert isinstance(silent[0], OutcomeUnknown)
    assert owner.woken == 0
    assert owner.take() == []


@pytest.mark.parametrize("is_sending", [True, False])
def test_meanwhile(is_sending: bool) -> None:
    """What there is time for happens once the call is on its way, and before its reply."""
    owner = Owner(is_sending=is_sending)
    owner.queue.open()
    seen: list[tuple[int, int]] = []

    def meanwhile() -> None:
        seen.append((owner._number, owner.woken))
        (owner.sent or owner.take())[0].succeed({})

    assert {} == owner.queue.call(b"one", 1, time.monotonic() + 5, meanwhile)
    assert [(1, 0 if is_sending else 1)] == seen


def test_reading() -> None:
    """Who waits for a reply may read it, after what there was time for and by the deadline."""
    owner = Owner(is_sending=True)
    owner.queue.open()
    deadline = time.monotonic() + 5
    seen: list[object] = []

    def read(call: Call, until: float) -> None:
        seen.append((call, until))
        call.succeed({"n": 1})

    owner.read = read
    reply = owner.queue.call(b"one", 1, deadline, lambda: seen.append("meanwhile"))

    assert {"n": 1} == reply
    assert seen == ["meanwhile", (owner.sent[0], deadline)]


def test_order() -> None:
    """What comes while others wait in the queue waits behind them."""
    owner = Owner()
    owner.queue.open()
    owner.call(b"one")
    owner.is_sending = True
    owner.call(b"two")

    assert owner.sent == []
    assert [call.payload for call in owner.take()] == [b"one", b"two"]
    owner.call(b"three")
    assert [call.payload for call in owner.sent] == [b"three"]


def test_closed() -> None:
    """Without a session a call is refused at once, and nothing stays in the queue."""
    owner = Owner()
    with pytest.raises(NotReady, match="the status"):
        owner.queue.call(b"p", 1, time.monotonic() + 5)
    owner.queue.open()
    outcome = owner.call()
    owner.queue.close("lost")
    _until(lambda: outcome)

    assert isinstance(outcome[0], NotReady)
    assert str(outcome[0]) == "lost"
    assert owner.take() == []


def test_deadline_in_the_queue() -> None:
    """A call whose deadline passes in the queue is taken out of it: it was not sent."""
    owner = Owner()
    owner.queue.open()
    with pytest.raises(NotReady, match="before the transaction could be sent"):
        owner.queue.call(b"p", 1, time.monotonic() + 0.05)
    with pytest.raises(NotReady, match="deadline"):
        owner.queue.call(b"p", 1, time.monotonic() - 1)

    assert owner.take() == []


def test_deadline_after_sending() -> None:
    """A call that was taken and got no reply is unknown; a late reply does no harm."""
    owner = Owner()
    owner.queue.open()
    outcome = owner.call(timeout_s=0.1)
    (call,) = owner.take()
    _until(lambda: outcome)
    call.succeed({})

    assert isinstance(outcome[0], OutcomeUnknown)


def test_batch_is_limited() -> None:
    """Not all is taken at once, so that little has to be called unknown when the session breaks."""
    owner = Owner()
    owner.queue.open()
    for _ in range(5):
        owner.call(b"x" * 30_000)

    assert [len(owner.take()) for _ in range(3)] == [3, 2, 0]


def test_waiting() -> None:
    """Who waits is let through at the opening, or stopped by deadline, patience or the end."""
    owner = Owner(patience_s=0.2)
    with pytest.raises(NotReady):
        owner.queue.wait_open(time.monotonic() + 0.02)
    start = time.monotonic()
    with pytest.raises(NotReady):
        owner.queue.wait_open(float("inf"))
    assert time.monotonic() - start < 2
    for _ in range(100):
        with pytest.raises(NotReady):
            owner.queue.wait_open(float("inf"))
    assert time.monotonic() - start < 4
    threading.Timer(0.05, owner.queue.open).start()
    owner.queue.closed_since = time.monotonic()
    owner.queue.wait_open(float("inf"))
    owner.queue.close("lost")
    threading.Timer(0.05, owner.queue.end).start()
    with pytest.raises(NotReady):
        owner.queue.wait_open(float("inf"))


def test_failed_call() -> None:
    """A call that failed raises what it was given."""
    call = Call(1, b"")
    call.fail(OutcomeUnknown("lost"))
    with pytest.raises(OutcomeUnknown, match="lost"):
        call.wait(float("inf"))


def test_encode() -> None:
    """The request is what RFC 7047 section 4.1.3 says."""
    message = json.loads(encode([{"op": "comment", "comment": "ž } {"}], 7))

    assert message == {
        "method": "transact",
        "params": ["OVN_Northbound", {"op": "comment", "comment": "ž } {"}],
        "id": 7,
    }


@pytest.mark.parametrize("value", ["\0", "a\\\0", "\\\\\0", "\ud800", float("nan"), float("inf")])
def test_values_that_cannot_be_sent(value: Any) -> None:
    """Values over which the server would close the session are refused."""
    with pytest.raises(TransactionRefused):
        encode([{"op": "comment", "comment": value}], 1)


@pytest.mark.parametrize("value", ["\\u0000", "\\\\u0000", "\x01", "\uffff", "\U0001f40e", 1.5])
def test_values_that_only_look_so(value: Any) -> None:
    """Text that merely resembles an escape is sent as it is."""
    payload = encode([{"op": "comment", "comment": value}], 1)

    assert json.loads(payload)["params"][1]["comment"] == value
