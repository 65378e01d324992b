# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a running ovn-northd says of its own work."""

from __future__ import annotations

import re
import subprocess
import time
from typing import NamedTuple

from daemon.ovsdb import wait_until


class Northd(NamedTuple):
    """The control socket of a running ovn-northd."""

    control: str

    def __call__(self, *command: str) -> str:
        """Run a command of ovn-appctl on it and return what it prints."""
        done = subprocess.run(
            ["ovn-appctl", "-t", self.control, *command],
            check=True,
            capture_output=True,
            timeout=10,
        )
        return done.stdout.decode()

    def runs(self) -> int:
        """Return how often the nodes that compute something ran, in full or in part."""
        stats = self("inc-engine/show-stats")
        total = 0
        for node in ("northd", "lflow"):
            (own,) = re.findall(rf"^Node: {node}\n((?:- .*\n?)+)", stats, re.MULTILINE)
            total += sum(map(int, re.findall(r"- (?:re)?compute: +(\d+)", own)))
        return total

    def settled(self) -> int:
        """Return `runs` once it does not change any more."""
        runs = [-1, -1]

        def is_quiet() -> bool:
            time.sleep(0.1)
            runs.append(self.runs())
            return runs[-1] == runs[-2] == runs[-3]

        wait_until(is_quiet, what="ovn-northd is idle")
        return runs[-1]
