# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the certificates of this host can be used towards Southbound.

I/O, reading only. Key, certificate and authority are tried on each other, by a handshake
of TLS in memory: what it accepts, Southbound and the other hosts accept.
"""

from __future__ import annotations

import os
import pwd
import ssl
from collections.abc import Sequence
from typing import Any, NamedTuple

from .errors import HostError

# The user of ovn-controller and openvswitch-ipsec, whose the files have to be for VDSM.
OWNER = "openvswitch"
MEND = "have the engine renew them (Installation > Enroll Certificate)"
_OTHERS = 0o007


class Files(NamedTuple):
    """Paths of PEM files, in the order that `ovs-vsctl set-ssl` has too."""

    private_key: str
    certificate: str
    ca_certificate: str


def check(files: Files, system_id: str) -> list[str]:
    """Return what is not as it should be, though it works; nothing if all is well.

    Raises HostError if the files cannot be used.
    """
    owners = {_status(path).st_uid for path in files}
    if is_open(_status(files.private_key).st_mode):
        raise HostError(
            f"{files.private_key}: everybody on this host can use the key: "
            f"chmod o= {files.private_key}, and {MEND}"
        )
    names = names_of(handshake(files))
    notes = []
    if system_id not in names:
        notes.append(
            f"{files.certificate}: is for {', '.join(names) or 'no name'}, not for {system_id}: "
            "IPsec and the engine's 'OVN configured' want the name of the chassis in it"
        )
    if not owners <= _right_owners(owners):
        notes.append(f"{os.path.dirname(files.certificate)}: not all files belong to {OWNER}")
    return notes


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}: {MEND}, or set [tls] in ovn.conf") from error


def _right_owners(owners: set[int]) -> set[int]:
    """Return whose the files may be: anybody's where Open vSwitch runs as root."""
    try:
        return {pwd.getpwnam(OWNER).pw_uid}
    except KeyError:
        return owners


def context(files: Files, purpose: int) -> ssl.SSLContext:
    """Return what a side of TLS needs: our certificate, the authority, and mutual trust only.

    Like Open vSwitch it does not look at the other side's name. Raises HostError.
    """
    made = ssl.SSLContext(purpose)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    try:
        made.load_verify_locations(files.ca_certificate)
    except (OSError, ssl.SSLError) as error:
        raise HostError(f"{files.ca_certificate}: no certificate can be read: {error}") from error
    try:
        made.load_cert_chain(files.certificate, files.private_key, password=_no_password)
    except (OSError, ValueError) as error:
        raise HostError(_describe_pair(files, error)) from error
    return made


def _no_password() -> str:
    # Else OpenSSL would ask on the terminal.
    raise ValueError("the key has a password")


def _describe_pair(files: Files, error: Exception) -> str:
    pair = f"{files.certificate} and {files.private_key}"
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"{pair}: do not belong together: {MEND}"
    return f"{pair}: cannot be read: {error}: {MEND}"


def handshake(files: Files) -> dict[str, Any]:
    """Return our certificate's content, as ssl has it, once a server has accepted it.

    Raises HostError if that server, which trusts the same authority as we do, does not.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context(files, ssl.PROTOCOL_TLS_SERVER).wrap_bio(outgoing, incoming, server_side=True)
    # Not looked at from there: nobody connects to a host, so it need not be a server's.
    peer = context(files, ssl.PROTOCOL_TLS_CLIENT)
    peer.verify_mode = ssl.CERT_NONE
    client = peer.wrap_bio(incoming, outgoing)
    try:
        for _ in range(3):
            for side in (client, server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLCertVerificationError as error:
        raise HostError(
            f"{files.certificate}: is not accepted by {files.ca_certificate}: "
            f"{error.verify_message}: {MEND}"
        ) from error
    except ssl.SSLError as error:
        raise HostError(f"{files.certificate}: TLS does not take it: {error}") from error
    return dict(server.getpeercert() or {})


def is_open(mode: int) -> bool:
    """Say whether everybody can use a key with this mode."""
    return bool(mode & _OTHERS)


def names_of(certificate: dict[str, Any]) -> Sequence[str]:
    """Return the host names in a certificate's content."""
    return [name for kind, name in certificate.get("subjectAltName", ()) if kind == "DNS"]
