# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Transactions on the local Open_vSwitch database, for who may open its socket.

I/O. One to a connection (RFC 7047 section 4.1.3), all of it within a time-out.
"""

from __future__ import annotations

import time
from _socket import AF_UNIX, socket, timeout

from . import fastjson, localdb, snapshot
from .localdb import LocalDatabaseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

TIMEOUT_S = 3.0


class NoLocalDatabase(LocalDatabaseError):
    """There is no server: Open vSwitch is stopped or not installed."""


class Outrun(LocalDatabaseError):
    """A `wait` of the transaction failed: somebody else was faster."""


def read(
    tables: Mapping[str, Sequence[str]], timeout_s: float = TIMEOUT_S
) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Return columns of all rows by table, in OVSDB's notation. Raises as `transact`."""
    return snapshot.rows_of(tables, transact(snapshot.selects(tables), timeout_s))


def transact(operations: Sequence[Mapping[str, Any]], timeout_s: float = TIMEOUT_S) -> list[Any]:
    """Send operations as one transaction and return the result of each.

    Raises NoLocalDatabase, Outrun or another LocalDatabaseError; then nothing was
    changed, unless the server did not answer in time.
    """
    params = [localdb.DATABASE, *operations]
    try:
        connection = socket(AF_UNIX)
        try:
            connection.settimeout(timeout_s)
            connection.connect(localdb.SOCKET)
            results = call(connection, "transact", params, timeout_s)
        finally:
            connection.close()
    except timeout:  # its name is TimeoutError from Python 3.10 on
        raise LocalDatabaseError(f"no answer within {timeout_s:g} seconds") from None
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoLocalDatabase(error) from error
    except (OSError, ValueError) as error:
        raise LocalDatabaseError(error) from error
    if not isinstance(results, list):
        raise LocalDatabaseError(f"unexpected answer {results!r:.80}")
    for number, result in enumerate(results):
        # The commit's own failure is one result more than there were operations.
        if isinstance(result, dict) and "error" in result:
            words = f"{result['error']}: {result.get('details', '')}"
            is_wait = number < len(operations) and operations[number]["op"] == "wait"
            raise (Outrun if is_wait else LocalDatabaseError)(words)
    return results


def call(connection: socket, method: str, params: Sequence[Any], timeout_s: float) -> Any:
    """Send one request over a connection and return its result.

    OSError if there is no answer in time, ValueError if it is an error, or none of OVSDB's.
    """
    end = time.monotonic() + timeout_s
    request = {"id": 0, "method": method, "params": params}
    connection.sendall(fastjson.dumps(request).encode())
    reply = _reply(connection, end)
    if not isinstance(reply, dict) or "result" not in reply:
        raise ValueError(f"unexpected answer {reply!r:.80}")
    if reply.get("error") is not None:
        raise ValueError(f"{reply['error']!r:.200}")
    return reply["result"]


def _reply(connection: socket, end: float) -> Any:
    """Return the first message: the server sends no other within so short a time-out."""
    text = b""
    while True:
        connection.settimeout(max(end - time.monotonic(), 0.001))
        piece = connection.recv(1 << 18)
        if not piece:
            raise ValueError("the server closed the connection")
        text += piece
        if piece.endswith(b"}"):
            try:
                return fastjson.loads(text)
            except ValueError:
                continue  # the brace was one inside of the message
