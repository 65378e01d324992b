# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the Northbound servers are: the notation of ovsdb(7) "Active Connection Methods".

Pure, but for `tls_context`, which reads the certificate files.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ConfigError

DEFAULT_PORT = 6641  # IANA leaves 6640 to OVSDB as such; OVN's Northbound listens here.


@dataclass(frozen=True)
class Remote:
    """One server. `method` is "unix", "tcp" or "ssl".

    `host` is a name or an address without brackets, for "unix" the socket's
    path; `port` is 0 for "unix".
    """

    method: str
    host: str
    port: int = 0

    def __str__(self) -> str:
        if self.method == "unix":
            return f"unix:{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.method}:{host}:{self.port}"


@dataclass(frozen=True)
class TlsFiles:
    """PEM files for "ssl" remotes.

    `ca` verifies the server, None accepts what the system trusts. `key` and
    `certificate` are ours, both None for a server that asks for none.
    `check_hostname`: the server's certificate must carry the remote's name or
    address; switch it off where certificates were made without.
    """

    key: str | None = None
    certificate: str | None = None
    ca: str | None = None
    check_hostname: bool = True


def parse_remotes(text: str) -> tuple[Remote, ...]:
    """Parse a comma separated list of remotes, at least one.

    Raises ConfigError that names the member and what is wrong with it.
    """
    remotes = tuple(_parse_remote(part.strip()) for part in text.split(",") if part.strip())
    if not remotes:
        raise ConfigError("no remote given, expected for example ssl:127.0.0.1:6641")
    return remotes


def _parse_remote(text: str) -> Remote:
    if re.search(r"\s(unix|tcp|ssl):", text):
        raise ConfigError(f"remote {text!r}: remotes are separated by commas")
    method, _, rest = text.partition(":")
    if method == "unix":
        if not rest:
            raise ConfigError(f"remote {text!r}: the path of the socket is missing")
        return Remote(method, rest)
    if method not in ("tcp", "ssl"):
        raise ConfigError(f"remote {text!r}: must begin with unix:, tcp: or ssl:")
    if rest.startswith("["):
        host, bracket, port = rest[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise ConfigError(f"remote {text!r}: expected {method}:[ADDRESS]:PORT")
        port = port[1:]
    else:
        host, _, port = rest.partition(":")
        if ":" in port:
            raise ConfigError(f"remote {text!r}: an IPv6 address needs brackets: [ADDRESS]:PORT")
    if not host:
        raise ConfigError(f"remote {text!r}: the host is missing")
    if not port:
        return Remote(method, host, DEFAULT_PORT)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"remote {text!r}: {port!r} is no port number")
    return Remote(method, host, int(port))


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Read the files into a new client context: TLS 1.2 or newer, the server always verified.

    Make one for each connection, so that renewed certificates are used.
    Raises ConfigError that names the file that is missing, broken or does not match.
    """
    # create_default_context() is strict on Python 3.13 and refuses the CAs of ovs-pki.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = files.check_hostname
    if files.ca is None:
        context.load_default_certs()
    else:
        _naming(files.ca, lambda: context.load_verify_locations(files.ca))
    if files.certificate is not None:
        # Given a password, OpenSSL never asks for one on the terminal.
        certificate, key = files.certificate, files.key
        _naming(
            f"{certificate} with key {key or 'inside'}",
            lambda: context.load_cert_chain(certificate, key, password=""),
        )
    return context


def _naming(name: str, load: Callable[[], None]) -> None:
    # The errors of the ssl module do not tell the file's name.
    try:
        load()
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        raise ConfigError(f"TLS file {name}: {reason}") from error
