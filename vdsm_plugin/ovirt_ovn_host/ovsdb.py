# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Talking to OVSDB servers: one request to a connection, within a time-out.

I/O. This host's Open_vSwitch database by its unix socket, and a Southbound only as far as
to know whether it is one. The protocol is that of RFC 7047 section 4.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import DatabaseError, Outrun

DATABASE = "Open_vSwitch"
SOUTHBOUND = "OVN_Southbound"


class NoDatabase(DatabaseError):
    """There is no server: Open vSwitch is stopped or not installed."""


def local_socket() -> str:
    """Return where this host's ovsdb-server listens; OVS_RUNDIR is Open vSwitch's own variable."""
    return os.path.join(os.environ.get("OVS_RUNDIR") or "/run/openvswitch", "db.sock")


def transact(operations: Sequence[Mapping[str, Any]], timeout_s: float) -> list[Any]:
    """Send operations to this host's database as one transaction; return the result of each.

    Raises Outrun if a `wait` failed, NoDatabase, or another DatabaseError. Then nothing
    was changed, unless the server has not answered in time.
    """
    path = local_socket()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(path)
            results = _call(connection, "transact", [DATABASE, *operations], timeout_s)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoDatabase(
            f"Open vSwitch does not run ({path}: {error.strerror}): systemctl start openvswitch"
        ) from None
    except (OSError, ValueError) as error:
        raise DatabaseError(
            f"Open vSwitch's database does not answer ({path}: {_words(error)}): "
            "systemctl status ovsdb-server"
        ) from None
    _check(operations, results)
    return list(results)


def _check(operations: Sequence[Mapping[str, Any]], results: Any) -> None:
    """Raise what a transaction's results say; the commit's own error is one result more."""
    if not isinstance(results, list):
        raise DatabaseError(f"Open vSwitch's database answers {results!r:.200}")
    for number, result in enumerate(results):
        if isinstance(result, dict) and "error" in result:
            words = f"{result['error']}: {result.get('details', '')}"
            if number < len(operations) and operations[number]["op"] == "wait":
                raise Outrun(f"Open vSwitch's database was changed meanwhile: {words}")
            raise DatabaseError(f"Open vSwitch's database refuses: {words}")


def find_southbound(remotes: Sequence[str], tls: ssl.SSLContext | None, timeout_s: float) -> str:
    """Return the first of the remotes where a Southbound answers; DatabaseError if none does."""
    reasons = []
    end = time.monotonic() + timeout_s
    for remote in remotes:
        try:
            _ask_southbound(remote, tls, max(end - time.monotonic(), 0.1) / 2)
        except (OSError, ValueError) as error:
            reasons.append(f"{remote}: {_words(error)}")
        else:
            return remote
    raise DatabaseError(
        f"no Southbound of OVN answers ({'; '.join(reasons)}): "
        "is central right, does OVN run there, and does a firewall let port 6642 through?"
    )


def _ask_southbound(remote: str, tls: ssl.SSLContext | None, timeout_s: float) -> None:
    method, _, rest = remote.partition(":")
    if method == "unix":
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(rest)
            names = _call(connection, "list_dbs", [], timeout_s)
    else:
        host, _, port = rest.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s) as connection:
            if method == "ssl":
                assert tls is not None
                connection = tls.wrap_socket(connection)
            with connection:
                names = _call(connection, "list_dbs", [], timeout_s)
    if not isinstance(names, list) or SOUTHBOUND not in names:
        # Those with an underscore are the server's own.
        others = [str(name) for name in names or () if str(name)[:1] != "_"]
        raise ValueError(f"it has {', '.join(others) or 'no database'}, and not {SOUTHBOUND}")


def _call(connection: socket.socket, method: str, params: Sequence[Any], timeout_s: float) -> Any:
    """Send one request and return its result; OSError or ValueError if there is none.

    The server sends nothing else in so short a time: it asks for a sign of life after
    five seconds at the earliest.
    """
    end = time.monotonic() + timeout_s
    request = {"id": 0, "method": method, "params": params}
    connection.sendall(json.dumps(request).encode())
    text = b""
    while True:
        connection.settimeout(max(end - time.monotonic(), 0.001))
        piece = connection.recv(1 << 16)
        if not piece:
            raise ValueError("the server closed the connection")
        text += piece
        if piece.endswith(b"}"):
            try:
                reply = json.loads(text)
            except ValueError:
                continue  # the brace was one inside of the message
            if not isinstance(reply, dict) or "result" not in reply:
                raise ValueError(f"the server says {text[:80]!r}")
            if reply.get("error") is not None:
                raise ValueError(f"the server says {reply['error']!r:.200}")
            return reply["result"]


def _words(error: Exception) -> str:
    if isinstance(error, socket.timeout):  # its name is TimeoutError from Python 3.10 on
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not of our authority: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    return getattr(error, "strerror", None) or str(error)
