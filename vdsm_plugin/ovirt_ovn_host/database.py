# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""This host's Open_vSwitch database: read as values, changed by plans. I/O."""

from __future__ import annotations

from collections.abc import Callable

from . import live, ovsdb
from .chassis import Plan
from .errors import DatabaseError, Outrun
from .live import Live

TIMEOUT_S = 3.0
_MOST_TRIES = 10


def read() -> Live:
    """Read it. Raises DatabaseError, NoDatabase if Open vSwitch does not run."""
    return live.decode(ovsdb.transact(live.OPERATIONS, TIMEOUT_S))


def change(plan_for: Callable[[Live], Plan]) -> Plan:
    """Make what is planned, in one transaction, and return the plan that was made.

    It is planned again from a newer state while somebody else is faster. Raises
    DatabaseError; then nothing was changed, unless the server did not answer in time.
    """
    for _ in range(_MOST_TRIES):
        plan = plan_for(read())
        if not plan.operations:
            return plan
        try:
            ovsdb.transact(plan.operations, TIMEOUT_S)
        except Outrun:
            continue
        return plan
    raise DatabaseError("Open vSwitch's database is changed by somebody else all the time")
