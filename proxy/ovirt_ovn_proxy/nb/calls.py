# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hand-over of transactions from request threads to the connection's thread.

No I/O but for what the owner passes in. The queue is open while there is a session that
can send. What is still in it was certainly not sent; what was taken out of it, or never
came into it because it could go at once, may have been.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import NorthboundError, NotReady, OutcomeUnknown, TransactionRefused
from .schema import DATABASE

# That what it encodes is a tree is known, so no look out for circles.
_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode

_BATCH_BYTES = 64 * 1024

# U+0000 as JSON escape, after an even number of backslashes. ovsdb-server
# takes it for a broken stream and closes the session.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def nothing() -> None:
    """Do nothing while the server works."""


class Call:
    """One request on its way. `id` is its JSON-RPC id, `payload` the whole message."""

    __slots__ = ("_done", "_error", "_reply", "id", "payload")

    def __init__(self, call_id: int, payload: bytes) -> None:
        self.id = call_id
        self.payload = payload
        self._reply: Mapping[str, Any] = {}
        self._error: NorthboundError | None = None
        # A bare lock is the fastest thing in the standard library to wait on.
        self._done = threading.Lock()
        self._done.acquire()

    def succeed(self, reply: Mapping[str, Any]) -> None:
        """Give the reply to whoever waits. Either this or fail() is called, once."""
        self._reply = reply
        self._done.release()

    def fail(self, error: NorthboundError) -> None:
        """Make wait() raise `error`."""
        self._error = error
        self._done.release()

    @property
    def is_done(self) -> bool:
        """Whether wait() returns at once."""
        return not self._done.locked()

    def wait(self, timeout_s: float) -> Mapping[str, Any] | None:
        """Return the reply, None if there is none yet after `timeout_s`; or raise."""
        if not self._done.acquire(timeout=min(max(timeout_s, 0), threading.TIMEOUT_MAX)):
            return None
        if self._error is not None:
            raise self._error
        return self._reply


class CallQueue:
    """Calls not sent yet. Closed at first.

    `send` sends a call at once, or says that it has to wait for the connection's thread;
    `read` may wait for the reply by reading it, up to a deadline; `wake` makes the thread
    look at the queue, `status` gives the text of NotReady. After `patience_s` without a
    session nobody is kept waiting for one any more. `lock` is held while calls are taken or
    sent, by whichever thread.
    """

    def __init__(
        self,
        patience_s: float,
        send: Callable[[Call], bool],
        read: Callable[[Call, float], None],
        wake: Callable[[], None],
        status: Callable[[], str],
    ) -> None:
        self.lock = threading.Lock()
        self.is_open = False
        self.closed_since = time.monotonic()
        self._patience_s = patience_s
        self._send = send
        self._read = read
        self._wake = wake
        self._status = status
        self._calls: list[Call] = []
        self._ended = False
        self._changed = threading.Condition(self.lock)

    def __bool__(self) -> bool:
        return bool(self._calls)

    def call(
        self,
        payload: bytes,
        call_id: int,
        deadline: float,
        meanwhile: Callable[[], object] = nothing,
    ) -> Mapping[str, Any]:
        """Queue a message and return its reply; call `meanwhile` before waiting for that.

        Raises NotReady if it certainly was not sent, else OutcomeUnknown.
        """
        call = Call(call_id, payload)
        remaining_s = deadline - time.monotonic()
        with self.lock:
            if not self.is_open or remaining_s <= 0:
                raise NotReady(self._status() if remaining_s > 0 else "the deadline has passed")
            # If there are others, the thread is on its way to them.
            is_first = not self._calls
            is_sent = is_first and self._send(call)
            if not is_sent:
                self._calls.append(call)
        if is_first and not is_sent:
            self._wake()
        meanwhile()
        self._read(call, deadline)
        reply = call.wait(deadline - time.monotonic())
        if reply is None:
            with self.lock:
                if call in self._calls:
                    self._calls.remove(call)
                    raise NotReady("the deadline passed before the transaction could be sent")
            reply = call.wait(0)  # it may have come at the last moment
        if reply is None:
            raise OutcomeUnknown(f"no reply within the deadline; {self._status()}")
        return reply

    def wait_open(self, deadline: float) -> None:
        """Return once open; NotReady at the deadline or when patience is at its end."""
        with self.lock:
            while not self.is_open:
                limit = min(deadline, self.closed_since + self._patience_s)
                remaining_s = limit - time.monotonic()
                if remaining_s <= 0 or self._ended:
                    raise NotReady(self._status())
                self._changed.wait(min(remaining_s, threading.TIMEOUT_MAX))

    def take(self) -> list[Call]:
        """Take the oldest calls to send them now, a limited number of bytes; under the lock."""
        size = count = 0
        while count < len(self._calls) and size < _BATCH_BYTES:
            size += len(self._calls[count].payload)
            count += 1
        batch = self._calls[:count]
        del self._calls[:count]
        return batch

    def open(self) -> None:
        """Accept calls."""
        with self.lock:
            self.is_open = True
            self._changed.notify_all()

    def close(self, reason: str) -> None:
        """Accept no calls and fail those in the queue.

        They are not kept for the next session: they were planned from a view
        that it may not confirm.
        """
        with self.lock:
            if self.is_open:
                self.is_open = False
                self.closed_since = time.monotonic()
            calls, self._calls = self._calls, []
        for call in calls:
            call.fail(NotReady(reason))

    def end(self) -> None:
        """Close for good: nobody waits any longer."""
        with self.lock:
            self._ended = True
            self._changed.notify_all()


def encode(operations: Sequence[Mapping[str, Any]], call_id: int) -> bytes:
    """Return a `transact` request (RFC 7047 section 4.1.3).

    Raises TransactionRefused for values that JSON or a database cannot hold; the
    server would close the session of all requests over them.
    """
    message = {"method": "transact", "params": [DATABASE, *operations], "id": call_id}
    try:
        text = _encode(message)
        payload = text.encode()
    except ValueError as error:  # half a surrogate pair, infinity
        raise TransactionRefused("syntax error", str(error), None) from error
    if "\\u0000" in text and _NUL.search(text):
        raise TransactionRefused("syntax error", "a text contains the character U+0000", None)
    return payload
