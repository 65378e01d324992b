# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes that no request asks for: a command's, and what a service does by itself.

So many objects in a transaction that the server has time for others. May not import what
serves requests.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from functools import partial

from .config import Config
from .errors import ApiError
from .execute import Executor
from .nb.connection import Connection
from .nb.replica import Replica
from .nb.view import View
from .plan.draft import TIME_FORMAT, Context, Plan
from .plan.release import find_open, find_stale, plan_release
from .plan.vlans import find_loose, plan_kept

log = logging.getLogger(__name__)

_AT_ONCE = 500
# A service that is told to stop must not be kept from it for long.
_PATIENCE_S = 2.0
_PAUSE_S = 60.0


def new_context(config: Config) -> Context:
    """Return what a request brings that no client sends."""
    now = datetime.now(timezone.utc).strftime(TIME_FORMAT)
    return Context(config=config, request_uuid=uuid.uuid4(), now=now)


def release_bindings(executor: Executor, replica: Replica, config: Config) -> Iterator[str]:
    """Have every port as it is without a migration; yield what was done, a line each.

    Raises ApiError; what was told before that is done.
    """
    with replica.lock:
        port_ids = find_open(View(replica), config)
    number = 0
    timeout_s = config.request_timeout_s
    for line in _write(executor, port_ids, plan_release, config, "release-bindings", timeout_s):
        number += 1
        yield line
    yield f"ports released: {number}"


class VlanKeeper:
    """Has the VLANs of networks that ovirt-provider-ovn made last, once for each load."""

    def __init__(self, config: Config, connection: Connection[Replica]) -> None:
        self._config = config
        self._connection = connection
        self._executor = Executor(connection)
        self._looked_at: Replica | None = None
        self._paused_until = 0.0

    def run(self) -> None:
        """Look at a replica that is new, and do what is due; after a failure, a minute later."""
        replica = self._connection.replica
        if replica is None or replica is self._looked_at or not self._connection.ready:
            return
        if time.monotonic() < self._paused_until:
            return
        with replica.lock:
            network_ids = find_loose(View(replica))
        try:
            for line in _write(
                self._executor, network_ids, plan_kept, self._config, "keep VLANs", _PATIENCE_S
            ):
                log.info("%s is asked for, so that no OVN forgets it", line)
        except ApiError as error:
            log.warning("VLANs of networks cannot be kept: %s", error.message)
            self._paused_until = time.monotonic() + _PAUSE_S
        else:
            self._looked_at = replica


class StaleBindings:
    """Ends what migrations have left of ports whose VM has stopped since.

    Every `pause_s`, and only what it finds twice: a port can be down for a moment.
    """

    def __init__(
        self, config: Config, connection: Connection[Replica], pause_s: float = _PAUSE_S
    ) -> None:
        self._config = config
        self._connection = connection
        self._executor = Executor(connection)
        self._pause_s = pause_s
        self._next = 0.0
        self._found: set[str] = set()

    def run(self) -> None:
        """Look, if it is time, and do what is due; a failure is for the next time."""
        replica = self._connection.replica
        if replica is None or not self._connection.ready or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._pause_s
        with replica.lock:
            found = set(find_stale(View(replica)))
        port_ids, self._found = sorted(found & self._found), found
        comment = "release stale bindings"
        try:
            for line in _write(
                self._executor, port_ids, plan_release, self._config, comment, _PATIENCE_S
            ):
                log.info("%s", line)
        except ApiError as error:
            log.warning("stale bindings cannot be released: %s", error.message)


def _write(
    executor: Executor,
    ids: Sequence[str],
    plan: Callable[[Sequence[str], Context, View], Plan],
    config: Config,
    comment: str,
    timeout_s: float,
) -> Iterator[str]:
    """Plan so many objects at a time and have it committed; yield the plans' answers."""
    for start in range(0, len(ids), _AT_ONCE):
        make_plan = partial(plan, ids[start : start + _AT_ONCE], new_context(config))
        deadline = time.monotonic() + timeout_s
        yield from executor.write(make_plan, lambda _view: (), comment, deadline).answer
