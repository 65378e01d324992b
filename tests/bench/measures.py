# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The measurements: each adds its figures to a report.

Proxy and floor take turns in rounds, so that both see the same noise; a figure is the
median of its rounds, or a percentile of all requests. Of every answer status, length and
an id are looked at; after the turn, of those about one port all of the JSON, and of lists
too where plugs come one at a time.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from bench.content import HOSTS, LISTED_HOSTS, Content, Port, is_shown
from bench.figures import (
    CHANGE_MS,
    CROWD_S,
    LIST_CHANGED,
    LIST_UNCHANGED,
    PLUG_CPU_MS,
    SYNC,
    TLS_PLUG_CPU_MS,
    Bar,
    Report,
    median,
    percentile,
)
from bench.raw import CheckError, Ovsdb
from bench.targets import Call, Check, Floor, Proxy, Target, run_child
from ovirt_ovn_proxy.nb.schema import DATABASE, PORT
from ovirt_ovn_proxy.nb.session import choose_columns

T = TypeVar("T")

CHANGES = ("POST of a port", "PUT of a port", "DELETE of a port")
SECURED = tuple(f"{name} with port security" for name in CHANGES)
CROWD = 50


@dataclass(frozen=True)
class Effort:
    """How much is done: loads, rounds, requests in each; plugs at each concurrency."""

    loads: int
    rounds: int
    changes: int
    lists: int
    plugs: int
    concurrency: Sequence[int]


@dataclass(frozen=True)
class Bench:
    """A database of one size with both sides on it, and where figures go."""

    report: Report
    effort: Effort
    ovsdb: Ovsdb
    content: Content
    proxy: Proxy
    floor: Floor

    @property
    def size(self) -> int:
        """The number of ports that stay."""
        return len(self.content.ports)

    @property
    def sides(self) -> tuple[Target, Target]:
        """Proxy and floor."""
        return self.proxy, self.floor

    def new_ports(self, count: int, is_secured: bool = True) -> list[Port]:
        """Return ports to be created."""
        return [self.content.new_port(is_secured) for _ in range(count)]

    def check_ports(self, others: Sequence[Port] = ()) -> None:
        """Raise CheckError unless exactly the ports that must be there are listed."""
        self.check_list(self.proxy.fetch_ports(), others)

    def check_list(self, body: bytes, others: Sequence[Port] = ()) -> None:
        """Raise CheckError unless a list has the ports that stay and `others`, and no more."""
        listed = json.loads(body)["ports"]
        expected = {port.id: port for port in (*self.content.ports, *others)}
        missing = len(expected) - len(listed)
        if missing or len({element.get("id") for element in listed}) != len(listed):
            raise CheckError(f"{len(listed)} ports listed, {len(expected)} expected, or one twice")
        for element in listed:
            port = expected.get(element.get("id"))
            if port is None or not is_shown(port, element, LISTED_HOSTS):
                raise CheckError(f"in a list: {element}")

    def add(
        self, name: str, ours: Sequence[float], floor: Sequence[float], bar: Bar | None = None
    ) -> None:
        """Add the medians of seconds, as milliseconds."""
        self.report.add(self.size, name, "ms", 1000 * median(ours), 1000 * median(floor), bar)


class Turn(NamedTuple):
    """What one round of one side took: in all, CPU of the process, and each request."""

    wall_s: float
    cpu_s: float
    each_s: list[float]


def take_turn(
    target: Target, calls: Sequence[Callable[[], T]], concurrency: int = 1
) -> tuple[Turn, list[T]]:
    """Make the calls, so many at a time; return what they cost and what they returned."""

    def timed(call: Callable[[], T]) -> tuple[float, T]:
        started = time.perf_counter()
        result = call()
        return time.perf_counter() - started, result

    target.prepare()
    cpu_started, started = target.cpu_s(), time.perf_counter()
    if concurrency == 1:
        done = [timed(call) for call in calls]
    else:
        with ThreadPoolExecutor(concurrency) as pool:
            done = list(pool.map(timed, calls))
    wall_s = time.perf_counter() - started
    turn = Turn(wall_s, target.cpu_s() - cpu_started, [seconds for seconds, _ in done])
    return turn, [result for _, result in done]


class Dump(NamedTuple):
    """What a raw read of the database took and gave."""

    wall_s: float
    size: int


