# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The only code that talks to this host's Open_vSwitch database.

I/O. One transaction over the server's unix socket (RFC 7047 section 4.1.3), all of it
within a time-out; no ovs-vsctl, which would be a child that VDSM waits for.
"""

from __future__ import annotations

import json
import os
import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

DATABASE = "Open_vSwitch"
TIMEOUT_S = 3.0


class LocalDatabaseError(Exception):
    """The database cannot be read or written now; the message says why."""


class NoLocalDatabase(LocalDatabaseError):
    """There is no server: Open vSwitch is stopped or not installed."""


def socket_path() -> str:
    """Return where ovsdb-server listens; OVS_RUNDIR is Open vSwitch's own variable."""
    return os.path.join(os.environ.get("OVS_RUNDIR") or "/run/openvswitch", "db.sock")


def transact(operations: Sequence[Mapping[str, Any]], timeout_s: float = TIMEOUT_S) -> list[Any]:
    """Send operations as one transaction and return the result of each.

    Raises NoLocalDatabase or another LocalDatabaseError; then nothing was
    changed, unless the server did not answer in time.
    """
    path = socket_path()
    request = {"id": 0, "method": "transact", "params": [DATABASE, *operations]}
    end = time.monotonic() + timeout_s
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(path)
            connection.sendall(json.dumps(request).encode())
            reply = _reply(connection, end)
    except socket.timeout:  # its name is TimeoutError from Python 3.10 on
        raise LocalDatabaseError(f"no answer from {path} within {timeout_s:g} s") from None
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoLocalDatabase(f"{path}: {error.strerror}") from None
    except (OSError, ValueError) as error:
        raise LocalDatabaseError(f"{path}: {error}") from None
    results = reply.get("result")
    if not isinstance(results, list):
        raise LocalDatabaseError(f"{path}: {reply.get('error')}")
    for result in results:
        # The commit's own failure is one result more than there were operations.
        if isinstance(result, dict) and "error" in result:
            raise LocalDatabaseError(f"{path}: {result['error']}: {result.get('details', '')}")
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
                return json.loads(text)
            except ValueError:
                continue  # the brace was one inside of the message


def read(tables: Mapping[str, Sequence[str]], timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """Return all rows of tables, one dict of columns for each row, from one transaction.

    A map comes as a dict, a set as a list (but a set of one element as the
    element, as the server writes it), a uuid as text. Raises as `transact`.
    """
    operations = [
        {"op": "select", "table": table, "where": [], "columns": list(columns)}
        for table, columns in tables.items()
    ]
    results = transact(operations, timeout_s)
    return {
        table: [{key: _plain(value) for key, value in row.items()} for row in result["rows"]]
        for table, result in zip(tables, results)
    }


def _plain(value: Any) -> Any:
    """Return a value of RFC 7047 section 5.1 without its notation."""
    if not isinstance(value, list):
        return value
    if value[0] == "map":
        return {key: _plain(item) for key, item in value[1]}
    return [_plain(item) for item in value[1]] if value[0] == "set" else value[1]
