# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make faults`: the long runs, with figures; exit status 1 if one shows a problem.

run.py [--seed N] [--steps N] [SCENARIO ...]
"""

from __future__ import annotations

import argparse
import random
import sys

from faults.scenario import SCENARIOS, run


def main() -> int:
    """Run what the command line asks for, by default everything."""
    parser = argparse.ArgumentParser(description="Break a site, and see what is lost.")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--steps", type=int, default=3000, help="of all clients, per scenario")
    parser.add_argument("--strikes", type=int, default=20, help="at least, per scenario")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - set(SCENARIOS)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    print(f"seed {arguments.seed}", flush=True)
    total = failed = 0
    for name in arguments.scenarios or SCENARIOS:
        report = run(SCENARIOS[name], arguments.seed, arguments.steps, arguments.strikes)
        total += report.requests
        failed += bool(report.problems)
        print(f"{name}: {report}", flush=True)
        for problem in report.problems[:20]:
            print(problem, flush=True)
    print(f"{total} operations in all, {failed} scenarios with problems")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
