# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Telling the proxy which ports move to this host. I/O; imported by hooks, without http.client.

Requests are those of the Networking API's port bindings, with one connection for each. The
host is known by VDSM's certificate, which VDSM's user can read.
"""

from __future__ import annotations

import socket
import ssl
import time

from . import fastjson, listeners

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .listeners import Listener

CERTIFICATE = "/etc/pki/vdsm/certs/vdsmcert.pem"
PRIVATE_KEY = "/etc/pki/vdsm/keys/vdsmkey.pem"
AUTHORITY = "/etc/pki/vdsm/certs/cacert.pem"

CREATED, DONE, DELETED, NOT_FOUND, CONFLICT = 201, 200, 204, 404, 409
_MAX_ANSWER_BYTES = 65536
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class BindingsError(Exception):
    """Something is not done; the message says why."""


class Unanswered(BindingsError):
    """It may be done: the request was on its way, or answered with a failure of the server."""


class Refused(BindingsError):
    """It is not done, and asking again would not help."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Bindings:
    """The bindings of ports on this chassis; methods raise BindingsError.

    None takes longer than to `end`, a moment of time.monotonic().
    """

    def __init__(self, found: Sequence[Listener], chassis: str, end: float) -> None:
        if not found:
            raise BindingsError("no central is known to tell: ovn-remote has none")
        if not chassis or not _PLAIN.issuperset(chassis):
            raise BindingsError(f"the chassis' name {chassis[:80]!a} cannot be in a URL")
        self._listeners = list(found)
        self._chassis = chassis
        self.end = end
        self._tls = _context()
        self._addresses: dict[tuple[str, int], list[Any]] = {}

    def add(self, port_id: str) -> None:
        """Add this chassis to a port, in the place of what an earlier migration has left."""
        try:
            self._add(port_id)
        except Refused as error:
            if error.status != CONFLICT:
                raise
            self.delete(port_id)
            self._add(port_id)

    def _add(self, port_id: str) -> None:
        self._ask("POST", port_id, "", {"binding": {"host": self._chassis}}, CREATED)

    def activate(self, port_id: str) -> None:
        """Let this chassis be the port's only one."""
        self._ask("PUT", port_id, f"/{self._chassis}/activate", None, DONE)

    def confirm(self, port_id: str) -> None:
        """Let this chassis be the port's only one, whether it was announced or not."""
        self._ask("PUT", port_id, f"/{self._chassis}/confirm", None, DONE)

    def is_plugged_elsewhere(self, port_id: str) -> bool:
        """Say whether the chassis where a port has been still has it, beside this one."""
        body = self._ask("GET", port_id, "", None, DONE)
        try:
            found = fastjson.loads(body)["bindings"]
            return any(one["vif_details"].get("plugged") for one in found)
        except (AttributeError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise BindingsError(f"its bindings cannot be read: {body[:80]!a}") from error

    def delete(self, port_id: str) -> None:
        """Take this chassis from a port again; Refused if it is the active one."""
        self._ask("DELETE", port_id, f"/{self._chassis}", None, DELETED)

    def _ask(self, method: str, port_id: str, path: str, body: Any, expected: int) -> bytes:
        """Send a request to one listener after the other until one answers; return its body."""
        if not _PLAIN.issuperset(port_id):
            raise BindingsError(f"{port_id[:80]!a} is no id of a port")
        reasons = []
        is_open = False
        for number, listener in enumerate(self._listeners):
            host, _, prefix = listener
            # A silent one must not use up the time of those behind it.
            share_s = _remaining_s(self.end) / (len(self._listeners) - number)
            end = time.monotonic() + share_s
            request = _request(method, host, f"{prefix}/v2.0/ports/{port_id}/bindings{path}", body)
            try:
                answer = self._tell(listener, *request, expected, end)
            except Refused:
                raise
            except BindingsError as error:
                is_open = is_open or isinstance(error, Unanswered)
                reasons.append(str(error))
            else:
                self._listeners.insert(0, self._listeners.pop(number))
                return answer
        raise (Unanswered if is_open else BindingsError)("; ".join(reasons))

    def _tell(
        self, listener: Listener, head: Sequence[str], content: bytes, expected: int, end: float
    ) -> bytes:
        where = f"{listener[0]} port {listener[1]}"
        try:
            connection = self._connect(listener, end)
        except (OSError, ValueError) as error:
            raise BindingsError(f"{where}: {_words(error)}") from error
        try:
            with connection:
                # What is not answered by then is not to be done later, in the way of others.
                patience = f"Ovirt-Timeout-Ms: {int(1000 * _remaining_s(end))}"
                request = "\r\n".join([*head, patience, "", ""]).encode() + content
                status, answer = _exchange(connection, request, end)
        except (OSError, ValueError) as error:
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                # From TLS 1.3 on a client hears only now that its certificate is not taken.
                raise Refused(0, f"{where}: TLS: {_words(error)}") from error
            raise Unanswered(f"{where}: {_words(error)}") from error
        if status >= 500:
            raise Unanswered(f"{where}: {_explain(status, answer)}")
        if status != expected:
            raise Refused(status, f"{where}: {_explain(status, answer)}")
        return answer

    def _connect(self, listener: Listener, end: float) -> ssl.SSLSocket:
        """Return a connection whose other side has proved to be of our site."""
        host, port, _ = listener
        is_address = listeners.is_address(host)
        # Nothing secret is sent, and a site that knows its central by address has no name to check.
        self._tls.check_hostname = not is_address
        connection = self._open(host, port, end)
        try:
            return self._tls.wrap_socket(connection, server_hostname=None if is_address else host)
        except BaseException:
            connection.close()
            raise

    def _open(self, host: str, port: int, end: float) -> socket.socket:
        """Connect to the first of a host's addresses that takes it; it is the first next time."""
        addresses = self._addresses.get((host, port))
        if addresses is None:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = self._addresses[host, port] = [it[-1][:2] for it in found]
        for number, address in enumerate(addresses):
            try:
                share_s = _remaining_s(end) / (len(addresses) - number)
                connection = socket.create_connection(address, share_s)
            except OSError:
                if number == len(addresses) - 1:
                    raise
            else:
                addresses.insert(0, addresses.pop(number))
                connection.settimeout(_remaining_s(end))
                return connection
        raise OSError(f"{host} has no address")


def _exchange(connection: ssl.SSLSocket, request: bytes, end: float) -> tuple[int, bytes]:
    """Send a request; return status and body of the answer. OSError, or ValueError for no HTTP."""
    answer = b""
    connection.settimeout(_remaining_s(end))
    connection.sendall(request)
    while len(answer) <= _MAX_ANSWER_BYTES:
        connection.settimeout(_remaining_s(end))
        block = connection.recv(_MAX_ANSWER_BYTES)
        if not block:
            break
        answer += block
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if not head.startswith(b"HTTP/1.") or not status or not status[0].isdigit():
        raise ValueError("the answer is not HTTP")
    return int(status[0]), body


def _context() -> ssl.SSLContext:
    """Return our side of TLS: our certificate, and trust in the site's authority alone."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_verify_locations(AUTHORITY)
    except (OSError, ValueError) as error:
        raise BindingsError(f"{AUTHORITY}: {_words(error)}") from error
    try:
        made.load_cert_chain(CERTIFICATE, PRIVATE_KEY, password=_no_password)
    except (OSError, ValueError) as error:
        raise BindingsError(f"{CERTIFICATE} and {PRIVATE_KEY}: {_words(error)}") from error
    return made


def _remaining_s(end: float) -> float:
    return max(end - time.monotonic(), 0.001)


def _no_password() -> str:
    # Else OpenSSL would ask on the terminal.
    raise ValueError("the key has a password")


def _request(method: str, host: str, path: str, body: Any) -> tuple[list[str], bytes]:
    """Return a request's head, by lines, and its content."""
    content = b"" if body is None else fastjson.dumps(body).encode()
    head = [
        f"{method} {path} HTTP/1.1",
        f"Host: {f'[{host}]' if ':' in host else host}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    return head, content


def _explain(status: int, body: bytes) -> str:
    """Return what an answer says, in Neutron's form or in whichever."""
    try:
        message = fastjson.loads(body)["NeutronError"]["message"]
    except (ValueError, TypeError, KeyError, RecursionError):
        message = body.decode(errors="replace")
    return f"{status} {str(message)[:200]}".strip()


def _words(error: Exception) -> str:
    if isinstance(error, socket.timeout):  # its name is TimeoutError from Python 3.10 on
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)
