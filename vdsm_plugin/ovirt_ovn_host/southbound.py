# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether there is a Southbound of OVN where the settings say. I/O."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence

from . import ovsdb
from .errors import DatabaseError

DATABASE = "OVN_Southbound"


def find(remotes: Sequence[str], tls: ssl.SSLContext | None, timeout_s: float) -> str:
    """Return the first of the remotes where a Southbound answers; DatabaseError if none does."""
    reasons = []
    end = time.monotonic() + timeout_s
    for remote in remotes:
        try:
            # A silent one must not use up the time of those behind it.
            _ask(remote, tls, max(end - time.monotonic(), 0.1) / 2)
        except (OSError, ValueError) as error:
            reasons.append(f"{remote}: {_words(error)}")
        else:
            return remote
    raise DatabaseError(
        f"no Southbound of OVN answers ({'; '.join(reasons)}): "
        "is central right, does OVN run there, and does a firewall let port 6642 through?"
    )


def _ask(remote: str, tls: ssl.SSLContext | None, timeout_s: float) -> None:
    method, _, rest = remote.partition(":")
    if method == "unix":
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(rest)
            names = ovsdb.call(connection, "list_dbs", [], timeout_s)
    else:
        host, _, port = rest.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s) as connection:
            if method == "ssl":
                assert tls is not None
                connection = tls.wrap_socket(connection)
            with connection:
                names = ovsdb.call(connection, "list_dbs", [], timeout_s)
    if not isinstance(names, list) or DATABASE not in names:
        # Those with an underscore are the server's own.
        others = [str(name) for name in names or () if str(name)[:1] != "_"]
        raise ValueError(f"it has {', '.join(others) or 'no database'}, and not {DATABASE}")


def _words(error: Exception) -> str:
    if isinstance(error, socket.timeout):  # its name is TimeoutError from Python 3.10 on
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not of our authority: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    return getattr(error, "strerror", None) or str(error)
