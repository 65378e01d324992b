# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The default HTTP server: WSGI applications on TCP ports, with or without TLS.

I/O. Owns the listening sockets and the one thread that accepts clients and keeps their
deadlines; each client then has a `connection` and a thread of its own. Knows WSGI and
nothing of what the applications do.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .connection import LINGER_S, Connection, Limits, Phase, plain_address
from .errors import ProxyError
from .http1 import error_body
from .workers import Workers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

__all__ = ["Limits", "ListenError", "Listener", "Server"]

_ACCEPT_PAUSE_S = 1.0  # after a failure that an immediate retry would only repeat
_IDLE_THREAD_S = 2.0
_STOP_GRACE_S = 1.0  # at stop: for requests not yet complete, and for cut threads to end


class ListenError(ProxyError):
    """A port cannot be listened on; the message names it and the reason."""


@dataclass(frozen=True)
class Listener:
    """One address to listen on, and what answers there.

    `host` is an address or a name; "" and "::" mean every address, IPv4 and IPv6.
    `port` 0 takes a free one. `tls` is asked for every new connection and returns the
    context to use then, so that certificates can change; None means plain HTTP. One that
    `is_optional` is left out, with a warning, where it cannot be listened on. `encode_error`
    gives the JSON for what the application never sees, of the status and a message.
    """

    host: str
    port: int
    application: WSGIApplication
    tls: Callable[[], ssl.SSLContext] | None = None
    is_optional: bool = False
    encode_error: Callable[[int, str], bytes] = error_body