def measure_sync(report: Report, path: Path, ports: int, loads: int) -> Dump:
    """Load the replica, against a raw read; return what the latter was."""
    with closing(Ovsdb(path)) as ovsdb:
        columns = choose_columns(ovsdb.call("get_schema", [DATABASE]))
    tables = {table: [{"columns": names}] for table, names in columns.items()}
    params = [DATABASE, "all", tables, "00000000-0000-0000-0000-000000000000"]
    monitor = json.dumps({"method": "monitor_cond_since", "params": params, "id": "dump"})
    raw, ours = [], []
    for _ in range(loads):
        raw.append(run_child("raw-monitor", str(path), monitor))
        ours.append(run_child("replica", str(path)))
    if {one["ports"] for one in raw + ours} != {ports}:
        raise CheckError(f"not all of {ports} ports were read")
    for unit, key, bar in (("wall", "wall_s", SYNC), ("CPU", "cpu_s", None)):
        value = 1000 * median([one[key] for one in ours])
        floor = 1000 * median([one[key] for one in raw])
        report.add(ports, f"replica in sync: {unit}", "ms", value, floor, bar)
    return Dump(median([one["wall_s"] for one in raw]), int(raw[0]["bytes"]))


def measure_lists(bench: Bench, first_s: float) -> None:
    """List all ports with nothing changed, and after one change; `first_s` was the first."""
    ids = itertools.cycle(port.id for port in bench.content.ports)
    states = itertools.cycle((False, True))

    def change() -> None:
        # As when a VM stops and starts again.
        where = [["_uuid", "==", ["uuid", next(ids)]]]
        row = {"up": next(states)}
        bench.ovsdb.transact([{"op": "update", "table": PORT, "where": where, "row": row}])

    cases: Sequence[tuple[str, Callable[[], object], Bar]] = (
        ("unchanged", lambda: None, LIST_UNCHANGED),
        ("after one change", change, LIST_CHANGED),
    )
    for name, before, bar in cases:
        turns: list[list[Turn]] = []
        for _ in range(bench.effort.lists + 1):
            both = []
            for target in bench.sides:
                before()
                both.append(take_turn(target, [partial(target.list_ports, next(ids))])[0])
            turns.append(both)
        ours, floor = zip(*turns[1:])  # the first one warms up
        floor_walls = [turn.wall_s for turn in floor]
        if name == "unchanged":
            bench.add("GET /ports, the first: wall", [first_s], floor_walls)
        bench.add(f"GET /ports, {name}: wall", [turn.wall_s for turn in ours], floor_walls, bar)
        cpu, floor_cpu = [turn.cpu_s for turn in ours], [turn.cpu_s for turn in floor]
        bench.add(f"GET /ports, {name}: CPU", cpu, floor_cpu)
    bench.check_ports()


def measure_changes(bench: Bench) -> None:
    """Create, update and delete ports one after the other.

    Those with port security are in two port groups with all the others. What that costs
    the database, the floor, grows with their number, whoever asks for it.
    """
    _measure_changes(bench, CHANGES, False)
    _measure_changes(bench, SECURED, True)


def _measure_changes(bench: Bench, names: Sequence[str], is_secured: bool) -> None:
    turns: list[list[list[Turn]]] = [[[], []] for _ in names]
    for _ in range(bench.effort.rounds):
        for side, target in enumerate(bench.sides):
            new = bench.new_ports(bench.effort.changes, is_secured)
            turn, checks = take_turn(target, [target.creation(port) for port in new])
            turns[0][side].append(turn)
            ports = [check() for check in checks]
            turn, updated = take_turn(target, [target.change(port, HOSTS[1]) for port in ports])
            turns[1][side].append(turn)
            for check_update in updated:
                check_update()
            deletes = [partial(target.delete, port) for port in ports]
            turns[2][side].append(take_turn(target, deletes)[0])
    bench.check_ports()
    for name, sides in zip(names, turns):
        ours, floor = ([second for turn in taken for second in turn.each_s] for taken in sides)
        bench.add(f"{name}: p50", ours, floor, CHANGE_MS)
        bench.add(f"{name}: p99", [percentile(ours, 99)], [percentile(floor, 99)])
        cpu, floor_cpu = ([turn.cpu_s / bench.effort.changes for turn in taken] for taken in sides)
        bench.add(f"{name}: CPU", cpu, floor_cpu)


