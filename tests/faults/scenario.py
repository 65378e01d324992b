# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""One run: clients on three proxies, a nemesis meanwhile, and the audit at the end."""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from faults import nemesis
from faults.audit import audit, audit_log
from faults.history import History
from faults.nemesis import Make, Nemesis, OtherManager
from faults.sites import site
from faults.workload import Board, Client, prepare

CLIENTS = 9
SEED = int(os.environ.get("TESTS_SEED", "1"))
"""What tests choose by, unless somebody says otherwise."""
_HARD_LIMIT_S = 600.0
_MANAGER_PAUSE_S = 0.05


@dataclass(frozen=True)
class Scenario:
    """What is done to which kind of site, with what pauses (seconds) in between.

    `keeps_log`: the database's file keeps every transaction until the end.
    """

    make: Make
    is_cluster: bool = False
    is_relayed: bool = False
    keeps_log: bool = True
    pause_s: tuple[float, float] = (0.2, 1.0)

    def pauses(self, choose: random.Random) -> Iterator[float]:
        """Yield the pauses, for ever."""
        while True:
            yield choose.uniform(*self.pause_s)


SCENARIOS: Mapping[str, Scenario] = {
    "nothing": Scenario(nemesis.Nothing),
    "kill-proxy": Scenario(nemesis.KillProxy),
    "kill-server": Scenario(nemesis.KillServer),
    "stall-server": Scenario(nemesis.StallServer),
    "cut-replies": Scenario(nemesis.CutReplies, is_relayed=True, pause_s=(0.05, 0.3)),
    "fill-disk": Scenario(nemesis.FillDisk),
    "convert-schema": Scenario(nemesis.ConvertSchema, keeps_log=False),
    "kill-leader": Scenario(nemesis.KillLeader, is_cluster=True, pause_s=(1.0, 2.0)),
    "stall-leader": Scenario(nemesis.StallServer, is_cluster=True, pause_s=(1.0, 2.0)),
    "stall-followers": Scenario(nemesis.StallFollowers, is_cluster=True, pause_s=(0.5, 1.5)),
    "convert-cluster": Scenario(nemesis.ConvertSchema, is_cluster=True),
}


@dataclass(frozen=True)
class Report:
    """What a run came to; without `problems` its claim is proved."""

    problems: Sequence[str]
    outcomes: Counter[str]
    strikes: int
    took_s: float
    median_ms: float
    longest_ms: float

    @property
    def requests(self) -> int:
        """How many requests were answered, or may have been done."""
        return sum(self.outcomes.values())

    def __str__(self) -> str:
        unknown = sum(n for what, n in self.outcomes.items() if what.endswith("unknown"))
        refused = sum(n for what, n in self.outcomes.items() if what.endswith("refused"))
        return (
            f"{self.requests} operations, {refused} refused, {unknown} unknown, "
            f"{self.strikes} faults, {self.took_s:.0f} s, "
            f"answers in {self.median_ms:.1f} ms (median), {self.longest_ms:.0f} ms (longest)"
        )


def run(scenario: Scenario, seed: int, steps: int, strikes: int) -> Report:
    """Let clients do so many steps in all, and more until the nemesis has struck so often.

    A second manager writes into the same rows all the time. Then look at what is left.
    Ends after ten minutes at the latest.
    """
    with site(is_cluster=scenario.is_cluster, is_relayed=scenario.is_relayed) as place:
        history = History()
        scene = prepare(place.ports[0], history)
        board = Board(scene)
        clients = [Client(f"c{n}", seed, place.ports, board, history) for n in range(CLIENTS)]
        harm = scenario.make(place, random.Random(f"{seed} nemesis"))
        pauses = scenario.pauses(random.Random(f"{seed} pauses"))
        manager = OtherManager(place, scene, history)
        started = time.monotonic()
        struck = _work(clients, steps, strikes, harm, pauses, manager)
        took_s = time.monotonic() - started
        leader = place.leader()
        place.wait_ready()
        problems = audit(leader, history, place.logs)
        if scenario.keeps_log and not scenario.is_cluster:
            problems += audit_log(leader, history)
    latencies = [second for client in clients for second in client.latencies_s] or [0.0]
    return Report(
        problems=problems,
        outcomes=history.outcomes(),
        strikes=struck,
        took_s=took_s,
        median_ms=1000 * statistics.median(latencies),
        longest_ms=1000 * max(latencies),
    )


def _work(
    clients: Sequence[Client],
    steps: int,
    strikes: int,
    harm: Nemesis,
    pauses: Iterator[float],
    manager: OtherManager,
) -> int:
    """Run clients, manager and nemesis side by side; return how often the last struck."""
    enough, stop = threading.Event(), threading.Event()
    until = time.monotonic() + _HARD_LIMIT_S

    def manage() -> None:
        while not stop.wait(_MANAGER_PAUSE_S):
            manager.strike()

    def strike() -> int:
        struck = 0
        try:
            while not stop.wait(next(pauses)):
                harm.strike()
                struck += 1
                if struck >= strikes:
                    enough.set()
        finally:
            enough.set()
        return struck

    with ThreadPoolExecutor(len(clients) + 2) as pool:
        managing, striking = pool.submit(manage), pool.submit(strike)
        share = steps // len(clients)
        working = [pool.submit(client.run, share, enough, until) for client in clients]
        try:
            for one in working:
                one.result()
        finally:
            stop.set()
        managing.result()
        return striking.result()
