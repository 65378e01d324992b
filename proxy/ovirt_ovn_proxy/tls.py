# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The certificate of our ports, and its renewal while the service runs.

I/O: reads the files that `[SSL]` names. Owns what clients of the ports see of TLS;
how we verify a Northbound server is `nb.remote`'s.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

from .config import Config
from .errors import ConfigError
from .nb.remote import TlsFiles

log = logging.getLogger(__name__)

_BEGIN = "-----BEGIN CERTIFICATE-----"
_CERTIFICATE = re.compile(f"{_BEGIN}.+?-----END CERTIFICATE-----", re.DOTALL)

# OpenSSL's words for a key of another certificate; the last when the kinds differ too.
_MISMATCH = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


def server_context(config: Config) -> ssl.SSLContext:
    """Read key, certificate and authority into a new context: TLS 1.2 or newer.

    Clients are sent the certificate and what is above it, each once, up to the root if
    the files hold it: the engine's UI imports the last certificate of the chain.
    Raises ConfigError that names option, file and reason.
    """
    leaf, *above = _chain(config)
    context = _plain_context(config)
    _load_pair(context, leaf, config)
    if above:
        # OpenSSL finds the chain among them by itself, unless a file with the
        # certificate brings others along: those would be sent as they are.
        context.load_verify_locations(cadata="\n".join(above))
    return context


def bindings_context(config: Config) -> ssl.SSLContext:
    """Return such a context for the bindings listener: it lets in hosts, by their certificate.

    Nobody's but those that the authority in `[BINDINGS] ca-file` has signed, and each time
    anew: in a session that was resumed a certificate would count that has ended since.
    With TLS 1.2 that cannot be prevented, so it is TLS 1.3. Raises ConfigError that names
    option, file and reason.
    """
    authorities = read_certificates("ca-file", config.bindings_ca_file, "BINDINGS")
    context = _plain_context(config)
    # What is above the certificate goes with it here. Loaded as authorities, as above, those
    # of the ports would be trusted for hosts too.
    _load_pair(context, "\n".join(dict.fromkeys(_chain(config))), config)
    context.load_verify_locations(cadata="\n".join(authorities))
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # without them no session is resumed
    return context


def _chain(config: Config) -> list[str]:
    """Return the certificate of the ports, and what the files hold beside it."""
    found = read_certificates("ssl-cert-file", config.ssl_cert_file)
    if config.ssl_cacert_file:
        found += read_certificates("ssl-cacert-file", config.ssl_cacert_file)
    return found


def _plain_context(config: Config) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    if config.ssl_ciphers_string:
        context.set_ciphers(config.ssl_ciphers_string)
    return context


def read_certificates(option: str, path: str, section: str = "SSL") -> list[str]:
    """Return the PEM certificates of a file, at least one, without the text around them.

    Raises ConfigError that names option, file and reason.
    """
    with _naming(option, path, section):
        text = Path(path).read_text("ascii", "replace")
        found = _CERTIFICATE.findall(text)
        if text.count(_BEGIN) != len(found):
            raise ValueError("a certificate in it is cut off")
        if not found:
            raise ValueError("holds no PEM certificate")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata="\n".join(found))
    return found


def _load_pair(context: ssl.SSLContext, certificates: str, config: Config) -> None:
    """Load the key, and PEM certificates of which the first is the key's."""
    with _naming("ssl-key-file", config.ssl_key_file):
        # The ssl module takes a certificate by the name of a file only.
        descriptor = os.memfd_create("certificate")
        try:
            os.write(descriptor, certificates.encode())
            # Given a password, OpenSSL never asks for one on the terminal.
            certificate = f"/proc/self/fd/{descriptor}"
            context.load_cert_chain(certificate, config.ssl_key_file, password="")
        except ssl.SSLError as error:
            if error.reason in _MISMATCH:
                reason = f"does not belong to the certificate {config.ssl_cert_file}"
            else:
                reason = error.reason or "holds no PEM key, or one with a password"
            raise ValueError(reason) from error
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _naming(option: str, path: str, section: str = "SSL") -> Iterator[None]:
    """Raise what is wrong with a file as ConfigError that names it."""
    try:
        yield
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ConfigError(f"[{section}] {option} {path}: {reason}") from error


def northbound_files(config: Config) -> TlsFiles | None:
    """Return what `ssl:` remotes are dialled with, None where there are none.

    Key and certificate are those of the ports: a site has one pair for both.
    """
    if all(remote.method != "ssl" for remote in config.ovn_remotes):
        return None
    return TlsFiles(
        key=config.ssl_key_file or None,
        certificate=config.ssl_cert_file or None,
        ca=config.ssl_cacert_file or None,
        check_hostname=config.ovn_remote_check_hostname,
    )


class PortContext:
    """The context for new connections, made anew when its files have changed.

    Never changed once made: a pair that does not match would break the handshakes of a
    context in use, and a certificate of another kind would only stand beside the old.
    `current` may be called from any thread, `renew` from one.
    """

    _kept = "the ports keep their former certificate"
    _renewed = "the ports use the certificate in %s as it is now"

    def __init__(self, config: Config) -> None:
        """Read the files; raises ConfigError as `server_context` does."""
        self._config = config
        self._seen = self._look()
        self._context = self._make()
        self._failure = ""

    def _make(self) -> ssl.SSLContext:
        return server_context(self._config)

    def _files(self) -> list[str]:
        config = self._config
        return [config.ssl_key_file, config.ssl_cert_file, config.ssl_cacert_file]

    def current(self) -> ssl.SSLContext:
        """Return the context of the newest files that were in order."""
        return self._context

    def renew(self, *, force: bool = False) -> None:
        """Read the files again if they have changed, with `force` in any case.

        Files that are not in order change nothing and are reported once. They are read
        again each time until they are: not all that mends a file shows in its status.
        """
        seen = self._look()
        if seen == self._seen and not self._failure and not force:
            return
        self._seen = seen  # looked at before reading: what changes meanwhile is seen next time
        try:
            self._context = self._make()
        except ConfigError as error:
            if force or str(error) != self._failure:
                log.warning("%s; %s", error, self._kept)
            self._failure = str(error)
        else:
            self._failure = ""
            log.info(self._renewed, self._config.ssl_cert_file)

    def _look(self) -> list[tuple[int, int, int] | None]:
        """Return what tells one state of the files from another, None for one that is not there."""
        seen: list[tuple[int, int, int] | None] = []
        for path in self._files():
            try:
                status = os.stat(path)
            except (OSError, ValueError):
                seen.append(None)
            else:
                seen.append((status.st_mtime_ns, status.st_ino, status.st_size))
        return seen


class BindingsContext(PortContext):
    """The same for the bindings listener, which has an authority besides."""

    _kept = "the bindings port keeps its former certificate and authority"
    _renewed = "the bindings port uses the certificate in %s and its authority as they are now"

    def _make(self) -> ssl.SSLContext:
        return bindings_context(self._config)

    def _files(self) -> list[str]:
        return [*super()._files(), self._config.bindings_ca_file]