class Server:
    """Serves `listeners` from `start()` to `stop()`; each once in an instance's life."""

    def __init__(self, listeners: Sequence[Listener], limits: Limits | None = None) -> None:
        self._listeners = tuple(listeners)
        self._limits = limits or Limits()
        self._sockets: list[tuple[socket.socket, Listener]] = []
        self._selector = selectors.DefaultSelector()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="http-server", daemon=True)
        self._workers = Workers(self._limits.max_connections, _IDLE_THREAD_S)
        # From here on touched by that thread only, except `_stop_at`.
        self._connections: list[Connection] = []  # oldest first
        self._watching = False
        self._queueing = False  # someone waits in a backlog for a connection to end
        self._paused_until = 0.0
        self._stop_at: float | None = None

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each that listens, in order, as they really are after `start()`."""
        return [sock.getsockname()[:2] for sock, _ in self._sockets]

    def start(self) -> None:
        """Listen on every address and begin to serve; raise ListenError for one that must be."""
        for listener in self._listeners:
            try:
                self._sockets.append((_listen(listener, self._limits.backlog), listener))
            except ListenError as error:
                if not listener.is_optional:
                    self._close()
                    raise
                logger.warning("%s; the service runs without it", error)
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Stop accepting, let requests finish for `timeout_s`, then cut the rest.

        Clients that have not sent a whole request get a second. Returns once every
        thread has ended, at the latest a second after `timeout_s`; False if an
        application is still running then, whose thread ends when it returns.
        """
        if self._thread.is_alive():
            self._stop_at = time.monotonic() + timeout_s
            self._wake()
            self._thread.join()
        else:
            self._close()
        return not self._connections

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it wakes anyway; closed: no need to
            self._wake_sender.send(b"\0")

    def _closed(self) -> None:
        # Everybody else is forgotten at the next turn, which may be late.
        if self._queueing or self._stop_at is not None:
            self._wake()

    def _run(self) -> None:
        while self._stop_at is None:
            self._turn(math.inf)
        for sock, listener in self._sockets:
            while self._accept(sock, listener):
                pass  # whoever is in the backlog would be reset by closing it
        self._watch(False)
        for sock, _ in self._sockets:
            sock.close()
        for connection in self._connections:
            connection.hurry(time.monotonic() + _STOP_GRACE_S)
        self._turn_until(self._stop_at)
        for connection in self._connections:
            connection.cut("the server stops")
        self._turn_until(time.monotonic() + _STOP_GRACE_S)
        self._workers.stop(is_waiting=not self._connections)
        self._close()

    def _close(self) -> None:
        for sock, _ in self._sockets:
            sock.close()
        self._selector.close()
        self._wake_receiver.close()
        self._wake_sender.close()

    def _turn_until(self, end: float) -> None:
        while self._connections and time.monotonic() < end:
            self._turn(end)

    def _turn(self, end: float) -> None:
        """Wait for the next event or deadline, `end` (monotonic) at the latest; handle it."""
        now = time.monotonic()
        if self._stop_at is None:
            self._watch(not self._queueing and now >= self._paused_until)
        for key, _ in self._selector.select(self._sleep_s(now, end)):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._wake_receiver.recv(4096)
            elif len(self._connections) < self._limits.max_connections:
                self._accept(*key.data)
            else:
                self._queueing = True
                any(connection.evict() for connection in self._connections)  # the oldest
                break
        self._reap()

    def _reap(self) -> None:
        """Forget connections that ended, and cut those whose deadline has come."""
        now = time.monotonic()
        for connection in self._connections[:]:
            if connection.phase is Phase.CLOSED:
                self._connections.remove(connection)
            elif connection.deadline <= now:
                connection.expire(now)
        if len(self._connections) < self._limits.max_connections:
            self._queueing = False

    def _sleep_s(self, now: float, end: float) -> float | None:
        """Return the seconds until something can be due, or None for never.

        Connections set themselves new deadlines meanwhile, so the shortest of those
        bounds the sleep; that is cheaper than being woken for each.
        """
        if self._connections:
            end = min(end, now + self._limits.write_timeout_s, now + LINGER_S)
            end = min(end, *(connection.deadline for connection in self._connections))
        if self._paused_until > now:
            end = min(end, self._paused_until)
        return None if end == math.inf else max(0.0, end - now)

    def _watch(self, wanted: bool) -> None:
        if wanted == self._watching:
            return
        self._watching = wanted
        for sock, listener in self._sockets:
            if wanted:
                self._selector.register(sock, selectors.EVENT_READ, (sock, listener))
            else:
                self._selector.unregister(sock)

    def _accept(self, listening: socket.socket, listener: Listener) -> bool:
        """Start a thread for the next client; return False if there is none or no room."""
        if len(self._connections) >= self._limits.max_connections:
            return False
        try:
            sock, address = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as error:
            logger.warning("Cannot accept a connection: %s", error)
            self._paused_until = time.monotonic() + _ACCEPT_PAUSE_S
            return False
        peer = (plain_address(address[0]), address[1])
        connection = Connection(
            sock,
            peer,
            listener.application,
            listener.tls,
            self._limits,
            self._closed,
            listener.encode_error,
        )
        try:
            self._workers.run(connection.run, f"http-{peer[0]}")
        except RuntimeError as error:
            logger.warning("Cannot serve %s: %s", peer[0], error)
            connection.discard()
            self._paused_until = time.monotonic() + _ACCEPT_PAUSE_S
            return False
        self._connections.append(connection)
        return True


def _listen(listener: Listener, backlog: int) -> socket.socket:
    """Return a listening socket that does not block; raise ListenError."""
    try:
        if listener.host in ("", "::"):
            try:
                return _bind(socket.AF_INET6, ("::", listener.port), backlog)
            except OSError as error:
                if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise
                return _bind(socket.AF_INET, ("0.0.0.0", listener.port), backlog)
        family, _, _, _, address = socket.getaddrinfo(
            listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return _bind(family, address, backlog)
    except OSError as error:
        host = f"[{listener.host}]" if ":" in listener.host else listener.host or "*"
        reason = error.strerror or error
        raise ListenError(f"cannot listen on {host}:{listener.port}: {reason}") from error


def _bind(family: int, address: tuple[Any, ...], backlog: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 clients too on "::", whatever the system's default is.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # For the clients' sockets, which inherit it (tcp(7)).
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
