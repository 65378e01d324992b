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
from .plan.draft import Context, Plan, time_text
from .plan.release import find_open, find_stale, plan_release
from .plan.vlans import find_loose, plan_kept

log = logging.getLogger(__name__)

_AT_ONCE = 500
# A service that is told to stop must not be kept from it for long.
_PATIENCE_S = 2.0

Planner = Callable[[Sequence[str], Context, View], Plan]


def new_context(config: Config) -> Context:
    """Return what a request brings that no client sends."""
    now = time_text(datetime.now(timezone.utc))
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


class Chores:
    """What a service does by itself: for each replica that is new, and every `pause_s`.

    The VLANs of networks that ovirt-provider-ovn made are kept. What migrations have left of
    ports whose VM has stopped since is ended, if it is found twice: a port can be down for a
    moment.
    """

    def __init__(
        self, config: Config, connection: Connection[Replica], pause_s: float = 60.0
    ) -> None:
        self._config = config
        self._connection = connection
        self._executor = Executor(connection, config.durable_commits)
        self._pause_s = pause_s
        self._next = 0.0
        self._looked_at: Replica | None = None
        self._stale: set[str] = set()

    def run(self) -> None:
        """Look, if it is time, and do what is due; a failure is for the next time."""
        replica, now = self._connection.replica, time.monotonic()
        if replica is None or not self._connection.ready:
            return
        if replica is self._looked_at and now < self._next:
            return
        self._looked_at, self._next = replica, now + self._pause_s
        with replica.lock:
            view = View(replica)
            network_ids, found = find_loose(view), set(find_stale(view))
        port_ids, self._stale = sorted(found & self._stale), found
        self._do(network_ids, plan_kept, "keep VLANs")
        self._do(port_ids, plan_release, "release stale bindings")

    def _do(self, ids: Sequence[str], plan: Planner, what: str) -> None:
        try:
            for line in _write(self._executor, ids, plan, self._config, what, _PATIENCE_S):
                log.info("%s: %s", what, line)
        except ApiError as error:
            log.warning("%s: not done: %s", what, error.message)


def _write(
    executor: Executor,
    ids: Sequence[str],
    plan: Planner,
    config: Config,
    comment: str,
    timeout_s: float,
) -> Iterator[str]:
    """Plan so many objects at a time and have it committed; yield the plans' answers."""
    for start in range(0, len(ids), _AT_ONCE):
        make_plan = partial(plan, ids[start : start + _AT_ONCE], new_context(config))
        deadline = time.monotonic() + timeout_s
        yield from executor.write(make_plan, lambda _view: (), comment, deadline).answer
