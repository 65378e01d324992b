# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make faults`: the long runs, with figures; exit status 1 if one shows a problem.

    run.py [--seed N] [--steps N] [--strikes N] [...] [RUN ...]

Each run is a process group of its own: what one leaves behind is no other's, one that
fails or stands still takes no other with it, and whatever it has started ends with it.
The same seed lets clients and nemeses choose the same; what comes of it depends on the
machine.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.processes import describe_machine
from certificates import make_certificate
from daemon.ovsdb import ovsdb_server, short_folder
from faults.apart import do_apart
from faults.cuts import CASES, Cuts, cut_everywhere
from faults.liar import LIES
from faults.load import plugs, tokens
from faults.lying import lied, tell_lies
from faults.nuisance import disturb
from faults.scenario import SCENARIOS, run

Arguments = argparse.Namespace
Runs = Mapping[str, Callable[[Arguments], str]]
_MOST_PROBLEMS = 20
# Cuts wait for new sessions most of the time: so many sites at once, each with its share.
_CUT_SITES = 3
# HTTPS is slower, and has less to show: the connections that stay open.
_HTTPS_SHARE = 5


def _scenario(name: str) -> Callable[[Arguments], str]:
    def work(arguments: Arguments) -> str:
        report = run(SCENARIOS[name], arguments.seed, arguments.steps, arguments.strikes)
        assert not report.problems, "\n".join(report.problems[:_MOST_PROBLEMS])
        return str(report)

    return work


def _cuts(name: str) -> Callable[[Arguments], str]:
    def work(arguments: Arguments) -> str:
        stop = threading.Event()

        def cut(which: int) -> int:
            with ovsdb_server() as nb, Cuts(nb) as cuts:
                share = (which, _CUT_SITES)
                return cut_everywhere(cuts, name, arguments.places, share, stop)

        with ThreadPoolExecutor(_CUT_SITES) as pool:
            try:
                length = max(pool.map(cut, range(_CUT_SITES)))
            finally:
                stop.set()
        tried = min(length, arguments.places or length)
        return f"done once each time, cut in {tried} places of {length}"

    return work


def _lies(name: str) -> Callable[[Arguments], str]:
    def work(arguments: Arguments) -> str:
        with lied() as to:
            tell_lies(to, name, arguments.lies, arguments.seed)
        return f"in sync again after each of {arguments.lies}"

    return work


def _hostile(is_https: bool) -> Callable[[Arguments], str]:
    def work(arguments: Arguments) -> str:
        with short_folder() as folder:
            make_certificate(folder, "ca")
            make_certificate(folder, "proxy", "ca")
            # Before, meanwhile, and afterwards.
            requests = arguments.requests // (3 * _HTTPS_SHARE if is_https else 3)
            noticed = disturb(1000, requests, folder if is_https else None)
        assert noticed.ratio < 3, noticed
        assert noticed.threads[1] <= noticed.threads[0], noticed
        assert noticed.descriptors[1] <= noticed.descriptors[0], noticed
        return str(noticed)

    return work


RUNS: Runs = {
    **{name: _scenario(name) for name in SCENARIOS},
    **{f"cut-{name.replace(' ', '-')}": _cuts(name) for name in CASES},
    **{f"lie-{name}": _lies(name) for name in LIES},
    "hostile": _hostile(is_https=False),
    "hostile-https": _hostile(is_https=True),
    "plugs": lambda arguments: str(plugs(arguments.ports, 50, arguments.seconds)),
    "tokens": lambda arguments: str(tokens(100, arguments.seconds)),
}


def main(argv: Sequence[str], runs: Runs = RUNS) -> int:
    """Do what the command line asks for, by default everything; return the exit status."""
    parser = argparse.ArgumentParser(description="Break a site, and see what is lost.")
    add = parser.add_argument
    add("--seed", type=int, default=random.randrange(1_000_000))
    add("--steps", type=int, default=3000, help="of all clients, in each run under faults")
    add("--strikes", type=int, default=12, help="at least, in each run under faults")
    add("--places", type=int, help="in which a reply is cut, by default after each byte")
    add("--lies", type=int, default=20, help="of each kind")
    add("--requests", type=int, default=100_000, help="of good clients beside hostile ones")
    add("--ports", type=int, default=100_000, help="there are already while an engine plugs")
    add("--seconds", type=float, default=300.0, help="an engine plugs, and another one logs in")
    add("--limit", type=float, default=1800.0, help="seconds that a run may take")
    add("--list", action="store_true", help="the runs there are")
    add("--here", action="store_true", help="in this process: nothing ends what is left")
    add("runs", nargs="*", metavar="RUN", help="by default all of them")
    arguments = parser.parse_args(argv)
    if arguments.list:
        print(*runs, sep="\n")
        return 0
    unknown = set(arguments.runs) - set(runs)
    if unknown:
        parser.error(f"no such run: {', '.join(sorted(unknown))}")
    names = arguments.runs or list(runs)
    if arguments.here:
        return max([_do_here(name, runs[name], arguments) for name in names])
    print(f"{describe_machine()}; seed {arguments.seed}", flush=True)
    options = [*_without(argv, arguments.runs), "--seed", str(arguments.seed), "--here"]
    commands = {name: [sys.executable, __file__, *options, name] for name in names}
    return do_apart(commands, arguments.limit)


def _without(argv: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the options of a command line."""
    return [argument for argument in argv if argument not in names]


def _do_here(name: str, work: Callable[[Arguments], str], arguments: Arguments) -> int:
    logging.disable()  # thousands of lost sessions are what this is about
    started = time.monotonic()
    failed = 0
    try:
        outcome = work(arguments)
    except Exception:
        failed = 1
        outcome = f"PROBLEM\n{traceback.format_exc()}"
    print(f"{name}: {outcome} [{time.monotonic() - started:.0f} s]", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
