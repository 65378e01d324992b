# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The least that a client of an OVSDB server or an HTTP server has to do.

I/O, blocking, nothing of the proxy's: what it measures is the other side.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from ovirt_ovn_proxy.nb.schema import DATABASE

_RECEIVE_BYTES = 256 * 1024
_LENGTH = b"\r\ncontent-length:"


class CheckError(Exception):
    """An answer is wrong; the message says which and how."""


class Ovsdb:
    """One connection to an OVSDB server, with one request at a time.

    A reply that does not come within `timeout_s` is an OSError; None waits for ever.
    """

    def __init__(self, path: Path, timeout_s: float | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def call(self, method: str, params: Sequence[Any]) -> Any:
        """Return the result of a request (RFC 7047 section 4.1)."""
        message = {"method": method, "params": params, "id": 0}
        self._socket.sendall(json.dumps(message).encode())
        received = b""
        while True:
            received += _more(self._socket)
            try:
                reply = json.loads(received)
            except ValueError:
                continue  # there is more to come
            if reply["error"]:
                raise CheckError(f"{method}: {reply['error']}")
            return reply["result"]

    def transact(self, operations: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Return the results of a transaction that has to be committed."""
        results: list[Any] = self.call("transact", [DATABASE, *operations])
        wrong = [result for result in results if result is None or "error" in result]
        if wrong or len(results) != len(operations):
            raise CheckError(f"transaction: {wrong[:3]}")
        return results


class Answer(NamedTuple):
    """An HTTP answer; `body` is empty unless it was to be kept."""

    status: int
    length: int
    body: bytes


def request(method: str, path: str, body: Any = None, port: int = 80) -> bytes:
    """Return a request as the engine's HTTP library sends it."""
    content = b"" if body is None else json.dumps(body, indent=2).encode()
    head = [
        f"{method} {path} HTTP/1.1",
        "Accept: application/json",
        "X-Auth-Token: bench",
        *(["Content-Type: application/json"] if content else []),
        *([f"Content-Length: {len(content)}"] if content or method == "DELETE" else []),
        f"Host: 127.0.0.1:{port}",
        "Connection: Keep-Alive",
        "User-Agent: Apache-HttpClient/4.5.14 (Java/17.0.9)",
    ]
    return "\r\n".join([*head, "\r\n"]).encode() + content


def exchange(
    port: int,
    message: bytes,
    *,
    needle: bytes = b"",
    keep: bool = False,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send a request over a new connection; raise CheckError unless the answer is whole.

    `needle` has to be in the body; with `tls` there is a handshake first, a full one.
    """
    with ExitStack() as stack:
        sock = stack.enter_context(socket.socket(socket.AF_INET))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(("127.0.0.1", port))
        if tls is not None:
            sock = stack.enter_context(tls.wrap_socket(sock, server_hostname="127.0.0.1"))
        sock.sendall(message)
        received = b""
        while b"\r\n\r\n" not in received:
            received += _more(sock)
        head, _, body = received.partition(b"\r\n\r\n")
        length = _content_length(head)
        kept = [body]
        found = needle in body
        got, tail = len(body), body[-len(needle) :]
        buffer = bytearray(min(_RECEIVE_BYTES, max(0, length - got)))
        with memoryview(buffer) as view:
            while got < length:
                count = sock.recv_into(buffer)
                if not count:
                    raise CheckError(f"{got} of {length} bytes, then the end")
                got += count
                if keep:
                    kept.append(bytes(view[:count]))
                elif not found:
                    # The needle may lie across two pieces.
                    start = bytes(view[: min(count, len(needle))])
                    found = needle in tail + start or buffer.find(needle, 0, count) >= 0
                    tail = bytes(view[max(0, count - len(needle)) : count])
    whole = b"".join(kept) if keep else body
    if got != length or not (found or needle in whole):
        raise CheckError(f"{got} of {length} bytes, {needle!r} found: {found}")
    return Answer(int(head.split(b" ", 2)[1]), length, whole)


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(_RECEIVE_BYTES)
    if not data:
        raise CheckError("the connection ended too early")
    return data


def _content_length(head: bytes) -> int:
    text = head.lower()
    at = text.find(_LENGTH)
    if at < 0:
        return 0
    return int(text[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
