# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of TLS on this host: whose they are, and what the certificate says.

I/O, reading only.
"""

from __future__ import annotations

import grp
import os
import pwd
import ssl
import stat
from collections.abc import Sequence

from .. import certificates
from ..certificates import Files
from ..errors import HostError
from .facts import CertificateFacts, FileStatus, Known, Problem

# Where VDSM looks, whatever our settings say.
_PKI = "/etc/pki/vdsm/ovn"
VDSM_FILES = Files(f"{_PKI}/ovn-key.pem", f"{_PKI}/ovn-cert.pem", f"{_PKI}/ca-cert.pem")


def file_status(files: Files) -> Sequence[FileStatus]:
    """Return whose the files are, and who may read them."""
    return [_file_status(path) for path in files]


def _file_status(path: str) -> FileStatus:
    try:
        found = os.stat(path)
    except OSError as error:
        return FileStatus(path, problem=error.strerror or str(error))
    return FileStatus(
        path,
        mode=stat.S_IMODE(found.st_mode),
        owner=_user(found.st_uid),
        group=_group(found.st_gid),
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def certificate(files: Files, is_root: bool) -> Known[CertificateFacts]:
    """Return what the certificate says, if key, certificate and authority fit together."""
    if not is_root and os.path.lexists(files.private_key):
        if not os.access(files.private_key, os.R_OK):
            return Problem("only root can try it, as only root can read the key", is_hidden=True)
    try:
        content = certificates.handshake(files)
        authorities = certificates.context(files, ssl.PROTOCOL_TLS_CLIENT).get_ca_certs()
    except HostError as error:
        return Problem(str(error))
    return CertificateFacts(
        names=certificates.names_of(content),
        ends_s=ssl.cert_time_to_seconds(content["notAfter"]),
        authority_ends_s=min(ssl.cert_time_to_seconds(str(it["notAfter"])) for it in authorities),
    )
