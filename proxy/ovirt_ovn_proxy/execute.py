# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How a request meets the database: one barrier for a read, one transaction for a write.

The only place that sends plans. It plans again when a guard failed, confirms a
refusal behind a barrier before anybody hears of it, and finds out after a lost
reply whether its transaction was committed. It knows no resource and no HTTP.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from .errors import (
    ApiError,
    GuardFailed,
    NotReady,
    OutcomeUnknown,
    TransactionRefused,
    Unavailable,
)
from .nb import ops
from .nb.connection import Connection
from .nb.replica import Replica
from .nb.view import View
from .plan.draft import Plan
from .plan.fate import Fate, fate, only_once

log = logging.getLogger(__name__)

R = TypeVar("R")

# A refusal that stays the same with a newer view is not a race but a defect.
_MOST_REFUSALS = 5
_LONGEST_PAUSE_S = 0.05


class Executor:
    """Runs reads and plans on one connection; safe to use from many threads.

    `durable`: a change is acknowledged only when it is on the server's disk.
    """

    def __init__(self, connection: Connection[Replica], durable: bool = False) -> None:
        self._connection = connection
        self._ending = [ops.durable_commit()] if durable else []
        self._queues = Queues()

    def read(self, deadline: float) -> Replica:
        """Return the replica once it shows everything committed before the call.

        Raises Unavailable when that is not so until `deadline` (time.monotonic()).
        """
        reason = ""
        while True:
            try:
                self._connection.wait_ready(deadline)
            except NotReady as error:
                raise self._unavailable() from error
            try:
                self._connection.barrier(deadline)
            except (NotReady, OutcomeUnknown, TransactionRefused) as error:
                # The session broke meanwhile, or the database goes; wait_ready knows
                # whether to wait for another.
                if time.monotonic() + _LONGEST_PAUSE_S >= deadline:
                    # The last try may have had no time to hear why.
                    raise self._unavailable(reason or str(error)) from error
                reason = str(error)
                time.sleep(_LONGEST_PAUSE_S)
                continue
            replica = self._connection.replica
            if replica is not None:
                return replica

    def write(
        self,
        make_plan: Callable[[View], Plan],
        queues: Callable[[View], Iterable[str]],
        comment: str,
        deadline: float,
    ) -> Plan:
        """Plan until a plan is committed; return that plan.

        `queues` names what the request contends for: plans of one name wait for
        each other here, rather than fail each other's guards in the database.
        Raises the planner's refusal once it has been confirmed, and Unavailable
        when the deadline passes first.
        """
        names = self._look(queues, deadline)
        with self._queues.entered(names, deadline) as is_entered:
            if not is_entered:
                raise self._unavailable("Too many requests for the same network")
            return self._write(make_plan, comment, deadline)

    def _write(self, make_plan: Callable[[View], Plan], comment: str, deadline: float) -> Plan:
        is_current = False
        refusals = 0
        attempt = 0
        unheard: list[Plan] = []

        def unless_done(view: View) -> tuple[Plan, bool]:
            """Return an earlier plan that was committed after all, else a new one."""
            fates = [fate(plan, view) for plan in unheard]
            # The newest one: an earlier one that says something else rests on what has changed
            # since, so that it was not the one.
            done = [plan for plan, its in zip(unheard, fates) if its is Fate.DONE]
            if done:
                return done[-1], True
            if Fate.DOUBTFUL in fates:
                raise self._unavailable("Others change the same, and the outcome is unknown")
            unheard[:] = [plan for plan, its in zip(unheard, fates) if its is Fate.OPEN]
            plan = make_plan(view)
            return only_once(plan, view) if unheard else plan, False

        while True:
            try:
                plan, is_done = self._look(unless_done, deadline)
                if is_done:
                    return plan
            except ApiError as error:
                if is_current or isinstance(error, Unavailable):
                    raise
                plan = None
            if plan is None or not plan.steps:
                if plan is not None and is_current:
                    return plan
                self.read(deadline)
                is_current = True
                continue
            try:
                operations = [*plan.operations, ops.comment(comment), *self._ending]
                if log.isEnabledFor(logging.DEBUG):
                    log.debug("%s", json.dumps(operations))
                self._connection.transact(operations, deadline, plan.render)
                return plan
            except GuardFailed:
                attempt += 1
            except TransactionRefused as error:
                # A unique name or a strong reference can lose a race as a guard can.
                refusals += 1
                if refusals >= _MOST_REFUSALS:
                    raise self._unavailable(f"The database refuses the change: {error}") from error
                self.read(deadline)
            except OutcomeUnknown:
                # What an old session still holds may be committed at any time from now.
                unheard.append(plan)
            except NotReady:
                pass
            self._pause(attempt, deadline)

    def _look(self, read: Callable[[View], R], deadline: float) -> R:
        """Run a pure function on the view, under the replica's lock."""
        try:
            self._connection.wait_ready(deadline)
        except NotReady as error:
            raise self._unavailable() from error
        replica = self._connection.replica
        if replica is None:
            raise self._unavailable()
        with replica.lock:
            return read(View(replica))

    def _pause(self, attempt: int, deadline: float) -> None:
        """Let the others win some rounds: longer pauses the more rounds are lost."""
        if time.monotonic() >= deadline:
            raise self._unavailable("The network changes too fast")
        if attempt > 2:
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE_S, 0.001 * 2 ** min(attempt, 10))))

    def _unavailable(self, reason: str = "") -> Unavailable:
        reason = reason or self._connection.status()
        return Unavailable("ServiceUnavailable", f"{reason}. Try again later.")


class Queues:
    """One lock for each name that is in use; names that are not take no memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def entered(self, names: Iterable[str], deadline: float) -> Iterator[bool]:
        """Hold all the names; yields False if that was not possible until the deadline."""
        held: dict[str, threading.Lock] = {}
        is_entered = True
        try:
            # Everybody takes them in one order, so nobody waits in a circle.
            for name in sorted(set(names)):
                lock = self._enter(name)
                is_entered = lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
                if not is_entered:
                    self._leave(name)
                    break
                held[name] = lock
            yield is_entered
        finally:
            for name, lock in held.items():
                lock.release()
                self._leave(name)

    def _enter(self, name: str) -> threading.Lock:
        with self._lock:
            lock, users = self._entries.get(name) or (threading.Lock(), 0)
            self._entries[name] = (lock, users + 1)
            return lock

    def _leave(self, name: str) -> None:
        with self._lock:
            lock, users = self._entries[name]
            if users == 1:
                del self._entries[name]
            else:
                self._entries[name] = (lock, users - 1)
