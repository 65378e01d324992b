# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections to Northbound for tests, and a stretch of wire that can be cut."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from daemon.ovsdb import (
    short_folder,
)
from ovirt_ovn_proxy.errors import (
    NorthboundError,
)
from ovirt_ovn_proxy.nb.connection import Connection
from ovirt_ovn_proxy.nb.remote import parse_remotes

SWITCH = "Logical_Switch"


class RawReplica:
    """The rows as the server tells them."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self.complete = False
        self.applied = 0
        self.applied_by: set[str] = set()
        """The names of the threads that did so."""
        self.raise_next: Exception | None = None

    def load(self, table: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
        loaded = {uuid: dict(change["initial"]) for uuid, change in rows.items()}
        self.tables.setdefault(table, {}).update(loaded)

    def loaded(self) -> None:
        self.complete = True

    def settle(self) -> None:
        assert self.complete

    def apply(self, updates: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        if self.raise_next is not None:
            error, self.raise_next = self.raise_next, None
            raise error
        self.applied += 1
        self.applied_by.add(threading.current_thread().name)
        for table, rows in updates.items():
            for row_uuid, change in rows.items():
                for kind, row in change.items():
                    if kind == "delete":
                        del self.tables[table][row_uuid]
                    else:
                        self.tables.setdefault(table, {}).setdefault(row_uuid, {}).update(row)

    def names(self) -> set[str]:
        """The names of all switches."""
        return {row.get("name", "") for row in dict(self.tables.get(SWITCH, {})).values()}


def within(seconds: float) -> float:
    """Return the deadline that is so many seconds away."""
    return time.monotonic() + seconds


def insert(name: str, row_uuid: str | None = None) -> dict[str, Any]:
    """Return the operation that creates a switch."""
    chosen = {"uuid": row_uuid} if row_uuid else {}
    return {"op": "insert", "table": SWITCH, "row": {"name": name}, **chosen}


@contextlib.contextmanager
def connected(
    remotes: str, make_replica: Callable[[], RawReplica] = RawReplica, **options: Any
) -> Iterator[Connection[RawReplica]]:
    """Give a connection, started, and see to it that its thread really ends."""
    connection = Connection(parse_remotes(remotes), make_replica, **options)
    connection.start()
    try:
        yield connection
    finally:
        connection.stop()
        assert connection._thread is None or not connection._thread.is_alive()


@contextlib.contextmanager
def ready(remotes: str, **options: Any) -> Iterator[Connection[RawReplica]]:
    """Give a connection that is in sync."""
    with connected(remotes, **options) as connection:
        connection.wait_ready(within(5))
        yield connection


def shown(connection: Connection[RawReplica]) -> set[str]:
    """Return the switches that the newest replica shows."""
    assert connection.replica is not None
    assert connection.replica.complete
    return connection.replica.names()


def in_thread(action: Callable[[], Any], name: str | None = None) -> Callable[[], Any]:
    """Start `action` in a thread; the returned function waits and gives result or error."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(action())
        except NorthboundError as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name=name)
    thread.start()

    def result() -> Any:
        thread.join(10)
        return outcome[0]

    return result


F = TypeVar("F", bound="Forwarder")


class Forwarder:
    """Passes bytes on between its own socket and a server's, until it is told to stop.

    `limit`: the first session ends after so many bytes from the server.
    """

    def __init__(self, target: Path, limit: int | None = None) -> None:
        self._target = target
        self._left = limit
        self._folder = contextlib.ExitStack()
        self._path = self._folder.enter_context(short_folder()) / "f"
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._ends: set[socket.socket] = set()
        self.remote = f"unix:{self._path}"
        self.connections = 0

    def __enter__(self: F) -> F:
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._folder.close()

    def mend(self) -> None:
        """Accept sessions."""
        self._listener.close()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """End all sessions and accept no more."""
        self._path.unlink()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.end_sessions()

    def cut_after(self, count: int) -> None:
        """End all sessions within the next message from the server, after so many bytes."""
        with self._lock:
            self._left = count

    @property
    def left(self) -> int | None:
        """How many bytes the server may send yet; None when it was cut, or may send all."""
        return self._left

    def end_sessions(self) -> None:
        """End all sessions; new ones may come."""
        with self._lock:
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far, contextlib.suppress(OSError):
            far.connect(str(self._target))
            ends = {near: far, far: near}
            with self._lock:
                self._ends |= set(ends)
            try:
                while True:
                    for end in select.select(list(ends), [], [])[0]:
                        data = end.recv(65536)
                        if not data:
                            return
                        is_cut = False
                        if end is far:
                            data, is_cut = self._allowed(self.changed(far, data))
                        ends[end].sendall(data)
                        if is_cut:
                            self.end_sessions()
            finally:
                with self._lock:
                    self._ends -= set(ends)

    def changed(self, _far: socket.socket, data: bytes) -> bytes:
        """Return what is passed on in the place of bytes from the server: these."""
        return data

    def _allowed(self, data: bytes) -> tuple[bytes, bool]:
        """Return what may be passed on of the server's bytes, and whether that is all."""
        with self._lock:
            if self._left is None:
                return data, False
            passed = data[: self._left]
            is_cut = len(data) >= self._left
            self._left = None if is_cut else self._left - len(data)
            return passed, is_cut


def in_trouble(connection: Connection[RawReplica]) -> bool:
    """Say whether a try to connect has failed, and none succeeded since."""
    return "connecting" not in connection.status()
