# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of certificates and their files. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from .. import certificates
from .checks_switch import ENROLL, problem
from .facts import CertificateFacts, Facts, FileStatus, Problem
from .rows import ERROR, OK, WARNING, Row

WARN_DAYS = 30
# It renews what is below its authority, and that too.
RENEW = "on the engine's machine: engine-setup --offline"
_DAY_S = 86400


def days(ends_s: float, now_s: float) -> int:
    """Return the whole days that are left until a time."""
    return int((ends_s - now_s) // _DAY_S)


def files(facts: Facts) -> Iterator[Row]:
    """Say whether the files are there, and whose they are."""
    name = "tls-files"
    if facts.files is None:
        if facts.remotes:
            yield Row(name, OK, "none are needed: Southbound is not reached by TLS")
        return
    rows = [row for file in facts.file_status for row in _file(name, facts, file)]
    yield from rows
    if not rows:
        owners = {f"{file.owner}:{file.group}" for file in facts.file_status}
        yield Row(name, OK, f"of {', '.join(sorted(owners))}, the key not for everybody")


def _file(name: str, facts: Facts, file: FileStatus) -> Iterator[Row]:
    assert facts.files is not None
    path = shlex.quote(file.path)
    if file.problem:
        yield Row(name, ERROR, f"{file.path}: {file.problem}", ENROLL)
        return
    if file.path == facts.files.private_key and certificates.is_open(file.mode):
        yield Row(
            name,
            ERROR,
            f"everybody on this host can use the key {file.path}: it has to be renewed",
            f"chmod o= {path}",
        )
    if file.owner != certificates.OWNER and facts.has_owner:
        yield Row(
            name,
            WARNING,
            f"{file.path} belongs to {file.owner}, not to {certificates.OWNER}, whom "
            "ovn-controller runs as",
            f"chown {certificates.OWNER}:{certificates.OWNER} {path}",
        )


def certificate(facts: Facts) -> Iterator[Row]:
    """Say whether Southbound and other hosts can accept the certificate, and how long."""
    name = "certificate"
    if facts.files is None:
        return
    if isinstance(facts.certificate, Problem):
        yield problem(name, facts.certificate, ENROLL)
        return
    found = facts.certificate
    ends = min(found.ends_s, found.authority_ends_s)
    whose = "it" if found.ends_s <= found.authority_ends_s else "its authority"
    left = days(ends, facts.now_s)
    rows = [*_names(name, facts, found)]
    if left < WARN_DAYS:
        mend = ENROLL if whose == "it" else RENEW
        rows.append(Row(name, WARNING, f"{whose} ends in {left} days", mend))
    yield from rows
    if not rows:
        yield Row(
            name,
            OK,
            f"for {', '.join(found.names)}, {days(found.ends_s, facts.now_s)} days left; its "
            f"authority has {days(found.authority_ends_s, facts.now_s)}",
        )


def _names(name: str, facts: Facts, found: CertificateFacts) -> Iterator[Row]:
    if not facts.system_id or facts.system_id in found.names:
        return
    yield Row(
        name,
        WARNING,
        f"it is for {', '.join(found.names) or 'no name'}, not for {facts.system_id}, the name "
        "of the chassis, which IPsec wants in it",
        ENROLL,
    )
