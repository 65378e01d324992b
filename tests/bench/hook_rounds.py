# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run commands in turns and measure what each costs. A program.

Reads {"rounds": N, "commands": {NAME: COMMAND}} from standard input. A COMMAND has `argv`,
`environment`, `variable` (gets the name of a file), `content` (of that file), `expected`
(what must be in the file afterwards) and `status`. Writes {NAME: [CPU milliseconds with all
children]}.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Any


def cpu_ms(command: dict[str, Any]) -> float:
    """Run a command once; return its CPU time, and that of all it has waited for."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(command["content"])
        file.flush()
        environment = {**command["environment"], command["variable"]: file.name}
        actions = [
            (os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDWR, 0o600) for number in (0, 1, 2)
        ]
        argv = command["argv"]
        pid = os.posix_spawn(argv[0], argv, environment, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        # By its name: hooks replace the file.
        with open(file.name) as left:
            is_right = command["expected"] in left.read()
    status = os.waitstatus_to_exitcode(status)
    if status != command["status"] or not is_right:
        sys.exit(f"{argv} has not done its work, status {status}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def main() -> None:
    """Do what is asked for."""
    asked = json.load(sys.stdin)
    results: dict[str, list[float]] = {name: [] for name in asked["commands"]}
    for _ in range(asked["rounds"]):
        for name, command in asked["commands"].items():
            results[name].append(cpu_ms(command))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
