# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that run one task after another.

To start a thread costs as much as half a request, so one that has finished waits a
moment for the next task. There are as many threads as tasks: a task never waits.
"""

from __future__ import annotations

import threading
from collections import deque
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
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        # Who began to wait last is called first: the processor's caches still know it.
        self._idle: list[_Seat] = []
        # For threads that are just finishing tasks that the caller counts as finished already.
        self._tasks: deque[Task] = deque()
        self._is_stopped = False

    def run(self, task: Task, name: str) -> None:
        """Have a task run; `name` is for a thread that has to be started for it.

        Raises RuntimeError when a thread is needed and cannot be started.
        """
        with self._lock:
            if self._idle:
                self._idle.pop().call(task)
                return
            if len(self._threads) >= self._limit:
                self._tasks.append(task)
                return
            # By its seat: the arguments of a thread live as long as it does.
            seat = _Seat()
            seat.call(task)
            thread = threading.Thread(target=self._work, args=(seat,), name=name, daemon=True)
            self._threads.add(thread)
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
            threads = set(self._threads)
            while self._idle:
                self._idle.pop().call(None)
        if is_waiting:
            for thread in threads:
                thread.join()

    def _work(self, seat: _Seat) -> None:
        seat.wait(-1)
        task = seat.take()
        while task is not None:
            task()
            del task  # not to keep alive what it holds
            task = self._next(seat)

    def _next(self, seat: _Seat) -> Task | None:
        """Return the thread's next task; None: it has to end."""
        with self._lock:
            if self._tasks:
                return self._tasks.popleft()
            if self._is_stopped:
                return None
            self._idle.append(seat)
        if not seat.wait(self._idle_s):
            with self._lock:
                if seat in self._idle:
                    # In one go with the count of threads, or a task might wait for us.
                    self._idle.remove(seat)
                    self._threads.discard(threading.current_thread())
                    return None
            seat.wait(-1)  # called at the last moment
        return seat.take()


class _Seat:
    """Where one thread waits: a lock of its own, so that a call wakes nobody else."""

    def __init__(self) -> None:
        self._task: Task | None = None
        self._called = threading.Lock()
        self._called.acquire()

    def call(self, task: Task | None) -> None:
        """Wake the thread for a task, None for its end; once for each time that it waits."""
        self._task = task
        self._called.release()

    def wait(self, timeout_s: float) -> bool:
        """Wait for call(), for ever with -1; False if it does not come in time."""
        return self._called.acquire(timeout=timeout_s)

    def take(self) -> Task | None:
        """Return what call() brought, once."""
        task, self._task = self._task, None
        return task
