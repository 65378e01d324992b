# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One non-blocking connection to an OVSDB server: bytes in, bytes out.

I/O. Owns one socket, plain or TLS, and belongs to one thread. Others may send and receive:
who does so holds a lock of the owner's, one for each. Knows nothing of JSON-RPC.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any, Union

from .remote import Remote, TlsFiles, tls_context

# A whole TLS chunk is taken or none of it, and it has to be offered unchanged
# again (OpenSSL: SSL_write, "bad length"). So data is cut once, when queued.
_CHUNK_BYTES = 64 * 1024
# Below the size (glibc: 128 KiB) from which memory is mapped anew for each read.
_READ_BYTES = 96 * 1024
_READS_AT_ONCE = 32

Address = Union[str, tuple[Any, ...]]


class Transport:
    """A connection under way or established; close() it in any case.

    `wake` is called from another thread when the host's name is resolved, and
    has to make the owner call advance() again. Every method may raise OSError
    (ssl.SSLError is one) when the connection has failed.
    """

    def __init__(self, remote: Remote, tls: TlsFiles | None, wake: Callable[[], None]) -> None:
        self._remote = remote
        self._context: ssl.SSLContext | None = None
        if remote.method == "ssl":
            self._context = tls_context(tls or TlsFiles())
        self._socket: socket.socket | None = None
        self._established = False
        # A TLS socket is not for two threads at once: one that sends waits while another reads.
        self._turn = nullcontext() if self._context is None else threading.Lock()
        self._outgoing: deque[bytes] = deque()
        self._tls_wants = 0  # poll events that the TLS layer waits for to go on
        self._targets: list[tuple[socket.AddressFamily, Address]] | OSError | None = None
        if remote.method == "unix":
            self._targets = [(socket.AF_UNIX, remote.host)]
        else:
            self._targets = _literal(remote)
        if self._targets is None:
            threading.Thread(target=self._resolve, args=(wake,), daemon=True).start()

    def fileno(self) -> int:
        """Return the descriptor to poll, -1 while the host's name is being resolved."""
        return self._socket.fileno() if self._socket is not None else -1

    def events(self, more: bool) -> int:
        """Return the poll(2) events to wait for now; `more`: the caller has more to send."""
        if not self._established:
            return self._tls_wants or select.POLLOUT
        if self._outgoing or more:
            return select.POLLIN | select.POLLOUT
        return select.POLLIN | self._tls_wants

    def advance(self) -> bool:
        """Go on with resolving, connecting and the TLS handshake; true once established."""
        while not self._established:
            if isinstance(self._targets, OSError):
                raise self._targets
            if self._targets is None:
                return False
            if self._socket is None:
                self._connect(*self._targets.pop(0))
            elif not isinstance(self._socket, ssl.SSLSocket):
                if not self._connected(self._socket):
                    return False
            elif not self._shake_hands(self._socket):
                return False
        return True

    def send(self, data: bytes) -> None:
        """Queue bytes; flush() writes them."""
        for start in range(0, len(data), _CHUNK_BYTES):
            self._outgoing.append(data[start : start + _CHUNK_BYTES])

    def flush(self) -> bool:
        """Write as much as goes without blocking; true if nothing is left."""
        assert self._socket is not None
        while self._outgoing:
            chunk = self._outgoing[0]
            try:
                with self._turn:
                    sent = self._socket.send(chunk)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return False
            if sent < len(chunk):
                self._outgoing[0] = chunk[sent:]
            else:
                self._outgoing.popleft()
        return True

    @property
    def is_free(self) -> bool:
        """Whether any thread may send at once: nothing is queued."""
        return self._established and not self._outgoing

    def send_now(self, data: bytes) -> bool:
        """Write as much as goes without blocking, and queue the rest; true if there is none.

        False also where the connection has failed: that is for its owner to find out. Only
        while `is_free`. More than a chunk is queued as it is, to be cut.
        """
        assert self._socket is not None
        sent = 0
        if len(data) <= _CHUNK_BYTES:
            with suppress(OSError), self._turn:  # BlockingIOError is one, as what TLS waits for
                sent = self._socket.send(data)
        if sent < len(data):
            self.send(data[sent:])
        return sent == len(data)

    def receive(self) -> Iterator[bytes]:
        """Give what has arrived, in pieces, and stop when nothing is left.

        After a megabyte or so it stops too, so that writes and probes have their
        turn. Raises ConnectionError when the server has closed.
        """
        sock = self._socket
        assert sock is not None
        self._tls_wants = 0
        for _ in range(_READS_AT_ONCE):
            try:
                with self._turn:
                    data = sock.recv(_READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except ssl.SSLWantWriteError:
                self._tls_wants = select.POLLOUT
                return
            if not data:
                raise ConnectionError("the server closed the connection")
            yield data
            if self._context is None and len(data) < _READ_BYTES:
                return  # poll tells of more; of TLS a read gives one record (16 KiB) at most
        # OpenSSL holds no more than a record, which went out whole: poll tells of the rest.

    def close(self) -> None:
        """Close the socket without waiting for anything."""
        if self._socket is not None:
            self._socket.close()

    def _resolve(self, wake: Callable[[], None]) -> None:
        # getaddrinfo() may take many seconds, hence a thread. Nobody waits for it:
        # if the connection is given up meanwhile, the result is dropped.
        try:
            found = socket.getaddrinfo(
                self._remote.host, self._remote.port, type=socket.SOCK_STREAM
            )
            self._targets = [(family, address) for family, _, _, _, address in found]
        except OSError as error:
            self._targets = error
        except UnicodeError as error:
            self._targets = OSError(f"{self._remote.host!r} is no host name: {error}")
        wake()

    def _connect(self, family: socket.AddressFamily, address: Address) -> None:
        sock = self._socket = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        failure = sock.connect_ex(address)
        if failure not in (0, errno.EINPROGRESS):
            self._try_next(failure)

    def _connected(self, sock: socket.socket) -> bool:
        failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            self._try_next(failure)
            return True
        try:
            sock.getpeername()
        except OSError:
            return False  # still on its way
        if self._context is None:
            self._established = True
            return True
        self._socket = self._context.wrap_socket(
            sock, server_hostname=self._remote.host, do_handshake_on_connect=False
        )
        return True

    def _try_next(self, failure: int) -> None:
        """Turn to the name's next address, if there is one."""
        self.close()
        self._socket = None
        if not self._targets:
            raise OSError(failure, os.strerror(failure))

    def _shake_hands(self, sock: ssl.SSLSocket) -> bool:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._tls_wants = select.POLLIN
            return False
        except ssl.SSLWantWriteError:
            self._tls_wants = select.POLLOUT
            return False
        self._tls_wants = 0
        self._established = True
        return True


def _literal(remote: Remote) -> list[tuple[socket.AddressFamily, Address]] | None:
    """Return the target if the host is an address, None if it is a name."""
    try:
        found = socket.getaddrinfo(
            remote.host, remote.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except (OSError, UnicodeError):
        return None
    return [(family, address) for family, _, _, _, address in found]
