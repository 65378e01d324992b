# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A chassis leaves Southbound: by ovn-controller, and seen to be gone. I/O."""

from __future__ import annotations

import ssl
import time

from . import certificates, controller, live, services, southbound
from .certificates import Files
from .errors import HostError
from .live import Live

_CONNECT_TIMEOUT_S = 5.0
_ASK_TIMEOUT_S = 4.0
# An ovn-controller that has a session, but has not read Southbound yet, ends without doing
# anything: it is given longer from time to time.
_PAUSES_S = (0.0, 0.5, 1.5, 3.0)


def depart(now: Live, files: Files) -> bool:
    """Have ovn-controller, which is connected, take this chassis out of Southbound and end.

    Say whether the chassis is seen to be gone. `files` are those of TLS where the database has
    none.
    """
    for pause_s in _PAUSES_S:
        if pause_s:
            try:
                services.do(services.Step("start", services.CONTROLLER))
            except HostError:
                return False
            if not controller.wait_connected(_CONNECT_TIMEOUT_S):
                return False
            time.sleep(pause_s)
        if not controller.leave():
            return False
        is_there = is_registered(now, files)
        if not is_there:
            return is_there is False
    return False


def is_registered(now: Live, files: Files) -> bool | None:
    """Say whether Southbound has this chassis; None if it does not answer us."""
    remotes = now.setting(live.REMOTE).split(",")
    question = {
        "op": "select",
        "table": "Chassis",
        "where": [["name", "==", now.system_id]],
        "columns": ["name"],
    }
    try:
        tls = None
        if any(remote.startswith("ssl:") for remote in remotes):
            used = Files(*now.ssl.files) if now.ssl else files
            tls = certificates.context(used, ssl.PROTOCOL_TLS_CLIENT)
        answer = southbound.ask(
            remotes,
            tls,
            _ASK_TIMEOUT_S,
            lambda session: session.call("transact", southbound.DATABASE, question),
        )
        return bool(answer[0]["rows"])
    except (HostError, LookupError, TypeError):
        return None