def measure_plugs(bench: Bench) -> None:
    """Plug vNICs as the engine does: all ports are listed, then one is created or updated."""
    for concurrency in bench.effort.concurrency:
        count = max(bench.effort.plugs, concurrency)
        creates: list[list[Turn]] = []
        updates: list[list[Turn]] = []
        for _ in range(bench.effort.rounds):
            creates.append([])
            updates.append([])
            for target in bench.sides:
                turn, ports = _plug_new(bench, target, count, concurrency)
                creates[-1].append(turn)
                updates[-1].append(_plug_again(bench, target, ports, concurrency))
                bench.check_ports(ports)
                bench.content.remove(bench.ovsdb, ports)
        for name, turns, bar in (
            ("list + POST", creates, PLUG_CPU_MS),
            ("list + PUT", updates, PLUG_CPU_MS),
        ):
            ours, floor = zip(*turns)
            label = f"plug, {name}, {concurrency} at a time"
            cpu, floor_cpu = ([turn.cpu_s / count for turn in side] for side in (ours, floor))
            bench.add(f"{label}: CPU", cpu, floor_cpu, bar)
            wall, floor_wall = ([turn.wall_s / count for turn in side] for side in (ours, floor))
            bench.add(f"{label}: wall", wall, floor_wall)


def measure_tls(bench: Bench, proxy: Proxy) -> None:
    """Plug vNICs one after the other by `proxy`, which speaks TLS; the floor does not."""
    turns: list[list[Turn]] = []
    count = bench.effort.plugs
    # A proxy of its own, which has not rendered any list yet: that is measured elsewhere.
    proxy.list_ports(bench.content.ports[0].id)
    for _ in range(bench.effort.rounds):
        turns.append([])
        for target in (proxy, bench.floor):
            turn, ports = _plug_new(bench, target, count, 1)
            turns[-1].append(turn)
            bench.check_ports(ports)
            bench.content.remove(bench.ovsdb, ports)
    ours, floor = zip(*turns)
    cpu, floor_cpu = ([turn.cpu_s / count for turn in side] for side in (ours, floor))
    bench.add("plug by HTTPS, list + POST: CPU", cpu, floor_cpu, TLS_PLUG_CPU_MS)
    wall, floor_wall = ([turn.wall_s / count for turn in side] for side in (ours, floor))
    bench.add("plug by HTTPS, list + POST: wall", wall, floor_wall)


def _plug_new(
    bench: Bench, target: Target, count: int, concurrency: int
) -> tuple[Turn, list[Port]]:
    """List and create, so many times; return what it took and the ports."""
    listed = bench.content.ports[0].id

    def plug(create: Call[Port]) -> tuple[bytes, Check[Port]]:
        return target.list_ports(listed, keep=concurrency == 1), create()

    calls = [partial(plug, target.creation(port)) for port in bench.new_ports(count)]
    turn, answers = take_turn(target, calls, concurrency)
    ports = [check() for _, check in answers]
    if concurrency == 1:
        for number, (body, _) in enumerate(answers):
            _check_list(bench, target, body, ports[:number])
    return turn, ports


def _plug_again(bench: Bench, target: Target, ports: Sequence[Port], concurrency: int) -> Turn:
    """List and update each of the ports; return what it took."""

    def plug(port: Port, update: Call[None]) -> tuple[bytes, Check[None]]:
        return target.list_ports(port.id, keep=concurrency == 1), update()

    calls = [partial(plug, port, target.change(port, HOSTS[1])) for port in ports]
    turn, answers = take_turn(target, calls, concurrency)
    for body, check in answers:
        check()
        if concurrency == 1:
            _check_list(bench, target, body, ports)
    return turn


def _check_list(bench: Bench, target: Target, body: bytes, others: Sequence[Port]) -> None:
    """Look at all of a list that was kept, which takes long: after the turn that it is of."""
    if target is not bench.floor:
        bench.check_list(body, others)
    elif body != bench.floor.body:
        raise CheckError(f"the bare server sent other {len(body)} bytes")


def measure_crowd(bench: Bench) -> None:
    """Plug many vNICs at the same moment, each with all of the engine's four requests."""
    listed = bench.content.ports[0].id
    walls: list[float] = []
    floors: list[float] = []
    for _ in range(bench.effort.rounds):
        start = threading.Barrier(CROWD)

        def plug(port: Port, start: threading.Barrier = start) -> Port:
            start.wait()
            return bench.proxy.plug(port, listed)

        calls = [partial(plug, port) for port in bench.new_ports(CROWD)]
        turn, ports = take_turn(bench.proxy, calls, CROWD)
        walls.append(turn.wall_s)
        bench.check_ports(ports)
        bench.content.remove(bench.ovsdb, ports)
        turn, ports = _plug_new(bench, bench.floor, CROWD, CROWD)
        floors.append(turn.wall_s)
        bench.content.remove(bench.ovsdb, ports)
    name = f"{CROWD} plugs of 4 requests at once: wall"
    bench.report.add(bench.size, name, "s", median(walls), median(floors), CROWD_S)
