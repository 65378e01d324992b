# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure proxy and hooks: `make bench`, or `python tests/bench/run.py` with --help.

Starts a Northbound server and the proxy for each size, both its own, on a unix socket
and the loopback; and a hypervisor for the hooks, in namespaces. Fails only when an answer
is wrong, never because one was slow.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path

from bench.content import Content, make_content
from bench.figures import BASE_MEMORY, Report, memory_bar
from bench.hooks import measure_hooks
from bench.measures import (
    CHANGES,
    SECURED,
    Bench,
    Effort,
    measure_changes,
    measure_crowd,
    measure_lists,
    measure_plugs,
    measure_sync,
    measure_tls,
)
from bench.processes import (
    awake,
    describe_machine,
    interpreter_rss_bytes,
    interpreter_start_s,
    rss_bytes,
)
from bench.raw import CheckError, Ovsdb
from bench.targets import Floor, bare_server, running_proxy
from daemon.ovsdb import OvsdbServer, northd, ovsdb_server


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every size; return the exit status."""
    options = _parser().parse_args(arguments)
    options.ports = options.ports or ([1000] if options.quick else [1000, 10_000])
    report = Report(describe_machine())
    report.begin()
    try:
        if options.only != "hooks":
            with nullcontext() if options.asleep else awake():
                for size in options.ports:
                    measure(report, size, options)
            report.add_growth([f"{name}: p50" for name in (*CHANGES, *SECURED)])
        if options.only == "hooks" or (options.only is None and os.geteuid() == 0):
            measure_hooks(report, options.quick)
    except CheckError as error:
        print(f"WRONG ANSWER: {error}", file=sys.stderr)
        return 1
    if options.json:
        report.write(options.json)
    return 0


def measure(report: Report, size: int, options: argparse.Namespace) -> None:
    """Measure everything with so many ports."""
    effort = _effort(size, options)
    with ExitStack() as stack:
        nb = stack.enter_context(_northbound(options.northd))
        ovsdb = stack.enter_context(closing(Ovsdb(nb.socket)))
        content, empty_bytes = _fill(nb, ovsdb, size, options)
        dump = measure_sync(report, nb.socket, size, effort.loads)

        started = time.perf_counter()
        proxy = stack.enter_context(running_proxy(nb, "proxy"))
        ready_s = time.perf_counter() - started
        synced_bytes = rss_bytes(proxy.pid)
        started = time.perf_counter()
        proxy.list_ports(content.ports[0].id)
        first_s = time.perf_counter() - started
        body = proxy.fetch_ports()
        listed_bytes = rss_bytes(proxy.pid)
        start_s = interpreter_start_s() + dump.wall_s
        report.add(size, "proxy, from start to ready: wall", "s", ready_s, start_s)
        _add_memory(report, size, empty_bytes, synced_bytes, listed_bytes, dump.size, len(body))

        pid, port = stack.enter_context(bare_server(nb.folder, body))
        floor = Floor(ovsdb, content, pid, port, body)
        bench = Bench(report, effort, ovsdb, content, proxy, floor)
        measure_lists(bench, first_s)
        measure_changes(bench)
        measure_plugs(bench)
        measure_crowd(bench)
        measure_tls(bench, stack.enter_context(running_proxy(nb, "tls", has_tls=True)))


def _fill(
    nb: OvsdbServer, ovsdb: Ovsdb, size: int, options: argparse.Namespace
) -> tuple[Content, int]:
    """Fill a new database; return the content, and the memory of a proxy without ports."""
    subnets = options.switches if options.subnets is None else options.subnets
    with running_proxy(nb, "empty") as proxy:
        content = make_content(proxy.port, ovsdb, size, options.switches, subnets)
        memory = rss_bytes(proxy.pid)
    content.fill(ovsdb, size)
    return content, memory


def _add_memory(
    report: Report, size: int, empty: int, synced: int, listed: int, dump: int, body: int
) -> None:
    bare = interpreter_rss_bytes() / 1e6
    report.add(size, "memory without ports", "MB", empty / 1e6, bare, BASE_MEMORY)
    per_port = (synced - empty) / size / 1000
    report.add(size, "memory per port, in sync; floor: the dump", "kB", per_port, dump / size / 1e3)
    per_port = (listed - empty) / size / 1000
    sent = (dump + body) / size / 1e3
    report.add(size, "memory per port, after lists; floor: dump + list", "kB", per_port, sent)
    report.add(size, "memory", "MB", listed / 1e6, bare + (dump + body) / 1e6, memory_bar(size))


@contextmanager
def _northbound(with_northd: bool) -> Iterator[OvsdbServer]:
    if with_northd:
        with northd() as servers:
            yield servers["nb"]
    else:
        with ovsdb_server() as server:
            yield server


def _effort(size: int, options: argparse.Namespace) -> Effort:
    if options.quick:
        return Effort(5, 2, 20, 10, 10, options.concurrency)
    if size <= 20_000:
        return Effort(15, 3, 60, 20, 50, options.concurrency)
    return Effort(3, 2, 60, 6, 10, options.concurrency)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure against floors and bars.")
    add = parser.add_argument
    add("--only", choices=["proxy", "hooks"], help="one of the two (the hooks need root)")
    add("--ports", type=_numbers, help="sizes, for example 1000,10000,100000")
    add("--switches", type=int, default=50, help="networks that the ports are spread over")
    add("--subnets", type=int, help="how many of the networks have a subnet (default: all)")
    add("--concurrency", type=_numbers, default=[1, 10, 50], help="plugs at a time")
    add("--quick", action="store_true", help="few repetitions, and 1,000 ports unless given")
    add("--northd", action="store_true", help="run ovn-northd too")
    add("--asleep", action="store_true", help="let idle processors sleep, and be woken")
    add("--json", type=Path, metavar="FILE", help="write the figures to a file as well")
    return parser


def _numbers(text: str) -> list[int]:
    numbers = [int(number) for number in text.split(",")]
    if min(numbers) < 1:
        raise ValueError(text)
    return numbers


if __name__ == "__main__":
    sys.exit(main())
