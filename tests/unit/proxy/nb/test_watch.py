# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the connection's thread waits for while another reads in its place, on socket pairs."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ovirt_ovn_proxy.nb.watch import CLOSED, Watch


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end of a connection, and the server's."""
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def look(watch: Watch, sock: socket.socket, events: int = select.POLLIN) -> bool:
    """Return whether there is something about a connection now."""
    return watch.wait(sock.fileno(), events, 0) != 0


def test_events(watch: Watch, ends: tuple[socket.socket, socket.socket]) -> None:
    """Input and room for output are told as asked for, waking and the time-out are neither."""
    near, far = ends
    assert not look(watch, near)
    assert look(watch, near, select.POLLIN | select.POLLOUT)
    assert not look(watch, near)
    far.send(b"x")
    assert look(watch, near)
    near.recv(1)
    watch.wake()
    assert not watch.wait(near.fileno(), select.POLLIN, 60_000)
    assert not watch.wait(-1, 0, 0)


def test_wake_from_another_thread(watch: Watch) -> None:
    """Without any connection it can be woken."""
    threading.Timer(0.05, watch.wake).start()
    started = time.monotonic()
    assert not watch.wait(-1, 0, 10_000)
    assert time.monotonic() - started < 5


def test_read_elsewhere(watch: Watch, ends: tuple[socket.socket, socket.socket]) -> None:
    """While another thread reads, input is its own; afterwards what it left is told."""
    near, far = ends
    look(watch, near)
    watch.lend()
    assert watch.take_turn()
    assert not watch.has_input(0)
    far.send(b"x")
    assert not look(watch, near)
    assert look(watch, near, select.POLLIN | select.POLLOUT)  # there is room for output
    assert not look(watch, near)
    assert watch.has_input(0)
    assert watch.reading.locked()
    watch.end_turn()

    assert look(watch, near)
    assert not watch.reading.locked()


def test_only_one_reads(watch: Watch, ends: tuple[socket.socket, socket.socket]) -> None:
    """Nobody can take a turn while another has it, and nothing changes for who waits."""
    near, far = ends
    look(watch, near)
    watch.lend()
    with watch.reading:
        assert not watch.take_turn()
        far.send(b"x")
        assert look(watch, near)
    assert watch.take_turn()
    assert not watch.take_turn()
    watch.end_turn()


def test_not_lent(watch: Watch, ends: tuple[socket.socket, socket.socket]) -> None:
    """A connection that is not established yet, or is about to be closed, is nobody else's."""
    near, _ = ends
    look(watch, near)
    assert not watch.take_turn()
    watch.lend()
    assert watch.take_turn()
    watch.end_turn()
    with watch.reading:
        watch.forget()
    assert not watch.take_turn()
    assert not watch.reading.locked()


def test_next_connection(watch: Watch, ends: tuple[socket.socket, socket.socket]) -> None:
    """A new connection is watched, though it has the closed one's number."""
    near, _ = ends
    look(watch, near)
    watch.lend()
    with watch.reading:
        watch.forget()
    mine, other = socket.socketpair()
    with mine, other:
        os.dup2(mine.fileno(), near.fileno())  # closes what had the number
        assert not look(watch, near)
        other.send(b"x")
        assert look(watch, near)


def test_server_that_closes(watch: Watch, ends: tuple[socket.socket, socket.socket]) -> None:
    """That the server has closed is told while another reads, and told apart from input."""
    near, far = ends
    look(watch, near)
    watch.lend()
    assert watch.take_turn()
    far.close()
    closed = watch.wait(near.fileno(), select.POLLIN, 0)
    assert closed
    assert closed & CLOSED == closed
    assert watch.has_input(0)
    watch.end_turn()
    assert watch.wait(near.fileno(), select.POLLIN, 0) == select.POLLHUP | select.POLLIN


def test_connection_that_a_child_has(
    watch: Watch, ends: tuple[socket.socket, socket.socket]
) -> None:
    """A connection that is over is no event, though another process may have it open yet."""
    near, far = ends
    look(watch, near)
    with watch.reading:
        watch.forget()
    child = os.dup(near.fileno())
    near.close()
    far.close()
    assert not watch.wait(-1, 0, 20)
    started = time.monotonic()
    assert not watch.wait(-1, 0, 100)
    assert time.monotonic() - started > 0.05
    os.close(child)
