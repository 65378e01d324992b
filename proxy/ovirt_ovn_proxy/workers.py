# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that run one task after another.

To start a thread costs as much as half a request, so one that has finished waits a
moment for the next task. There are as many threads as tasks: a task never waits.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Task = Callable[[], None]


class Workers:
    """Runs tasks, each at once and in a thread of its own while it lasts.

    A thread that got no task for `idle_s` seconds ends. There are never more than
    `limit` threads; the caller runs no more tasks than that at a time. Tasks must not
    raise.
    """

    def __init__(self, limit: int, idle_s: float) -> None:
        self._limit = limit
        self._idle_s = idle_s
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        # Threads that wait, less the tasks in the queue; below zero when threads are
        # just finishing tasks that the caller counts as finished already.
        self._free = 0
        self._is_stopped = False

    def run(self, task: Task, name: str) -> None:
        """Have a task run; `name` is for a thread that has to be started for it.

        Raises RuntimeError when a thread is needed and cannot be started.
        """
        with self._lock:
            thread = None
            if self._free <= 0 and len(self._threads) < self._limit:
                thread = threading.Thread(target=self._work, args=(task,), name=name, daemon=True)
                self._threads.add(thread)
            else:
                self._free -= 1
        if thread is None:
            self._tasks.put(task)
            return
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                self._threads.discard(thread)
            raise

    def stop(self, is_waiting: bool) -> None:
        """Let waiting threads end now, and the others after their tasks.

        `is_waiting`: return when all have ended.
        """
        with self._lock:
            self._is_stopped = True
            idle, self._free = max(self._free, 0), min(self._free, 0)
            threads = set(self._threads)
        for _ in range(idle):
            self._tasks.put(None)
        if is_waiting:
            for thread in threads:
                thread.join()

    def _work(self, task: Task | None) -> None:
        while task is not None:
            task()
            del task  # not to keep alive what it holds
            task = self._next()

    def _next(self) -> Task | None:
        with self._lock:
            if self._is_stopped and self._free >= 0:
                self._threads.discard(threading.current_thread())
                return None
            self._free += 1
        try:
            return self._tasks.get(timeout=self._idle_s)
        except queue.Empty:
            with self._lock:
                if self._free > 0:
                    # In one go with the count of threads, or a task might wait for us.
                    self._free -= 1
                    self._threads.discard(threading.current_thread())
                    return None
        # A task, or the word to end, came at the last moment.
        return self._tasks.get()
