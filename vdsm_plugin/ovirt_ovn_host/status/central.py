# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Read Southbound as this host sees it. I/O, within some seconds; changes nothing."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from .. import certificates, southbound
from ..errors import HostError
from ..southbound import DATABASE, Session
from . import bindings
from .bindings import Southbound
from .facts import Central, Facts, Known, Problem

_TIMEOUT_S = 6.0
_TRY_TIMEOUT_S = 10.0
_MOST_REMOTES = 5


def read(facts: Facts) -> Known[Southbound]:
    """Return what the first Southbound that answers says of this host and of others."""
    waiting = [vif.port for vif in facts.vifs if not vif.is_installed]

    def question(session: Session) -> Southbound:
        try:
            return _read(session, facts.system_id, waiting)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"it answers what is not known here: {error!r}") from error

    if not facts.remotes:
        return Problem("Southbound is not seen", is_hidden=True)
    tls = _tls(facts)
    if isinstance(tls, Problem):
        return tls
    try:
        return southbound.ask(facts.remotes, tls, _TIMEOUT_S, question)
    except HostError as error:
        return Problem(str(error))


def _read(session: Session, system_id: str, waiting: Sequence[str]) -> Southbound:
    schema = session.call("get_schema", DATABASE)
    operations = bindings.chassis_operations(schema)
    results = session.call("transact", DATABASE, *operations)
    chassis, names = bindings.decode_chassis(results)
    uuid = next((uuid for uuid, name in names.items() if name == system_id), None)
    operations = bindings.binding_operations(schema, uuid, waiting)
    results = session.call("transact", DATABASE, *operations) if operations else []
    return Southbound(
        session.remote, chassis, bindings.decode_bindings(results, names), _ends_s(session)
    )


def _ends_s(session: Session) -> float | None:
    text = session.certificate_ends
    return None if text is None else ssl.cert_time_to_seconds(text)


def _tls(facts: Facts) -> Known[ssl.SSLContext | None]:
    if facts.files is None:
        return None
    if isinstance(facts.certificate, Problem):
        return Problem("it cannot be asked without a certificate, see there", is_hidden=True)
    try:
        return certificates.context(facts.files, ssl.PROTOCOL_TLS_CLIENT)
    except HostError as error:
        return Problem(str(error))


def try_all(facts: Facts) -> list[Central]:
    """Return what comes of a session with each of the remotes, the first few of them."""
    tls = _tls(facts)
    remotes = facts.remotes[:_MOST_REMOTES]
    timeout_s = _TRY_TIMEOUT_S / max(len(remotes), 2)
    return [_try(remote, tls, timeout_s) for remote in remotes]


def _try(remote: str, tls: Known[ssl.SSLContext | None], timeout_s: float) -> Central:
    if isinstance(tls, Problem):
        if remote.startswith("ssl:"):
            return Central(remote, problem=f"not tried: {tls.text}")
        tls = None
    try:
        with southbound.open_session(remote, tls, timeout_s) as session:
            return Central(remote, _ends_s(session))
    except (OSError, ValueError) as error:
        is_unnamed = isinstance(error, southbound.NameUnknown)
        return Central(remote, problem=southbound.words(error), is_unnamed=is_unnamed)
