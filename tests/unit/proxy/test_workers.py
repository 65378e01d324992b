# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that are kept between tasks."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

import pytest

from ovirt_ovn_proxy.workers import Workers

PATIENCE_S = 5.0


def test_who_waited_last_is_called() -> None:
    """Of threads that wait only one is woken for a task, and for the next the same."""
    workers = Workers(limit=4, idle_s=PATIENCE_S)
    everybody = threading.Barrier(4)
    for _ in range(4):
        workers.run(lambda: void(everybody.wait(PATIENCE_S)), "worker")
    seen = []
    for _ in range(20):
        until(lambda: 4 == len(workers._idle))
        workers.run(lambda: seen.append(threading.current_thread()), "worker")
    until(lambda: 20 == len(seen))
    workers.stop(is_waiting=True)

    assert 1 == len(set(seen))
    assert not seen[0].is_alive()


def test_nothing_of_a_task_is_kept() -> None:
    """A thread that waits holds nothing of what it ran."""

    class Task:
        def __call__(self) -> None:
            """Do nothing."""

    workers = Workers(limit=1, idle_s=PATIENCE_S)
    kept = []
    for _ in range(2):
        task = Task()
        kept.append(weakref.ref(task))
        workers.run(task, "worker")
        del task
        until(lambda: 1 == len(workers._idle))

    assert [None, None] == [ref() for ref in kept]
    workers.stop(is_waiting=True)


def test_tasks_run_at_once() -> None:
    """As many tasks as there may be threads never wait for each other."""
    workers = Workers(limit=8, idle_s=PATIENCE_S)
    everybody = threading.Barrier(8 + 1)
    for _ in range(8):
        workers.run(lambda: void(everybody.wait(PATIENCE_S)), "worker")
    everybody.wait(PATIENCE_S)
    workers.stop(is_waiting=True)

    assert not everybody.broken


@pytest.mark.parametrize("idle_s", [0.0, 0.001, PATIENCE_S])
def test_no_task_is_lost(idle_s: float) -> None:
    """Tasks that come while threads give up waiting all run, in few threads."""
    workers = Workers(limit=4, idle_s=idle_s)
    places = threading.Semaphore(4)
    done = threading.Semaphore(0)
    most = 0

    def task() -> None:
        nonlocal most
        most = max(most, sum(thread.name == "lossless" for thread in threading.enumerate()))
        places.release()
        done.release()

    for _ in range(500):
        assert places.acquire(timeout=PATIENCE_S)
        workers.run(task, "lossless")
    for _ in range(500):
        assert done.acquire(timeout=PATIENCE_S)
    workers.stop(is_waiting=True)

    assert most <= 2 * 4  # one that ends may still be seen


def void(_value: object) -> None:
    """Turn an expression into a task."""


def until(condition: Callable[[], bool]) -> None:
    """Return as soon as a condition holds."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)
