# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make faults`: the long runs, with figures; exit status 1 if one shows a problem.

    run.py [--seed N] [--steps N] [--strikes N] [...] [RUN ...]

The same seed lets clients and nemeses choose the same; what comes of it depends on the
machine.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
import traceback
from collections.abc import Callable, Mapping

from bench.processes import describe_machine
from certificates import make_certificate
from daemon.ovsdb import ovsdb_server, short_folder
from faults.cuts import CASES, Cuts, cut_everywhere
from faults.liar import LIES
from faults.load import plugs, tokens
from faults.lying import lied, tell_lies
from faults.nuisance import disturb
from faults.scenario import SCENARIOS, run

Arguments = argparse.Namespace
_MOST_PROBLEMS = 20


def _scenario(name: str) -> Callable[[Arguments], str]:
    def work(arguments: Arguments) -> str:
        report = run(SCENARIOS[name], arguments.seed, arguments.steps, arguments.strikes)
        assert not report.problems, "\n".join(report.problems[:_MOST_PROBLEMS])
        return str(report)

    return work


def _cuts(name: str) -> Callable[[Arguments], str]:
    def work(arguments: Arguments) -> str:
        with ovsdb_server() as nb, Cuts(nb) as cuts:
            length = cut_everywhere(cuts, name, arguments.places)
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
            noticed = disturb(1000, arguments.requests // 3, folder if is_https else None)
        assert noticed.ratio < 3, noticed
        assert noticed.threads[1] <= noticed.threads[0], noticed
        assert noticed.descriptors[1] <= noticed.descriptors[0], noticed
        return str(noticed)

    return work


RUNS: Mapping[str, Callable[[Arguments], str]] = {
    **{name: _scenario(name) for name in SCENARIOS},
    **{f"cut-{name.replace(' ', '-')}": _cuts(name) for name in CASES},
    **{f"lie-{name}": _lies(name) for name in LIES},
    "hostile": _hostile(is_https=False),
    "hostile-https": _hostile(is_https=True),
    "plugs": lambda arguments: str(plugs(arguments.ports, 50, arguments.seconds)),
    "tokens": lambda arguments: str(tokens(100, arguments.seconds)),
}


def main() -> int:
    """Do what the command line asks for, by default everything."""
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
    add("--list", action="store_true", help="the runs there are")
    add("runs", nargs="*", metavar="RUN", help="by default all of them")
    arguments = parser.parse_args()
    if arguments.list:
        print(*RUNS, sep="\n")
        return 0
    unknown = set(arguments.runs) - set(RUNS)
    if unknown:
        parser.error(f"no such run: {', '.join(sorted(unknown))}")
    logging.disable()  # thousands of lost sessions are what this is about
    print(f"{describe_machine()}; seed {arguments.seed}", flush=True)
    failed = 0
    for name in arguments.runs or RUNS:
        started = time.monotonic()
        try:
            outcome = RUNS[name](arguments)
        except Exception:
            failed += 1
            outcome = f"PROBLEM\n{traceback.format_exc()}"
        print(f"{name}: {outcome} [{time.monotonic() - started:.0f} s]", flush=True)
    print(f"{failed} runs with problems", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
