# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the connection's thread waits for, and whose turn it is to read.

I/O. The thread waits for its socket and for being woken. A request thread that waits for
a reply may read in its place: that spares waking the one for the input and then the other
for the reply, each on another processor, a tenth of a whole change. Meanwhile input is
taken out of what the thread waits for. Knows neither sessions nor calls.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading

CLOSED = select.EPOLLHUP | select.EPOLLERR


class Watch:
    """Waits for one connection at a time; close() it in the end.

    Who reads from the connection, or closes it, holds `reading` meanwhile. wait(), lend()
    and forget() belong to the connection's thread.
    """

    def __init__(self) -> None:
        self.reading = threading.Lock()
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._receiver, select.EPOLLIN)
        self._lock = threading.Lock()  # for what the poll object knows of the connection
        self._fd = -1
        self._events = 0
        self._is_read_elsewhere = False
        self._input: select.poll | None = None  # for who reads elsewhere, None while nobody may

    def close(self) -> None:
        """Close what it has; the connection is not its own."""
        for part in (self._sender, self._receiver, self._poll):
            part.close()

    def wake(self) -> None:
        """Make wait() return; for any thread."""
        # Full: the thread is awake anyway. Closed: it has ended.
        with contextlib.suppress(OSError):
            self._sender.send(b"\0")

    def wait(self, fd: int, events: int, timeout_ms: int | None) -> int:
        """Wait for events of a connection (poll(2)), another thread or the time-out.

        Returns the connection's: also, whoever reads, that the server has closed (`CLOSED`).
        A descriptor of -1 is no connection, a time-out of None never.
        """
        with self._lock:
            self._fd, self._events = fd, events
            if fd >= 0:
                self._look_at()
        happened = 0
        for found, what in self._poll.poll(None if timeout_ms is None else timeout_ms / 1000):
            if found == fd:
                happened = what
            else:
                # Before the queue is taken: after it, a wake-up that came between would be lost.
                with contextlib.suppress(BlockingIOError):
                    self._receiver.recv(4096)
        return happened

    def lend(self) -> None:
        """Let others read from the connection of the last wait(), which is established."""
        self._input = select.poll()
        self._input.register(self._fd, select.POLLIN)

    def forget(self) -> None:
        """Take the connection back before it is closed; whoever does so holds `reading`."""
        with self._lock:
            # Closing it is not enough where a child has it too, between fork and exec.
            with contextlib.suppress(OSError, ValueError):
                self._poll.unregister(self._fd)
            self._fd, self._input = -1, None

    # --- for the thread that reads elsewhere ------------------------------

    def take_turn(self) -> bool:
        """Take `reading`, and input out of what wait() looks for; false if that cannot be had."""
        if self._input is None or not self.reading.acquire(blocking=False):
            return False
        if self._input is None:  # taken back a moment ago
            self.reading.release()
            return False
        self._read_elsewhere(True)
        return True

    def has_input(self, timeout_s: float) -> bool:
        """Wait for input; false if there is none within the time."""
        return self._input is not None and bool(self._input.poll(timeout_s * 1000))

    def end_turn(self) -> None:
        """Have wait() look for input again, and give `reading` back."""
        self._read_elsewhere(False)
        self.reading.release()

    def _read_elsewhere(self, whether: bool) -> None:
        with self._lock:
            self._is_read_elsewhere = whether
            self._look_at()

    def _look_at(self) -> None:
        """Tell the poll object what to look for; under the lock, with a connection."""
        events = self._events & ~select.EPOLLIN if self._is_read_elsewhere else self._events
        try:
            self._poll.modify(self._fd, events)
        except FileNotFoundError:  # a new one; what is closed leaves the poll object by itself
            self._poll.register(self._fd, events)
