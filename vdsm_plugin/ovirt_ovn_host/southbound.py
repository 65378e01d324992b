# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether there is a Southbound of OVN where the settings say, and sessions with it. I/O."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Any, Callable, TypeVar

from . import commands, ovsdb
from .errors import DatabaseError

DATABASE = "OVN_Southbound"

T = TypeVar("T")


class NameUnknown(ValueError):
    """The name of a remote's host is not resolved, or not in time."""


class Session:
    """One connection to a Southbound, for requests until a deadline.

    Its methods raise OSError if there is no answer in time, ValueError for one that is none.
    """

    def __init__(self, remote: str, connection: socket.socket, timeout_s: float) -> None:
        self.remote = remote
        self._connection = connection
        self._end = time.monotonic() + timeout_s

    @property
    def certificate_ends(self) -> str | None:
        """When the server's certificate ends, as `ssl.cert_time_to_seconds` takes it."""
        if not isinstance(self._connection, ssl.SSLSocket):
            return None
        return str((self._connection.getpeercert() or {}).get("notAfter"))

    def call(self, method: str, *params: Any) -> Any:
        """Send a request and return its result."""
        left_s = max(self._end - time.monotonic(), 0.1)
        return ovsdb.call(self._connection, method, params, left_s)


def find(remotes: Sequence[str], tls: ssl.SSLContext | None, timeout_s: float) -> str:
    """Return the first of the remotes where a Southbound answers; DatabaseError if none does."""
    return ask(remotes, tls, timeout_s, lambda session: session.remote)


def ask(
    remotes: Sequence[str],
    tls: ssl.SSLContext | None,
    timeout_s: float,
    question: Callable[[Session], T],
) -> T:
    """Return what a question to the first Southbound that answers it has as its answer.

    Raises DatabaseError if none of the remotes does.
    """
    reasons = []
    end = time.monotonic() + timeout_s
    for remote in remotes:
        try:
            # A silent one must not use up the time of those behind it.
            with open_session(remote, tls, max(end - time.monotonic(), 0.1) / 2) as session:
                return question(session)
        except (OSError, ValueError) as error:
            reasons.append(f"{remote}: {words(error)}")
    raise DatabaseError(
        f"no Southbound of OVN answers ({'; '.join(reasons)}): "
        "is central right, does OVN run there, and does a firewall let port 6642 through?"
    )


@contextlib.contextmanager
def open_session(remote: str, tls: ssl.SSLContext | None, timeout_s: float) -> Iterator[Session]:
    """Connect to a remote, which has a Southbound then. Raises OSError and ValueError."""
    end = time.monotonic() + timeout_s
    with _connect(remote, tls, timeout_s) as connection:
        session = Session(remote, connection, max(end - time.monotonic(), 0.1))
        names = session.call("list_dbs")
        if not isinstance(names, list) or DATABASE not in names:
            # Those with an underscore are the server's own.
            others = [str(name) for name in names or () if str(name)[:1] != "_"]
            raise ValueError(f"it has {', '.join(others) or 'no database'}, and not {DATABASE}")
        yield session


def _connect(remote: str, tls: ssl.SSLContext | None, timeout_s: float) -> socket.socket:
    method, _, rest = remote.partition(":")
    if method == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout_s)
        try:
            connection.connect(rest)
        except BaseException:
            connection.close()
            raise
        return connection
    host, _, port = rest.rpartition(":")
    end = time.monotonic() + timeout_s
    connection = _connect_any(resolve(host.strip("[]"), timeout_s), int(port), end)
    if method != "ssl":
        return connection
    assert tls is not None
    try:
        return tls.wrap_socket(connection)
    except BaseException:
        connection.close()
        raise


def _connect_any(addresses: Sequence[str], port: int, end: float) -> socket.socket:
    """Connect to the first of several addresses that takes it."""
    for number, address in enumerate(addresses, 1):
        left_s = max(end - time.monotonic(), 0.1)
        try:
            return socket.create_connection((address, port), left_s / (len(addresses) - number + 1))
        except OSError:
            if number == len(addresses):
                raise
    raise AssertionError("a name is resolved to an address, or is an error")


def resolve(host: str, timeout_s: float) -> list[str]:
    """Return the addresses of a host, one at least. Raises NameUnknown."""
    with contextlib.suppress(ValueError):
        return [str(ipaddress.ip_address(host))]
    try:
        # A program of its own, as the library's function would wait for DNS at its leisure.
        output = commands.run(["/usr/bin/getent", "ahosts", host], timeout_s).decode()
    except commands.CommandTimeout:
        raise NameUnknown("its name is not resolved in time") from None
    except commands.CommandError:
        raise NameUnknown("its name is not known") from None
    return list(dict.fromkeys(line.split()[0] for line in output.splitlines()))


def words(error: Exception) -> str:
    """Return what went wrong with a session, in a few words."""
    if isinstance(error, socket.timeout):  # its name is TimeoutError from Python 3.10 on
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not of our authority: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    return getattr(error, "strerror", None) or str(error)
