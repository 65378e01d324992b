# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a target was silent: pings at a steady pace, by a process of their own.

The tests' own process is too busy to keep the pace. Run as a program, it pings until
its standard input ends, and prints what it has seen.
"""

from __future__ import annotations

import dataclasses
import json
import select
import subprocess
import sys
import time
from pathlib import Path

from . import echo
from .namespace import Namespace

TESTS = Path(__file__).resolve().parents[2]
BEGIN_TIMEOUT_S = 10.0
# An answer that takes longer counts as lost.
LATE_S = 0.5


@dataclasses.dataclass(frozen=True)
class Silence:
    """What a probe has seen: requests sent and lost, and the longest time without an answer."""

    sent: int
    lost: int
    longest_gap_ms: float


class Probe:
    """Pings a target all the while; a context manager.

    `result` is there after the end of the block.
    """

    def __init__(self, namespace: Namespace, target: str, interval_ms: int) -> None:
        self._namespace = namespace
        self._arguments = [namespace.name, target, str(interval_ms)]
        self.result: Silence | None = None

    def __enter__(self) -> Probe:
        launch = (
            f"import sys; sys.path[:0] = [{str(TESTS)!r}];"
            "from system.lab.probe import main; main(*sys.argv[1:])"
        )
        with self._namespace.entered():
            self._process = subprocess.Popen(
                [sys.executable, "-c", launch, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"begun\n"
        return self

    def stop(self) -> Silence:
        """End it and return what it has seen."""
        if self.result is None:
            output, _ = self._process.communicate(timeout=10)
            self.result = Silence(**json.loads(output))
        return self.result

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._process:
            try:
                # What ends the block otherwise, as Ctrl-C, may have ended the probe, and is told.
                if kind is None:
                    self.stop()
            finally:
                self._process.kill()


def measure(pinger: echo.Pinger, interval_s: float) -> Silence:
    """Ping until standard input ends, from the first answer on."""
    sent = 0
    answered: set[int] = set()
    longest_s = 0.0
    start = last = time.monotonic()

    def listen(until: float) -> None:
        nonlocal last, longest_s
        while (left := until - time.monotonic()) > 0:
            sequence = pinger.receive(left)
            if sequence is None:
                return
            answered.add(sequence)
            now = time.monotonic()
            longest_s, last = max(longest_s, now - last), now

    while not select.select([sys.stdin], [], [], 0)[0]:
        pinger.send(sent)
        sent += 1
        listen(start + sent * interval_s)
    end = time.monotonic()
    while len(answered) < sent and time.monotonic() < end + LATE_S:
        listen(min(end + LATE_S, time.monotonic() + interval_s))
    return Silence(sent, sent - len(answered), round(1000 * max(longest_s, end - last), 1))


def main(namespace: str, target: str, interval_ms: str) -> None:
    """Say "begun" at the first answer; print the result in the end."""
    with echo.Pinger(Namespace(namespace), target) as pinger:
        assert echo.wait_for_reply(pinger, BEGIN_TIMEOUT_S), f"{target} does not answer"
        print("begun", flush=True)
    with echo.Pinger(Namespace(namespace), target) as pinger:
        result = measure(pinger, int(interval_ms) / 1000)
    print(json.dumps(dataclasses.asdict(result)))
