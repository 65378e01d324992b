# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Transactions on the local Open_vSwitch database, for who may open its socket.

I/O. One to a connection (RFC 7047 section 4.1.3), all of it within a time-out.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from . import fastjson, localdb, snapshot
from .localdb import LocalDatabaseError

TIMEOUT_S = 3.0


class NoLocalDatabase(LocalDatabaseError):
    """There is no server: Open vSwitch is stopped or not installed."""


def read(
    tables: Mapping[str, Sequence[str]], timeout_s: float = TIMEOUT_S
) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Return columns of all rows by table, in OVSDB's notation. Raises as `transact`."""
    return snapshot.rows_of(tables, transact(snapshot.selects(tables), timeout_s))


def transact(operations: Sequence[Mapping[str, Any]], timeout_s: float = TIMEOUT_S) -> list[Any]:
    """Send operations as one transaction and return the result of each.

    Raises NoLocalDatabase or another LocalDatabaseError; then nothing was
    changed, unless the server did not answer in time.
    """
    request = {"id": 0, "method": "transact", "params": [localdb.DATABASE, *operations]}
    end = time.monotonic() + timeout_s
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(localdb.SOCKET)
            connection.sendall(fastjson.dumps(request).encode())
            reply = _reply(connection, end)
    except socket.timeout:  # its name is TimeoutError from Python 3.10 on
        raise LocalDatabaseError(f"no answer within {timeout_s:g} seconds") from None
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoLocalDatabase(error) from error
    except OSError as error:
        raise LocalDatabaseError(error) from error
    results = reply.get("result")
    if not isinstance(results, list):
        raise LocalDatabaseError(reply.get("error"))
    for result in results:
        # The commit's own failure is one result more than there were operations.
        if isinstance(result, dict) and "error" in result:
            raise LocalDatabaseError(f"{result['error']}: {result.get('details', '')}")
    return results


def _reply(connection: socket.socket, end: float) -> Any:
    """Return the first message: the server sends no other within so short a time-out."""
    text = b""
    while True:
        connection.settimeout(max(end - time.monotonic(), 0.001))
        piece = connection.recv(1 << 18)
        if not piece:
            raise LocalDatabaseError("the server closed the connection")
        text += piece
        if piece.endswith(b"}"):
            try:
                return fastjson.loads(text)
            except ValueError:
                continue  # the brace was one inside of the message
