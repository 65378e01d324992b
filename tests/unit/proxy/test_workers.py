# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that are kept between tasks."""

from __future__ import annotations

import threading
import time

import pytest

from ovirt_ovn_proxy.workers import Workers

PATIENCE_S = 5.0


def test_one_thread_runs_what_comes_one_after_another() -> None:
    """A task that comes when another has ended gets its thread."""
    workers = Workers(limit=8, idle_s=PATIENCE_S)
    seen = []
    for _ in range(20):
        done = threading.Event()

        def task(done: threading.Event = done) -> None:
            seen.append(threading.current_thread())
            done.set()

        workers.run(task, "first")
        assert done.wait(PATIENCE_S)
        time.sleep(0.002)  # the thread has to get back to waiting
    workers.stop(is_waiting=True)

    assert 20 == len(seen)
    assert len(set(seen)) < 5
    assert not any(thread.is_alive() for thread in seen)


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
