# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One client of the HTTP server: handshake, request, application, answer, and the end.

I/O. Owns the connected socket and its thread; may not import `server`, which accepts
it and keeps its deadlines. One request per connection: some clients leave connections
open for good, so an idle one must never cost a thread.
"""

from __future__ import annotations

import contextlib
import enum
import io
import logging
import math
import select
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .client_certificate import KEY, ClientCertificate
from .http1 import CONTINUE, Answer, Refused, error_answer, parse_head
from .masking import printable_path, traceback_text

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

LINGER_S = 2.0
"""How long a refused client may go on sending before it is cut off.

It reads its answer only when it is done, and a reset would destroy that.
"""

_LINGER_BYTES = 16 * 1024 * 1024
_MAX_HEAD_BYTES = 64 * 1024
_RECEIVE_SIZE = 64 * 1024


@dataclass(frozen=True)
class Limits:
    """What clients may use up.

    `max_connections` counts over all listeners. `request_timeout_s` is for handshake,
    head and body together, `write_timeout_s` from the first to the last byte of the
    answer; what the application does in between is not limited here.
    """

    max_connections: int = 256
    request_timeout_s: float = 20.0
    write_timeout_s: float = 30.0
    max_body_bytes: int = 1024 * 1024
    backlog: int = 128


class Phase(enum.Enum):
    """What a connection is busy with, in the words of the log."""

    READING = "waiting for the request"
    RUNNING = "running the application"
    WRITING = "writing the answer"
    LINGERING = "waiting for the client to stop sending"
    CLOSED = "closed"


_IDLE = (Phase.READING, Phase.LINGERING)  # nothing is lost that anyone waits for


class _Gone(Exception):
    """Nobody is left to answer: the client went away, or we cut the connection."""


class Connection:
    """One client, and the deadline of the phase that it is in; `run` serves it.

    The socket blocks without a timeout: deadlines are kept by the server's thread,
    which calls `expire`. So a client that feeds us byte by byte gains nothing. `tls` is
    None for plain HTTP; `on_close` is called by the thread when all is done;
    `encode_error` gives the JSON for what the application never sees, or fails at, of
    the status and a message.
    """

    def __init__(
        self,
        sock: socket.socket,
        peer: tuple[str, int],
        application: WSGIApplication,
        tls: Callable[[], ssl.SSLContext] | None,
        limits: Limits,
        on_close: Callable[[], None],
        encode_error: Callable[[int, str], bytes],
    ) -> None:
        self._sock = sock
        self._peer = peer
        self._application = application
        self._tls = tls
        self._limits = limits
        self._on_close = on_close
        self._encode_error = encode_error
        # What only this server puts into the environ.
        self._identity: dict[str, Any] = {}
        # Guards phase, deadline and the life of the socket's descriptor, so that a
        # request is either cut or executed, and no reused descriptor is shut down.
        self._lock = threading.Lock()
        self._is_cut = False
        self.phase = Phase.READING
        self.deadline = time.monotonic() + limits.request_timeout_s

    # --- called by the server's thread ---

    def expire(self, now: float) -> None:
        """Cut the connection if its deadline has come at `now` (monotonic)."""
        with self._lock:
            if self.deadline <= now:
                self._cut("time is up")

    def evict(self) -> bool:
        """Cut an idle connection to make room; return whether it was one."""
        with self._lock:
            return self.phase in _IDLE and self._cut("room is needed for a newer one")

    def cut(self, why: str) -> None:
        """Shut the connection down, which ends its thread unless the application runs."""
        with self._lock:
            self._cut(why)

    def hurry(self, deadline: float) -> None:
        """Let an idle connection end by `deadline` (monotonic) at the latest."""
        with self._lock:
            if self.phase in _IDLE:
                self.deadline = min(self.deadline, deadline)

    def discard(self) -> None:
        """Close a connection whose thread could not be started."""
        self._sock.close()

    def _cut(self, why: str) -> bool:
        if self._is_cut or self.phase is Phase.CLOSED:
            return False
        logger.debug("%s cut while %s: %s", self._peer[0], self.phase.value, why)
        self._is_cut = True
        self.deadline = math.inf
        with contextlib.suppress(OSError):
            if self.phase is Phase.WRITING:
                _reset_on_close(self._sock)
            # The method of SSLSocket would drop its TLS state under a running call.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
        return True

    # --- the connection's thread ---

    def run(self) -> None:
        """Serve the client from the first byte to the last; raises nothing."""
        try:
            self._serve()
        except _Gone as gone:
            logger.debug("%s closed while %s: %s", self._peer[0], self.phase.value, gone)
        except Exception as error:
            logger.error("Connection of %s failed\n%s", self._peer[0], traceback_text(error))
        finally:
            with self._lock:
                self.phase = Phase.CLOSED
                self._sock.close()
            self._on_close()

    def _serve(self) -> None:
        self._handshake()
        try:
            environ = self._read_request()
        except Refused as refusal:
            status, message = refusal.status, refusal.message
            logger.info("%s refused with %d: %s", self._peer[0], status, message)
            self._send_error(status, message)
            self._hang_up(linger=True)
        else:
            self._enter(Phase.RUNNING, math.inf)
            self._respond(environ)
            self._hang_up(linger=False)

    def _enter(self, phase: Phase, seconds: float) -> None:
        with self._lock:
            if self._is_cut:
                raise _Gone("cut")
            self.phase = phase
            self.deadline = time.monotonic() + seconds

    def _handshake(self) -> None:
        if self._tls is None:
            return
        context = self._tls()
        try:
            with self._lock:
                wrapped = context.wrap_socket(
                    self._sock, server_side=True, do_handshake_on_connect=False
                )
                self._sock = wrapped
            wrapped.do_handshake()
            certificate = wrapped.getpeercert()
            if certificate:  # else the context asks for none
                self._identity[KEY] = ClientCertificate(certificate)
        except OSError as error:
            raise _Gone(f"TLS: {error}") from error

    def _read_request(self) -> dict[str, Any]:
        data = bytearray()
        seen = 0
        while True:
            end = data.find(b"\r\n\r\n", max(0, seen - 3))
            if (len(data) if end < 0 else end) > _MAX_HEAD_BYTES:
                # 431 would be the word, but not every client library knows that.
                raise Refused(400, f"The head exceeds {_MAX_HEAD_BYTES} bytes.")
            if end >= 0:
                break
            seen = len(data)
            data += self._receive(_RECEIVE_SIZE)
        head = parse_head(bytes(data[:end]))
        if head.length > self._limits.max_body_bytes:
            raise Refused(413, f"The body exceeds {self._limits.max_body_bytes} bytes.")
        del data[: end + 4]
        if head.expects_continue and head.length and not data:
            self._send(CONTINUE)
        while len(data) < head.length:
            data += self._receive(min(_RECEIVE_SIZE, head.length - len(data)))
        return self._environ(head.variables, bytes(data[: head.length]))

    def _environ(self, variables: dict[str, str], body: bytes) -> dict[str, Any]:
        server = self._sock.getsockname()
        return {
            **variables,
            "SERVER_NAME": plain_address(server[0]),
            "SERVER_PORT": str(server[1]),
            "REMOTE_ADDR": self._peer[0],
            "REMOTE_PORT": str(self._peer[1]),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http" if self._tls is None else "https",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **self._identity,
        }

    def _respond(self, environ: dict[str, Any]) -> None:
        answer = Answer(self._send_answer, head_only=environ["REQUEST_METHOD"] == "HEAD")
        try:
            blocks = self._application(environ, answer.start_response)
            try:
                for block in blocks:
                    answer.write(block)
                answer.finish()
            finally:
                close = getattr(blocks, "close", None)
                if close is not None:
                    close()
        except _Gone:
            raise
        except Exception as error:
            request = f"{environ['REQUEST_METHOD']} {printable_path(environ)}"
            logger.error("%s failed\n%s", request, traceback_text(error))
            if not answer.started:
                self._send_error(500, "The server failed, see its log.")
            elif not answer.finished:
                _reset_on_close(self._sock)  # or what was sent could pass for all of it
                raise _Gone("the application failed") from error

    def _receive(self, size: int) -> bytes:
        try:
            data = self._sock.recv(size)
        except OSError as error:
            raise _Gone(str(error)) from error
        if not data:
            raise _Gone("the request is incomplete")
        return data

    def _send(self, data: ReadableBuffer) -> None:
        try:
            self._sock.sendall(data)
        except OSError as error:
            with self._lock:
                # At once: to a client that reads again now, what it gets must not pass for all.
                self._sock.close()
            raise _Gone(str(error)) from error

    def _send_error(self, status: int, message: str) -> None:
        self._send_answer(error_answer(status, self._encode_error(status, message)))

    def _send_answer(self, data: ReadableBuffer) -> None:
        if self.phase is not Phase.WRITING:
            self._enter(Phase.WRITING, self._limits.write_timeout_s)
        self._send(data)

    def _hang_up(self, *, linger: bool) -> None:
        """End our side, then discard what still comes: closing with unread data resets.

        With `linger`, wait for the client to end its side, within limits. Not after a
        complete request: clients that keep connections for later would all be waited for.
        """
        try:
            if isinstance(self._sock, ssl.SSLSocket):
                _send_close_notify(self._sock)
            # The methods of the plain socket: nothing needs decrypting to be thrown away.
            socket.socket.shutdown(self._sock, socket.SHUT_WR)
            if linger:
                self._enter(Phase.LINGERING, LINGER_S)
            left = _LINGER_BYTES
            while left > 0:
                flags = 0 if linger else socket.MSG_DONTWAIT
                data = socket.socket.recv(self._sock, _RECEIVE_SIZE, flags)
                if not data:
                    break
                left -= len(data)
        except OSError:
            pass  # nothing more to read, or reset by the client: it is over either way


def _reset_on_close(sock: socket.socket) -> None:
    """Let `close` discard what the client has not taken, and tell it so by a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _send_close_notify(sock: ssl.SSLSocket) -> None:
    """Tell the client that the answer ends here, without waiting for its own notice."""
    sock.setblocking(False)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while True:
        try:
            sock.unwrap()
        except ssl.SSLWantWriteError:
            poll.poll()  # ends at the latest when the deadline cuts the connection
        except OSError:
            break  # usually SSLWantReadError: ours is sent, the client's would come next
        else:
            break
    sock.setblocking(True)


def plain_address(address: str) -> str:
    """Return an IPv4 client of a dual-stack socket by its IPv4 address."""
    mapped = address.startswith("::ffff:") and "." in address
    return address[len("::ffff:") :] if mapped else address
