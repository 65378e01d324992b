# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""This host's Open_vSwitch database: read as values, changed by plans. I/O."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from . import live, ovsdb
from .chassis import Plan
from .errors import DatabaseError, NoDatabase
from .live import Live
from .localdb import LocalDatabaseError

_MOST_TRIES = 10


def read() -> Live:
    """Read it. Raises DatabaseError, NoDatabase if Open vSwitch does not run."""
    with _host_errors():
        return live.decode(ovsdb.transact(live.OPERATIONS))


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
            with _host_errors():
                ovsdb.transact(plan.operations)
        except ovsdb.Outrun:
            continue
        return plan
    raise DatabaseError("Open vSwitch's database is changed by somebody else all the time")


@contextlib.contextmanager
def _host_errors() -> Iterator[None]:
    try:
        yield
    except ovsdb.Outrun:
        raise
    except ovsdb.NoLocalDatabase as error:
        raise NoDatabase(f"{error}: systemctl start openvswitch") from error
    except LocalDatabaseError as error:
        raise DatabaseError(f"{error}: systemctl status ovsdb-server") from error
