# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A tap on the wire between a proxy and its Northbound server: it listens, and it breaks things.

A relay on a unix socket of its own that passes on whole JSON-RPC messages, keeps
the transactions that it saw, and does to the next write what it was told to.
"""

from __future__ import annotations

import contextlib
import copy
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from daemon.ovsdb import OvsdbServer, short_folder, wait_until
from ovirt_ovn_proxy.nb.framing import Framer

Operations = Sequence[Mapping[str, Any]]


class Fault(Enum):
    """What is to happen to the next transaction that changes something."""

    CUT_BEFORE = "the session breaks, and the server never sees the transaction"
    CUT_AFTER = "the session breaks when the server has committed it, before its reply"
    OVERTAKE = "the session breaks; the server sees it right before the next session's first write"
    HOLD = "the session breaks; the server sees it when `release` is called"
    CANCEL = "the server commits it, and says that it has given it up; the session goes on"


class Transact(NamedTuple):
    """One `transact` request: the session that it came by (from 1) and its operations."""

    session: int
    operations: Operations


class _Session:
    """One client, and the server's end that belongs to it alone."""

    def __init__(self, number: int, near: socket.socket, server: OvsdbServer) -> None:
        self.number = number
        self.near = near
        self.is_late = False
        self.far = socket.socket(socket.AF_UNIX)
        self.far.connect(str(server.socket))

    def cut(self) -> None:
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class WireTap:
    """Relays sessions to `server`; a context manager, safe to use from many threads."""

    def __init__(self, server: OvsdbServer) -> None:
        self._server = server
        self._stack = contextlib.ExitStack()
        self._lock = threading.RLock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._sessions: list[_Session] = []
        self._transacts: list[Transact] = []
        self._others: list[str] = []
        self._fault: Fault | None = None
        self._late: list[tuple[_Session, bytearray]] = []
        self._untold: tuple[_Session, Any, Fault] | None = None
        self._results: list[Any] = []
        self._is_holding = False
        self._before_write: Callable[[], object] | None = None
        self._before_session: Callable[[], object] | None = None
        self._threads: list[threading.Thread] = []
        self.delay_s = 0.0
        """How long each message from the server is kept back."""

    def __enter__(self) -> WireTap:
        folder = self._stack.enter_context(short_folder())
        self._listener.bind(str(folder / "tap"))
        self._listener.listen()
        self.server = copy.copy(self._server)
        """The server, reached through the tap."""
        self.server.socket = folder / "tap"
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for session in self._sessions:
                session.cut()
        for thread in list(self._threads):
            thread.join(5)
        self._stack.close()

    # --- what was seen ----------------------------------------------------

    @property
    def sessions(self) -> int:
        """How many sessions there have been."""
        return len(self._sessions)

    def take(self) -> list[Transact]:
        """Return the transactions since the last call."""
        with self._lock:
            taken, self._transacts = self._transacts, []
        return taken

    def take_others(self) -> list[str]:
        """Return the methods of all other requests and notifications since the last call."""
        with self._lock:
            taken, self._others = self._others, []
        return taken

    def take_late(self) -> list[Any]:
        """Return the result lists of late transactions since the last call."""
        with self._lock:
            taken, self._results = self._results, []
        return taken

    # --- what is to be done -----------------------------------------------

    def arm(self, fault: Fault) -> None:
        """Do this to the next write."""
        with self._lock:
            self._fault = fault

    def before_next_write(self, action: Callable[[], object]) -> None:
        """Keep the next write back until `action` has been done."""
        with self._lock:
            self._before_write = action

    def before_next_session(self, action: Callable[[], object]) -> None:
        """Keep the next session back until `action` has been done."""
        with self._lock:
            self._before_session = action

    @property
    def is_armed(self) -> bool:
        """Whether a fault still waits for its write."""
        return self._fault is not None

    def release(self) -> None:
        """Let the server see the writes that were held back, and wait for its replies."""
        with self._lock:
            late, self._late = self._late, []
            expected = len(self._results) + len(late)
            for session, message in late:
                session.far.sendall(message)
        wait_until(lambda: len(self._results) >= expected, what="late replies")

    # --- threads ----------------------------------------------------------

    def _start(self, run: Callable[..., None], *arguments: _Session) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._before_session is not None:
                    action, self._before_session = self._before_session, None
                    action()
                with self._lock:
                    session = _Session(len(self._sessions) + 1, near, self._server)
                    self._sessions.append(session)
                for pump in (self._pump_requests, self._pump_replies):
                    self._start(pump, session)

    def _pump_requests(self, session: _Session) -> None:
        framer = Framer()
        with contextlib.suppress(OSError):
            while data := session.near.recv(65536):
                for message in framer.feed(data):
                    self._request(session, message)
        # A session that broke with a write held back lives on at the server's end.
        if not session.is_late:
            session.cut()
        session.near.close()

    def _request(self, session: _Session, message: bytearray) -> None:
        body = json.loads(message)
        is_write = False
        if body.get("method") == "transact":
            operations = body["params"][1:]
            is_write = bool(operations)
            with self._lock:
                self._transacts.append(Transact(session.number, operations))
        elif "method" in body:
            with self._lock:
                self._others.append(body["method"])
        if is_write and self._before_write is not None:
            action, self._before_write = self._before_write, None
            action()
        if is_write and self._late and self._late[0][0] is not session and not self._is_holding:
            self.release()
        fault = None
        if is_write:
            with self._lock:
                fault, self._fault = self._fault, None
        if fault is None or fault in (Fault.CUT_AFTER, Fault.CANCEL):
            if fault is not None:
                self._untold = (session, body["id"], fault)
            session.far.sendall(message)
            return
        if fault is not Fault.CUT_BEFORE:
            self._is_holding = fault is Fault.HOLD
            session.is_late = True
            self._late.append((session, message))
            session.near.shutdown(socket.SHUT_RDWR)
        else:
            session.cut()

    def _pump_replies(self, session: _Session) -> None:
        framer = Framer()
        with contextlib.suppress(OSError):
            while data := session.far.recv(65536):
                for message in framer.feed(data):
                    if self.delay_s:
                        time.sleep(self.delay_s)
                    self._reply(session, message)
        session.cut()
        session.far.close()

    def _reply(self, session: _Session, message: bytearray) -> None:
        body = json.loads(message)
        untold = self._untold
        if untold is not None and untold[:2] == (session, body.get("id")):
            self._untold = None
            if untold[2] is Fault.CUT_AFTER:
                session.cut()
                return
            canceled = {"result": None, "error": "canceled", "id": body["id"]}
            message = bytearray(json.dumps(canceled).encode())
        if session.near.fileno() >= 0:
            with contextlib.suppress(OSError):
                session.near.sendall(message)
                return
        if session.is_late and isinstance(body.get("id"), int):
            with self._lock:
                self._results.append(body["result"])
