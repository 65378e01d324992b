# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong with the files of `[SSL]`, or soon will be, seen as a client sees it.

I/O: reads the files. The standard library tells of a certificate only to who verifies
one in a handshake, so there are handshakes here, in memory.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from .checks import Finding
from .config import Config
from .errors import ConfigError
from .nb.remote import tls_context
from .tls import bindings_context, northbound_files, read_certificates, server_context

_SOON = timedelta(days=30)
_GAP = "without the bindings port VMs lose packets while they migrate"

# openssl/x509_vfy.h: the certificate itself may be the anchor of trust; dates are not looked at.
_PARTIAL_CHAIN = 0x80000
_NO_CHECK_TIME = 0x200000


def check_files(config: Config, now: datetime | None = None) -> Iterator[Finding]:
    """Yield what there is to say of the files that `config` makes use of.

    `now` knows its zone; None is the time of day.
    """
    northbound = northbound_files(config)
    if northbound is not None:
        try:
            tls_context(northbound)
        except ConfigError as error:
            yield Finding(True, f"{error} (for ssl: remotes)")
    if config.https_enabled:
        try:
            context = server_context(config)
        except ConfigError as error:
            yield Finding(True, str(error))
        else:
            yield from _check_certificate(config, context, now or datetime.now(timezone.utc))
            yield from _check_bindings(config)


def _check_bindings(config: Config) -> Iterator[Finding]:
    """Yield what keeps the bindings port from working, which everything else can do without."""
    if not config.bindings_port:
        return
    if config.bindings_port in (config.neutron_port, config.keystone_port):
        yield Finding(False, f"[BINDINGS] port: {config.bindings_port} is another port's; {_GAP}")
    try:
        bindings_context(config)
    except ConfigError as error:
        yield Finding(False, f"{error}; {_GAP}")


def _check_certificate(config: Config, server: ssl.SSLContext, now: datetime) -> Iterator[Finding]:
    where = f"[SSL] ssl-cert-file {config.ssl_cert_file}"
    leaf = read_certificates("ssl-cert-file", config.ssl_cert_file)[0]
    certificate, refusal = _seen_by_client(server, leaf, _PARTIAL_CHAIN)
    if refusal:
        yield Finding(True, f"{where}: clients refuse it: {refusal}")
        return
    yield _check_dates(where, certificate, now)
    _, refusal = _seen_by_client(server, leaf, _PARTIAL_CHAIN, config.provider_host)
    if refusal:
        yield Finding(False, f"{where}: does not fit [PROVIDER] provider-host: {refusal}")
    if config.ssl_cacert_file:
        trusted = "\n".join(read_certificates("ssl-cacert-file", config.ssl_cacert_file))
        _, refusal = _seen_by_client(server, trusted)
        if refusal:
            yield Finding(False, f"{where}: does not lead to {config.ssl_cacert_file}: {refusal}")


def _check_dates(where: str, certificate: Mapping[str, Any], now: datetime) -> Finding:
    begin, end = (_to_time(certificate[name]) for name in ("notBefore", "notAfter"))
    if now < begin:
        return Finding(True, f"{where}: is valid only from {begin:%Y-%m-%d %H:%M} UTC on")
    if now > end:
        return Finding(True, f"{where}: has expired at {end:%Y-%m-%d %H:%M} UTC")
    left = end - now
    text = f"{where}: {left.days} days left, until {end:%Y-%m-%d}"
    return Finding(False, text, is_note=left > _SOON)


def _to_time(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), timezone.utc)


def _seen_by_client(
    server: ssl.SSLContext, trusted: str, flags: int = 0, host: str | None = None
) -> tuple[Mapping[str, Any], str]:
    """Return the server's certificate as a client gets it, and why it refuses it ("": not).

    The client trusts `trusted` (PEM), and takes no offence at dates; `host` None accepts
    any name. A certificate that is refused is not told.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = host is not None
    client.verify_flags |= flags | _NO_CHECK_TIME
    client.load_verify_locations(cadata=trusted)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=host)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    try:
        for end in (near, far, near):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    except ssl.SSLCertVerificationError as error:
        return {}, error.verify_message.rstrip(".")
    except ssl.SSLError as error:
        return {}, error.reason or str(error)
    return near.getpeercert() or {}, ""
