# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that no server wants, many of them, in a process of their own.

    hostile.py PORT SILENT [tls]

I/O, until its standard input ends. SILENT connections are open and do nothing, or stopped
halfway; whoever is closed comes again. Beside them some clients break one rule after the
other, as fast as an impatient person clicks.
"""

from __future__ import annotations

import itertools
import os
import resource
import select
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial

_RUDE_PAUSE_S = 0.05
_RETURN_PAUSE_S = 0.002  # between two that come again
_PATIENCE_S = 5.0
_LIST = b"GET /v2.0/ports HTTP/1.1\r\nHost: x\r\n\r\n"
_HALF_HEAD = b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-"
_BODY_BYTES = 1024 * 1024
_HALF_BODY = (
    b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % _BODY_BYTES
    + b"[" * (_BODY_BYTES // 2)
)
_CLIENT_HELLO = (
    bytes.fromhex("16030100310100002d0303") + bytes(range(32)) + b"\0\0\x02\x13\x01\x01\0"
)

Connect = Callable[[], socket.socket]

# How most of those begin who then do nothing: all of what they ever send.
_BEGINNINGS: Sequence[bytes] = (b"", b"", b"", b"", b"", b"G", _HALF_HEAD, _HALF_BODY, _LIST)


def connector(port: int, is_tls: bool) -> Connect:
    """Return what gives a new connection, after the handshake if there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def connect() -> socket.socket:
        sock = plain(port)
        try:
            return context.wrap_socket(sock) if is_tls else sock
        except BaseException:
            sock.close()
            raise

    return connect


def plain(port: int) -> socket.socket:
    """Return a new connection that takes few bytes before somebody reads them."""
    sock = socket.socket()
    sock.settimeout(_PATIENCE_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    try:
        sock.connect(("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock


# --- rude ones: each is one visit ------------------------------------------------


def leave(connect: Connect) -> None:
    """Ask for much, and reset the connection."""
    with connect() as sock:
        sock.sendall(_LIST)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def babble(connect: Connect) -> None:
    """Send what is no HTTP."""
    _talk(connect, os.urandom(3000) + b"\r\n\r\n")


def malform(connect: Connect) -> None:
    """Send what is nearly HTTP."""
    _talk(connect, b"GET /v2.0/ports HTTP/1.1\r\nHost: x\r\nHost: y\r\n Folded: z\r\n\r\n")
    _talk(connect, b"POST /v2.0/ports HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n")
    _talk(connect, b"GET /%00%ff%fe/../.. HTTP/1.1\r\nHost: x\r\n\r\n")


def boast(connect: Connect) -> None:
    """Announce a body that is too large, and send it."""
    head = b"POST /v2.0/ports HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n"
    _talk(connect, head + b"x" * 2_000_000)


def go_on(connect: Connect) -> None:
    """Send a body that never ends, or a head."""
    _talk(
        connect,
        b"POST /v2.0/ports HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"5\r\nhello\r\n" * 50_000,
    )
    _talk(connect, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000)


def pipeline(connect: Connect) -> None:
    """Send twenty requests without waiting."""
    _talk(connect, b"GET /v2.0/networks HTTP/1.1\r\nHost: x\r\n\r\n" * 20)


def shake(port: int) -> None:
    """Greet as a TLS client, whoever is there, and go on with nonsense."""
    _talk(lambda: plain(port), _CLIENT_HELLO)
    _talk(lambda: plain(port), _CLIENT_HELLO[:7] + os.urandom(500))


def _talk(connect: Connect, data: bytes) -> None:
    with connect() as sock:
        with suppress(OSError):  # it may have heard enough
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


# --- silent ones -------------------------------------------------------------------


class Silent:
    """Connections that are begun, kept, and begun again when they are closed."""

    def __init__(self, connect: Connect, count: int) -> None:
        self._connect = connect
        self._count = count
        self._beginnings: Iterator[bytes] = itertools.cycle(_BEGINNINGS)
        self._sockets: dict[int, socket.socket] = {}
        self._poll = select.poll()

    def run(self, stop: threading.Event) -> None:
        """Keep them until `stop`."""
        while not stop.is_set():
            if len(self._sockets) < self._count:
                with suppress(OSError):
                    self._come()
                stop.wait(_RETURN_PAUSE_S)
            for number, _ in self._poll.poll(0 if len(self._sockets) < self._count else 100):
                self._go(number)
        for number in list(self._sockets):
            self._go(number)

    def _come(self) -> None:
        sock = self._connect()
        try:
            sock.setblocking(False)
            beginning = next(self._beginnings)
            if beginning:
                sock.send(beginning)
        except OSError:
            sock.close()
            raise
        self._sockets[sock.fileno()] = sock
        # Not for input: that is what they never take.
        self._poll.register(sock, select.POLLRDHUP | select.POLLHUP | select.POLLERR)

    def _go(self, number: int) -> None:
        self._poll.unregister(number)
        self._sockets.pop(number).close()


def main(port: int, silent: int, is_tls: bool) -> None:
    """Be a nuisance until the standard input ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * silent + 200), hard))
    connect = connector(port, is_tls)
    stop = threading.Event()
    rude = (leave, babble, malform, boast, go_on, pipeline)
    visits = [*(partial(one, connect) for one in rude), partial(shake, port)]

    def be_rude() -> None:
        for visit in itertools.cycle(visits):
            with suppress(OSError):
                visit()
            if stop.wait(_RUDE_PAUSE_S):
                break

    threads = [
        threading.Thread(target=be_rude),
        threading.Thread(target=Silent(connect, silent).run, args=(stop,)),
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), "tls" in sys.argv[3:])
