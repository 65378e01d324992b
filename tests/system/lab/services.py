# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP and UDP services in a namespace that send back what they get."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from abc import ABC, abstractmethod
from typing import Any

from .namespace import Namespace


def family_of(address: str) -> socket.AddressFamily:
    """Return the family of an IP address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class _Service(ABC):
    """A thread that serves one listening socket; a context manager.

    `clients` are the (address, port) of those who have spoken to it, as it saw them.
    """

    kind: socket.SocketKind

    def __init__(self, namespace: Namespace, port: int, address: str) -> None:
        self.clients: list[tuple[str, int]] = []
        with namespace.entered():
            where = socket.getaddrinfo(address, port, type=self.kind)[0]
            self._socket = socket.socket(where[0], self.kind)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(where[4])
        self._socket.setblocking(False)
        self._wake, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()
        self._thread.join()
        self._wake.close()
        self._socket.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self._wake, selectors.EVENT_READ)
            ready.register(self._socket, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in ready.select():
                        if key.fileobj is self._wake:
                            return
                        with contextlib.suppress(OSError):
                            self._answer(ready, key.fileobj)
            finally:
                for key in list(ready.get_map().values()):
                    if key.fileobj not in (self._wake, self._socket):
                        key.fileobj.close()  # type: ignore[union-attr]

    def _note(self, address: tuple[Any, ...]) -> None:
        self.clients.append((address[0].replace("::ffff:", ""), address[1]))

    @abstractmethod
    def _answer(self, ready: selectors.BaseSelector, source: Any) -> None:
        """Send back what has come to a socket that is ready."""


class TcpService(_Service):
    """Sends back every byte, on any number of connections."""

    kind = socket.SOCK_STREAM

    def __enter__(self) -> TcpService:
        self._socket.listen(64)
        super().__enter__()
        return self

    def _answer(self, ready: selectors.BaseSelector, source: Any) -> None:
        if source is self._socket:
            connection, address = source.accept()
            connection.settimeout(5.0)
            self._note(address)
            ready.register(connection, selectors.EVENT_READ)
            return
        data = b""
        try:
            data = source.recv(65536)
            source.sendall(data)
        finally:
            if not data:
                ready.unregister(source)
                source.close()


class UdpService(_Service):
    """Sends back every datagram; `received` are their contents."""

    kind = socket.SOCK_DGRAM

    def __init__(self, namespace: Namespace, port: int, address: str) -> None:
        self.received: list[bytes] = []
        super().__init__(namespace, port, address)

    def __enter__(self) -> UdpService:
        super().__enter__()
        return self

    def _answer(self, ready: selectors.BaseSelector, source: Any) -> None:
        data, address = source.recvfrom(65536)
        self._note(address)
        self.received.append(data)
        source.sendto(data, address)


def connect_tcp(
    namespace: Namespace, host: str, port: int, timeout_s: float, source: str | None
) -> socket.socket:
    """Open a connection; OSError if there is none within `timeout_s`."""
    connection = namespace.open_socket(family_of(host), socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        if source is not None:
            connection.bind((source, 0))
        connection.connect((host, port))
    except BaseException:
        connection.close()
        raise
    return connection


def exchange_tcp(connection: socket.socket, payload: bytes) -> bool:
    """Send a payload to a TcpService; say whether it comes back whole."""
    answer = bytearray()
    # A large one does not fit into the buffers on the way, so it is sent and read at once.
    sender = threading.Thread(target=_send_all, args=(connection, payload), daemon=True)
    sender.start()
    with contextlib.suppress(OSError):
        while len(answer) < len(payload):
            data = connection.recv(65536)
            if not data:
                break
            answer += data
    sender.join()
    return bytes(answer) == payload


def _send_all(connection: socket.socket, payload: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(payload)


def exchange_udp(
    namespace: Namespace, host: str, port: int, payload: bytes, timeout_s: float, source: str | None
) -> bool:
    """Send a datagram, again every 0.2 s; say whether it comes back within `timeout_s`."""
    end = time.monotonic() + timeout_s
    with namespace.open_socket(family_of(host), socket.SOCK_DGRAM) as link:
        if source is not None:
            link.bind((source, 0))
        while (left := end - time.monotonic()) > 0:
            link.settimeout(min(left, 0.2))
            try:
                link.sendto(payload, (host, port))
                if link.recvfrom(65536)[0] == payload:
                    return True
            except socket.timeout:
                continue
            except OSError:
                # No route, or an ICMP error came back.
                time.sleep(0.02)
    return False
