# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make soak`: clients at work for some minutes, then an audit."""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections import Counter

from system.interrupt import interrupt_once
from system.lab import Lab
from system.lab.service import Service, service

from .audit import audit, rss_kb
from .clients import Client

CLIENTS = 3
# The proxy's memory settles in the first part of a run. What it takes from then on until
# the end, beyond what a busy allocator does, is a leak.
SETTLES = 0.3
GROWTH_KB = 4 * 1024
SAMPLE_S = 10.0


def soak(seconds: float, seed: int) -> Counter[str]:
    """Let clients work and compare what there is then; return what they did.

    AssertionError for what went wrong, with the seed.
    """
    with Lab(2, proxy=service) as lab:
        assert isinstance(lab.rest, Service)
        pid = lab.rest.process.pid
        shared = lab.create_network("10.255.0.0/24", name="shared")["id"]
        clients = [Client(lab, shared, number, seed) for number in range(CLIENTS)]
        is_ending = threading.Event()
        threads = [
            threading.Thread(target=client.run, args=(seconds, is_ending)) for client in clients
        ]
        begin = time.monotonic()
        for thread in threads:
            thread.start()
        settled_kb = rss_kb(pid)
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(min(SAMPLE_S, seconds / 10))
                    passed_s = time.monotonic() - begin
                    now_kb = rss_kb(pid)
                    if passed_s <= seconds * SETTLES:
                        settled_kb = max(settled_kb, now_kb)
                    total = sum(sum(client.done.values()) for client in clients)
                    print(f"{passed_s:.0f} s: {total} operations, proxy {now_kb} KiB", flush=True)
        finally:
            is_ending.set()
            for thread in threads:
                thread.join()
        failures = [client.failure for client in clients if client.failure]
        assert not failures, f"seed {seed}: {'; '.join(failures)}\n{lab.describe()}"

        audit(lab, clients, shared)
        now_kb = rss_kb(pid)
        assert now_kb <= settled_kb + GROWTH_KB, f"the proxy grew: {settled_kb} -> {now_kb} KiB"
        for client in clients:
            client.end()
        audit(lab, clients, shared)
        return sum((client.done for client in clients), Counter())


def main() -> int:
    """Run as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    interrupt_once()
    print(f"{given.seconds:.0f} seconds, seed {given.seed}", flush=True)
    try:
        done = soak(given.seconds, given.seed)
    except AssertionError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: nothing was audited, and nothing is left.", file=sys.stderr)
        return 1
    for name, count in sorted(done.items()):
        print(f"{count:6} {name.replace('_', ' ')}")
    print("Clients, REST, Northbound, Southbound and switches agree, and nothing is left.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
